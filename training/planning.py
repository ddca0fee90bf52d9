"""`erosion plan`: what a recipe or a study will take, told before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erosion.evaluation.judging.work import JudgeWork
from erosion.evaluation.planned import Planned
from erosion.evaluation.workload import Work, probe_tokens
from erosion.recipes.parsing import read_yaml
from erosion.recipes.schema import Recipe, load_recipe
from erosion.recipes.study import Point, Study, as_overrides, load_study
from erosion.training.arguments import check_length, training_config
from erosion.training.disk import Disk, disk
from erosion.training.run import check
from erosion.training.shared_work import Mixed, Shared
from erosion.training.study import check_study, start_of, starts_of

OF_A_START = ("model_name_or_path", "model_revision", "chat_template_path")
"""Keys of a start's recipe that say which model it trains."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What training takes.

    Attributes:
        steps: Optimizer steps, to the ladder's last rung.
        rows: Rows in a step, in one process.
        tokens: Tokens of all steps, by the mean length of the mixture's rows.
    """

    steps: int
    rows: int
    tokens: int


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """One run.

    Attributes:
        name: The run's.
        recipe: Its recipe.
        rungs: How many are measured.
        training: What training takes.
        work: What is measured at every rung.
        judging: What its further judges are asked at every rung.
        probe: Tokens read once to fit its probes.
        disk: What it leaves.
        planned: Its cells, for timing; runs that differ in training alone share them.
        mixed: Its mixture, likewise.
    """

    name: str
    recipe: Recipe
    rungs: int
    training: Training
    work: tuple[Work, ...]
    judging: tuple[JudgeWork, ...]
    probe: int
    disk: Disk
    planned: Planned
    mixed: Mixed

    @property
    def prompts(self) -> int:
        """Prompts over all rungs, those that are not known left out."""
        return self.rungs * sum(work.prompts or 0 for work in self.work)

    @property
    def read(self) -> int:
        """Tokens read over all rungs at most, those that are not known left out."""
        return self.probe + self.rungs * sum(work.read or 0 for work in self.work)

    @property
    def written(self) -> int:
        """Tokens written over all rungs at most, those that are not known left out."""
        return self.rungs * sum(work.written or 0 for work in self.work)


def plan(path: Path, overrides: Sequence[str] = ()) -> list[RunPlan]:
    """Every run of a recipe or a study; nothing is trained, and no model is loaded.

    Runs that differ in their seed or in numbers of training alone are counted once and share what was found.

    Args:
        path: A recipe, or a study (a file with `axes`).
        overrides: Keys changed, as in training.

    Raises:
        RecipeError: Bad input in any of its recipes.
    """
    shared = Shared()
    return [_run_plan(name, recipe, shared) for name, recipe in _runs(path, overrides)]


def _runs(path: Path, overrides: Sequence[str]) -> list[tuple[str, Recipe]]:
    if "axes" not in read_yaml(path):
        recipe = load_recipe(path, overrides)
        check(recipe)
        return [(recipe.output_dir.name, recipe)]
    study = load_study(path)
    points = study.points()
    check_study(study, points, overrides)
    starts = {name: load_recipe(*start_of(study, name, overrides)) for name in starts_of(points)}
    return [
        *((f"start-{name}", recipe) for name, recipe in starts.items()),
        *((point.name, _of_point(study, point, starts, overrides)) for point in points),
    ]


def _of_point(study: Study, point: Point, starts: Mapping[str, Recipe], overrides: Sequence[str]) -> Recipe:
    """A run's recipe; of a start that has not been trained yet, the model is the one it will begin with."""
    own = {}
    if point.start is not None:
        trl = starts[point.start].trl
        own = {key: trl[key] for key in OF_A_START if key in trl}
    return load_recipe(point.recipe, [*point.overrides, *as_overrides(own), *overrides])


def _run_plan(name: str, recipe: Recipe, shared: Shared) -> RunPlan:
    planned, mixed, config = shared.planned(recipe), shared.mixed(recipe), training_config(recipe)
    check_length(recipe, config, len(mixed.rows))
    rows = config.per_device_train_batch_size * config.gradient_accumulation_steps
    steps, rungs = recipe.ladder[-1], len(recipe.ladder)
    work = (*shared.asked(recipe), *_progress(recipe, mixed.length))
    return RunPlan(
        name=name, recipe=recipe, rungs=rungs, work=work, judging=shared.judged(recipe),
        probe=probe_tokens(planned.grid.recipe),
        disk=disk(recipe, shared.weights(recipe), rungs, rungs * sum(each.stored for each in work)),
        planned=planned, mixed=mixed,
        training=Training(steps=steps, rows=rows, tokens=steps * rows * mixed.length),
    )  # fmt: skip


def _progress(recipe: Recipe, length: int) -> list[Work]:
    """The attack's progress, measured under two models."""
    rows = recipe.evaluation.progress_rows
    read = 2 * rows * length
    return [Work(suite="trained_on", defense="none", prompts=rows, read=read, written=0)] if rows else []
