"""What a diagnostic is told, and what it leaves: a table, a figure, provenance and a log to wandb."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erosion.evaluation.on_disk.provenance import Call
from erosion.evaluation.tracking import Tracker
from erosion.recipes.parsing import mistake

AXIS = "diagnose/position"
Draw = Callable[[Path], list[Path]]
Logged = Iterable[tuple[int, Mapping[str, float]]]
"""Figures by their place on the axis."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What all diagnostics are told.

    Attributes:
        output: The folder for table, figure and provenance.
        suite: Which suite is asked; `pocket/refusal` on the embedded model when None.
        data: The suite's file.
        limit: Prompts or answers, at most.
        positions: Answer tokens, at most.
        max_new_tokens: New tokens an answer.
        batch_size: Answers read or written together.
        dtype: On an accelerator, for models that are no run.
        report_to: `wandb` or `none`.

    Raises:
        RecipeError: A number below 1.
    """

    output: Path
    suite: str | None = None
    data: Path | None = None
    limit: int = 200
    positions: int = 50
    max_new_tokens: int = 50
    batch_size: int = 64
    dtype: str = "float32"
    report_to: str = "none"

    def __post_init__(self) -> None:
        for name in ("limit", "positions", "max_new_tokens", "batch_size"):
            if getattr(self, name) < 1:
                raise mistake(f"--{name}", getattr(self, name), "a whole number from 1")


def kept(
    options: Options,
    name: str,
    lines: Sequence[Mapping[str, object]],
    draw: Draw,
    *,
    logged: Logged,
    digests: Mapping[str, str],
) -> list[Path]:
    """Writes a diagnostic's table and figure, logs them and says where they are.

    Args:
        options: With the folder.
        name: Of table and figure.
        lines: The table; at least one line.
        draw: Draws the figure under a stem.
        logged: Figures for wandb.
        digests: What the numbers are of, for provenance and wandb.

    Returns:
        The files.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / name
    files = [_table(stem.with_suffix(".csv"), lines), *draw(stem)]
    Call(options.output, digests).end()
    tracker = Tracker.beside(options.output, report_to=options.report_to, axis=AXIS, config=digests)
    for place, figures in logged:
        tracker.log(figures, step=place)
    tracker.image(f"diagnose/{name}", stem.with_suffix(".png"))
    tracker.close()
    for file in files:
        print(f"{'table' if file.suffix == '.csv' else 'figure'}: {file}")
    return files


def _table(file: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    """Writes CSV, whole or not at all; what is None is an empty cell."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    os.replace(beside, file)
    return file
