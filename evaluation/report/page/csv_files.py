"""The report's numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from erosion.evaluation.records import Measurement
from erosion.evaluation.report.page.collect import Compared
from erosion.evaluation.report.page.completeness_parts import status_rows
from erosion.evaluation.report.paired import FIELDS, paired_lines

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of a formula."""


def csv_files(given: Compared) -> dict[str, str]:
    """By file name: measurements, expected cells, paired comparisons and, in a safe release, every label."""
    measured = [
        {**line.line(), "packages": None, "run": run.name} for run in given.runs for line in run.measured
    ]
    names = [name for name in Measurement.__dataclass_fields__ if name != "packages"]
    cells = status_rows(given.complete)
    paired = [line for block in given.paired for made in block.made for line in paired_lines(made)]
    files = {
        "measurements.csv": _csv(measured, names),
        "completeness.csv": _csv(cells, list(cells[0]) if cells else []),
        "paired.csv": _csv(paired, FIELDS),
    }
    if given.safe and given.stored.rows:
        files["samples.csv"] = _csv(given.stored.rows, list(given.stored.rows[0]))
    return files


def _csv(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(row[name]) for name in names} for row in rows)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    """Words that begin like a formula stand behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
