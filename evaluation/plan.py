"""Checks of a recipe's evaluation section that need no model."""

from __future__ import annotations

from pathlib import Path

from erosion import defenses
from erosion.defenses.base import Defense
from erosion.evaluation import suites
from erosion.recipes.discovery import find
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.pocket.world import SPLITS
from erosion.recipes.schema import Data, Recipe


def check_embedded(data: Data, where: str) -> None:
    """Checks that a section of the embedded world names one of its splits and asks for no file: it has none.

    Raises:
        RecipeError: A `pocket` source or suite with an unknown split, or with a key that only real data have.
    """
    if data.name.startswith("pocket/") and data.split is not None and data.split not in SPLITS:
        raise mistake(f"{where}.split", data.split, ", ".join(SPLITS), known=SPLITS)
    for key in ("path", "id", "revision", "columns"):
        if data.name.startswith("pocket/") and getattr(data, key):
            raise mistake(
                f"{where}.{key}", getattr(data, key), f"nothing, since {data.name!r} makes its own rows"
            )


def check_evaluation(recipe: Recipe) -> None:
    """Checks every suite's name, model and file, and every defence's name.

    Raises:
        RecipeError: An unknown suite or defence, a `pocket` suite on another model, or a missing file.
    """
    named = [data.name for data in recipe.evaluation.suites]
    if repeated := [name for name in named if named.count(name) > 1]:
        raise RecipeError(
            f"{recipe.path}: evaluation.suites: {repeated[0]!r} stands twice; give each a run of its own"
        )
    for index, data in enumerate(recipe.evaluation.suites):
        where = f"{recipe.path}: evaluation.suites[{index}]"
        find(suites, data.name, where)
        if data.name.startswith("pocket/") and not speaks_pocket(recipe.model):
            raise mistake(
                where,
                data.name,
                f"suites on real data, since the model {recipe.model!r} does not speak pocket",
            )
        check_embedded(data, where)
        if data.path is not None and not Path(data.path).expanduser().is_file():
            raise mistake(f"{where}.path", data.path, "an existing file")
    for index, name in enumerate(recipe.evaluation.defenses):
        where = f"{recipe.path}: evaluation.defenses[{index}]"
        defense: Defense = find(defenses, name, where).make()
        if defense.probe_arm and not recipe.evaluation.probe.sources and not speaks_pocket(recipe.model):
            raise mistake(where, name, "a defence with a probe only beside evaluation.probe.sources")
