"""Which wandb run figures go to: a group for a recipe, in it one run for training and one for evaluation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from erosion.evaluation.on_disk.run_folder import RECIPE_FILE, study_of
from erosion.evaluation.tracking.settings_shown import calls, noted, settings_shown
from erosion.recipes.models import resolve
from erosion.recipes.schema import Recipe, name_of

AXIS = "train/global_step"
PROJECT = "erosion"
Job = Literal["train", "eval", "diagnose"]


@dataclass(frozen=True, kw_only=True)
class Destination:
    """One wandb run.

    Attributes:
        folder: Where the numbers are on disk; wandb's own files go there too.
        job: wandb's `job_type`.
        name: How it is shown.
        group: What it is shown with; alone when None.
        axis: What its figures stand against.
        project: wandb's project.
        entity: wandb's entity; the account's own when None.
        tags: What it can be found by, beside its name.
        config: What it can be compared by.
    """

    folder: Path
    job: Job
    name: str
    group: str | None = None
    axis: str = AXIS
    project: str = PROJECT
    entity: str | None = None
    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Entity and project, that tell apart what was sent where."""
        return f"{self.entity or ''}/{self.project}"


def of_run(
    recipe: Recipe, folder: Path, job: Job, *, project: str | None = None, entity: str | None = None
) -> Destination:
    """Where a run's figures go: the group is its recipe, the name is recipe/model/seed.

    Args:
        recipe: The run's recipe; its `project` and `run_name` count where nothing else is said.
        folder: The run's folder.
        job: `train` or `eval`.
        project: Of all words for it the strongest; then WANDB_PROJECT.
        entity: Likewise; then WANDB_ENTITY.
    """
    group, study = recipe_name(recipe, folder), study_of(folder)
    return Destination(
        folder=folder,
        job=job,
        name=recipe.trl.get("run_name") or f"{group}/{_model_name(recipe.model)}/{recipe.seed}",
        group=group,
        project=project or os.environ.get("WANDB_PROJECT") or recipe.trl.get("project") or PROJECT,
        entity=entity or os.environ.get("WANDB_ENTITY"),
        tags=(study,) if study else (),
        config={"recipe": group, "run": folder.name, "study": study, **settings_shown(recipe, folder)},
    )


def beside(folder: Path, *, axis: str, config: Mapping[str, Any]) -> Destination:
    """Where figures go that are no run's, such as a diagnostic's."""
    project, entity = os.environ.get("WANDB_PROJECT") or PROJECT, os.environ.get("WANDB_ENTITY")
    return Destination(
        folder=folder,
        job="diagnose",
        name=folder.name,
        axis=axis,
        project=project,
        entity=entity,
        config=config,
    )


def recipe_name(recipe: Recipe, folder: Path) -> str:
    """The name of the recipe a run was made by; a run's own copy is called `recipe.yaml` whatever it was.

    Runs without that note are called by the recipe in their command, or else by their folder.
    """
    if recipe.path.name != RECIPE_FILE:
        return recipe.name
    commands = [word for call in calls(folder) for word in call.get("command", [])]
    told = [word for word in commands if word.endswith((".yaml", ".yml"))]
    return noted(folder, "recipe") or (name_of(Path(told[0])) if told else folder.name)


def _model_name(model: str) -> str:
    """The last part of a hub id or folder; of a checkpoint its run with the step, as in `start-tuned@200`."""
    path = Path(model)
    if path.name.startswith("checkpoint-") and Path(resolve(model)).is_dir():
        return f"{path.parent.name}@{path.name.removeprefix('checkpoint-')}"
    return path.name
