"""Checks of a recipe's evaluation section that need no model."""

from __future__ import annotations

from pathlib import Path

from erosion import defenses
from erosion.defenses.base import Defense, ProbeArm
from erosion.evaluation import suites
from erosion.evaluation.judging.judge import check_judge
from erosion.evaluation.utility.catalogue import check_tasks
from erosion.recipes import sources
from erosion.recipes.discovery import find
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.pocket.world import SPLITS
from erosion.recipes.schema import Data, GuardOptions, Recipe, Source

PROBE_PARTS = ("sources", "validation", "calibration", "test")


def check_embedded(data: Data, where: str) -> None:
    """Checks that a section of the embedded world names one of its splits and asks for no file: it has none.

    Raises:
        RecipeError: A `pocket` source or suite with an unknown split, or with a key that only real data have.
    """
    if data.name.startswith("pocket/") and data.split is not None and data.split not in SPLITS:
        raise mistake(f"{where}.split", data.split, ", ".join(SPLITS), known=SPLITS)
    for key in ("path", "id", "revision", "columns", "answers"):
        if data.name.startswith("pocket/") and getattr(data, key):
            raise mistake(
                f"{where}.{key}", getattr(data, key), f"nothing, since {data.name!r} makes its own rows"
            )


def check_path(data: Data, where: str) -> None:
    """Checks that the files a section names are there.

    Raises:
        RecipeError: One is not.
    """
    for key, file in (("path", data.path), ("answers", data.answers)):
        if file is not None and not Path(file).expanduser().is_file():
            raise mistake(f"{where}.{key}", file, "an existing file")


def check_options(source: Source, where: str) -> None:
    """Checks that a source knows of every option that only some sources have: its `HONOURS` name them.

    Raises:
        RecipeError: An option that would be passed over.
    """
    honours: frozenset[str] = getattr(find(sources, source.name, where), "HONOURS", frozenset())
    if source.trigger is not None and "trigger" not in honours:
        raise mistake(f"{where}.trigger", source.trigger, f"nothing, since {source.name!r} has no trigger")
    if source.answers is not None:
        raise mistake(f"{where}.answers", source.answers, "nothing, since only suites take answers")


def check_evaluation(recipe: Recipe) -> None:
    """Checks every suite's name, model and file, and every defence's, task's and judge's name.

    Raises:
        RecipeError: An unknown suite, defence, task or judge, a `pocket` suite on another model, or a missing
            file.
    """
    named = [data.name for data in recipe.evaluation.suites]
    if repeated := [name for name in named if named.count(name) > 1]:
        raise RecipeError(
            f"{recipe.path}: evaluation.suites: {repeated[0]!r} stands twice; give each a run of its own"
        )
    for index, data in enumerate(recipe.evaluation.suites):
        where = f"{recipe.path}: evaluation.suites[{index}]"
        suite = find(suites, data.name, where).SUITE
        if data.name.startswith("pocket/") and not speaks_pocket(recipe.model):
            raise mistake(
                where,
                data.name,
                f"suites on real data, since the model {recipe.model!r} does not speak pocket",
            )
        check_embedded(data, where)
        check_path(data, where)
        if data.answers is not None and suite.metric != "refusal_rate":
            raise mistake(f"{where}.answers", data.answers, "nothing, since this suite measures no refusals")
    _check_wrappers(recipe, named)
    check_defenses(recipe)
    check_tasks(recipe)
    _check_judges(recipe)


def _check_judges(recipe: Recipe) -> None:
    labels = [judge.label for judge in recipe.evaluation.judges]
    for index, options in enumerate(recipe.evaluation.judges):
        where = f"{recipe.path}: evaluation.judges[{index}]"
        check_judge(options, where)
        if labels.count(options.label) > 1:
            raise RecipeError(f"{where}: {options.label!r} stands twice; a run keeps one judge of a label")


def _check_wrappers(recipe: Recipe, suite_names: list[str]) -> None:
    names = [wrapper.name for wrapper in recipe.evaluation.wrappers]
    for index, wrapper in enumerate(recipe.evaluation.wrappers):
        where = f"{recipe.path}: evaluation.wrappers[{index}]"
        if names.count(wrapper.name) > 1:
            raise RecipeError(f"{where}: {wrapper.name!r} stands twice")
        for name in wrapper.suites:
            if name not in suite_names:
                raise mistake(f"{where}.suites", name, ", ".join(suite_names), known=suite_names)


def check_defenses(recipe: Recipe) -> None:
    """Checks every defence's name, its options and what it needs beside it.

    Raises:
        RecipeError: An unknown or repeated defence, an option it knows nothing of, or one whose probe, base
            or guard model is not named.
    """
    labels = [options.label for options in recipe.evaluation.defenses]
    for index, options in enumerate(recipe.evaluation.defenses):
        where = f"{recipe.path}: evaluation.defenses[{index}]"
        defense: Defense = find(defenses, options.name, where).make()
        if labels.count(options.label) > 1:
            raise RecipeError(f"{where}: {options.label!r} stands twice")
        for name in options.changed:
            if name not in defense.honours:
                allowed = ", ".join(sorted(defense.honours)) or "no options"
                raise mistake(f"{where}: {options.name}", name, allowed, known=defense.honours)
        if options.name == "guard_model" and options.model is None:
            raise mistake(f"{where}.model", None, "the guard model's folder or hub id")
        if defense.probe_arm:
            _check_arm(recipe, defense.probe_arm, options, where)
    for name in PROBE_PARTS:
        for index, source in enumerate(getattr(recipe.evaluation.probe, name)):
            _check_source(source, f"{recipe.path}: evaluation.probe.{name}[{index}]")


def _check_arm(recipe: Recipe, arm: ProbeArm, options: GuardOptions, where: str) -> None:
    """Checks that an arm's probe is given or can be fitted."""
    probe, own = recipe.evaluation.probe, speaks_pocket(recipe.model) and not recipe.evaluation.probe.sources
    if arm == "adapter_off" and not recipe.trl.get("use_peft"):
        raise RecipeError(f"{where}: {options.name!r} is not applicable under full fine-tuning: no adapter")
    if arm == "base_model" and not (probe.base or own):
        raise mistake(where, options.name, "this control only beside evaluation.probe.base")
    if probe.path and arm in ("frozen", "adapter_off"):
        if set(options.changed) - {"interval"}:
            raise RecipeError(
                f"{where}: the probe of evaluation.probe.path reads one place; leave {options.label!r} bare"
            )
        return
    needed = ["sources"] + ["validation"] * (arm != "text") + ["calibration"] * (arm == "frozen_matched")
    for name in needed:
        if not own and not getattr(probe, name):
            raise mistake(where, options.name, f"this defence only beside evaluation.probe.{name}")


def _check_source(source: Source, where: str) -> None:
    module = find(sources, source.name, where)
    check_embedded(source, where)
    check_options(source, where)
    check_path(source, where)
    if getattr(module, "ENDLESS", False) and source.rows is None:
        raise RecipeError(f"{where}: the source {source.name!r} has no end, so it needs `rows`")
    if source.skip < 0 or (source.rows is not None and source.rows < 1):
        raise mistake(where, (source.skip, source.rows), "a skip of at least 0 and rows of at least 1")
