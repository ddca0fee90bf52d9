"""Intervals by resampling: prompts as clusters, and prompts crossed with seeds."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from erosion.evaluation.intervals import CONFIDENCE

if TYPE_CHECKING:
    import numpy as np

DRAWS = 9999
"""Resamples: enough for the far percentiles that few seeds ask for."""
FEWEST_SEEDS = 5
"""Seeds, or runs, that an interval over them needs."""
Interval = tuple[float, float | None, float | None]
"""Value, lower and upper end."""


def clustered(
    values: Sequence[float], prompts: Sequence[Hashable], *, rng: np.random.Generator, draws: int = DRAWS
) -> Interval:
    """A mean or a rate whose rows are not independent: all rows of a prompt are drawn together.

    A percentile interval of the resampled clusters (Davison and Hinkley, 1997, section 3.8), its level raised
    for the number of clusters as in `expanded_level`.

    Args:
        values: One a row; 0 and 1 where it is a rate.
        prompts: The prompt of each row. A prompt asked under several seeds or of several runs is one cluster.
        rng: Decides what is drawn.
        draws: Resamples, 1 or more.

    Returns:
        The mean of all rows and its 95 % interval; None for the ends where every cluster has the same mean,
        as resampling then tells nothing of what was not seen.

    Raises:
        ValueError: No rows, not one prompt a row, or fewer than two prompts.
    """
    from scipy.stats import bootstrap

    sums, sizes = by_cluster(values, prompts)
    if len(sums) < 2:
        raise ValueError("an interval over prompts needs at least 2 prompts, given 1")
    value = float(sums.sum() / sizes.sum())
    if (sums == sizes * (sums[0] / sizes[0])).all():
        return value, None, None
    found = bootstrap(
        (sums, sizes), lambda s, n, axis: s.sum(axis) / n.sum(axis), paired=True, vectorized=True,
        n_resamples=draws, confidence_level=expanded_level(len(sums) - 1), method="percentile",
        random_state=rng,
    ).confidence_interval  # fmt: skip
    return value, float(found.low), float(found.high)


def crossed(
    values: Sequence[float],
    prompts: Sequence[Hashable],
    seeds: Sequence[Hashable],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Interval:
    """A mean or a rate over the same prompts under several seeds: both are drawn again.

    The pigeonhole bootstrap (Owen, 2007, Annals of Applied Statistics 1(2)): prompts and seeds are resampled
    apart, and every row weighs as often as its prompt times its seed were drawn. The percentiles' level is
    raised as in `expanded_level`, with the degrees of freedom of the seeds' and the prompts' means together.

    Args:
        values: One a row; 0 and 1 where it is a rate. A pair of prompt and seed may be missing.
        prompts: The prompt of each row.
        seeds: The seed, or run, of each row.
        rng: Decides what is drawn.
        draws: Resamples, 1 or more.

    Returns:
        The mean of all rows and its 95 % interval; None for the ends where all values are the same.

    Raises:
        ValueError: No rows, not one prompt and seed a row, fewer than two prompts or five seeds, or so many
            pairs missing that a resample is empty.
    """
    import numpy as np

    sums, counts = _tables(values, prompts, seeds)
    check_counts(*sums.shape)
    value = float(sums.sum() / counts.sum())
    if min(values) == max(values):
        return value, None, None
    of_prompts, of_seeds = (rng.multinomial(n, [1 / n] * n, size=draws) for n in sums.shape)
    total, size = (((of_prompts @ table) * of_seeds).sum(axis=1) for table in (sums, counts))
    if not size.all():
        raise ValueError(f"only {len(values)} rows for {len(sums)} prompts and {sums.shape[1]} seeds")
    tail = (1 - expanded_level(_freedom(sums, counts))) / 2
    low, high = np.quantile(total / size, [tail, 1 - tail])
    return value, float(low), float(high)


def by_cluster(values: Sequence[float], prompts: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the values and how many they are, a prompt each.

    Raises:
        ValueError: No rows, or not one prompt a row.
    """
    sums, sizes = _tables(values, prompts, [0] * len(values))
    return sums[:, 0], sizes[:, 0]


def check_counts(prompts: int, seeds: int) -> None:
    """Enough prompts and seeds for an interval over both.

    Raises:
        ValueError: Fewer than two prompts or five seeds.
    """
    if seeds < FEWEST_SEEDS:
        raise ValueError(f"an interval over seeds needs at least {FEWEST_SEEDS} seeds, given {seeds}")
    if prompts < 2:
        raise ValueError(f"an interval over prompts needs at least 2 prompts, given {prompts}")


def _tables(values: Sequence[float], prompts: Sequence[Hashable], seeds: Sequence[Hashable]) -> Any:
    """Sums and counts of the values, prompts down and seeds across, as first met."""
    import numpy as np

    if not len(values) == len(prompts) == len(seeds):
        raise ValueError(f"{len(values)} values, {len(prompts)} prompts and {len(seeds)} seeds are no rows")
    if not values:
        raise ValueError("an interval of no rows is undefined")
    down, across = ({name: at for at, name in enumerate(dict.fromkeys(names))} for names in (prompts, seeds))
    where = [down[prompt] for prompt in prompts], [across[seed] for seed in seeds]
    sums, counts = np.zeros((len(down), len(across))), np.zeros((len(down), len(across)))
    np.add.at(sums, where, values)
    np.add.at(counts, where, 1)
    return sums, counts


def _freedom(sums: Any, counts: Any) -> float:
    by_prompt, by_seed = (sums.sum(axis=axis) / counts.sum(axis=axis) for axis in (1, 0))
    return freedom(by_prompt, by_seed)


def freedom(prompts: np.ndarray, seeds: np.ndarray) -> float:
    """Degrees of freedom of a mean with two crossed sources of variance (Satterthwaite, 1946).

    Args:
        prompts: The prompts' means, two or more.
        seeds: The seeds' means, two or more.
    """
    parts = [(means.var(ddof=1) / len(means), len(means) - 1) for means in (seeds, prompts)]
    whole = sum(variance for variance, _ in parts)
    spread = sum(variance**2 / own for variance, own in parts)
    return float(whole**2 / spread) if spread else float(min(own for _, own in parts))


def expanded_level(degrees: float) -> float:
    """The percentile level that keeps 95 % with few draws' worth of data.

    Percentiles of a resampled mean of n are too narrow by sqrt((n - 1) / n), and normal where Student's t
    belongs; the expanded percentile interval (Hesterberg, 2015, The American Statistician 69(4)) mends both.
    """
    from scipy.stats import norm, t

    quantile = float(t.ppf((1 + CONFIDENCE) / 2, degrees)) * math.sqrt((degrees + 1) / degrees)
    return float(1 - 2 * norm.cdf(-quantile))


def level_at(tail: float, degrees: float) -> float:
    """The p-value that belongs to the interval of `expanded_level`, whose inverse this is.

    Args:
        tail: Share of the resamples that lie beyond the tested value, on the side that has fewer; above 0.
            An interval of level 1 - p has just this share beyond the end that falls on the tested value.
        degrees: As given to `expanded_level`.
    """
    from scipy.stats import norm, t

    quantile = -float(norm.ppf(min(tail, 0.5))) / math.sqrt((degrees + 1) / degrees)
    return 2 * float(t.sf(quantile, degrees))
