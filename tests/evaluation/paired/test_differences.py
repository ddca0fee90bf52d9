"""Paired comparisons by hand: matching, Newcombe's interval, McNemar's test, permutations and Holm."""

import itertools

import numpy as np
import pytest

from erosion.evaluation.intervals import share
from erosion.evaluation.paired.differences import (
    Pairs,
    by_prompt,
    holm,
    newcombe,
    paired,
    rates,
    scores,
    unvaried,
)
from erosion.recipes.parsing import RecipeError


def side(values: dict[int, float | None]) -> dict:
    return by_prompt((("s", f"{number}"), value) for number, value in values.items())


def pairs(both: int, gained: int, lost: int, neither: int) -> Pairs:
    first = [1.0] * both + [0.0] * gained + [1.0] * lost + [0.0] * neither
    second = [1.0] * both + [1.0] * gained + [0.0] * lost + [0.0] * neither
    return Pairs(first=tuple(first), second=tuple(second), unscored=0, only_first=0, only_second=0)


def test_values_are_matched_whatever_their_order_and_the_rest_is_counted():
    first = side({1: 1.0, 2: 0.0, 3: None, 4: 1.0, 5: 1.0})
    second = side({7: 0.0, 3: 1.0, 2: 1.0, 1: 0.0, 4: None, 6: 0.0, 8: 1.0})
    made = paired(first, second)
    assert (made.first, made.second) == ((1.0, 0.0), (0.0, 1.0))
    assert made.prompts == (("s", "1"), ("s", "2"))
    assert (made.unscored, made.only_first, made.only_second) == (2, 1, 3)


def test_another_prompt_is_never_matched():
    with pytest.raises(RecipeError, match="no common prompt among 1 and 1"):
        paired(side({1: 1.0}), {("t", "1"): 1.0})


def test_a_prompt_that_stands_twice_is_refused():
    with pytest.raises(RecipeError, match="the case '1' of s stands twice"):
        by_prompt([(("s", "1"), 1.0), (("s", "1"), 0.0)])


def test_rates_by_hand():
    """Seven gained and one lost: p = 2 (1 + 8) / 2^8."""
    found = rates(pairs(10, 7, 1, 22))
    assert (found.n, found.gained, found.lost) == (40, 7, 1)
    assert (found.first, found.second, found.difference) == pytest.approx((11 / 40, 17 / 40, 6 / 40))
    assert found.p == pytest.approx(18 / 256)
    assert found.low < 0.15 < found.high


def test_newcombe_by_hand():
    """14 both, 5 of one side only, 22 neither: phi is (308 - 20.5) / sqrt(19 22 14 27)."""
    a, a_low, a_high = share(14, 41)
    b, b_low, b_high = share(19, 41)
    phi = 287.5 / (19 * 22 * 14 * 27) ** 0.5
    down, up, own_down, own_up = b - b_low, b_high - b, a - a_low, a_high - a
    low = 5 / 41 - (down**2 - 2 * phi * down * own_up + own_up**2) ** 0.5
    high = 5 / 41 + (up**2 - 2 * phi * up * own_down + own_down**2) ** 0.5
    assert newcombe(14, 5, 0, 41) == pytest.approx((low, high))
    assert (low, high) == pytest.approx((0.0115, 0.2265), abs=5e-4)


def test_newcombe_turns_with_the_sides_and_has_a_width_where_all_agree():
    low, high = newcombe(10, 7, 1, 40)
    assert newcombe(10, 1, 7, 40) == pytest.approx((-high, -low))
    assert newcombe(0, 3, 5, 8)[0] >= -1
    low, high = newcombe(100, 0, 0, 100)
    assert (low, high) == pytest.approx((-0.037, 0.037), abs=1e-3)


def test_newcombe_covers_the_truth():
    drawn = np.random.default_rng(0).multinomial(60, [0.4, 0.2, 0.1, 0.3], size=1000)
    ends = [newcombe(int(a), int(b), int(c), 60) for a, b, c, _ in drawn]
    assert np.mean([low <= 0.1 <= high for low, high in ends]) == pytest.approx(0.95, abs=0.02)


def test_no_discordant_prompt_is_no_evidence():
    found = rates(pairs(5, 0, 0, 5))
    assert (found.p, found.difference) == (1.0, 0.0)
    assert found.detectable > 0.3


def test_scores_by_hand():
    """All 16 sign flips: a mean as far from 0 as the one seen."""
    first, second = (0.2, 0.4, 0.1, 0.5), (0.5, 0.6, 0.6, 0.4)
    found = scores(
        Pairs(first=first, second=second, unscored=0, only_first=0, only_second=0),
        rng=np.random.default_rng(0),
    )
    apart = np.subtract(second, first)
    flips = [abs(np.dot(signs, apart)) for signs in itertools.product((1, -1), repeat=4)]
    assert found.p == pytest.approx(np.mean([flip >= abs(apart.sum()) - 1e-12 for flip in flips]))
    assert (found.first, found.second, found.difference) == pytest.approx((0.3, 0.525, 0.225))
    assert (found.gained, found.lost) == (3, 1)
    assert found.low < 0.225 < found.high


def test_holm_by_hand():
    """Sorted .005 .01 .03 .04 become .02 .03 .06 and, never below the last, .06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_nothing_scored_is_an_error_and_never_zero():
    with pytest.raises(ValueError, match="undefined"):
        rates(pairs(0, 0, 0, 0))


def test_answers_to_one_prompt_are_drawn_and_flipped_together():
    """Twelve prompts of one to three answers, against resampling and flipping written out."""
    rng = np.random.default_rng(3)
    prompts = [prompt for prompt in range(12) for _ in range(1 + prompt % 3)]
    second = np.repeat(rng.random(12) < 0.4, [1 + prompt % 3 for prompt in range(12)]).astype(float)
    first = np.zeros(len(second))
    pairs = Pairs(
        first=tuple(first),
        second=tuple(second),
        unscored=0,
        only_first=0,
        only_second=0,
        prompts=tuple(prompts),
    )
    assert pairs.shares_prompts
    found = scores(pairs, rng=np.random.default_rng(0))
    by_prompt = [second[np.array(prompts) == prompt] for prompt in range(12)]
    flipped = [
        abs(sum(sign * own.sum() for sign, own in zip(signs, by_prompt, strict=True)))
        for signs in itertools.product((1, -1), repeat=12)
    ]
    assert found.p == pytest.approx(np.mean(np.array(flipped) >= second.sum() - 1e-9))
    drawn = [np.concatenate([by_prompt[at] for at in rng.integers(0, 12, 12)]).mean() for _ in range(4000)]
    assert found.difference == pytest.approx(second.mean())
    assert found.low <= np.quantile(drawn, 0.03) < np.quantile(drawn, 0.97) <= found.high
    alone = rates(pairs)
    assert found.high - found.low > alone.high - alone.low, "independent rows would be surer than they may be"


@pytest.mark.parametrize(("first", "second"), [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_where_all_prompts_differ_alike_there_are_as_many_cases_as_prompts(first, second):
    twice = Pairs(
        first=(first,) * 40, second=(second,) * 40, unscored=0, only_first=0, only_second=0,
        prompts=tuple(at // 2 for at in range(40)),
    )  # fmt: skip
    once = Pairs(first=(first,) * 20, second=(second,) * 20, unscored=0, only_first=0, only_second=0)
    found = unvaried(twice, scores(twice, rng=np.random.default_rng(0)))
    alone = rates(once)
    assert (found.low, found.high, found.detectable) == (alone.low, alone.high, alone.detectable)
    assert found.difference == alone.difference
