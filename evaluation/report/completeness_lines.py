"""What runs should hold and what they do, a line each: it opens all that a terminal says of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from erosion.evaluation.completeness.completeness import Completeness, completeness
from erosion.recipes.parsing import RecipeError


def print_completeness(runs: Iterable[Path]) -> None:
    """Prints how complete every run is; one that stands twice is told once."""
    for run in dict.fromkeys(runs):
        print(f"{run.name}: {counted(run)}")


def counted(run: Path) -> Completeness | str:
    """How complete a run is; in words where its folder does not tell."""
    try:
        return completeness(run)
    except RecipeError as error:
        return f"cells: what this run was to measure is not known here: {error}"
