"""What the page says, apart from how it looks: sections of paragraphs, tables, figures and grids of rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "bad", "missing", "quiet"]
Tick = tuple[float, str]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph; a `notice` is one that a reader must not miss, `bad` where something is wrong."""

    says: str
    tone: Literal["plain", "notice", "bad"] = "plain"


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Begins a part of a section."""

    says: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One field of a table.

    Attributes:
        says: What stands there.
        beside: What stands smaller beside it, such as its interval.
        order: What it is sorted by; its text when None.
        tone: How it is marked, beside its words.
        level: Of a heat map: 0 to 10; None where the field has no colour.
    """

    says: str
    beside: str = ""
    order: float | None = None
    tone: Tone = "plain"
    level: int | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under heads; the first field of a row names it.

    Attributes:
        caption: What it shows.
        heads: One a column.
        rows: As many cells as heads.
        numeric: Places of the columns that hold numbers.
        sortable: Whether a reader may reorder it.
        folded: Whether it opens on demand: a table beside its figure.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()
    sortable: bool = False
    folded: bool = False

    @property
    def is_map(self) -> bool:
        """Whether its fields are coloured by their level."""
        return any(cell.level is not None for row in self.rows for cell in row)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value on a line, with its interval and what a reader is told there."""

    x: float
    value: float
    low: float | None
    high: float | None
    says: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series of a panel.

    Attributes:
        name: In the legend.
        style: Which colour, marker and dash; the same for the same runs on the whole page.
        points: Ascending in x.
        gaps: Places where a value was expected and is missing, with what a reader is told there.
    """

    name: str
    style: int
    points: tuple[Point, ...]
    gaps: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines over one pair of axes.

    Attributes:
        title: What distinguishes it in its figure.
        across: The x axis's name.
        up: The y axis's name.
        shares: Whether values are shares, drawn from 0 to 1.
        places: Ticks of the x axis: place and label.
        unit: Values of x below it are spread evenly, those above by their logarithm.
        lines: The series.
    """

    title: str
    across: str
    up: str
    shares: bool
    places: tuple[Tick, ...]
    unit: float
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Panels side by side under one legend, with their numbers as a table.

    Attributes:
        title: What it shows.
        caption: How it is to be read.
        note: What a reader must not miss; empty where there is nothing.
        rows: Panels, row by row.
        table: The same numbers.
    """

    title: str
    caption: str
    note: str
    rows: tuple[tuple[Panel, ...], ...]
    table: Table

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All of its panels."""
        return tuple(panel for row in self.rows for panel in row)


@dataclass(frozen=True, kw_only=True)
class Picker:
    """Many figures of which one is shown at a time, chosen by the parts of its name.

    Attributes:
        title: What they are.
        keys: Names of the parts, such as suite and metric.
        figures: A figure for every choice of parts.
    """

    title: str
    keys: tuple[str, ...]
    figures: dict[tuple[str, ...], Figure]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a grid: words that repeat, or numbers.

    Attributes:
        name: Its key.
        head: Its head; hidden where empty.
        values: One a row; None where there is none.
        choices: Values a reader can choose one of; none where empty.
        searched: Whether the text filter looks into it.
    """

    name: str
    head: str
    values: tuple[str | float | None, ...]
    choices: tuple[str, ...] = ()
    searched: bool = False

    @property
    def numeric(self) -> bool:
        """Whether all of its values are numbers."""
        return not any(isinstance(value, str) for value in self.values)


def choices(values: Iterable[str | float | None]) -> tuple[str, ...]:
    """The distinct values of a column as a reader chooses them: numbers by size, words as they come."""
    found = [value for value in dict.fromkeys(values) if value is not None]
    numbers = sorted(value for value in found if not isinstance(value, str))
    return (*(f"{number:g}" for number in numbers), *(value for value in found if isinstance(value, str)))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rows by the thousand, shown a page at a time.

    Attributes:
        name: In the page's addresses.
        caption: What the rows are.
        columns: All of one length.
        ladders: Whether a row opens all rungs of its prompt.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    ladders: bool = False

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.columns[0].values)


@dataclass(frozen=True, kw_only=True)
class Folded:
    """Words and tables that open on demand; on paper they are open.

    Attributes:
        says: What they are about; the caption of its table, where there is one.
        parts: In order.
    """

    says: str
    parts: tuple[Text | Table, ...]


Part = Text | Heading | Table | Figure | Picker | Grid | Folded


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page with a heading.

    Attributes:
        name: In the page's addresses.
        title: Its heading.
        parts: In order.
    """

    name: str
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole report.

    Attributes:
        title: What was compared.
        subtitle: Of how many runs, and by what code.
        sections: In order.
        safe: Whether prompts and answers were left out.
    """

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    safe: bool = False
