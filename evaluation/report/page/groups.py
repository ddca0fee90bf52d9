"""Runs that are one line on the page, and what they measured of one thing along the ladder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from erosion.evaluation.curves import ErosionCurve
from erosion.evaluation.report.page.contents import Line, Point
from erosion.evaluation.report.page.runs import Run
from erosion.evaluation.report.page.wording import MISSING, UNDEFINED, interval, is_share, number
from erosion.evaluation.seeds.groups import SeedGroup, seed_groups
from erosion.evaluation.seeds.seed_curves import SeedCurve, seed_curves

Key = tuple[str, str, str, str, int, str]
"""Suite, wrapper, metric, judge, depth and defence: what a curve is of, whatever run it is of."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """What a group measured of one thing.

    Attributes:
        curve: The numbers; means over seeds where the group has several.
        over: What the intervals are over.
    """

    curve: ErosionCurve
    over: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs that differ in nothing but their seed, or a run alone.

    Attributes:
        name: In legends and tables.
        style: Which colour, marker and dash are its own.
        runs: Its runs.
        said: Its seeds in words; empty of a run alone.
        series: What it measured, by what it is of.
    """

    name: str
    style: int
    runs: tuple[Run, ...]
    said: str = ""
    series: dict[Key, Series] = field(default_factory=dict)

    @property
    def ladder(self) -> tuple[int, ...]:
        """The steps at which any of its runs should have been measured."""
        return tuple(sorted({step for run in self.runs for step in run.ladder}))

    @cached_property
    def cells(self) -> frozenset[tuple[int, str, str, int, str]]:
        """Step, suite, defence, depth and wrapper of all that every one of its runs has measured."""
        return frozenset.intersection(*(_cells(run) for run in self.runs))


def grouped(runs: Sequence[Run]) -> list[Group]:
    """Runs that differ only in their seed as one group, any other as a group of its own; in the given order.

    Values of a group are means over its seeds, at the rungs that every seed has; its intervals cross prompts
    and seeds where there are five seeds or more, and below that there are none.
    """
    by_path = {run.path: run for run in runs}
    seeds = [group for group in seed_groups([run.path for run in runs if run.recipe]) if len(group.runs) > 1]
    member = {path: group for group in seeds for path in group.runs}
    made: dict[Path, Group] = {}
    for run in runs:
        group = member.get(run.path)
        head = group.runs[0] if group else run.path
        if head not in made:
            made[head] = _seeds(group, by_path, len(made)) if group else _alone(run, len(made))
    return _told_apart(list(made.values()))


def _cells(run: Run) -> frozenset[tuple[int, str, str, int, str]]:
    return frozenset((line.step, line.suite, line.defense, line.depth, line.wrapper) for line in run.measured)


def _alone(run: Run, style: int) -> Group:
    return Group(name=run.name, style=style, runs=(run,), series=_by_key(run.curves))


def _seeds(found: SeedGroup, runs: Mapping[Path, Run], style: int) -> Group:
    own = tuple(runs[path] for path in found.runs)
    return Group(
        name=f"{found.name} ({len(own)} seeds)", style=style, runs=own, said=f"{found.said}.",
        series=_by_key(seed_curves(found)),
    )  # fmt: skip


def _by_key(curves: Iterable[ErosionCurve]) -> dict[Key, Series]:
    """Curves by what they are of; where one has two versions, the later ones say theirs."""
    made: dict[Key, Series] = {}
    for curve in curves:
        key = key_of(curve)
        if key in made:
            key = (*key[:3], f"{curve.judge}, version {curve.version}", *key[4:])
        over = f"over {curve.over}" if isinstance(curve, SeedCurve) else "over prompts"
        made[key] = Series(curve=curve, over=over)
    return made


def _told_apart(groups: Sequence[Group]) -> list[Group]:
    """Groups that would share a name say their first run's."""
    names = [group.name for group in groups]
    return [
        replace(group, name=f"{group.name}, {group.runs[0].name}") if names.count(group.name) > 1 else group
        for group in groups
    ]


def key_of(curve: ErosionCurve) -> Key:
    """What a curve is of."""
    return (curve.suite, curve.wrapper, curve.metric, curve.judge, curve.depth, curve.defense)


def keys_of(groups: Iterable[Group]) -> list[Key]:
    """Everything measured by any group, in the order of the first."""
    return list(dict.fromkeys(key for group in groups for key in group.series))


def lines(groups: Sequence[Group], key: Key) -> tuple[Line, ...]:
    """A line for every group that measured it."""
    return tuple(_line(group, group.series[key]) for group in groups if key in group.series)


def _line(group: Group, series: Series) -> Line:
    curve = series.curve
    columns = (curve.steps, curve.values, curve.lows, curve.highs, curve.n, curve.unscored)
    points = tuple(
        Point(x=row[0], value=row[1], low=row[2], high=row[3], says=_says(group.name, series, *row))
        for row in zip(*columns, strict=True)
    )
    gaps = tuple(
        (float(step), f"{group.name}, step {step}: {why}") for step, why in lacking(group, series).items()
    )
    return Line(name=group.name, style=group.style, points=points, gaps=gaps)


def lacking(group: Group, series: Series) -> dict[int, str]:
    """Rungs of the ladder without a number of a kind there is elsewhere: `missing`, or `undefined` there.

    A number is undefined where its cell was measured and gives none, such as kappa where both judges give
    one and the same label.
    """
    curve = series.curve
    of = (curve.suite, curve.defense, curve.depth, curve.wrapper)
    steps = [step for step in group.ladder if step not in curve.steps]
    return {step: UNDEFINED if (step, *of) in group.cells else MISSING for step in steps}


def _says(
    name: str,
    series: Series,
    step: int,
    value: float,
    low: float | None,
    high: float | None,
    n: int,
    unscored: int,
) -> str:
    shares = is_share(series.curve)
    ends = interval(low, high, shares=shares)
    within = f", 95 % interval {ends} {series.over}" if ends else ", no interval"
    lost = f", {unscored} unscored" if unscored else ""
    return f"{name}, step {step}: {number(value, shares=shares)}{within}, n {n}{lost}"
