"""A sweep: measure what is missing, then report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from erosion.evaluation.machine import is_first_process, use_all_cores
from erosion.evaluation.measuring import measure, open_run
from erosion.evaluation.report.run_report import report
from erosion.evaluation.tracking import Tracker


def sweep(run: Path, overrides: Sequence[str] = (), *, tracker: Tracker | None = None) -> list[str]:
    """Measures a run and writes its report, on the first process.

    Args:
        run: The run's folder.
        overrides: Command-line overrides of its recipe's evaluation section.
        tracker: An open one to log to; a sweep of its own opens the run's.

    Returns:
        One sentence for every rung or cell without a number.

    Raises:
        RecipeError: The folder holds no run that can be measured.
    """
    if not is_first_process():
        return []
    use_all_cores()
    recipe, _ = open_run(run, overrides)
    own = tracker or Tracker.open(recipe, run)
    outcome = measure(run, overrides, tracker=own)
    report(
        run,
        tracker=own,
        title=f"{run.name}: {recipe.model}, {', '.join(s.name for s in recipe.dataset.sources)}",
    )
    if tracker is None:
        own.close()
    for sentence in outcome.missing:
        print(f"missing: {sentence}", file=sys.stderr)
    return outcome.missing
