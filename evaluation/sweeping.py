"""A sweep: measure what is missing, then report."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from erosion.evaluation.judging.costs import call_of
from erosion.evaluation.judging.of_runs import judge_by_recipe
from erosion.evaluation.machine import is_first_process, use_all_cores
from erosion.evaluation.measuring import Outcome, measure
from erosion.evaluation.models import LoadOptions
from erosion.evaluation.on_disk.costs import read_costs, total
from erosion.evaluation.on_disk.lock import working_in
from erosion.evaluation.on_disk.provenance import Call
from erosion.evaluation.on_disk.pruning import prune
from erosion.evaluation.on_disk.run_folder import heading, open_run
from erosion.evaluation.report.run_report import report
from erosion.evaluation.tracking import Tracker
from erosion.evaluation.tracking.publishing import publish
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe

log = logging.getLogger(__name__)


def sweep(
    run: Path, overrides: Sequence[str] = (), *, tracker: Tracker | None = None, call: Call | None = None
) -> list[str]:
    """Measures a run and writes its report, on the first process.

    Args:
        run: The run's folder.
        overrides: Command-line overrides of its recipe's evaluation section.
        tracker: An open one to log to; a sweep of its own opens the run's.
        call: The call it is part of; a sweep of its own enters one.

    Returns:
        One sentence for every rung or cell without a number.

    Raises:
        RecipeError: The folder holds no run that can be measured.
    """
    if not is_first_process():
        return []
    use_all_cores()
    recipe, _ = open_run(run, overrides)
    if tracker is not None:
        return _measured(run, overrides, recipe, tracker, call or call_of(run))
    with working_in(run), Tracker.open(recipe, run, job="eval") as own:
        call = call_of(run)
        missing = _measured(run, overrides, recipe, own, call)
        call.end()
    return missing


def measure_in(
    call: Call, run: Path, recipe: Recipe, overrides: Sequence[str] = (), **options: Any
) -> Outcome:
    """Measures as `measure` does, and enters time and cost."""
    before = len(read_costs(run))
    with call.phase("measuring", accelerators=int(LoadOptions.of(recipe).device.type != "cpu")):
        outcome = measure(run, overrides, reached=partial(call.reached, "measuring"), **options)
    call.spent("measuring", total(read_costs(run)[before:]))
    return outcome


def let_go(run: Path, recipe: Recipe) -> None:
    """Removes the measured rungs that the recipe does not keep; none where it cannot be told which are."""
    try:
        gone = prune(run, recipe.trl.get("save_total_limit"))
    except RecipeError as error:
        log.warning("no rung is removed: %s", error)
        return
    for rung in gone:
        print(f"removed after measuring: {rung.folder}")


def _measured(run: Path, overrides: Sequence[str], recipe: Recipe, tracker: Tracker, call: Call) -> list[str]:
    outcome = measure_in(call, run, recipe, overrides, tracker=tracker)
    outcome.missing += judge_by_recipe(run, recipe, call=call)
    let_go(run, recipe)
    report(run, title=heading(run, recipe))
    publish(run, tracker)
    print(f"cells measured now: {outcome.measured}; missing: {len(outcome.missing)}")
    for sentence in outcome.missing:
        print(f"missing: {sentence}", file=sys.stderr)
    return outcome.missing
