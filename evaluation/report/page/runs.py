"""The runs of a report as they are on disk: a folder of runs stands for every run in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erosion.evaluation.curves import ErosionCurve, UndefinedCurve, curves
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.checkpoints import MANIFEST
from erosion.evaluation.on_disk.provenance import FILE as PROVENANCE
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE
from erosion.evaluation.records import Measurement
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe, load_recipe

OF_A_RUN = (MEASUREMENTS, RECIPE_FILE, MANIFEST)
"""A folder with one of these is a run."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run, read once.

    Attributes:
        name: Told apart from the others' names.
        path: Its folder.
        measured: Its measurements, as they stand in the file.
        curves: The same as curves.
        recipe: Its recipe; None where the folder has none.
        calls: Its provenance, one entry a call.
    """

    name: str
    path: Path
    measured: tuple[Measurement, ...]
    curves: tuple[ErosionCurve, ...]
    recipe: Recipe | None
    calls: tuple[dict[str, Any], ...]

    @property
    def ladder(self) -> tuple[int, ...]:
        """The steps at which it should have been measured; those it was measured at without a recipe."""
        steps = self.recipe.ladder if self.recipe else {line.step for line in self.measured}
        return tuple(sorted(steps))


def read_runs(given: Sequence[Path]) -> list[Run]:
    """Reads every run.

    Args:
        given: Folders of runs, or folders that hold such folders (a study's).

    Raises:
        RecipeError: No such folder, no run in it, one run given twice, one in which nothing was measured, or
            lines that are no measurements.
    """
    folders = [folder for path in given for folder in expanded(path)]
    resolved = [folder.resolve() for folder in folders]
    for folder in folders:
        if resolved.count(folder.resolve()) > 1:
            raise RecipeError(f"compare: {folder} is given twice; name every run once")
    runs = [_read(folder, name) for folder, name in zip(folders, _names(resolved), strict=True)]
    if not any(run.measured for run in runs):
        raise RecipeError(f"compare: nothing was measured in {', '.join(map(str, given))}; sweep first")
    return runs


def expanded(path: Path) -> list[Path]:
    """A run, or all runs directly in a folder.

    Raises:
        RecipeError: There is no such folder, or no run in it.
    """
    if not path.is_dir():
        raise RecipeError(f"run: given {str(path)!r}, and there is no such folder")
    if is_run(path):
        if not (path / MEASUREMENTS).is_file():
            raise RecipeError(
                f"run: given {str(path)!r}, a run in which nothing was measured; sweep it first"
            )
        return [path]
    inside = sorted(folder for folder in path.iterdir() if folder.is_dir() and is_run(folder))
    if not inside:
        raise RecipeError(f"run: given {str(path)!r}, a folder that holds no run and no folder of runs")
    return inside


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, measured or not."""
    return any((folder / name).is_file() for name in OF_A_RUN)


def _read(folder: Path, name: str) -> Run:
    measured = tuple(_measurements(folder))
    recipe = load_recipe(folder / RECIPE_FILE) if (folder / RECIPE_FILE).is_file() else None
    try:
        made = tuple(curves(measured))
    except UndefinedCurve as error:
        raise RecipeError(f"{folder / MEASUREMENTS}: {error}") from error
    return Run(
        name=name, path=folder, measured=measured, curves=made, recipe=recipe, calls=tuple(_calls(folder))
    )


def _measurements(folder: Path) -> Iterator[Measurement]:
    file = folder / MEASUREMENTS
    try:
        for line in read_lines(file):
            yield Measurement(**line)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{file}: a line that is no measurement: {error}") from error


def _calls(folder: Path) -> list[dict[str, Any]]:
    file = folder / PROVENANCE
    if not file.is_file():
        return []
    try:
        calls: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecipeError(f"{file}: not JSON: {error}") from error
    return calls


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with as many parents as tell them apart."""
    for parts in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-parts:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return names
