"""The table of one run: curves down, rungs across, half-lives at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from erosion.evaluation.curves import ErosionCurve, UndefinedCurve
from erosion.evaluation.judging.partial_refusals import PARTIAL
from erosion.evaluation.report.figure import label

if TYPE_CHECKING:
    from rich.table import Table

NO_HALF_LIFE = ("refusal_log_odds", "judge_agreement", "judge_kappa", PARTIAL)
"""Numbers that need not fall as a model erodes."""


def table(curves: Sequence[ErosionCurve], *, title: str) -> Table:
    """A terminal table; a dash where nothing was measured."""
    from rich.table import Table

    steps = sorted({step for curve in curves for step in curve.steps})
    grid = Table(title=title, title_justify="left")
    grid.add_column("optimizer step", no_wrap=True)
    for step in steps:
        grid.add_column(str(step), justify="right", no_wrap=True)
    grid.add_column("half-life", no_wrap=True)
    for curve in curves:
        guard = "" if curve.defense == "none" else f" ({curve.defense})"
        grid.add_row(label(curve) + guard, *(_value(curve, step) for step in steps), _half_life(curve))
    return grid


def _value(curve: ErosionCurve, step: int) -> str:
    if step not in curve.steps:
        return "-"
    value = curve.values[curve.steps.index(step)]
    return f"{value:+.1f}" if curve.metric == "refusal_log_odds" else f"{value:.2f}"


def _half_life(curve: ErosionCurve) -> str:
    if curve.metric == "tpr_minus_fpr" and (step := curve.surely_below_half()) is not None:
        return f"surely at {step}"
    if curve.higher_is == "worse" or curve.metric in NO_HALF_LIFE:
        return ""
    try:
        bracket = curve.half_life()
    except UndefinedCurve:
        return "undefined"
    return f"{bracket[0]} to {bracket[1]}" if bracket else "not reached"
