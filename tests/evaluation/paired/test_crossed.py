"""Prompts crossed with seeds on two sides: against a slow loop over rows, and known truths drawn again and again."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, t

from erosion.evaluation.paired.crossed import crossed_difference
from erosion.evaluation.paired.differences import CellMissing, Pairs
from erosion.evaluation.resampling import DRAWS, expanded_level, level_at
from erosion.evaluation.seeds.crossed_curves import draws


def pairs(first: np.ndarray, second: np.ndarray, held: np.ndarray | None = None) -> list[Pairs]:
    """Tables of prompts down and seeds across, as one `Pairs` a seed."""
    held = np.ones(first.shape, dtype=bool) if held is None else held
    return [
        Pairs(
            first=tuple(first[own, seed].tolist()), second=tuple(second[own, seed].tolist()), unscored=0, only_first=0,
            only_second=0, prompts=tuple(("s", int(prompt)) for prompt in np.flatnonzero(own)),
        )
        for seed, own in enumerate(held.T)
    ]  # fmt: skip


FEWER = draws(2999)
"""Of many tables: enough for the percentile that 4 degrees of freedom ask for."""


def of(apart: np.ndarray) -> list[Pairs]:
    """A table of differences alone."""
    return pairs(np.zeros(apart.shape), apart)


def drawn_table(rng, prompts: int, seeds: int, *, of_prompts: float, of_seeds: float, mean: float = 0.0):
    table = mean + of_prompts * rng.normal(size=(prompts, 1)) + of_seeds * rng.normal(size=(1, seeds))
    return table + 0.4 * rng.normal(size=(prompts, seeds))


def test_every_number_is_that_of_a_loop_over_rows():
    """Draw by draw every row as often as its prompt times its seed were drawn; p by trying level after level."""
    rng = np.random.default_rng(2)
    first, second = (rng.random((2, 12, 6)) < np.array([0.4, 0.7])[:, None, None]).astype(float)
    held = np.ones((12, 6), dtype=bool)
    held[3, 2] = held[5, 4] = False
    found = crossed_difference(pairs(first, second, held), drawn=draws(400))

    slow = []
    for times, often in zip(draws(400)(12, "prompts"), draws(400)(6, "seeds"), strict=True):
        means = []
        for seed in range(6):
            rows = [
                second[p, seed] - first[p, seed]
                for p in range(12)
                if held[p, seed]
                for _ in range(int(times[p]))
            ]
            means += [sum(rows) / len(rows)] * int(often[seed])
        slow.append(sum(means) / 6)
    apart = np.where(held, second - first, np.nan)
    by_prompt, by_seed = np.nanmean(apart, axis=1), np.nanmean(apart, axis=0)
    parts = [(by_seed.var(ddof=1) / 6, 5), (by_prompt.var(ddof=1) / 12, 11)]
    degrees = sum(v for v, _ in parts) ** 2 / sum(v * v / own for v, own in parts)

    def ends(level: float) -> np.ndarray:
        reach = t.ppf((1 + level) / 2, degrees) * math.sqrt((degrees + 1) / degrees)
        return np.quantile(slow, [norm.cdf(-reach), norm.cdf(reach)])

    assert found.difference == pytest.approx(by_seed.mean())
    assert (found.low, found.high) == pytest.approx(tuple(ends(0.95)))
    levels = np.linspace(0.9, 0.99999, 3000)
    outside = [level for level in levels if ends(level)[0] > 0 or ends(level)[1] < 0]
    assert outside, "the drawn tables differ"
    assert found.p == pytest.approx(1 - outside[-1], abs=5e-5)
    assert (found.n, found.gained, found.lost) == (
        12,
        int((by_prompt > 1e-9).sum()),
        int((by_prompt < -1e-9).sum()),
    )
    sides = [np.nanmean(np.where(held, side, np.nan), axis=0).mean() for side in (first, second)]
    assert (found.first, found.second) == pytest.approx(sides)
    error = np.std(slow) * math.sqrt((degrees + 1) / degrees)
    assert found.detectable == pytest.approx((t.ppf(0.975, degrees) + t.ppf(0.8, degrees)) * error)


@pytest.mark.parametrize("degrees", [3, 4, 7.5, 60])
def test_the_level_of_a_tail_undoes_that_of_the_interval(degrees):
    assert level_at((1 - expanded_level(degrees)) / 2, degrees) == pytest.approx(0.05)
    assert level_at(0.5, degrees) == level_at(0.9, degrees) == 1.0


@pytest.mark.parametrize("kind", ["scores", "rates"])
def test_p_is_below_five_percent_exactly_where_the_interval_leaves_out_nothing(kind):
    """Means from far below 0 to far above, so that many lie near the edge; rates have ties at 0 itself."""
    rng, outside, inside = np.random.default_rng(3), 0, 0
    for mean in np.linspace(-0.9, 0.9, 120):
        table = drawn_table(rng, 8, 5, of_prompts=0.4, of_seeds=0.25, mean=mean)
        found = crossed_difference(
            of(np.clip(np.round(table), -1, 1) if kind == "rates" else table), drawn=draws(999)
        )
        if found.low is None:
            continue
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0), mean
        outside, inside = outside + (found.p < 0.05), inside + (found.p >= 0.05)
    assert min(outside, inside) > 25


@pytest.mark.parametrize(("of_prompts", "of_seeds"), [(0.6, 0.0), (0.2, 0.3), (0.0, 0.4)])
def test_the_interval_covers_the_truth_and_the_test_keeps_its_level(of_prompts, of_seeds):
    """No difference in truth: in 400 tables each the truth is left out in about 5 of 100, never in 9."""
    rng, wrong = np.random.default_rng(11), 0
    for _ in range(400):
        found = crossed_difference(
            of(drawn_table(rng, 30, 5, of_prompts=of_prompts, of_seeds=of_seeds)), drawn=FEWER
        )
        wrong += not found.low <= 0 <= found.high
    assert 0.005 <= wrong / 400 <= 0.09


def test_rates_of_five_seeds_cover_a_difference_that_is_there():
    rng, held = np.random.default_rng(12), 0
    for _ in range(300):
        hard, luck = rng.normal(size=(40, 1)), 0.3 * rng.normal(size=(1, 5))
        first = rng.random((40, 5)) < norm.cdf(hard)
        second = rng.random((40, 5)) < norm.cdf(hard + 0.8 + luck)
        truth = norm.cdf(0.8 / math.sqrt(1 + 1 + 0.09)) - 0.5
        found = crossed_difference(pairs(first.astype(float), second.astype(float)), drawn=FEWER)
        held += found.low <= truth <= found.high
    assert 0.91 <= held / 300 <= 1.0


def test_the_detectable_difference_is_found_in_about_four_of_five():
    rng, found, asked = np.random.default_rng(13), 0, 300
    error = math.sqrt(0.3**2 / 40 + 0.2**2 / 8 + 0.4**2 / 320)
    typical = np.mean(
        [
            crossed_difference(of(drawn_table(rng, 40, 8, of_prompts=0.3, of_seeds=0.2))).detectable
            for _ in range(60)
        ]
    )
    assert 2.8 * error < typical < 5 * error
    for _ in range(asked):
        table = drawn_table(rng, 40, 8, of_prompts=0.3, of_seeds=0.2, mean=typical)
        found += crossed_difference(of(table), drawn=FEWER).p < 0.05
    assert 0.72 <= found / asked <= 0.97


def test_where_nothing_varies_there_is_no_interval_and_p_is_what_the_resamples_bound():
    """All 0: nothing speaks for a difference. All 1: none of 9,999 resamples lies beyond 0, under 4 degrees."""
    same = crossed_difference(of(np.zeros((20, 5))))
    assert (same.difference, same.low, same.high, same.p, same.detectable) == (0.0, None, None, 1.0, None)
    up, down = (crossed_difference(of(np.full((20, 5), value))) for value in (1.0, -1.0))
    assert (up.low, up.high, up.p) == (None, None, down.p)
    quantile = -norm.ppf(1 / 10_000) / math.sqrt(5 / 4)
    assert up.p == pytest.approx(2 * (1 - t.cdf(quantile, 4)))
    assert (up.gained, up.lost, down.gained, down.lost) == (20, 0, 0, 20)


def test_a_table_that_hardly_varies_is_no_clearer_than_one_that_does_not():
    almost = np.ones((20, 5))
    almost[0, 0] = 0.999
    assert crossed_difference(of(np.ones((20, 5)))).p >= crossed_difference(of(almost)).p > 0


def test_two_prompts_have_no_percentile_far_enough_and_no_star():
    found = crossed_difference(of(np.array([[0.5] * 5, [0.9] * 5])))
    assert (found.low, found.high) == (None, None)
    assert found.p > 0.05


def test_too_few_prompts_or_seeds_are_said():
    with pytest.raises(CellMissing, match="1 prompts are scored on both sides"):
        crossed_difference(of(np.ones((1, 5))))
    with pytest.raises(ValueError, match="at least 5 seeds, given 4"):
        crossed_difference(of(np.ones((6, 4))))
    held = np.eye(5, dtype=bool)
    with pytest.raises(CellMissing, match="too few are scored on both sides: only 5 rows"):
        crossed_difference(pairs(np.zeros((5, 5)), np.ones((5, 5)), held))


def test_the_least_p_of_five_seeds_is_the_one_that_readme_tells():
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    assert f"no p is below {level_at(1 / (DRAWS + 1), 4):.3f}" in " ".join(readme.split())
