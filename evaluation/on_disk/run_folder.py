"""A run's folder: its recipe and rungs, opened for measuring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from erosion.evaluation.on_disk.checkpoints import Checkpoint, base_digest, read_ladder
from erosion.evaluation.plan import check_evaluation
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import Evaluation, Recipe, load_recipe

MEASUREMENTS = "measurements.jsonl"
RECIPE_FILE = "recipe.yaml"
STUDY_FILE = "study.json"


def open_run(run: Path, overrides: Sequence[str] = ()) -> tuple[Recipe, list[Checkpoint]]:
    """A run's recipe and rungs, checked for measuring.

    Args:
        run: The run's folder.
        overrides: Command-line overrides of the evaluation section.

    Raises:
        RecipeError: The folder holds no run, an override is no key of the evaluation section, the section
            cannot be used, or the base model is no longer the one that was trained.
    """
    known = [f"evaluation.{item.name}" for item in fields(Evaluation)]
    for word in overrides:
        key = word.removeprefix("--").partition("=")[0]
        if word.startswith("--") and ".".join(key.split(".")[:2]) not in known:
            raise mistake("command line", key, ", ".join(known), known=known)
    rungs = read_ladder(run)
    if not (run / RECIPE_FILE).is_file():
        raise RecipeError(f"run: given {str(run)!r}, a folder that holds no run: it has no {RECIPE_FILE}")
    recipe = load_recipe(run / RECIPE_FILE, overrides)
    check_evaluation(recipe)
    if not rungs:
        raise RecipeError(f"run: {run} has no complete checkpoint yet; train it first")
    base = base_digest(recipe.model, revision=recipe.trl.get("model_revision"), seed=recipe.seed)
    if any(rung.base_digest != base for rung in rungs):
        raise RecipeError(
            f"run: {run} was trained on another model than {recipe.model!r} is now: its digest differs"
        )
    return recipe, rungs


def heading(run: Path, recipe: Recipe) -> str:
    """What stands over a run's table and figures."""
    return f"{run.name}: {recipe.model}, {', '.join(source.label for source in recipe.dataset.sources)}"


def note_study(run: Path, study: str) -> None:
    """Notes in a run's folder the study it is part of."""
    run.mkdir(parents=True, exist_ok=True)
    (run / STUDY_FILE).write_text(json.dumps({"study": study}) + "\n", encoding="utf-8")


def study_of(run: Path) -> str | None:
    """The study a run is part of, if it is."""
    file = run / STUDY_FILE
    return str(json.loads(file.read_text(encoding="utf-8"))["study"]) if file.is_file() else None
