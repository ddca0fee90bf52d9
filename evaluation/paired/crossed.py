"""Two sides over the same prompts under the same seeds: prompts and seeds crossed, and the test of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from erosion.evaluation.detectable import crossed_means
from erosion.evaluation.paired.differences import CellMissing, Difference, Pairs
from erosion.evaluation.resampling import check_counts, expanded_level, freedom, level_at
from erosion.evaluation.seeds.crossed_curves import NO_WIDTH, Drawn, TooSparse, draws, resampled

if TYPE_CHECKING:
    import numpy as np


def crossed_difference(by_seed: Sequence[Pairs], *, drawn: Drawn | None = None) -> Difference:
    """The mean over seeds of the seeds' mean differences, with its crossed interval and p-value.

    The differences, one a prompt and seed, are resampled by prompt and by seed apart, as whole curves are
    (`crossed_curve`). The p-value inverts that very interval: it is below 0.05 exactly where the 95 %
    interval leaves out 0. It is never below what one resample more would show. Where five seeds differ far
    more than prompts do, p is 0.029 or more however clear the difference, and the interval covers about 93 %,
    as five values of one sign are seen by chance in 6 of 100.

    Where every difference is 0 nothing speaks for one: p is 1. Where all are one other value, resampling
    tells nothing of what was not seen, so there is no interval; but no resample lies beyond 0 either, and p
    is that of an interval, however narrow, with the degrees of freedom of the fewer of seeds and prompts.
    Two or three prompts ask for a farther percentile than so many resamples have: no interval there either.

    Args:
        by_seed: One a seed, five or more, with the prompts that its values are of.
        drawn: What is drawn; the same for all comparisons when None.

    Raises:
        CellMissing: Fewer than two prompts, or so many are unscored that a resample has none.
        ValueError: Fewer than five seeds.
    """
    import numpy as np

    apart, held = _table(by_seed)
    if len(apart) < 2:
        raise CellMissing(f"{len(apart)} prompts are scored on both sides, and prompts and seeds need 2")
    check_counts(*apart.shape)
    try:
        made = resampled(apart[..., None], held[..., None], drawn or draws())[:, 0]
    except TooSparse as error:
        raise CellMissing(f"too few are scored on both sides: {error}") from error
    made[np.abs(made) < NO_WIDTH] = 0.0
    prompts, seeds = apart.sum(axis=1) / held.sum(axis=1), apart.sum(axis=0) / held.sum(axis=0)
    low, high, p, detectable = _judged(made, prompts, seeds)
    first, second = (_mean([getattr(pairs, side) for pairs in by_seed]) for side in ("first", "second"))
    return Difference(
        n=len(apart), first=first, second=second, difference=second - first, low=low, high=high, p=p,
        gained=int((prompts > NO_WIDTH).sum()), lost=int((prompts < -NO_WIDTH).sum()), detectable=detectable,
    )  # fmt: skip


def _mean(by_seed: Sequence[Sequence[float]]) -> float:
    """The mean over seeds of the seeds' own."""
    return math.fsum(math.fsum(own) / len(own) for own in by_seed) / len(by_seed)


def _judged(
    made: np.ndarray, prompts: np.ndarray, seeds: np.ndarray
) -> tuple[float | None, float | None, float, float | None]:
    """Both ends, the p-value, and the smallest difference that could have been found."""
    import numpy as np

    least = 1 / (len(made) + 1)
    if float(np.ptp(made)) <= NO_WIDTH:
        fewest = min(len(prompts), len(seeds)) - 1
        return None, None, level_at(least, fewest) if made[0] else 1.0, None
    degrees = freedom(prompts, seeds)
    p = level_at(max(least, min(_reached(made), _reached(-made))), degrees)
    error = float(made.std()) * math.sqrt((degrees + 1) / degrees)
    tail = (1 - expanded_level(degrees)) / 2
    if tail < least:
        return None, None, p, crossed_means(error, degrees)
    low, high = map(float, np.quantile(made, [tail, 1 - tail]))
    return low, high, p, crossed_means(error, degrees)


def _reached(made: np.ndarray) -> float:
    """The share at which `numpy.quantile` of the resamples reaches 0; it draws lines between them."""
    import numpy as np

    ordered = np.sort(made)
    count = int(np.searchsorted(ordered, 0.0, side="right"))
    if count in (0, len(ordered)):
        return float(count > 0)
    before, after = ordered[count - 1 : count + 1]
    return float((count - 1 - before / (after - before)) / (len(ordered) - 1))


def _table(by_seed: Sequence[Pairs]) -> tuple[np.ndarray, np.ndarray]:
    """Differences and how many there are, summed by prompt: prompts down and seeds across."""
    import numpy as np

    names = dict.fromkeys(prompt for pairs in by_seed for prompt in pairs.prompts)
    down = {prompt: at for at, prompt in enumerate(names)}
    apart, held = np.zeros((2, len(down), len(by_seed)))
    for across, pairs in enumerate(by_seed):
        rows = [down[prompt] for prompt in pairs.prompts]
        np.add.at(apart[:, across], rows, np.subtract(pairs.second, pairs.first))
        np.add.at(held[:, across], rows, 1.0)
    return apart, held
