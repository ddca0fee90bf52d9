"""What a run can be compared by in wandb: every key of its recipe, digests and versions; no secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from erosion.evaluation.on_disk.provenance import FILE as PROVENANCE_FILE
from erosion.evaluation.on_disk.provenance import code, packages
from erosion.recipes.schema import Recipe, as_mapping
from erosion.recipes.secrets_left_out import without_secrets


def settings_shown(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """A recipe's keys, ours included, its digests, and the code that trained and that is at work now.

    Left out: where the run lies on this machine, and whatever is or looks like a secret.
    """
    shown = {key: value for key, value in as_mapping(recipe).items() if key != "output_dir"}
    return {
        **without_secrets(shown),
        "recipe_digest": recipe.digest,
        "base_digest": noted(folder, "base_digest"),
        "dataset_digest": noted(folder, "dataset_digest"),
        "trained_by": noted(folder, "code"),
        "code": code(),
        "packages": packages(),
    }


def noted(folder: Path, key: str) -> Any:
    """What the first call that knows it has noted in a run's provenance; None where none has."""
    return next((call[key] for call in calls(folder) if call.get(key)), None)


def calls(folder: Path) -> list[dict[str, Any]]:
    """The calls that worked in a run's folder, the first one first."""
    file = folder / PROVENANCE_FILE
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []
