"""Safety kept per utility lost, seed by seed: of a guard, or of another training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from erosion.evaluation.curves import NEAR_ZERO, ErosionCurve, Grid, UndefinedCurve
from erosion.evaluation.resampling import FEWEST_SEEDS, Interval
from erosion.evaluation.seeds.crossed_curves import over_seeds
from erosion.evaluation.seeds.seed_curves import SeedCurve
from erosion.evaluation.tradeoff import Tradeoff, tradeoff

Pair = tuple[SeedCurve, SeedCurve]


@dataclass(frozen=True, kw_only=True)
class SeedTradeoff:
    """A defended side against a plain one under the same seeds.

    Attributes:
        safety: The defended side's safety curve.
        utility: Its utility curve.
        per_seed: Each seed's own trade-off, in the order of the seeds.
        safety_kept: Mean over seeds, with an interval over them from five on.
        utility_lost: The same.
    """

    safety: SeedCurve
    utility: SeedCurve
    per_seed: tuple[Tradeoff, ...]
    safety_kept: Interval
    utility_lost: Interval

    @property
    def kept_per_lost(self) -> float | None:
        """The ratio of both means; None where hardly any utility is lost, as in `Tradeoff`."""
        lost = self.utility_lost[0]
        return self.safety_kept[0] / lost if lost >= NEAR_ZERO else None


def seed_tradeoff(safety: Pair, utility: Pair, *, grid: Grid | None = None) -> SeedTradeoff:
    """As `tradeoff`, for every seed by itself.

    Args:
        safety: A safety curve with the defence and without it.
        utility: A utility curve with the defence and without it.
        grid: Compares mean heights over this axis; the last common rung alone when None.

    Raises:
        UndefinedCurve: Sides of unlike seeds, or what `tradeoff` refuses.
    """
    sides = (*safety, *utility)
    if len({curve.seeds for curve in sides}) > 1:
        named = " and ".join(dict.fromkeys(str(curve.seeds) for curve in sides))
        raise UndefinedCurve(f"a trade-off needs the same seeds on both sides, given {named}")
    quartets = zip(*(curve.per_seed for curve in sides), strict=True)
    made = tuple(tradeoff((a, b), (c, d), grid=grid) for a, b, c, d in quartets)
    return SeedTradeoff(
        safety=safety[0], utility=utility[0], per_seed=made,
        safety_kept=_over_seeds([each.safety_kept for each in made]),
        utility_lost=_over_seeds([each.utility_lost for each in made]),
    )  # fmt: skip


def guard_tradeoffs(made: Sequence[SeedCurve], *, grid: Grid | None = None) -> Iterator[SeedTradeoff]:
    """Every guard of a group against no guard: what it keeps of each attack, and what each utility pays.

    Pairs without a common rung, and utilities that a guard cannot change, are left out.
    """
    for guard in dict.fromkeys(curve.defense for curve in made):
        if guard != "none":
            yield from _between([curve for curve in made if curve.defense == guard], made, grid)


def training_tradeoffs(
    defended: Sequence[SeedCurve], plain: Sequence[SeedCurve], *, grid: Grid | None = None
) -> Iterator[SeedTradeoff]:
    """One group against another, both without a guard: what another training keeps and costs."""
    yield from _between([curve for curve in defended if curve.defense == "none"], plain, grid)


def _between(
    defended: Sequence[SeedCurve], plain: Sequence[SeedCurve], grid: Grid | None
) -> Iterator[SeedTradeoff]:
    pairs = [(curve, other) for curve in defended if (other := _plain(curve, plain)) is not None]
    attacks = [pair for pair in pairs if pair[1].metric == "attack_success_rate" and _is_first_judge(pair[1])]
    prices = [pair for pair in pairs if _is_price(pair[1])]
    for safety in attacks:
        for utility in prices:
            if set.intersection(*(set(curve.steps) for curve in (*safety, *utility))):
                yield seed_tradeoff(safety, utility, grid=grid)


def _plain(curve: SeedCurve, made: Sequence[SeedCurve]) -> SeedCurve | None:
    """The same without a guard; what is refused there is what is refused or halted here."""
    metric = curve.metric.replace("refused_or_halted_rate", "refusal_rate")
    if curve.defense != "none" and curve.metric == "refusal_rate":
        return None
    asked = (curve.suite, metric, curve.judge, curve.depth, curve.wrapper, curve.version)
    found = (c for c in made if (c.suite, c.metric, c.judge, c.depth, c.wrapper, c.version) == asked)
    return next((c for c in found if c.defense == "none"), None)


def _is_price(curve: ErosionCurve) -> bool:
    """A utility asked directly, or refusals of what is harmless."""
    shares = ("accuracy", "compliance_rate", "rouge1")
    kind = curve.metric in shares or (curve.metric == "refusal_rate" and curve.higher_is == "worse")
    kind = kind or (curve.judge == "lm_eval" and curve.is_share and " of=" not in curve.version)
    return kind and not curve.depth and curve.wrapper == "none" and _is_first_judge(curve)


def _is_first_judge(curve: ErosionCurve) -> bool:
    """The suite's own judge is named first in its version: `suite=1 phrases=1 ...`."""
    words = curve.version.split()
    return len(words) > 1 and words[1].startswith(f"{curve.judge}=")


def _over_seeds(values: Sequence[float]) -> Interval:
    if len(values) < FEWEST_SEEDS:
        return math.fsum(values) / len(values), None, None
    return over_seeds(values)
