"""`erosion wandb-sync RUN`: what a run's folder holds and wandb does not, sent as a live run would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.checkpoints import Checkpoint, read_ladder
from erosion.evaluation.on_disk.lock import working_in
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE
from erosion.evaluation.records import Measurement
from erosion.evaluation.tracking import keys
from erosion.evaluation.tracking.destination import Job, of_run
from erosion.evaluation.tracking.publishing import publish
from erosion.evaluation.tracking.session import check_can_send
from erosion.evaluation.tracking.tracker import Tracker
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe, load_recipe

STATE = "trainer_state.json"
"""In a rung's folder: every line of the Trainer's log up to it."""
Row = tuple[int, dict[str, Any]]


def back_fill(run: Path, *, project: str | None = None, entity: str | None = None) -> list[str]:
    """Sends a run's losses, measurements, curves and files, each once, whatever its `report_to` says.

    Args:
        run: The run's folder.
        project: wandb's project, if not the one of WANDB_PROJECT or of the recipe.
        entity: wandb's entity, if not the account's own.

    Returns:
        One sentence for all that is not on disk or could not be sent.

    Raises:
        RecipeError: The folder holds no run, another process is at work in it, or nothing could arrive.
    """
    check_can_send()
    rungs = read_ladder(run)
    if not (run / RECIPE_FILE).is_file():
        raise RecipeError(f"run: given {str(run)!r}, a folder that holds no run: it has no {RECIPE_FILE}")
    recipe, missing = load_recipe(run / RECIPE_FILE), list[str]()
    parts: dict[Job, list[Row]] = {"train": training_rows(rungs), "eval": _measured_rows(run)}
    with working_in(run):
        for job, rows in parts.items():
            with _tracker(recipe, run, job, project, entity) as tracker:
                missing += _filled(run, job, rows, tracker)
            missing += [f"{job}: wandb failed: {tracker.failure}"] if tracker.failure else []
            print(f"{run.name}: {job}: {tracker.sent} sent, {tracker.held} there already")
    _say_what_waits(run)
    return missing


def training_rows(rungs: list[Checkpoint]) -> list[Row]:
    """The Trainer's log as far as rungs on disk hold it; beyond that the manifest's loss of every rung."""
    lines = max([_log_history(rung) for rung in rungs], key=len, default=[])
    reached = max((line["step"] for line in lines), default=-1)
    rows = [(line["step"], keys.trained(line)) for line in lines if keys.CLOSING not in line]
    noted = [(rung.step, rung.training_loss) for rung in rungs if rung.step > reached]
    return [*rows, *((step, keys.trained({"loss": loss})) for step, loss in noted if loss is not None)]


def _filled(run: Path, job: Job, rows: list[Row], tracker: Tracker) -> list[str]:
    for step, figures in rows:
        tracker.log(figures, step=step)
    if job == "eval":
        publish(run, tracker)
    what = "training losses: no rung on disk has any" if job == "train" else "measurements: none on disk"
    return [] if rows else [f"{run.name}: {what}"]


def _measured_rows(run: Path) -> list[Row]:
    measured = [Measurement(**line) for line in read_lines(run / MEASUREMENTS)]
    by_step = groupby(sorted(measured, key=lambda point: point.step), key=lambda point: point.step)
    return [(step, keys.measured(points)) for step, points in by_step]


def _log_history(rung: Checkpoint) -> list[dict[str, Any]]:
    file = rung.folder / STATE
    found = json.loads(file.read_text(encoding="utf-8"))["log_history"] if file.is_file() else []
    return list(found)


def _tracker(recipe: Recipe, run: Path, job: Job, project: str | None, entity: str | None) -> Tracker:
    return Tracker(of_run(recipe, run, job, project=project, entity=entity))


def _say_what_waits(run: Path) -> None:
    """Sessions that were written offline reach wandb by its own command."""
    waiting = list(_unsent(run))
    if waiting:
        print(f"{run.name}: {len(waiting)} offline sessions wait here: wandb sync {run / 'wandb'}")


def _unsent(run: Path) -> Iterator[Path]:
    for file in run.glob("wandb/offline-run-*/*.wandb"):
        if not file.with_name(f"{file.name}.synced").exists():
            yield file
