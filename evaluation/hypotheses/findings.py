"""What became of a hypothesis: every comparison it makes, whatever its numbers are of."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from erosion.recipes.hypotheses import Claim, Hypothesis, as_levels

VERDICTS = {True: "held", False: "did not hold", None: "undecided"}
HOLDS = {"above": operator.gt, "at_least": operator.ge, "below": operator.lt, "at_most": operator.le}
UPWARD = ("above", "at_least")
DIGITS = 12
"""Decimals that count: 0.1 above 0.7 is 0.8, whatever binary fractions make of it."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number that can be compared.

    Attributes:
        of: What it is of, by key: levels and column of a study, or as a run's measurements name it.
        value: The number; None where it is missing.
        low: Lower end of its 95 % interval.
        high: Upper end.
        name: What it is of, in words.
        why: Why it is missing, where that is known.
    """

    of: Mapping[str, str]
    value: float | None
    low: float | None = None
    high: float | None = None
    name: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of a hypothesis.

    Attributes:
        says: Its sentence.
        held: Whether all comparisons hold; None where none fails and one lacks a number, or a claim has none.
        detail: In how many comparisons, in how many of them beyond the intervals, the worst, what is missing.
        comparisons: How many have both numbers.
        stood: How many of these hold.
        beyond: How many hold beyond the intervals.
        lacking: How many lack a number.
    """

    says: str
    held: bool | None
    detail: str
    comparisons: int = 0
    stood: int = 0
    beyond: int = 0
    lacking: int = 0


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    claim: Claim
    left: Number
    right: Number

    @property
    def lacks(self) -> Number | None:
        """The number it lacks, if it does."""
        return next((each for each in (self.left, self.right) if each.value is None), None)

    @property
    def excess(self) -> float:
        """How far the left side is above its bound."""
        return _excess(self.claim, self.left.value or 0.0, self.right.value or 0.0)

    @property
    def stands(self) -> bool:
        """Whether it holds."""
        return bool(HOLDS[self.claim.relation](self.excess, 0))

    @property
    def surely(self) -> bool:
        """Whether it holds wherever in both intervals the numbers lie; never where a number has none."""
        if any(number.of and number.low is None for number in (self.left, self.right)):
            return False
        ends = itertools.product(_ends(self.left), _ends(self.right))
        return all(HOLDS[self.claim.relation](_excess(self.claim, a, b), 0) for a, b in ends)

    @property
    def shortfall(self) -> float:
        """By how much it fails."""
        return -self.excess if self.claim.relation in UPWARD else self.excess

    def __str__(self) -> str:
        """The number, and what it was to be."""
        other = f" against {self.right.value:.4g} ({self.right.name})" if self.right.of else ""
        bound = (self.right.value or 0.0) * self.claim.times + self.claim.plus
        relation = self.claim.relation.replace("_", " ")
        return f"{self.left.name}, {self.left.value:.4g}{other}, not {relation} {bound:.4g}"


def finding(hypothesis: Hypothesis, numbers: Sequence[Number]) -> Finding:
    """Compares what a hypothesis names. One failure refutes it, and a missing number never lets it hold."""
    by_claim = [list(_comparisons(claim, numbers)) for claim in hypothesis.claims]
    made, empty = [each for own in by_claim for each in own], by_claim.count([])
    whole = [each for each in made if each.lacks is None]
    stood, beyond = sum(each.stands for each in whole), sum(each.surely for each in whole)
    failed, lacking = stood < len(whole), len(made) - len(whole)
    held = False if failed else None if lacking or empty else True
    return Finding(
        says=hypothesis.says, held=held, detail=_detail(made, whole, empty), comparisons=len(whole),
        stood=stood, beyond=beyond, lacking=lacking,
    )  # fmt: skip


def rows_of(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """One a hypothesis, numbered, with its verdict in words, as a table's file holds them."""
    return [
        {"number": place, **vars(each), "held": VERDICTS[each.held]}
        for place, each in enumerate(findings, start=1)
    ]


def told(findings: Sequence[Finding]) -> list[str]:
    """One sentence each, in their order."""
    return [
        f"{place}. {each.says} {VERDICTS[each.held]}: {each.detail}."
        for place, each in enumerate(findings, start=1)
    ]


def _detail(made: Sequence[_Comparison], whole: Sequence[_Comparison], empty: int) -> str:
    failed, surely = [each for each in whole if not each.stands], sum(each.surely for each in whole)
    parts = []
    if whole:
        stood = len(whole) - len(failed)
        parts.append(f"in {stood} of {len(whole)} comparisons, in {surely} of them beyond the intervals")
    if failed:
        parts.append(f"the worst is {max(failed, key=lambda each: each.shortfall)}")
    lacks = [each.lacks for each in made if each.lacks is not None]
    if lacks:
        some = "lacks" if len(lacks) == 1 else "lack"
        why = f" ({lacks[0].why})" if lacks[0].why else ""
        parts.append(
            f"{len(lacks)} of {len(made)} comparisons {some} a number, the first {lacks[0].name}{why}"
        )
    if empty:
        parts.append("there is nothing to compare" if not made else "a claim has nothing to compare")
    return "; ".join(parts)


def _comparisons(claim: Claim, numbers: Sequence[Number]) -> Iterator[_Comparison]:
    """Every number named with each of its counterparts; none is compared with itself."""
    known = {_key(number.of): number for number in numbers}
    for left in numbers:
        if _selected(left, claim.left):
            for right in _counterparts(claim, left, known):
                if right is not left:
                    yield _Comparison(claim=claim, left=left, right=right)


def _selected(number: Number, wanted: Mapping[str, object]) -> bool:
    return all(number.of.get(key) in as_levels(wanted[key]) for key in wanted)


def _counterparts(
    claim: Claim, left: Number, known: Mapping[frozenset[tuple[str, str]], Number]
) -> Iterator[Number]:
    """What a number is compared with; one without a value where there is no such number."""
    if not isinstance(claim.right, Mapping):
        yield Number(of={}, value=float(claim.right))
        return
    levels = {key: as_levels(value) for key, value in {**left.of, **claim.right}.items()}
    for values in itertools.product(*levels.values()):
        of = dict(zip(levels, values, strict=True))
        lacking = Number(of=of, value=None, name=", ".join(values), why="there is no such number")
        yield known.get(_key(of), lacking)


def _key(of: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(of.items())


def _excess(claim: Claim, left: float, right: float) -> float:
    return round(left - (right * claim.times + claim.plus), DIGITS)


def _ends(number: Number) -> list[float]:
    ends = [end for end in (number.low, number.high) if end is not None]
    return ends or [number.value or 0.0]
