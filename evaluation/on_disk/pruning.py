"""`save_total_limit`: old rungs leave the disk, and none before everything is measured of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from erosion.evaluation.completeness.completeness import completeness
from erosion.evaluation.jsonl import write_lines
from erosion.evaluation.on_disk.checkpoints import MANIFEST, Checkpoint, read_ladder

OF_THE_MODEL = ("suite", "task")
"""Cells that need a rung's weights and are what a run is measured for."""


def prune(run: Path, keep: int | None) -> list[Checkpoint]:
    """Removes the files of rungs that are measured, but for step 0 and the newest.

    Step 0 is what probes are fitted on, and the newest rung is what a run goes on from. A rung of which any
    expected cell is missing or stale stays, and one of which no suite and no task was measured. The manifest
    says first that a rung was removed, then its files go; its numbers and answers stay.

    Args:
        run: The run's folder.
        keep: How many of the newest rungs stay, at least 1; all of them when None.

    Returns:
        The rungs removed now.
    """
    rungs = read_ladder(run)
    old = [rung for rung in rungs[: -(keep or len(rungs))] if rung.step and not rung.removed]
    if not old:
        return []
    cells = completeness(run).cells
    unfinished = {cell.where.step for cell in cells if cell.status in ("missing", "stale")}
    answered = {
        cell.where.step for cell in cells if cell.where.kind in OF_THE_MODEL and cell.status == "measured"
    }
    gone = [rung for rung in old if rung.step in answered - unfinished]
    lines = [replace(rung, removed=True) if rung in gone else rung for rung in rungs]
    write_lines(run / MANIFEST, [rung.line() for rung in lines])
    for rung in gone:
        shutil.rmtree(rung.folder, ignore_errors=True)
    return gone
