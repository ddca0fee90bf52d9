"""Tables over seeds: mean curves, half-lives and areas, what defences keep and cost; and all of it as CSV."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.curves import Grid, UndefinedCurve
from erosion.evaluation.report.figure import is_control, is_safety, is_utility, label
from erosion.evaluation.resampling import Interval
from erosion.evaluation.seeds.groups import SeedGroup
from erosion.evaluation.seeds.seed_curves import SeedCurve
from erosion.evaluation.seeds.tradeoff import SeedTradeoff

if TYPE_CHECKING:
    from rich.table import Table

FIELDS = (
    "group", "seeds", "suite", "metric", "higher_is", "judge", "defense", "depth", "wrapper", "step", "value",
    "low", "high", "n", "unscored", "over", "by_seed", "half_lives",
)  # fmt: skip


def seed_table(group: SeedGroup, made: Sequence[SeedCurve], *, grid: Grid) -> Table:
    """Mean curves of a group: what a user is kept from and what is left of use, rung by rung.

    Args:
        group: Its runs and seeds.
        made: Its curves.
        grid: The axis of the areas.
    """
    from rich.table import Table

    shown = [curve for curve in made if is_shown(curve)]
    table = Table(title=group.said, title_justify="left")
    table.add_column("optimizer step")
    steps = sorted({step for curve in shown for step in curve.steps})
    for name in [*map(str, steps), f"area over {grid}"]:
        table.add_column(name, justify="right")
    table.add_column("half-life, by seed")
    for curve in shown:
        guard = "" if curve.defense == "none" else f" ({curve.defense})"
        cells = [_at(curve, step) for step in steps]
        area = _interval(curve.areas[grid]) if grid in curve.areas else "-"
        table.add_row(label(curve) + guard, *cells, area, half_lives(curve))
    return table


def tradeoff_table(made: Sequence[SeedTradeoff], *, grid: Grid, title: str) -> Table:
    """Safety kept and utility lost, as mean heights over an axis, and their ratio where it has a meaning."""
    from rich.table import Table

    table = Table(title=f"{title}, mean heights over {grid}", title_justify="left")
    for name in ("defence", "attack", "utility", "safety kept", "utility lost", "kept per lost"):
        table.add_column(name, justify="left" if name in ("defence", "attack", "utility") else "right")
    for each in made:
        ratio, safety, utility = each.kept_per_lost, each.safety, each.utility
        forced = f", prefill of {safety.depth} tokens" if safety.depth else ""
        guard = safety.run if safety.defense == "none" else safety.defense
        table.add_row(
            guard, safety.suite + forced, utility.suite, _interval(each.safety_kept),
            _interval(each.utility_lost), "-" if ratio is None else f"{ratio:.1f}",
        )  # fmt: skip
    return table


def is_shown(curve: SeedCurve) -> bool:
    """The figure's curves: safety, utility and over-refusal by the suite's first judge; no controls."""
    return not is_control(curve.defense) and (is_safety(curve) or is_utility(curve))


def half_lives(curve: SeedCurve) -> str:
    """How many seeds fall to half between which rungs: `10 to 20 in 4 of 5, not reached in 1`."""
    if curve.higher_is == "worse":
        return ""
    try:
        found = Counter(curve.half_lives())
    except UndefinedCurve:
        return "undefined"
    reached = sorted(bracket for bracket in found if bracket is not None)
    said = [f"{low} to {high} in {found[low, high]}" for low, high in reached]
    said += [f"not reached in {found[None]}"] if None in found else []
    return f"{said[0]} of {len(curve.seeds)}" + "".join(f", {each}" for each in said[1:])


def write_seeds(made: Sequence[SeedCurve], file: Path) -> None:
    """Writes every curve's rungs and areas as CSV, beside the file first, then renamed.

    An area stands in the place of a step, under its grid's name.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        writer.writeheader()
        for curve in made:
            writer.writerows(_lines(curve))
    os.replace(beside, file)


def _lines(curve: SeedCurve) -> list[dict[str, object]]:
    names = ("suite", "metric", "higher_is", "judge", "defense", "depth", "wrapper", "over")
    shared = {name: getattr(curve, name) for name in names}
    shared |= {"group": curve.run, "seeds": " ".join(map(str, curve.seeds)), "half_lives": _brackets(curve)}
    made = []
    for at, step in enumerate(curve.steps):
        own = {
            "value": curve.values[at], "low": curve.lows[at], "high": curve.highs[at], "n": curve.n[at],
            "unscored": curve.unscored[at],
        }  # fmt: skip
        by_seed = " ".join(f"{each.values[at]:.6g}" for each in curve.per_seed)
        made.append({**shared, **own, "step": step, "by_seed": by_seed})
    for grid, (value, low, high) in curve.areas.items():
        by_seed = " ".join(f"{each.area(grid):.6g}" for each in curve.per_seed)
        own = {"value": value, "low": low, "high": high, "n": min(curve.n), "unscored": sum(curve.unscored)}
        made.append({**shared, **own, "step": f"area over {grid}", "by_seed": by_seed})
    return made


def _brackets(curve: SeedCurve) -> str:
    """Each seed's half-life, `10-20` or `>50` where it is not reached; empty where it is undefined."""
    if not curve.is_share or curve.higher_is == "worse":
        return ""
    try:
        found = curve.half_lives()
    except UndefinedCurve:
        return ""
    return " ".join(f"{each[0]}-{each[1]}" if each else f">{curve.steps[-1]}" for each in found)


def _at(curve: SeedCurve, step: int) -> str:
    if step not in curve.steps:
        return "-"
    at = curve.steps.index(step)
    return _interval((curve.values[at], curve.lows[at], curve.highs[at]))


def _interval(found: Interval) -> str:
    value, low, high = found
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
