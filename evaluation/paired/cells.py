"""What can be compared prompt by prompt: cells of suites and metrics of tasks, told apart by nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
from erosion.evaluation.paired.differences import CellMissing, Prompt
from erosion.evaluation.records import HigherIs
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import load_recipe


@dataclass(frozen=True, kw_only=True, order=True)
class What:
    """What both sides measured.

    Attributes:
        suite: The suite, or the task of lm-eval.
        depth: Answer tokens placed as prefill; below 0 of a task, which has none.
        wrapper: What the attack put around the request.
        defense: The guard; empty where the sides are two defences.
        metric: Of a task; empty of a suite, whose metric is what its judge can tell.
    """

    suite: str
    depth: int = -1
    wrapper: str = "none"
    defense: str = ""
    metric: str = ""

    @property
    def place(self) -> str:
        """In words, but for the metric."""
        depth = f"depth {self.depth}" if self.depth >= 0 else ""
        parts = [self.suite, depth, self.wrapper.replace("none", ""), self.defense]
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        return f"{self.place}, {self.metric}" if self.metric else self.place


@dataclass(frozen=True, kw_only=True)
class Values:
    """What one side has of a cell, prompt by prompt.

    Attributes:
        metric: What the values are of. Where a side has a guard, refusals are `refused_or_halted_rate`: what
            is halted is kept from the user too.
        higher_is: What a higher value means.
        judge: Whose verdicts they count.
        is_rate: Whether every value is 0 or 1.
        alike: What must be equal on both sides, by its name, such as a judge's version.
        by_prompt: The values by case; None where one is unscored.
        asked: The prompt of each case, where several may have one; empty where every case is its own.
    """

    metric: str
    higher_is: HigherIs
    judge: str
    is_rate: bool
    alike: Mapping[str, str]
    by_prompt: Mapping[Prompt, float | None]
    asked: Mapping[Prompt, Hashable] = field(default_factory=dict)


class Cell(Protocol):
    """One cell of one run at one rung."""

    @property
    def step(self) -> int:
        """The rung."""

    @property
    def what(self) -> What:
        """What it measures, with its defence."""

    @property
    def is_member_of(self) -> str:
        """The group of tasks it is a member of; empty where it is none."""

    def counts_by(self, judge: str | None) -> bool:
        """Whether its values can be of the verdicts of a judge; of its own judge's when None."""

    def values(self, *, judge: str | None, guarded: bool) -> Values:
        """Reads its values.

        Args:
            judge: Whose verdicts count; the cell's own first judge's when None.
            guarded: Whether a side of the comparison has a guard.

        Raises:
            CellMissing: They are no longer all there.
            NotByPrompt: No prompt has a value of its own.
        """


OneCell = TypeVar("OneCell", bound=Cell)


class NotByPrompt(RecipeError):
    """A number that no prompt has a part of; it is left out, and nothing is missing."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison: a run, and the one defence that is compared; each of its own when None."""

    run: Path
    defense: str | None = None


def check_same_length(runs: Sequence[Path]) -> None:
    """Checks that runs were measured with answers of the same greatest length.

    Raises:
        RecipeError: They were not.
    """
    known = [run for run in dict.fromkeys(runs) if (run / RECIPE_FILE).is_file()]
    lengths = [load_recipe(run / RECIPE_FILE).evaluation.max_new_tokens for run in known]
    for run, length in zip(known, lengths, strict=True):
        if length != lengths[0]:
            raise RecipeError(f"evaluation.max_new_tokens: {known[0]} has {lengths[0]}, {run} {length}")


def of_side(side: Side, cells: Sequence[OneCell]) -> list[OneCell]:
    """A run's cells under the side's defence.

    Raises:
        RecipeError: A run in which nothing was measured prompt by prompt, or no such defence in it.
    """
    if not cells:
        what = "a folder in which nothing was measured prompt by prompt"
        raise RecipeError(f"run: given {str(side.run)!r}, {what}")
    known = list(dict.fromkeys(cell.what.defense for cell in cells))
    if side.defense is not None and side.defense not in known:
        raise mistake(f"{side.run.name}: --defenses", side.defense, ", ".join(known), known=known)
    return [cell for cell in cells if side.defense in (None, cell.what.defense)]


def common_step(sides: Sequence[Iterable[Cell]], step: int | None) -> int:
    """The rung to compare at: the given one, or the last that all sides have.

    Raises:
        RecipeError: A rung that a side lacks, or no common one.
    """
    held = [{cell.step for cell in side} for side in sides]
    common = sorted(set.intersection(*held))
    if not common:
        raise RecipeError(f"step: no rung was measured on both sides: {' and '.join(map(_steps, held))}")
    if step is None or step in common:
        return common[-1] if step is None else step
    raise mistake("--step", step, ", ".join(map(str, common)))


def cells_at(cells: Iterable[Cell], step: int, *, by_defense: bool) -> dict[What, Cell]:
    """A side's cells at a rung; `by_defense` keeps its defences apart."""
    return {
        cell.what if by_defense else replace(cell.what, defense=""): cell
        for cell in cells
        if cell.step == step
    }


def check_alike(ours: Values, theirs: Values) -> None:
    """Checks that two sides were measured by the same metric, judge and versions.

    Raises:
        CellMissing: They were not.
    """
    named = [
        {"the judges": values.judge, "the metrics": values.metric, **values.alike}
        for values in (ours, theirs)
    ]
    for name, own in named[0].items():
        other = named[1].get(name, "none")
        if own != other:
            raise CellMissing(f"{name} differ: {own} and {other}")


def _steps(held: set[int]) -> str:
    return str(sorted(held))
