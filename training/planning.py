"""`erosion plan`: what a recipe or a study will take, told before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.cells import Cell
from erosion.evaluation.models import load_config
from erosion.evaluation.planned import Planned
from erosion.evaluation.workload import Work, probe_tokens, suite_work, task_work
from erosion.recipes.parsing import read_yaml
from erosion.recipes.schema import Recipe, load_recipe
from erosion.recipes.study import load_study
from erosion.training.arguments import training_config
from erosion.training.disk import Disk, disk
from erosion.training.run import check, training_data
from erosion.training.study import check_study, start_of, starts_of
from erosion.training.trainer import load_tokenizer

if TYPE_CHECKING:
    from datasets import Dataset


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
        probe: Tokens read once to fit its probes.
        disk: What it leaves.
    """

    name: str
    recipe: Recipe
    rungs: int
    training: Training
    work: tuple[Work, ...]
    probe: int
    disk: Disk

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
    known: dict[str, tuple[Planned, int]] = {}
    return [_run_plan(name, recipe, known) for name, recipe in _runs(path, overrides)]


def _runs(path: Path, overrides: Sequence[str]) -> list[tuple[str, Recipe]]:
    if "axes" not in read_yaml(path):
        recipe = load_recipe(path, overrides)
        check(recipe)
        return [(recipe.output_dir.name, recipe)]
    study = load_study(path)
    points = study.points()
    check_study(study, points, overrides)
    starts = [(f"start-{name}", load_recipe(*start_of(study, name, overrides))) for name in starts_of(points)]
    runs = [(p.name, load_recipe(p.recipe, [*p.overrides, *overrides])) for p in points]
    return [*starts, *runs]


def _run_plan(name: str, recipe: Recipe, known: dict[str, tuple[Planned, int]]) -> RunPlan:
    key = repr(
        (recipe.model, recipe.evaluation, recipe.dataset, recipe.defense, recipe.trl.get("max_length"))
    )
    if key not in known:
        known[key] = (Planned.of(recipe.output_dir, recipe, (), load_tokenizer(recipe)), _mean_length(recipe))
    planned, length = known[key]
    config, cells = training_config(recipe), planned.grid.cells
    rows = config.per_device_train_batch_size * config.gradient_accumulation_steps
    steps, rungs = recipe.ladder[-1], len(recipe.ladder)
    work = (*(suite_work(cell, cells) for cell in cells), *_beside(planned, cells, length))
    left = disk(recipe, rungs, rungs * sum(each.stored for each in work))
    return RunPlan(
        name=name, recipe=recipe, rungs=rungs, work=work, probe=probe_tokens(planned.grid.recipe), disk=left,
        training=Training(steps=steps, rows=rows, tokens=steps * rows * length),
    )  # fmt: skip


def _beside(planned: Planned, cells: Sequence[Cell], length: int) -> list[Work]:
    """What is measured beside the suites: lm-eval's tasks and the attack's progress, under two models."""
    recipe = planned.grid.recipe
    config = load_config(recipe.model, planned.options)
    found = [task_work(task, planned.tokenizer, config) for task in planned.grid.tasks]
    tasks = [work for work in found if work is not None]
    rows = recipe.evaluation.progress_rows
    progress = Work(suite="trained_on", defense="none", prompts=rows, read=2 * rows * length, written=0)
    return [*tasks, progress] if rows else tasks


def _mean_length(recipe: Recipe) -> int:
    """Tokens a training row has on average, as training cuts it."""
    config = training_config(recipe)
    dataset: Dataset = training_data(recipe, config, load_tokenizer(recipe))
    lengths = [len(row) for row in dataset["input_ids"]]
    longest = config.max_length or max(lengths)
    return round(sum(min(length, longest) for length in lengths) / len(lengths))
