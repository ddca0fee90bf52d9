"""The table of one run: rungs down, curves across, half-lives at the foot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from erosion.evaluation.curves import ErosionCurve, UndefinedCurve

if TYPE_CHECKING:
    from rich.table import Table


def table(curves: Sequence[ErosionCurve], *, title: str) -> Table:
    """A terminal table; a dash where nothing was measured."""
    from rich.table import Table

    grid = Table(title=title, title_justify="left")
    grid.add_column("step", justify="right")
    for curve in curves:
        grid.add_column(heading(curve), justify="right")
    for step in sorted({step for curve in curves for step in curve.steps}):
        grid.add_row(str(step), *(_value(curve, step) for curve in curves))
    grid.add_section()
    grid.add_row("half-life", *(_half_life(curve) for curve in curves))
    return grid


def heading(curve: ErosionCurve) -> str:
    """A curve's name in a narrow column."""
    name = curve.suite.removeprefix("pocket/").replace("_", " ")
    what = {"refusal_log_odds": "log-odds", "judge_agreement": "judges agree"}.get(curve.metric, "")
    depth = f"@{curve.depth}" if curve.depth else ""
    guard = "" if curve.defense == "none" else f"\n{curve.defense}"
    return f"{name}{depth}\n{what}{guard}".strip()


def _value(curve: ErosionCurve, step: int) -> str:
    if step not in curve.steps:
        return "-"
    value = curve.values[curve.steps.index(step)]
    return f"{value:+.1f}" if curve.metric == "refusal_log_odds" else f"{value:.2f}"


def _half_life(curve: ErosionCurve) -> str:
    if curve.higher_is == "worse" or curve.metric in ("refusal_log_odds", "judge_agreement"):
        return ""
    try:
        bracket = curve.half_life()
    except UndefinedCurve:
        return "undefined"
    return f"{bracket[0]}-{bracket[1]}" if bracket else "not reached"
