"""The values behind a run's measurements, prompt by prompt, as far as its stored rows give them again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.evaluation.answers import sample_path
from erosion.evaluation.by_prompt import prompts_of
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.stored_rows import measured_rows
from erosion.evaluation.records import LM_EVAL, Measurement
from erosion.evaluation.row_values import OF_ROWS, row_value

if TYPE_CHECKING:
    import numpy as np

Row = dict[str, Any]
Values = dict[str, tuple[float, int]]
"""By prompt: its values summed, and how many they are, as several forced answers to one may be."""


def values_by_prompt(
    run: Path, measured: Sequence[Measurement]
) -> Iterator[tuple[Measurement, Values | None]]:
    """Every measurement of a run with the values it is the mean of; each file of rows is read once.

    Args:
        run: The run's folder.
        measured: Its measurements.

    Yields:
        None in place of values where no row has one (an AUROC), where the rows are gone, or where their mean
        is not the number that was measured.
    """
    cells: dict[Path, list[Measurement]] = {}
    for line in measured:
        keys = {key: getattr(line, key) for key in ("suite", "defense", "depth", "wrapper")}
        cells.setdefault(sample_path(run, line.step, **keys), []).append(line)
    for file, lines in cells.items():
        rows = _rows(file, lines)
        for line in lines:
            yield line, _values(rows, line)


def table_of(held: Sequence[Sequence[Values | None]]) -> tuple[np.ndarray, np.ndarray] | None:
    """Sums and counts by prompt, seed and rung, each of shape (prompts, seeds, rungs).

    Args:
        held: For every seed the values of every rung; a prompt may be missing at any.

    Returns:
        None where the values of a rung cannot be had, or where there is one prompt alone.
    """
    import numpy as np

    found = [[values for values in own if values is not None] for own in held]
    if any(len(kept) < len(own) for kept, own in zip(found, held, strict=True)):
        return None
    prompts = dict.fromkeys(prompt for own in found for values in own for prompt in values)
    if len(prompts) < 2:
        return None
    down = {prompt: at for at, prompt in enumerate(prompts)}
    table = np.zeros((2, len(down), len(found), len(found[0])))
    for across, own in enumerate(found):
        for along, values in enumerate(own):
            table[:, [down[prompt] for prompt in values], across, along] = np.transpose(list(values.values()))
    return table[0], table[1]


def _rows(file: Path, lines: Sequence[Measurement]) -> list[Row]:
    """The rows a cell was measured over; none where they are no longer all there."""
    held = read_lines(file)
    if not held:
        return []
    if lines[0].suite.startswith(LM_EVAL):
        return [row for row in held if row["stamp"] == lines[0].cell_digest]
    # Of a group fewer rows count than the cell has, and what two cells give together has a digest of both.
    own = [line for line in lines if "+" not in line.cell_digest]
    whole = max(own, key=lambda line: line.n + line.unscored, default=None)
    return measured_rows(held, vars(whole)) if whole else []


def _values(rows: Sequence[Row], line: Measurement) -> Values | None:
    if rows and "metrics" not in rows[0] and line.metric.rpartition(":")[2] not in OF_ROWS:
        return None
    values = [row_value(row, line.metric, line.judge) for row in rows]
    own = [(prompt, value) for prompt, value in zip(_prompts(rows), values, strict=True) if value is not None]
    mean = math.fsum(value for _, value in own) / len(own) if own else math.nan
    if not math.isclose(mean, line.value, abs_tol=1e-9):
        return None
    found: dict[str, list[float]] = {}
    for prompt, value in own:
        found.setdefault(prompt, []).append(value)
    return {prompt: (math.fsum(each), len(each)) for prompt, each in found.items()}


def _prompts(rows: Sequence[Row]) -> list[str]:
    """The prompt of each row: of a suite the conversation, of a task the question under a filter."""
    if rows and "prompt" in rows[0]:
        return prompts_of(rows)
    return [f"{row['doc_id']} {row['doc_hash']} {row['filter']}" for row in rows]
