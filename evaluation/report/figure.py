"""The figure of one run: refusal by depth beside utility and over-refusal, against the optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from erosion import defenses as parts
from erosion.evaluation.aggregate import ERRORS
from erosion.evaluation.curves import ErosionCurve
from erosion.evaluation.judging.partial_refusals import PARTIAL
from erosion.evaluation.records import LM_EVAL
from erosion.recipes.discovery import find

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette: told apart by the colour-blind, in grey by markers and dashes, and where lines
meet by marker size."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
SUFFIXES = (".png", ".svg")
JUDGE_NUMBERS = ("attack_success_rate", "harmful_rate", "harm_score", PARTIAL)


def draw(curves: Sequence[ErosionCurve], stem: Path, *, title: str) -> list[Path]:
    """Draws the run's curves, one row of panels a defence, and saves PNG and SVG.

    Args:
        curves: Curves of one run.
        stem: Path without suffix.
        title: The figure's title.
    """
    shown = drawn_defenses(curves)
    with drawing(width=12, height=0.6 + 4.1 * len(shown), title=title) as figure:
        panels = figure.subplots(len(shown), 2, squeeze=False, sharey=True)
        for row, defense in zip(panels, shown, strict=True):
            _row(row, [curve for curve in curves if curve.defense == defense], defense)
        return saved(figure, stem)


@contextmanager
def drawing(*, width: float, height: float, title: str) -> Iterator[Figure]:
    """An empty figure in our style; inches."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": "erosion", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title)
        yield figure


def saved(figure: Figure, stem: Path) -> list[Path]:
    """Saves PNG and SVG, the same bytes for the same numbers."""
    files = [stem.with_suffix(suffix) for suffix in SUFFIXES]
    for file in files:
        figure.savefig(file, dpi=160, metadata={"Date": None} if file.suffix == ".svg" else None)
    return files


def drawn_defenses(curves: Sequence[ErosionCurve]) -> list[str]:
    """Labels of the defences that have panels, in order; controls stand in the table."""
    labels = dict.fromkeys(curve.defense for curve in curves)
    return [label for label in labels if not is_control(label)]


def is_control(label: str) -> bool:
    """Whether a defence's label names a control."""
    control: bool = find(parts, label.partition("@")[0], "defenses").make().is_control
    return control


def is_safety(curve: ErosionCurve) -> bool:
    """Whether a curve belongs to the left panel: what a user is kept from, by the model or by its guard."""
    metric = "refusal_rate" if curve.defense == "none" else "refused_or_halted_rate"
    return curve.metric == metric and curve.higher_is == "safer" and _is_first_judge(curve)


def is_utility(curve: ErosionCurve) -> bool:
    """Whether a curve belongs to the right panel: a rate of answers, or of refusals that should not be."""
    over_refusal = "refusal_rate" if curve.defense == "none" else "refused_or_halted_rate"
    rate = curve.metric in ("accuracy", "compliance_rate", "rouge1", over_refusal) or _is_task(curve)
    return rate and curve.higher_is != "safer" and not curve.depth and _is_first_judge(curve)


def _is_task(curve: ErosionCurve) -> bool:
    """Whether it is a share of a task of lm-eval's; of a group the whole is drawn, not its members."""
    return curve.suite.startswith(LM_EVAL) and curve.is_share and " of=" not in curve.version


def is_of_another_judge(curve: ErosionCurve) -> bool:
    """Whether a curve tells by another judge what the suite's own tells, or what that judge tells instead."""
    told = curve.metric in (
        "refusal_rate", "compliance_rate", "accuracy", "rouge1", "coherence_rate", "harmful_rate",
        "harm_score", PARTIAL,
    )  # fmt: skip
    asked_later = curve.metric == "attack_success_rate" and "/" in curve.judge
    return (told or asked_later) and not _is_first_judge(curve)


def is_judge_error(curve: ErosionCurve) -> bool:
    """Whether a curve tells how often a judge is wrong, by the embedded model's exact oracle."""
    return curve.metric in ERRORS


def label(curve: ErosionCurve) -> str:
    """A curve's name in a legend or table."""
    by = f", by {curve.judge}" if is_of_another_judge(curve) else ""
    return _plain_label(curve) + by + ("" if curve.wrapper == "none" else f", {curve.wrapper}")


def _plain_label(curve: ErosionCurve) -> str:
    if curve.metric == "judge_agreement":
        return f"{curve.suite}, {curve.judge.replace('~', ' and ')} agree"
    if curve.metric == "judge_kappa":
        return f"{curve.suite}, kappa of {curve.judge.replace('~', ' and ')}"
    if is_judge_error(curve):
        at = f", prefill of {curve.depth} tokens" if curve.depth else ""
        return f"{curve.suite}, {curve.metric.removesuffix('_rate').replace('_', ' ')} by {curve.judge}{at}"
    if curve.metric in JUDGE_NUMBERS:
        at = f", prefill of {curve.depth} tokens" if curve.depth else ""
        return f"{curve.suite}, {curve.metric.replace('_', ' ')}{at}"
    if curve.higher_is == "worse":
        stopped = "refused" if curve.metric == "refusal_rate" else "refused or halted"
        return f"{curve.suite}, {stopped} although harmless"
    if is_safety(curve):
        return f"{curve.suite}, {f'prefill of {curve.depth} tokens' if curve.depth else 'asked directly'}"
    at = f", prefill of {curve.depth} tokens" if curve.depth else ""
    return f"{curve.suite}, {curve.metric.replace('_', ' ')}{at}"


def _is_first_judge(curve: ErosionCurve) -> bool:
    """The suite's own judge is named first in its version: `suite=1 phrases=1 ...`."""
    return curve.version.split()[1].startswith(f"{curve.judge}=")


def _row(panels: Sequence[Axes], own: Sequence[ErosionCurve], defense: str) -> None:
    under = "" if defense == "none" else f" under {defense}"
    unit = "share refused" if defense == "none" else "share refused or halted"
    safety, utility = [c for c in own if is_safety(c)], [c for c in own if is_utility(c)]
    _panel(panels[0], safety, f"Refusal of forbidden requests{under}", unit)
    _panel(panels[1], utility, f"Utility and over-refusal{under}", "share")


def _panel(axes: Axes, curves: Sequence[ErosionCurve], title: str, unit: str) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    axes.set_title(title)
    axes.set(xlabel="optimizer steps (log-like, from 0)", ylabel=unit, ylim=(-0.03, 1.03))
    if not curves:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)
        return
    for number, curve in enumerate(curves):
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        axes.plot(
            curve.steps,
            curve.values,
            color=color,
            marker=marker,
            markersize=max(4, 11 - 2 * number),
            markerfacecolor="white" if number % 2 else color,
            linestyle=DASHES[number % len(DASHES)],
            label=label(curve),
        )
        if None not in curve.lows:
            axes.fill_between(curve.steps, curve.lows, curve.highs, color=color, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
    steps = sorted({step for curve in curves for step in curve.steps})
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_locator(FixedLocator(steps))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(left=-0.1 if steps[-1] <= 1 else -0.15)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8, frameon=False, ncols=2)
