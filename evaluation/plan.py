"""Checks of a recipe's evaluation section that need no model."""

from __future__ import annotations

from pathlib import Path

from erosion import defenses
from erosion.defenses.base import Defense
from erosion.evaluation import suites
from erosion.recipes import sources
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


def check_path(data: Data, where: str) -> None:
    """Checks that a file a section names is there.

    Raises:
        RecipeError: It is not.
    """
    if data.path is not None and not Path(data.path).expanduser().is_file():
        raise mistake(f"{where}.path", data.path, "an existing file")


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
        check_path(data, where)
    check_defenses(recipe)


def check_defenses(recipe: Recipe) -> None:
    """Checks every defence's name and what it needs beside it.

    Raises:
        RecipeError: An unknown or repeated defence, or one whose probe, base or guard model is not named.
    """
    probe, pocket = recipe.evaluation.probe, speaks_pocket(recipe.model)
    labels = [options.label for options in recipe.evaluation.defenses]
    for index, options in enumerate(recipe.evaluation.defenses):
        where = f"{recipe.path}: evaluation.defenses[{index}]"
        defense: Defense = find(defenses, options.name, where).make()
        if labels.count(options.label) > 1:
            raise RecipeError(f"{where}: {options.label!r} stands twice")
        if defense.probe_arm and not (probe.sources or probe.path or pocket):
            raise mistake(where, options.name, "a defence with a probe only beside evaluation.probe.sources")
        if defense.probe_arm == "base_model" and not (probe.base or pocket):
            raise mistake(where, options.name, "this control only beside evaluation.probe.base")
        if options.name == "guard_model" and options.model is None:
            raise mistake(f"{where}.model", None, "the guard model's folder or hub id")
    for name in ("sources", "validation", "calibration", "test"):
        for index, source in enumerate(getattr(probe, name)):
            where = f"{recipe.path}: evaluation.probe.{name}[{index}]"
            find(sources, source.name, where)
            check_embedded(source, where)
            check_path(source, where)
