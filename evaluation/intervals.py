"""Intervals of measured numbers, by scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95


def share(hits: int, n: int) -> tuple[float, float, float]:
    """A share with its Wilson interval.

    Args:
        hits: Cases counted, 0 to n.
        n: Cases in all.

    Returns:
        Value, lower and upper end.

    Raises:
        ValueError: No cases: no data is never 0.
    """
    from scipy.stats import binomtest

    if n < 1:
        raise ValueError("a share of no cases is undefined")
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return hits / n, float(interval.low), float(interval.high)


def mean(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """A mean with its Student interval; None for the ends where a single value gives none.

    Raises:
        ValueError: No values.
    """
    from scipy.stats import t

    n = len(values)
    if n < 1:
        raise ValueError("a mean of no values is undefined")
    centre = math.fsum(values) / n
    if n == 1:
        return centre, None, None
    spread = math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (n - 1) / n)
    margin = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread
    return centre, centre - margin, centre + margin
