"""A run's recipe made ready to be measured: its tokenizer, its cells, and how their digests are made."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.cells import Cell, Rendered, grid
from erosion.evaluation.completeness.expected import (
    Digests,
    Expected,
    Grid,
    expected,
    read_expected,
    still_asked,
    trained_on,
    write_expected,
)
from erosion.evaluation.judging.judge import made_judge
from erosion.evaluation.models import LoadOptions, load_tokenizer, positions
from erosion.evaluation.on_disk.checkpoints import Checkpoint
from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
from erosion.evaluation.plan import check_evaluation
from erosion.evaluation.probes.corpus import probe_corpus
from erosion.evaluation.utility.task_cells import TaskCell, task_cells
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import JudgeOptions, Recipe, load_recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a sweep goes by.

    Attributes:
        grid: The recipe and its cells.
        rungs: The run's.
        tokenizer: The run's.
        options: How its model is loaded.
    """

    grid: Grid
    rungs: Sequence[Checkpoint]
    tokenizer: PreTrainedTokenizerBase
    options: LoadOptions

    @classmethod
    def of(
        cls,
        run: Path,
        recipe: Recipe,
        rungs: Sequence[Checkpoint],
        tokenizer: PreTrainedTokenizerBase | None = None,
        rendered: Rendered | None = None,
    ) -> Planned:
        """Renders every prompt of a recipe; the model is not loaded.

        Args:
            run: The run's folder.
            recipe: Its recipe.
            rungs: Its rungs.
            tokenizer: Renders; the rungs' own when None, or the model's where no rung is on disk.
            rendered: What it has rendered for other recipes of the same model.

        Raises:
            RecipeError: A suite that has no cases or cannot be read, or a tokenizer that cannot be reached.
        """
        recipe = replace(recipe, evaluation=replace(recipe.evaluation, probe=probe_corpus(recipe)))
        options = LoadOptions.of(recipe)
        if tokenizer is None:
            name: str | Path = next((rung.folder for rung in rungs if rung.folder.is_dir()), recipe.model)
            tokenizer = load_tokenizer(name, trust_remote_code=options.trust_remote_code)
        room = positions(recipe.model, options)
        places = grid(recipe.evaluation, tokenizer, positions=room, rendered=rendered)
        tasks, rows = task_cells(recipe.evaluation), trained_on(run, recipe)
        made = Grid(recipe=recipe, places=places, tasks=tasks, trained_on=rows)
        return cls(grid=made, rungs=rungs, tokenizer=tokenizer, options=options)

    @property
    def digests(self) -> Digests:
        """How its cells' digests are made on this machine."""
        return self.digests_at(self.options.place)

    def digests_at(self, place: str) -> Digests:
        """The same, for a device and dtype."""
        size = self.grid.recipe.evaluation.batch_size
        made_at = place if "float32" in place else f"{place}, batches of {size}"

        def stamp(rung: Checkpoint, cell: Cell) -> str:
            """Below float32 a row depends on its batch, so there the batch size is part of the place."""
            return cell.stamp(rung.weights_digest, made_at)

        return Digests(
            place=place, stamp=stamp, template=self.tokenizer.chat_template, judged_as=cache(self._judged_as)
        )

    def _judged_as(self, judge: JudgeOptions) -> str:
        """A judge's version, which no loading is needed for; empty where its model cannot be reached."""
        try:
            return made_judge(judge, run=self.rungs[0].run).version
        except (RecipeError, OSError) as error:
            log.warning("%s: its version is not known here, and is not compared: %s", judge.label, error)
            return ""

    def task_digest(self, rung: Checkpoint, task: TaskCell) -> str:
        """Of all that can change a task's numbers at a rung."""
        return task.digest(rung, self.tokenizer.chat_template, self.options.place)

    def expected(self, place: str | None = None) -> list[Expected]:
        """Every cell at every step of the ladder, with the digests of the rungs that are there.

        Args:
            place: Device and dtype of the digests; this machine's when None.
        """
        return expected(self.grid, self.rungs, self.digests_at(place or self.options.place))


def plan_on_disk(run: Path, planned: Planned, overrides: Sequence[str] = ()) -> None:
    """Writes what a run's recipe expects, its overrides on a command line left out.

    Under overrides an earlier plan of the same recipe stays as it is, if it knows every rung. Else it is made
    from the recipe alone; where only the overrides make that readable there is none.
    """
    place = planned.options.place
    if not overrides:
        write_expected(run, planned.expected(), place)
        return
    known = {cell.where.step for cell in read_expected(run) if cell.digest}
    if not still_asked(run) or {rung.step for rung in planned.rungs} - known:
        try:
            write_expected(run, from_recipe(run, planned.rungs).expected(), place)
        except RecipeError as error:
            log.warning("what the recipe itself expects is not known here: %s", error)


def from_recipe(run: Path, rungs: Sequence[Checkpoint]) -> Planned:
    """What a run's recipe on disk asks for.

    Raises:
        RecipeError: Its recipe cannot be prepared here.
    """
    recipe = load_recipe(run / RECIPE_FILE)
    check_evaluation(recipe)
    return Planned.of(run, recipe, rungs)
