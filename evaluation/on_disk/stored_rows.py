"""Which of the rows on disk a measurement rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from erosion.evaluation.cells import cell_digest

Row = dict[str, Any]


def measured_rows(held: Sequence[Row], line: Mapping[str, Any]) -> list[Row]:
    """The rows a line was measured over, as its digest tells; none where they are not all there."""
    count = line["n"] + line["unscored"]
    for stamp in dict.fromkeys(row["stamp"] for row in held):
        rows = [row for row in held if row["stamp"] == stamp][:count]
        if cell_digest(stamp, [row["prompt"] for row in rows], line["wrapper"]) == line["cell_digest"]:
            return rows
    return []
