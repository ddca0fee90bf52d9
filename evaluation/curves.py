"""Erosion curves: numbers only, no drawing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from erosion.evaluation.records import LM_EVAL, HigherIs, Measurement

NEAR_ZERO = 0.05
"""A start below this has nothing to retain: a share of it would be noise."""
Grid = Literal["steps", "log1p_steps"]


class UndefinedCurve(ValueError):
    """A quantity that these measurements do not define."""


@dataclass(frozen=True, kw_only=True)
class ErosionCurve:
    """One metric along the ladder.

    Attributes:
        run: The run's name.
        suite: The suite.
        metric: The metric.
        higher_is: What a higher value means.
        defense: The guard it was measured under.
        judge: Whose verdicts it counts.
        depth: Answer tokens placed as prefill.
        wrapper: What the attack put around the request.
        version: Of suite and judges.
        recipe_digest: Of the recipe.
        steps: Optimizer steps, ascending.
        values: One a step.
        lows: Lower ends of the 95 % intervals.
        highs: Upper ends.
        n: Cases behind each value.
        unscored: Cases no judge could score, which are in no value.
    """

    run: str
    suite: str
    metric: str
    higher_is: HigherIs
    defense: str
    judge: str
    depth: int
    wrapper: str
    version: str
    recipe_digest: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    n: tuple[int, ...]
    unscored: tuple[int, ...]

    @classmethod
    def from_measurements(cls, measurements: Iterable[Measurement]) -> ErosionCurve:
        """A curve from measurements of one and the same thing at different steps.

        Raises:
            UndefinedCurve: No measurements, a step twice, or measurements that differ in more than the step.
        """
        points = sorted(measurements, key=lambda m: m.step)
        if not points:
            raise UndefinedCurve("a curve of no measurements is undefined")
        shared = (
            "run",
            "suite",
            "metric",
            "higher_is",
            "defense",
            "judge",
            "depth",
            "wrapper",
            "version",
            "recipe_digest",
        )
        for name in shared:
            seen = {getattr(point, name) for point in points}
            if len(seen) > 1:
                raise UndefinedCurve(f"{name}: one curve cannot mix {', '.join(sorted(map(str, seen)))}")
        steps = tuple(point.step for point in points)
        if len(set(steps)) < len(steps):
            raise UndefinedCurve(f"a step stands twice in {steps}")
        return cls(
            **{name: getattr(points[0], name) for name in shared},
            steps=steps,
            values=tuple(point.value for point in points),
            lows=tuple(point.low for point in points),
            highs=tuple(point.high for point in points),
            n=tuple(point.n for point in points),
            unscored=tuple(point.unscored for point in points),
        )

    @property
    def is_share(self) -> bool:
        """Whether its values are shares, of which a ratio means something."""
        if self.suite.startswith(LM_EVAL) and self.judge == "lm_eval":
            return self.higher_is == "better" and all(0 <= value <= 1 for value in self.values)
        return self.metric.endswith(("_rate", "accuracy", "tpr_minus_fpr", "rouge1"))

    def retained(self) -> tuple[float | None, ...]:
        """Each value as a share of the value at step 0; all None where the start is near 0.

        Raises:
            UndefinedCurve: The curve does not begin at step 0, or its metric is no share.
        """
        if self.steps[0] != 0:
            raise UndefinedCurve(f"retained needs step 0; this curve begins at step {self.steps[0]}")
        if not self.is_share:
            raise UndefinedCurve(f"retained is a ratio of shares; {self.metric} is none")
        start = self.values[0]
        return tuple(value / start if start >= NEAR_ZERO else None for value in self.values)

    def area(self, grid: Grid) -> float:
        """Mean height of the curve, by trapezoids over the named axis.

        Args:
            grid: `steps`, or `log1p_steps` for log(1 + step), which weighs the first steps more.

        Raises:
            UndefinedCurve: Fewer than two steps.
        """
        return math.fsum(w * v for w, v in zip(self.area_weights(grid), self.values, strict=True))

    def area_weights(self, grid: Grid) -> tuple[float, ...]:
        """What each rung weighs in the area over an axis; 1 in all.

        Raises:
            UndefinedCurve: Fewer than two steps.
        """
        import numpy as np

        if len(self.steps) < 2:
            raise UndefinedCurve("an area needs at least two steps")
        axis = np.array(self.steps, dtype=float) if grid == "steps" else np.log1p(self.steps)
        weights = np.trapezoid(np.eye(len(axis)), axis) / (axis[-1] - axis[0])
        return tuple(weights.tolist())

    def half_life(self) -> tuple[int, int] | None:
        """The two neighbouring rungs between which the value first falls to half its start, or None.

        It is None when the value never falls that far.

        Raises:
            UndefinedCurve: The start is near 0, so that there is nothing to lose.
        """
        shares = self.retained()
        if shares[0] is None:
            raise UndefinedCurve(
                f"{self.suite}: {self.metric} starts at {self.values[0]:.3f}, so a half-life is undefined"
            )
        for (before, _), (after, share) in itertools.pairwise(zip(self.steps, shares, strict=True)):
            if share is not None and share <= 0.5:
                return before, after
        return None

    def surely_below_half(self) -> int | None:
        """The first rung whose upper 95 % limit lies below half of the start; None where none does."""
        pairs = zip(self.steps, self.highs, strict=True)
        return next((step for step, high in pairs if high is not None and high < self.values[0] / 2), None)


def curves(measurements: Sequence[Measurement]) -> list[ErosionCurve]:
    """All curves in measurements, as first measured; versions and recipes stay apart."""
    groups: dict[tuple[object, ...], list[Measurement]] = {}
    for point in measurements:
        groups.setdefault((point.run, *point.key[1:], point.version, point.recipe_digest), []).append(point)
    return [ErosionCurve.from_measurements(group) for group in groups.values()]
