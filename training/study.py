"""`erosion study FILE`: trains and measures many recipes, resumes where it was stopped, prints one table."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from erosion.evaluation.engine import Engine
from erosion.evaluation.hypotheses.named_numbers import check_column
from erosion.evaluation.judging.costs import call_of
from erosion.evaluation.judging.of_runs import judge_by_recipe
from erosion.evaluation.models import LoadOptions, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import Checkpoint, read_ladder
from erosion.evaluation.on_disk.lock import working_in
from erosion.evaluation.on_disk.run_folder import RECIPE_FILE, note_study, open_run
from erosion.evaluation.report.study_report import study_report
from erosion.evaluation.sweeping import let_go, measure_in, sweep
from erosion.evaluation.tracking import Tracker
from erosion.evaluation.tracking.publishing import publish
from erosion.recipes.models import is_untrained, resolve
from erosion.recipes.parsing import RecipeError, option_pairs
from erosion.recipes.schema import Recipe, load_recipe
from erosion.recipes.study import Point, Study, as_overrides, load_study
from erosion.training import sft
from erosion.training.ladder import TrainingDiverged
from erosion.training.run import check, run

Overrides = Sequence[str]


def study(
    path: Path | str, overrides: Overrides = (), *, folder: Path | None = None, launch: str | None = None
) -> list[str]:
    """Runs every recipe of a study that has not been run, and reports.

    Args:
        path: The study's file.
        overrides: Keys changed in every run, after the study's own.
        folder: Where its runs go; `runs/<file's name>` when None.
        launch: A command that starts `training/sft.py` in processes of its own, for every run anew; in this
            process when None.

    Returns:
        One sentence for every number that is missing.

    Raises:
        RecipeError: Bad input in any of its recipes, before the first is trained; or a start that could not
            be trained. A run that fails later is missing, and the others go on.
    """
    plan = load_study(path)
    folder, points = folder or plan.folder, plan.points()
    check_study(plan, points, overrides)
    starts = {name: _started(plan, name, folder, overrides, launch) for name in starts_of(points)}
    missing: list[str] = []
    for number, point in enumerate(points, start=1):
        begun, model = time.monotonic(), starts[point.start] if point.start else None
        note_study(folder / point.name, plan.path.stem)
        missing += _train(point.recipe, _changes(point, folder, model, overrides), launch)
        _say(number, len(points), f"trained {point.name}", begun)
    return [*missing, *_measured(points, folder, starts), *study_report(plan, folder)]


def check_study(plan: Study, points: Sequence[Point], overrides: Overrides) -> None:
    """Checks every recipe of a study and what is told of it, before anything is trained.

    Raises:
        RecipeError: The first thing that is wrong.
    """
    for name in starts_of(points):
        check(start := load_recipe(*start_of(plan, name, overrides)))
        if start.trl.get("use_peft"):
            where = f"{plan.path}: starts.{name}"
            raise RecipeError(f"{where}: ends in an adapter; give a recipe of full fine-tuning")
    for point in points:
        check(recipe := load_recipe(point.recipe, [*point.overrides, *overrides]))
        for name, column in point.columns.items():
            check_column(column, recipe, f"{plan.path}: {point.name}: columns.{name}")


def _measured(points: Sequence[Point], folder: Path, starts: dict[str, Checkpoint]) -> list[str]:
    missing = [sentence for name in starts for sentence in sweep(folder / f"start-{name}")]
    resident, runs = _Resident(), [folder / point.name for point in points]
    for number, own in enumerate(runs, start=1):
        begun = time.monotonic()
        others = [other for other in runs if other != own and other.is_dir()]
        missing += [f"{own.name}: {sentence}" for sentence in _measure(own, resident, others)]
        _say(number, len(runs), f"measured {own.name}", begun)
    del resident
    return [*missing, *(sentence for own in runs for sentence in _judged(own))]


def _measure(own: Path, resident: _Resident, others: Sequence[Path]) -> list[str]:
    """What is missing of one run afterwards; all of it where training left nothing."""
    try:
        recipe, rungs = open_run(own)
    except RecipeError as error:
        return [str(error)]
    with working_in(own), Tracker.open(recipe, own, job="eval") as tracker:
        engine, call = resident.for_run(recipe, rungs[0]), call_of(own)
        outcome = measure_in(call, own, recipe, tracker=tracker, engine=engine, others=others)
        call.end()
    return outcome.missing


def _judged(own: Path) -> list[str]:
    """What is missing of one run's judges, who come when the studied model has gone; then rungs may go."""
    if not (own / RECIPE_FILE).is_file():
        return []
    recipe = load_recipe(own / RECIPE_FILE)
    with working_in(own), Tracker.open(recipe, own, job="eval") as tracker:
        missing = judge_by_recipe(own, recipe)
        publish(own, tracker)
        let_go(own, recipe)
    return [f"{own.name}: {each}" for each in missing]


class _Resident:
    """The model that stays loaded from run to run, as long as the runs share it."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] | None = None
        self._engine: Engine | None = None

    def for_run(self, recipe: Recipe, rung: Checkpoint) -> Engine:
        """An engine for a run; another one only for another base, other options or another kind of rung."""
        options = LoadOptions.of(recipe)
        if not is_untrained(resolve(recipe.model)):
            options = replace(options, seed=0)
        of = (rung.base_digest, options, rung.is_adapter, recipe.trl.get("chat_template_path"))
        if self._engine is None or of != self._of:
            self._engine = None
            tokenizer = load_tokenizer(rung.folder, trust_remote_code=options.trust_remote_code)
            self._of, self._engine = of, Engine(recipe.model, tokenizer, options)
        return self._engine


def _train(recipe: Path, overrides: Overrides, launch: str | None) -> list[str]:
    """Trains one recipe, here or in processes of its own; what is already trained is left as it is.

    Returns:
        One sentence where it failed: one attack that diverges leaves the others their numbers.
    """
    if launch is None:
        try:
            return run(recipe, overrides, evaluate=False)
        except TrainingDiverged as error:
            return [f"{recipe}: {error}"]
    words = [*shlex.split(launch), str(sft.__file__), str(recipe), *overrides, "--no-evaluate"]
    status = subprocess.run(words).returncode
    return [f"{recipe}: training ended with exit status {status}: {shlex.join(words)}"] if status else []


def _changes(point: Point, folder: Path, model: Checkpoint | None, overrides: Overrides) -> list[str]:
    own = {"output_dir": str(folder / point.name)}
    if model is not None:
        own["model_name_or_path"] = str(model.folder)
    return [*point.overrides, *as_overrides(own), *overrides]


def starts_of(points: Sequence[Point]) -> list[str]:
    """Names of the starts that runs train from."""
    return list(dict.fromkeys(point.start for point in points if point.start))


def start_of(plan: Study, name: str, overrides: Overrides) -> tuple[Path, list[str]]:
    """A start's recipe and its changes; of the command line it takes only what does not train."""
    level = plan.starts[name]
    if level.recipe is None:
        raise RecipeError(f"{plan.path}: starts.{name}: needs a `recipe`")
    pairs = [pair for pair in option_pairs(overrides) if pair[0].startswith(("evaluation.", "report_to"))]
    told = [word for key, value in pairs for word in (f"--{key}", value)]
    return plan.path.parent / level.recipe, [*as_overrides(level.set), *told]


def _started(plan: Study, name: str, folder: Path, overrides: Overrides, launch: str | None) -> Checkpoint:
    """The last rung of a start, trained if it is not there yet.

    Raises:
        RecipeError: It could not be trained to its last rung: what trains from it would be something else.
    """
    begun, own = time.monotonic(), folder / f"start-{name}"
    recipe, changes = start_of(plan, name, overrides)
    changes = [*changes, *as_overrides({"output_dir": str(own)})]
    note_study(own, plan.path.stem)
    failed = _train(recipe, changes, launch)
    if failed or not (rungs := read_ladder(own)) or rungs[-1].step != load_recipe(recipe, changes).ladder[-1]:
        raise RecipeError(f"{plan.path}: starts.{name}: {' '.join(failed) or 'its last rung is missing'}")
    print(f"trained start-{name}, {time.monotonic() - begun:.0f} s", flush=True)
    return rungs[-1]


def _say(number: int, count: int, what: str, begun: float) -> None:
    print(f"{number} of {count}: {what}, {time.monotonic() - begun:.0f} s", flush=True)
