"""The smallest difference a paired comparison could have found at the given n, by approximation."""

from __future__ import annotations

import math

ALPHA = 0.05
POWER = 0.8


def paired_rates(n: int, discordant: float, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Of two rates over the same prompts, by McNemar's test (Miettinen, 1968; Connor, 1987).

    Solves `n d^2 = (z_a sqrt(q) + z_b sqrt(q - d^2))^2` for d, where q is the discordant share. A difference
    is never more than q; where q is smaller than any detectable difference, d is what could be found if every
    discordant prompt fell on one side, `q = d`. The exact test wants slightly more, most at few prompts.

    Args:
        n: Prompts.
        discordant: Share of prompts with unlike outcomes, 0 to 1.
        alpha: Two-sided level, without correction for several comparisons.
        power: Chance to find it, from 0.5 to below 1.

    Returns:
        A difference in shares, 0 to 1; None where n is too small to find any.

    Raises:
        ValueError: No prompts, or a share, level or power out of range.
    """
    level, chance = _quantiles(alpha, power)
    if n < 1 or not 0 <= discordant <= 1:
        raise ValueError(f"given {n} prompts, discordant {discordant}, allowed 1 or more, 0 to 1")
    inner = n + chance**2 - level**2
    if inner < 0:
        return None
    unit = (level * math.sqrt(n) + chance * math.sqrt(inner)) / (n + chance**2)
    return unit * max(math.sqrt(discordant), unit) if unit <= 1 else None


def paired_means(n: int, spread: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Of two means over the same prompts: `(z_a + z_b) s / sqrt(n)`.

    Args:
        n: Prompts.
        spread: Standard deviation of the prompts' differences, in the scores' unit.
        alpha: Two-sided level, without correction for several comparisons.
        power: Chance to find it, from 0.5 to below 1.

    Raises:
        ValueError: No prompts, a negative spread, or a level or power out of range.
    """
    if n < 1 or spread < 0:
        raise ValueError(f"given {n} prompts and a spread of {spread}, allowed 1 or more, 0 or more")
    return sum(_quantiles(alpha, power)) * spread / math.sqrt(n)


def crossed_means(error: float, degrees: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Of two means over the same prompts and seeds: `(t_a + t_b) e`, with Student's t for few seeds.

    Args:
        error: Standard error of the difference, over prompts and seeds.
        degrees: Its degrees of freedom, above 0.
        alpha: Two-sided level, without correction for several comparisons.
        power: Chance to find it, from 0.5 to below 1.

    Raises:
        ValueError: A negative error, no degrees of freedom, or a level or power out of range.
    """
    from scipy.stats import t

    _check(alpha, power)
    if error < 0 or degrees <= 0:
        raise ValueError(f"given an error of {error} and {degrees} degrees, allowed 0 or more, above 0")
    return float(t.ppf(1 - alpha / 2, degrees) + t.ppf(power, degrees)) * error


def _quantiles(alpha: float, power: float) -> tuple[float, float]:
    from scipy.stats import norm

    _check(alpha, power)
    return float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))


def _check(alpha: float, power: float) -> None:
    if not 0 < alpha < 1 or not 0.5 <= power < 1:
        raise ValueError(f"given alpha {alpha} and power {power}, allowed 0 to 1 and 0.5 to below 1")
