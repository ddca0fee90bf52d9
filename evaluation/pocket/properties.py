"""One measured property of the embedded model, with its interval and the bar it must hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Property:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: The number.
        low: Lower end of its 95 % interval; None where it has none.
        high: Upper end.
        n: Prompts, or pairs of conversations, behind it.
        at_least: The lower end must not be below this.
        at_most: The upper end must not be above this. With neither bar the number is only reported.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> Literal["holds", "missed", "reported"]:
        """Whether the interval holds the bar; a number without an interval, or not a number, holds none."""
        if self.at_least is not None:
            return "holds" if self.low is not None and self.low >= self.at_least else "missed"
        if self.at_most is not None:
            return "holds" if self.high is not None and self.high <= self.at_most else "missed"
        return "reported"

    @property
    def bar(self) -> str:
        """The bar in words, empty where there is none."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def interval(self) -> str:
        """The interval in words."""
        return "" if self.low is None or self.high is None else f"[{self.low:.3f}, {self.high:.3f}]"


def missed(properties: Iterable[Property]) -> list[Property]:
    """Those whose bar does not hold."""
    return [each for each in properties if each.verdict == "missed"]


def cells(properties: Sequence[Property]) -> list[tuple[str, ...]]:
    """Rows of text for a table: property, value, interval, n, bar, verdict."""
    return [(p.name, f"{p.value:.3f}", p.interval, str(p.n), p.bar, p.verdict) for p in properties]


HEADINGS = ("property", "value", "95 % interval", "n", "bar", "verdict")
