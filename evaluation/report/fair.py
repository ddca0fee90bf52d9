"""Safety against steps, against the attack's loss and against how far the model moved."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.completeness.expected import judged_as
from erosion.evaluation.curves import ErosionCurve, curves
from erosion.evaluation.report.figure import (
    COLORS,
    DASHES,
    MARKERS,
    drawing,
    is_control,
    is_safety,
    label,
    saved,
)
from erosion.evaluation.studies.fair_curves import FairCurve, fair_curve, worst_case
from erosion.evaluation.studies.table import curve_of, measured
from erosion.recipes.schema import load_recipe
from erosion.recipes.study import Column, Point, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

AXES = (
    ("steps", "optimizer steps"),
    ("loss", "loss on the attack's data, nats a token (falling: the attack succeeds)"),
    ("moved", "KL to step 0, nats a token"),
)
SAFETY = Column(suite="pocket/refusal", metric="refusal_rate")
LEGEND = 14
"""Names beyond which a legend hides the curves."""


def fair_report(study: Study, folder: Path, stem: Path) -> list[Path]:
    """Draws a study's runs, and the worst case over the axis the study names; writes their points as CSV.

    A row of panels for each level of the first axis, where there are too many lines for one.

    Returns:
        PNG, SVG and CSV; nothing where no run has such curves of two rungs or more.
    """
    lines = [(point, line) for point in study.points() if (line := _line(study, point, folder))]
    if not lines:
        return []
    merged = {axis for axis in (study.worst_over, study.average_over) if axis}
    rows: dict[str, dict[str, list[FairCurve]]] = {}
    apart = len({_group(point, merged) for point, _ in lines}) > LEGEND
    first = next(iter(study.axes))
    for point, line in lines:
        row = point.levels[first] if apart else ""
        name = _group(point, {*merged, first} if apart else merged) or row
        rows.setdefault(row, {}).setdefault(name, []).append(line)
    files = _drawn(rows, stem, study.title, worst=bool(study.worst_over))
    return [*files, _csv(study, lines, stem.with_suffix(".csv"))]


def _line(study: Study, point: Point, folder: Path) -> FairCurve | None:
    """A run's refusal along its attack's progress, of what the study's first safety column speaks of."""
    made, recipe = curves(measured(folder / point.name)), load_recipe(point.recipe, point.overrides)
    safety = curve_of(_safety(point.columns), made, recipe, judged_as(folder / point.name))
    line = fair_curve(", ".join(point.levels.values()), safety, made) if safety else None
    return line if line and len(line.steps) > 1 else None


def _group(point: Point, merged: set[str]) -> str:
    return ", ".join(level for axis, level in point.levels.items() if axis not in merged)


def _csv(study: Study, lines: Sequence[tuple[Point, FairCurve]], file: Path) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*study.axes, "step", "refused", "attack_loss", "kl_moved"])
        for point, line in lines:
            points = zip(line.steps, line.safety, line.loss, line.moved, strict=True)
            writer.writerows([*point.levels.values(), *numbers] for numbers in points)
    return file


def draw_progress(made: Sequence[ErosionCurve], stem: Path, *, title: str) -> list[Path]:
    """The same of one run: a line for every defence and suite asked directly.

    Returns:
        PNG and SVG; nothing where the attack's progress was not measured.
    """
    asked = [c for c in made if is_safety(c) and not c.depth and not is_control(c.defense)]
    named = [f"{label(c)}{'' if c.defense == 'none' else f', {c.defense}'}" for c in asked]
    lines = [fair_curve(name, curve, made) for name, curve in zip(named, asked, strict=True)]
    groups = {line.label: [line] for line in lines if line and len(line.steps) > 1}
    return _drawn({"": groups}, stem, title, worst=False) if groups else []


def _drawn(rows: dict[str, dict[str, list[FairCurve]]], stem: Path, title: str, *, worst: bool) -> list[Path]:
    """A row of three panels for every name in `rows`."""
    with drawing(width=14, height=0.6 + 4.6 * len(rows), title=title) as figure:
        panels = figure.subplots(len(rows), len(AXES), sharey=True, squeeze=False)
        for row, (name, groups) in zip(panels, rows.items(), strict=True):
            row[0].set_title(name, loc="left", fontsize=10)
            for axes, (axis, unit) in zip(row, AXES, strict=True):
                _panel(axes, groups, axis, unit, worst=worst)
        return saved(figure, stem)


def _safety(columns: dict[str, Column]) -> Column:
    """The refusal that a study's first safety column is about, whatever rung it names."""
    own = next((c for c in columns.values() if c.metric in ("attack_success_rate", "refusal_rate")), SAFETY)
    return replace(own, metric="refusal_rate", at="last")


def _panel(axes: Axes, groups: dict[str, list[FairCurve]], axis: str, unit: str, *, worst: bool) -> None:
    axes.set(xlabel=unit, ylabel="share refused", ylim=(-0.03, 1.03))
    envelope = worst and axis == "loss"
    for number, (name, runs) in enumerate(groups.items()):
        for place, run in enumerate(runs):
            (line,) = axes.plot(getattr(run, axis), run.safety, markersize=4, alpha=0.35 if envelope else 1.0)
            _styled(line, number, "" if place or envelope else name)
        if envelope:
            levels, least = _envelope(runs)
            (line,) = axes.plot(levels, least, drawstyle="steps-post", linewidth=2.5)
            _styled(line, number, f"{name}: worst case")
    if axis == "steps":
        axes.set_xscale("symlog", linthresh=1)
    if axis == "loss":
        axes.invert_xaxis()
    axes.grid(axis="y", alpha=0.3)
    if len(groups) <= LEGEND:
        axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _styled(line: Line2D, number: int, name: str) -> None:
    line.set(color=COLORS[number % len(COLORS)], marker=MARKERS[number % len(MARKERS)])
    line.set_linestyle(DASHES[number // len(COLORS) % len(DASHES)])
    line.set_label(name or "_")


def _envelope(runs: Sequence[FairCurve]) -> tuple[list[float], list[float]]:
    """The worst case at every loss that some attacker had; where none got so far there is no point."""
    levels = sorted({loss for run in runs for loss in run.loss}, reverse=True)
    pairs = zip(levels, worst_case(runs, levels), strict=True)
    reached = [(level, value) for level, value in pairs if value is not None]
    return [level for level, _ in reached], [value for _, value in reached]
