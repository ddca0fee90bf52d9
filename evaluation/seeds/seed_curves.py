"""Mean curves over the seeds of a recipe, with intervals that cross prompts and seeds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from erosion.evaluation.curves import ErosionCurve, Grid
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS
from erosion.evaluation.records import Measurement
from erosion.evaluation.resampling import FEWEST_SEEDS, Interval
from erosion.evaluation.seeds.crossed_curves import Drawn, TooSparse, crossed_curve, draws, over_seeds
from erosion.evaluation.seeds.groups import SeedGroup
from erosion.evaluation.seeds.rows import Values, table_of, values_by_prompt

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)
Over = Literal["prompts and seeds", "seeds", "too few seeds"]
GRIDS: tuple[Grid, ...] = get_args(Grid)
Key = tuple[object, ...]
Point = tuple[Measurement, Values | None]


@dataclass(frozen=True, kw_only=True)
class SeedCurve(ErosionCurve):
    """The mean over seeds of one metric along the ladder, at the rungs that every seed has.

    `run` is the group's name, `values` are means of the seeds' own, `lows` and `highs` are None below five
    seeds and where a number that is no rate does not vary, `n` is the fewest prompts a seed has scored, and
    `unscored` counts those of all seeds.

    Attributes:
        seeds: Ascending.
        per_seed: Each seed's own curve, in their order, at the same rungs.
        over: What the intervals are over. Where no stored row has the metric's value, as for an AUROC, or the
            rows are gone, only seeds are resampled, and the interval then lies within what they showed.
        areas: Mean height with its interval over every named grid; none of a single rung.
        missing: One sentence for every rung that a seed lacks.
    """

    seeds: tuple[int, ...]
    per_seed: tuple[ErosionCurve, ...]
    over: Over
    areas: dict[Grid, Interval]
    missing: tuple[str, ...]

    def half_lives(self) -> tuple[tuple[int, int] | None, ...]:
        """Each seed's half-life, interval-censored: the bracket of rungs, or None where it is not reached.

        Raises:
            UndefinedCurve: The start is near 0 under a seed, or the metric is no share.
        """
        return tuple(curve.half_life() for curve in self.per_seed)


def seed_curves(group: SeedGroup) -> list[SeedCurve]:
    """All curves of a group, as first measured; versions of suites and judges stay apart.

    The same runs give the same intervals: what is drawn is drawn once, from a fixed seed.

    Args:
        group: From `seed_groups`. Below five seeds its curves have values by seed and no intervals.

    Returns:
        Curves that every seed has at one rung or more; the others are told in a warning.
    """
    found, drawn = _gathered(group), draws()
    made = [_curve(group, points, drawn) for points in found.values()]
    return [curve for curve in made if curve is not None]


def _gathered(group: SeedGroup) -> dict[Key, dict[int, list[Point]]]:
    """What was measured, by curve and by seed."""
    found: dict[Key, dict[int, list[Point]]] = {}
    for run, seed in zip(group.runs, group.seeds, strict=True):
        for line, values in _points(run, crossing=group.has_interval):
            key = (*line.key[1:], line.version)
            found.setdefault(key, {}).setdefault(seed, []).append((line, values))
    return found


def _points(run: Path, *, crossing: bool) -> Iterator[Point]:
    """A run's measurements, with the values behind them only where they are resampled."""
    measured = [Measurement(**line) for line in read_lines(run / MEASUREMENTS)]
    return values_by_prompt(run, measured) if crossing else ((line, None) for line in measured)


def _curve(group: SeedGroup, points: dict[int, list[Point]], drawn: Drawn) -> SeedCurve | None:
    first = next(iter(points.values()))[0][0]
    common = set.intersection(*({line.step for line, _ in points.get(seed, [])} for seed in group.seeds))
    missing = tuple(_missing(group, points))
    if not common:
        log.warning("%s: %s, %s has no rung that every seed has", group.name, first.suite, first.metric)
        return None
    kept = [[point for point in points[seed] if point[0].step in common] for seed in group.seeds]
    per_seed = tuple(ErosionCurve.from_measurements(line for line, _ in own) for own in kept)
    found, over = _intervals(per_seed, kept, drawn)
    own = {**vars(per_seed[0]), "run": group.name, **_means(per_seed, found)}
    return SeedCurve(
        **own, seeds=group.seeds, per_seed=per_seed, over=over,
        areas=dict(zip(GRIDS, found[len(common) :], strict=False)), missing=missing,
    )  # fmt: skip


def _means(per_seed: Sequence[ErosionCurve], found: Sequence[Interval]) -> dict[str, Any]:
    """What the mean curve has otherwise than the seeds' own."""
    values, lows, highs = zip(*found[: len(per_seed[0].steps)], strict=True)
    counts, unscored = (
        zip(*(getattr(curve, name) for curve in per_seed), strict=True) for name in ("n", "unscored")
    )
    digests = " ".join(curve.recipe_digest for curve in per_seed)
    return {
        "values": values, "lows": lows, "highs": highs, "n": tuple(map(min, counts)),
        "unscored": tuple(map(sum, unscored)), "recipe_digest": digests,
    }  # fmt: skip


def _missing(group: SeedGroup, points: dict[int, list[Point]]) -> Iterator[str]:
    held = {seed: {line.step for line, _ in points.get(seed, [])} for seed in group.seeds}
    for step in sorted(set.union(*held.values())):
        lacking = [str(seed) for seed in group.seeds if step not in held[seed]]
        if lacking:
            yield f"step {step}: no number under seed {', '.join(lacking)}"


def _intervals(
    per_seed: Sequence[ErosionCurve], kept: Sequence[Sequence[Point]], drawn: Drawn
) -> tuple[list[Interval], Over]:
    """One interval a rung, then one a grid where there are two rungs or more."""
    import numpy as np

    combine = _combined(per_seed[0])
    values = np.array([curve.values for curve in per_seed]) @ combine.T
    if len(per_seed) < FEWEST_SEEDS:
        return [(float(mean), None, None) for mean in values.mean(axis=0)], "too few seeds"
    ordered = (sorted(own, key=lambda point: point[0].step) for own in kept)
    tables = table_of([[values for _, values in own] for own in ordered])
    if tables is not None:
        with suppress(TooSparse):
            return crossed_curve(*tables, combine, drawn=drawn), "prompts and seeds"
    return [over_seeds(column) for column in values.T.tolist()], "seeds"


def _combined(curve: ErosionCurve) -> np.ndarray:
    """Weights of the rungs: in each rung's own value, then in the curve's mean height over each grid."""
    import numpy as np

    units = np.eye(len(curve.steps))
    if len(units) < 2:
        return units
    return np.vstack([units, [curve.area_weights(grid) for grid in GRIDS]])
