"""Two sides over the same prompts: matched values, their difference, its test, and several tests at once."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from erosion.evaluation.detectable import paired_means, paired_rates
from erosion.evaluation.intervals import share
from erosion.evaluation.resampling import DRAWS, by_cluster, clustered
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    import numpy as np

Prompt = tuple[Hashable, ...]
"""What tells a prompt from every other; only equal ones are matched."""


class CellMissing(RecipeError):
    """A cell that cannot be compared; the others can."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Values of two sides, prompt by prompt.

    Attributes:
        first: One side's, in the order of its rows.
        second: The other's, of the same prompts.
        unscored: Common prompts left out, as a side has no verdict there.
        only_first: Prompts that only the first side has.
        only_second: Prompts that only the second side has.
        prompts: The prompt behind each value. Several forced answers to one are no independent cases, and
            under several seeds a prompt is the same one.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    unscored: int
    only_first: int
    only_second: int
    prompts: tuple[Hashable, ...] = ()

    @property
    def shares_prompts(self) -> bool:
        """Whether a prompt stands behind several values."""
        return len(set(self.prompts)) < len(self.prompts)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a paired comparison found.

    Attributes:
        n: Answers scored on both sides; where there are several seeds, the prompts that are under any.
        first: The first side's rate or mean.
        second: The second side's.
        difference: The second minus the first.
        low: Lower end of its 95 % interval; None where resampling gives none.
        high: Upper end.
        p: Two-sided p-value of no difference.
        gained: Prompts counted on the second side only, or with a higher score or mean over seeds there.
        lost: Prompts counted on the first side only, or with a higher score or mean over seeds there.
        detectable: Smallest difference found with 80 % power at 5 %, two-sided; None where n is too small.
    """

    n: int
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float
    gained: int
    lost: int
    detectable: float | None


def paired(
    first: Mapping[Prompt, float | None],
    second: Mapping[Prompt, float | None],
    asked: Mapping[Prompt, Hashable] | None = None,
) -> Pairs:
    """Matches two sides' values, None where one is unscored, case by case.

    Args:
        first: One side's.
        second: The other's.
        asked: The prompt of each case; every case is its own when None.

    Raises:
        CellMissing: No common prompt.
    """
    common = [prompt for prompt in first if prompt in second]
    if not common:
        raise CellMissing(f"no common prompt among {len(first)} and {len(second)}")
    both = [(prompt, first[prompt], second[prompt]) for prompt in common]
    scored = [(prompt, a, b) for prompt, a, b in both if a is not None and b is not None]
    return Pairs(
        first=tuple(a for _, a, _ in scored), second=tuple(b for _, _, b in scored),
        unscored=len(both) - len(scored), only_first=len(first) - len(common),
        only_second=len(second) - len(common),
        prompts=tuple((asked or {}).get(prompt, prompt) for prompt, _, _ in scored),
    )  # fmt: skip


def by_prompt(values: Iterable[tuple[Prompt, float | None]]) -> dict[Prompt, float | None]:
    """One side's values by what they are of.

    Raises:
        CellMissing: A prompt that stands twice.
    """
    found: dict[Prompt, float | None] = {}
    for prompt, value in values:
        if prompt in found:
            raise CellMissing(f"the case {prompt[1]!r} of {prompt[0]} stands twice; measure it again")
        found[prompt] = value
    return found


def rates(pairs: Pairs) -> Difference:
    """The difference of two rates: Newcombe's paired interval and McNemar's exact test.

    The test is the binomial one of the discordant prompts (McNemar, 1947); without any, p is 1.

    Args:
        pairs: Of 0 and 1.

    Raises:
        ValueError: No prompt scored on both sides.
    """
    from scipy.stats import binomtest

    n, gained, lost = _counted(pairs)
    hits = round(sum(pairs.first))
    low, high = newcombe(hits - lost, gained, lost, n)
    return Difference(
        n=n, first=hits / n, second=(hits + gained - lost) / n, difference=(gained - lost) / n, low=low,
        high=high, p=float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0, gained=gained,
        lost=lost, detectable=paired_rates(n, (gained + lost) / n),
    )  # fmt: skip


def scores(pairs: Pairs, *, rng: np.random.Generator, draws: int = DRAWS) -> Difference:
    """The difference of two mean scores: a paired bootstrap's interval and a sign-flip permutation test.

    All values of a prompt are drawn, and change sign, together. So it is for rates too where prompts stand
    behind several values.

    Args:
        pairs: Of scores, or of 0 and 1.
        rng: Decides what is drawn.
        draws: Resamples and permutations; all permutations are made where there are no more.

    Raises:
        ValueError: Fewer than two prompts scored on both sides.
    """
    import numpy as np
    from scipy.stats import permutation_test

    n, gained, lost = _counted(pairs)
    apart, prompts = np.subtract(pairs.second, pairs.first), pairs.prompts or range(n)
    value, low, high = clustered(apart.tolist(), prompts, rng=rng, draws=draws)
    sums, sizes = by_cluster(apart.tolist(), prompts)
    test = permutation_test(
        (sums,), np.mean, permutation_type="samples", vectorized=True, n_resamples=draws, random_state=rng
    )
    spread = float((sums - sizes * value).std(ddof=1)) * len(sums) / n
    return Difference(
        n=n, first=math.fsum(pairs.first) / n, second=math.fsum(pairs.second) / n, difference=value, low=low,
        high=high, p=float(test.pvalue), gained=gained, lost=lost,
        detectable=paired_means(len(sums), spread) if spread else None,
    )  # fmt: skip


def unvaried(pairs: Pairs, found: Difference) -> Difference:
    """The difference of rates whose prompts all differ alike, of which resampling tells nothing.

    It has the interval, and the smallest difference to be found, of as many cases as there are prompts.

    Args:
        pairs: Of 0 and 1, several to a prompt.
        found: What `scores` gives of them.
    """
    prompts = len(set(pairs.prompts))
    gained, lost = (prompts if found.difference == end else 0 for end in (1, -1))
    if found.low is not None or (found.difference and not gained + lost):
        return found
    low, high = newcombe(round(found.first * prompts) - lost, gained, lost, prompts)
    return replace(
        found, low=low, high=high, detectable=paired_rates(prompts, (gained + lost) / prompts)
    )  # fmt: skip


def newcombe(both: int, gained: int, lost: int, n: int) -> tuple[float, float]:
    """Ends of the interval of a difference of paired rates (Newcombe, 1998, method 10).

    Both sides' Wilson intervals, joined with the correlation of their outcomes.
    Source: Statistics in Medicine 17, 2635-2650.

    Args:
        both: Prompts counted on both sides.
        gained: On the second side only.
        lost: On the first side only.
        n: Prompts in all, 1 or more.
    """
    (a, a_low, a_high), (b, b_low, b_high) = share(both + lost, n), share(both + gained, n)
    cross = float(both * (n - both - gained - lost) - gained * lost)
    cross = max(cross - n / 2, 0) if cross > 0 else cross
    scale = math.sqrt(a * (1 - a) * b * (1 - b)) * n * n
    phi = cross / scale if scale else 0.0

    def reach(own: float, other: float) -> float:
        return math.sqrt(max(0.0, own**2 - 2 * phi * own * other + other**2))

    return b - a - reach(b - b_low, a_high - a), b - a + reach(b_high - b, a - a_low)


def holm(p: Sequence[float]) -> list[float]:
    """p-values of several comparisons, adjusted to hold together (Holm, 1979).

    Returns:
        In the given order: the k-th smallest of m times (m - k + 1), never below a smaller one's, at most 1.
    """
    adjusted, reached = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        reached = max(reached, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = reached
    return adjusted


def _counted(pairs: Pairs) -> tuple[int, int, int]:
    if not pairs.first:
        raise ValueError("a difference without a prompt scored on both sides is undefined")
    both = list(zip(pairs.first, pairs.second, strict=True))
    return len(both), sum(b > a for a, b in both), sum(a > b for a, b in both)
