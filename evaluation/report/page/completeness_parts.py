"""What every run should hold and what it does: the table that opens the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from erosion.evaluation.completeness.completeness import Completeness, Status
from erosion.evaluation.report.page.contents import Cell, Part, Table, Text, Tone

STATUSES = ("expected", "measured", "missing", "stale", "not applicable")
Found = Mapping[str, Completeness | str]
"""How complete every run is, or in words why that cannot be told."""


def completeness_parts(found: Found) -> list[Part]:
    """Counts by run, every cell that is missing or stale and why, and those that cannot have a number."""
    parts: list[Part] = [_counts(found)]
    unknown = [Text(says=f"{run}: {own}", tone="bad") for run, own in found.items() if isinstance(own, str)]
    lacking = _listed(found, "Missing and stale cells", ("missing", "stale"))
    if not lacking and not unknown:
        parts.append(Text(says="Nothing is missing and nothing is stale."))
    shortened = _listed(found, "Measured cells that leave out prompts", ("measured",))
    rest = _listed(found, "Cells that are not applicable", ("not applicable",))
    return [*parts, *unknown, *lacking, *shortened, *rest]


def sentences(found: Found) -> list[str]:
    """One for every cell without a current number, and for every run of which that cannot be told."""
    said = []
    for run, own in found.items():
        cells = [] if isinstance(own, str) else [*own.of("missing"), *own.of("stale")]
        said += [f"{run}: {own}"] if isinstance(own, str) else [f"{run}: {cell}" for cell in cells]
    return said


def _counts(found: Found) -> Table:
    rows = tuple((Cell(says=run), *_row(own)) for run, own in found.items())
    numeric = frozenset(range(1, 1 + len(STATUSES)))
    return Table(caption="Cells by run", heads=("run", *STATUSES), rows=rows, numeric=numeric, sortable=True)


def _row(own: Completeness | str) -> list[Cell]:
    if isinstance(own, str):
        return [Cell(says="unknown", tone="missing") for _ in STATUSES]
    return [_count(name, own.counts[name]) for name in STATUSES]


def _count(name: str, count: int) -> Cell:
    tone: Tone = "quiet" if not count else "bad" if name in ("missing", "stale") else "plain"
    return Cell(says=str(count), order=count, tone=tone)


def _listed(found: Found, caption: str, statuses: Sequence[Status]) -> list[Table]:
    """One table of all runs' cells of some statuses; none where there are none."""
    rows = tuple(
        (
            Cell(says=run),
            Cell(says=str(cell.where)),
            Cell(says=cell.status, tone="bad" if cell.status in ("missing", "stale") else "plain"),
            Cell(says=cell.why),
        )
        for run, own in found.items()
        if not isinstance(own, str)
        for status in statuses
        for cell in (own.shortened if status == "measured" else own.of(status))
    )
    heads, folded = ("run", "cell", "status", "why"), "not applicable" in statuses
    return [Table(caption=caption, heads=heads, rows=rows, sortable=True, folded=folded)] if rows else []


def status_rows(found: Found) -> list[dict[str, object]]:
    """Every expected cell of every run, one row each, for a file."""
    return [
        {"run": run, **vars(cell.where), "status": cell.status, "why": cell.why}
        for run, own in found.items()
        if not isinstance(own, str)
        for cell in own.cells
    ]
