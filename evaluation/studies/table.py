"""A study's numbers: what was measured of every run, averaged or at its worst, beside what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from erosion.evaluation.completeness.expected import judged_as
from erosion.evaluation.curves import ErosionCurve, Grid, curves
from erosion.evaluation.hypotheses.findings import Finding, Number, finding
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judging.whose_verdicts import of_judge
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS
from erosion.evaluation.records import Measurement
from erosion.evaluation.resampling import FEWEST_SEEDS, Interval
from erosion.evaluation.seeds.crossed_curves import Drawn, TooSparse, crossed_curve, draws, over_seeds
from erosion.evaluation.seeds.rows import Values, table_of, values_by_prompt
from erosion.recipes.schema import Recipe, load_recipe
from erosion.recipes.study import Column, Study

AREA: Grid = "log1p_steps"
"""The axis of a column's area."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One number of a study's table.

    Attributes:
        levels: Level by axis; an axis that was averaged is left out.
        column: The column's name.
        value: The number; None where it is missing.
        low: Lower end of its 95 % interval.
        high: Upper end.
        n: Prompts, or runs where it is a mean over runs.
        unscored: Prompts that are in no number, since no judge could score them; over all runs and rungs.
        higher_is: What a higher value means; empty where it is missing.
        behind: The values it rests on by prompt, rung by rung; None where no stored row has them.
        weights: Of these rungs in the number: one rung alone, or an area's.
    """

    levels: dict[str, str]
    column: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    unscored: int = 0
    higher_is: str = ""
    behind: tuple[Values, ...] | None = field(default=None, repr=False)
    weights: tuple[float, ...] = ()


def entries(study: Study, folder: Path) -> list[Entry]:
    """Every run's columns, as measured; missing ones without a value."""
    found: list[Entry] = []
    for point in study.points():
        recipe, lines = load_recipe(point.recipe, point.overrides), measured(folder / point.name)
        made = curves(lines)
        for name, column in point.columns.items():
            curve = curve_of(column, made, recipe, judged_as(folder / point.name))
            entry = _entry(Entry(levels=point.levels, column=name, value=None), column, curve, recipe)
            if study.average_over and curve is not None and entry.value is not None:
                rungs = curve.steps if column.at == "area" else (_step(column, recipe),)
                entry = _with_rows(entry, rungs, curve, folder / point.name, lines)
            found.append(entry)
    return found


def measured(run: Path) -> list[Measurement]:
    """A run's measurements; none where it has not been measured."""
    return [Measurement(**line) for line in read_lines(run / MEASUREMENTS)]


def condensed(study: Study, found: Sequence[Entry]) -> list[Entry]:
    """The entries with seeds averaged and only the worst learning rate's kept, as the study says."""
    if study.average_over:
        found = _averages(study.average_over, found)
    if study.worst_over:
        found = _worst(study.worst_over, found)
    return list(found)


def findings(study: Study, found: Sequence[Entry]) -> list[Finding]:
    """What became of a study's hypotheses; a level that was chosen as the worst tells no numbers apart."""
    numbers = [_number(entry, study.worst_over) for entry in found]
    return [finding(hypothesis, numbers) for hypothesis in study.hypotheses]


def _number(entry: Entry, worst_over: str | None) -> Number:
    levels = {axis: level for axis, level in entry.levels.items() if axis != worst_over}
    return Number(
        of={**levels, "column": entry.column}, value=entry.value, low=entry.low, high=entry.high,
        name=", ".join([*entry.levels.values(), entry.column]),
    )  # fmt: skip


def published(study: Study, entry: Entry) -> float | None:
    """The publication's number for an entry; None where it has none."""
    for row in study.published.rows:
        named = {axis: str(level) for axis, level in row.items() if axis in study.axes}
        if entry.column in row and named == {axis: entry.levels.get(axis) for axis in named}:
            return float(row[entry.column])
    return None


def _entry(empty: Entry, column: Column, curve: ErosionCurve | None, recipe: Recipe) -> Entry:
    """The number a column asks for: at a rung of the recipe's ladder, or over all of it."""
    if curve is None:
        return empty
    given = replace(empty, higher_is=curve.higher_is)
    if column.at == "area":
        whole = set(recipe.ladder) <= set(curve.steps) and len(curve.steps) > 1
        if not whole:
            return empty
        return replace(given, value=curve.area(AREA), n=min(curve.n), unscored=sum(curve.unscored))
    step = _step(column, recipe)
    if step not in curve.steps:
        return empty
    place = curve.steps.index(step)
    low, high = curve.lows[place], curve.highs[place]
    return replace(
        given, value=curve.values[place], low=low, high=high, n=curve.n[place], unscored=curve.unscored[place]
    )


def _step(column: Column, recipe: Recipe) -> int:
    if isinstance(column.at, int):
        return column.at
    return recipe.ladder[0] if column.at == "first" else recipe.ladder[-1]


def _with_rows(
    entry: Entry, rungs: tuple[int, ...], curve: ErosionCurve, run: Path, lines: Sequence[Measurement]
) -> Entry:
    """The entry with the values behind it, as far as the run's stored rows give them."""
    cell = (curve.suite, curve.defense, curve.depth, curve.wrapper)
    own = [m for m in lines if (m.suite, m.defense, m.depth, m.wrapper) == cell and m.step in rungs]
    asked = (curve.metric, curve.judge, curve.version)
    found = {
        line.step: values
        for line, values in values_by_prompt(run, own)
        if (line.metric, line.judge, line.version) == asked and values is not None
    }
    weights = (1.0,) if len(rungs) == 1 else curve.area_weights(AREA)
    whole = set(found) == set(rungs)
    return replace(entry, behind=tuple(found[step] for step in rungs) if whole else None, weights=weights)


def curve_of(
    column: Column,
    made: Sequence[ErosionCurve],
    recipe: Recipe,
    versions: Mapping[str, str] | None = None,
) -> ErosionCurve | None:
    """The curve a column speaks of; the suite's first judge's where it names none.

    Args:
        column: The column.
        made: A run's curves.
        recipe: Its recipe.
        versions: Of further judges as they are now, by label; where curves of several versions of the named
            judge are there, the one of this version is taken.
    """
    own = [wrapper.name for wrapper in recipe.evaluation.wrappers]
    wrapper = column.wrapper or (own[0] if column.wrapped and own else "none")
    asked = (column.suite, column.metric, column.depth, column.defense, wrapper)
    found = [c for c in made if (c.suite, c.metric, c.depth, c.defense, c.wrapper) == asked]
    return next(iter(of_judge(column.judge, found, versions or {})), None)


def _averages(axis: str, found: Sequence[Entry]) -> list[Entry]:
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in found:
        rest = {name: level for name, level in entry.levels.items() if name != axis}
        groups.setdefault((*rest.items(), entry.column), []).append(replace(entry, levels=rest))
    drawn = draws()
    return [_average(group, drawn) for group in groups.values()]


def _average(group: list[Entry], drawn: Drawn) -> Entry:
    """The mean over runs; missing where one of them is, without an interval below five.

    The interval crosses prompts and runs where every run's rows have the number, and is over runs elsewhere.
    """
    values = [entry.value for entry in group if entry.value is not None]
    lost = sum(entry.unscored for entry in group)
    alone = replace(
        group[0], value=None, low=None, high=None, n=len(values), unscored=lost, behind=None, weights=()
    )
    if len(values) < len(group):
        return alone
    if len(values) < FEWEST_SEEDS:
        return replace(alone, value=math.fsum(values) / len(values))
    value, low, high = _crossed(group, drawn) or over_seeds(values)
    return replace(alone, value=value, low=low, high=high)


def _crossed(group: Sequence[Entry], drawn: Drawn) -> Interval | None:
    """None where a run's rows do not have the number, or its rungs are others."""
    import numpy as np

    behind = [entry.behind for entry in group if entry.behind is not None]
    if len(behind) < len(group) or len({entry.weights for entry in group}) > 1:
        return None
    if (tables := table_of(behind)) is not None:
        with suppress(TooSparse):
            return crossed_curve(*tables, np.array([group[0].weights]), drawn=drawn)[0]
    return None


def _worst(axis: str, found: Sequence[Entry]) -> list[Entry]:
    """The entries of the level whose first column is worst; all are missing where that is missing at a level.

    A run whose number is missing might be the worst.
    """
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in found:
        groups.setdefault(tuple(p for p in entry.levels.items() if p[0] != axis), []).append(entry)
    return [entry for group in groups.values() for entry in _of_worst_level(axis, group)]


def _of_worst_level(axis: str, group: list[Entry]) -> list[Entry]:
    decisive = [entry for entry in group if entry.column == group[0].column]
    if any(entry.value is None for entry in decisive):
        unknown = {**group[0].levels, axis: "?"}
        columns = dict.fromkeys(entry.column for entry in group)
        return [Entry(levels=unknown, column=column, value=None) for column in columns]
    sign = 1 if decisive[0].higher_is == "worse" else -1
    worst = max(decisive, key=lambda entry: sign * (entry.value or 0.0))
    return [entry for entry in group if entry.levels == worst.levels]
