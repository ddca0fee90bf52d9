"""The same report as Markdown: all its words and tables; curves as tables, grids as the CSV beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from erosion.evaluation.report.page.contents import (
    Figure,
    Folded,
    Grid,
    Heading,
    Page,
    Part,
    Picker,
    Table,
    Text,
)

SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
FILES = {"measurements": "measurements.csv", "samples": "samples.csv"}


def markdown(page: Page) -> str:
    """The whole document; what stands in it is escaped, so that it is words and no markup."""
    lines = [f"# {escaped(page.title)}", "", escaped(page.subtitle), ""]
    for section in page.sections:
        lines += [f"## {section.title}", ""]
        for part in section.parts:
            lines += [*_part(part, safe=page.safe), ""]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """One line without markup: punctuation of Markdown and of HTML stands for itself."""
    one_line = " ".join(text.split())
    kept = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", kept)


def _part(part: Part, *, safe: bool) -> Iterator[str]:
    match part:
        case Text():
            yield escaped(part.says)
        case Heading():
            yield f"### {escaped(part.says)}"
        case Table():
            yield from _table(part)
        case Figure():
            yield from _table(part.table)
            if part.note:
                yield from ("", escaped(part.note))
        case Picker():
            yield f"{escaped(part.title)}: {len(part.figures)} curves, in `measurements.csv`."
        case Folded():
            for each in part.parts:
                yield from (*_part(each, safe=safe), "")
        case Grid():
            yield _grid(part, safe=safe)


def _table(table: Table) -> Iterator[str]:
    yield from (f"*{escaped(table.caption)}*", "")
    marks = ["---:" if place in table.numeric else "---" for place in range(len(table.heads))]
    rows = [
        [f"{cell.says} [{cell.beside}]" if cell.beside else cell.says for cell in row] for row in table.rows
    ]
    yield f"| {' | '.join(map(escaped, table.heads))} |"
    yield f"| {' | '.join(marks)} |"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def _grid(grid: Grid, *, safe: bool) -> str:
    beside = grid.name != "samples" or safe
    where = f"in `{FILES[grid.name]}`" if beside else "in `index.html`"
    return f"{grid.rows:,} rows, {where}."
