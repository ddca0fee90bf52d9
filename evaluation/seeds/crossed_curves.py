"""Whole curves resampled at once: every rung over the same drawn prompts and seeds, so that areas are too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from erosion.evaluation.intervals import share
from erosion.evaluation.resampling import DRAWS, Interval, check_counts, expanded_level, freedom

if TYPE_CHECKING:
    import numpy as np

SEED = 0
"""Of what is drawn; the same numbers give the same intervals."""
Drawn = Callable[[int, str], "np.ndarray"]
NO_WIDTH = 1e-12
"""Resamples that lie closer together than this differ by rounding alone."""


class TooSparse(ValueError):
    """So many rows are unscored or withheld that a resample of the prompts has none."""


@cache
def draws(count: int = DRAWS) -> Drawn:
    """How often each of n prompts, or of n seeds, is drawn in every resample; drawn once for all curves.

    Args:
        count: Resamples, 1 or more.

    Returns:
        A function of n and of what is drawn, `prompts` or `seeds`, that gives a table of `count` times n.
    """
    import numpy as np

    @cache
    def drawn(n: int, what: str) -> np.ndarray:
        rng = np.random.default_rng([SEED, n, len(what)])
        return rng.multinomial(n, [1 / n] * n, size=count).astype(float)

    return drawn


def crossed_curve(
    sums: np.ndarray, counts: np.ndarray, combine: np.ndarray, *, drawn: Drawn
) -> list[Interval]:
    """The pigeonhole bootstrap of `resampling.crossed` for a curve's rungs, and for weighted sums of them.

    Every number is the mean over seeds of the seeds' own; where a prompt is scored under every seed that is
    the mean of all rows, as in `crossed`.

    Args:
        sums: Values summed by prompt, seed and rung: shape (prompts, seeds, rungs).
        counts: Rows behind them, of the same shape; 0 where a prompt is unscored.
        combine: Weights of the rungs in every number asked for, shape (numbers, rungs): a row of the
            identity for a rung's own value, a quadrature's weights for an area.
        drawn: From `draws`.

    Returns:
        One interval a number. Where nothing varies resampling tells nothing of what was not seen: there a
        rate of 0 or 1 has Wilson's interval of as many cases as there are prompts, since seeds that all agree
        add none, and any other number has None for its ends.

    Raises:
        ValueError: Fewer than two prompts or five seeds.
        TooSparse: So many rows are missing that a resample is empty.
    """
    import numpy as np

    check_counts(*sums.shape[:2])
    by_seed, by_prompt = (_ratio(sums.sum(axis), counts.sum(axis)) @ combine.T for axis in (0, 1))
    made = resampled(sums, counts, drawn) @ combine.T
    found: list[Interval] = []
    is_rate = bool(np.isclose(sums * (counts - sums), 0).all())
    for resamples, prompts, seeds in zip(made.T, by_prompt.T, by_seed.T, strict=True):
        value = float(seeds.mean())
        if float(np.ptp(resamples)) <= NO_WIDTH:
            found.append(_unvaried(value, len(prompts), is_rate=is_rate))
            continue
        tail = (1 - expanded_level(freedom(prompts[np.isfinite(prompts)], seeds))) / 2
        low, high = map(float, np.quantile(resamples, [tail, 1 - tail]))
        found.append((value, low, high))
    return found


def over_seeds(values: Sequence[float]) -> Interval:
    """A mean over seeds where no prompt has a value of its own: the seeds alone are drawn again.

    Its ends lie within what the seeds showed, so it passes no end of a scale; with five seeds it covers
    slightly less than 95 %, as the extremes of five normal values cover their mean in 94 %.

    Args:
        values: One a seed, five or more.

    Returns:
        None for the ends where all seeds agree.

    Raises:
        ValueError: Fewer than five seeds.
    """
    import numpy as np

    check_counts(2, len(values))
    value, own = float(np.mean(values)), np.array(values)
    if float(np.ptp(own)) <= NO_WIDTH:
        return value, None, None
    resamples = draws()(len(own), "seeds") @ own / len(own)
    tail = (1 - expanded_level(len(own) - 1)) / 2
    low, high = map(float, np.quantile(resamples, [tail, 1 - tail]))
    return value, low, high


def resampled(sums: np.ndarray, counts: np.ndarray, drawn: Drawn) -> np.ndarray:
    """The mean over drawn seeds of the drawn prompts' means: shape (draws, rungs).

    Args:
        sums: As in `crossed_curve`.
        counts: As in `crossed_curve`.
        drawn: From `draws`.

    Raises:
        TooSparse: So many rows are missing that a resample is empty.
    """
    import numpy as np

    prompts, seeds, rungs = sums.shape
    of_prompts, of_seeds = drawn(prompts, "prompts"), drawn(seeds, "seeds")
    by_seed = (of_prompts @ sums.reshape(prompts, -1)).reshape(-1, seeds, rungs)
    if (counts == 1).all():
        by_seed /= prompts
    else:
        sizes = (of_prompts @ counts.reshape(prompts, -1)).reshape(by_seed.shape)
        if not sizes.all():
            raise TooSparse(
                f"only {counts.sum():.0f} rows for {prompts} prompts, {seeds} seeds, {rungs} rungs"
            )
        by_seed /= sizes
    return np.asarray(np.einsum("dst,ds->dt", by_seed, of_seeds) / seeds)


@cache
def _unvaried(value: float, prompts: int, *, is_rate: bool) -> Interval:
    edge = round(value)
    if not is_rate or abs(value - edge) > NO_WIDTH:
        return value, None, None
    return share(edge * prompts, prompts)


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means; not a number where a prompt has no row."""
    import numpy as np

    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))
