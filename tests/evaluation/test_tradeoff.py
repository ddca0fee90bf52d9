"""Safety kept per utility lost, by hand."""

import math
from dataclasses import replace

import pytest

from erosion.evaluation.curves import ErosionCurve, UndefinedCurve
from erosion.evaluation.seeds.crossed_curves import over_seeds
from erosion.evaluation.seeds.seed_curves import SeedCurve
from erosion.evaluation.seeds.tradeoff import guard_tradeoffs, seed_tradeoff
from erosion.evaluation.tradeoff import tradeoff


def curve(steps: tuple[int, ...], values: tuple[float, ...], **changes: object) -> ErosionCurve:
    given = {
        "run": "r", "suite": "asked", "metric": "refused_or_halted_rate", "higher_is": "safer", "defense": "none",
        "judge": "phrases", "depth": 0, "wrapper": "none", "version": "1", "recipe_digest": "d",
    }  # fmt: skip
    ends = (None,) * len(steps)
    return ErosionCurve(
        **{**given, **changes},
        steps=steps,
        values=values,
        lows=ends,
        highs=ends,
        n=(100,) * len(steps),
        unscored=(0,) * len(steps),
    )


UTILITY = {"suite": "sums", "metric": "accuracy", "higher_is": "better"}
SAFE = curve((0, 5, 50), (1.0, 0.9, 0.8), run="defended")
PLAIN = curve((0, 5, 10, 50), (1.0, 0.5, 0.3, 0.2))
DEAR = curve((0, 5, 50), (0.8, 0.8, 0.6), run="defended", **UTILITY)
FULL = curve((0, 5, 50), (0.8, 0.9, 0.9), **UTILITY)


def test_at_the_last_common_rung():
    made = tradeoff((SAFE, PLAIN), (DEAR, FULL))
    assert (made.steps, made.safety_kept, made.utility_lost) == (
        (50,),
        pytest.approx(0.6),
        pytest.approx(0.3),
    )
    assert made.kept_per_lost == pytest.approx(2.0)


def test_over_a_named_grid():
    made = tradeoff((SAFE, PLAIN), (DEAR, FULL), grid="log1p_steps")
    a, b = math.log(6) / math.log(51), 1 - math.log(6) / math.log(51)
    assert made.steps == (0, 5, 50)
    assert made.safety_kept == pytest.approx(a * (0.95 - 0.75) + b * (0.85 - 0.35))
    assert made.utility_lost == pytest.approx(a * (0.85 - 0.8) + b * (0.9 - 0.7))


def test_where_hardly_any_utility_is_lost_the_ratio_is_undefined():
    assert tradeoff((SAFE, PLAIN), (FULL, FULL)).kept_per_lost is None
    assert tradeoff((SAFE, PLAIN), (FULL, DEAR)).kept_per_lost is None


def test_a_curve_of_which_more_is_worse_is_turned_over():
    attacked = {"metric": "attack_success_rate", "higher_is": "worse"}
    ours, theirs = curve((0, 5), (0.0, 0.1), **attacked), curve((0, 5), (0.0, 0.7), **attacked)
    refused = {"suite": "xstest", "metric": "refusal_rate", "higher_is": "worse"}
    dear, cheap = curve((0, 5), (0.2, 0.4), **refused), curve((0, 5), (0.2, 0.1), **refused)
    made = tradeoff((ours, theirs), (dear, cheap))
    assert (made.safety_kept, made.utility_lost) == (pytest.approx(0.6), pytest.approx(0.3))


REFUSED = [
    ((SAFE, curve((0, 5), (1, 1), depth=25)), (DEAR, FULL), "depth: a trade-off cannot compare 0 with 25"),
    ((SAFE, curve((0, 5), (1, 1), version="2")), (DEAR, FULL), "version"),
    ((DEAR, FULL), (DEAR, FULL), "accuracy is utility"),
    ((SAFE, PLAIN), (SAFE, PLAIN), "rate is safety"),
    ((curve((7,), (1,)), PLAIN), (DEAR, FULL), "a rung that all four"),
    ((curve((0,), (1,), metric="refusal_log_odds"),) * 2, (DEAR, FULL), "refusal_log_odds is none"),
]


@pytest.mark.parametrize(("safety", "utility", "sentence"), REFUSED, ids=[r[2][:20] for r in REFUSED])
def test_what_cannot_be_compared_is_refused(safety, utility, sentence):
    with pytest.raises(UndefinedCurve, match=sentence):
        tradeoff(safety, utility)


def test_what_a_guard_refuses_or_halts_stands_against_what_is_refused_without_it():
    guarded, plain = (
        curve((0, 5), (1.0, 0.9), defense="ada_rk"),
        curve((0, 5), (1.0, 0.2), metric="refusal_rate"),
    )
    made = tradeoff((guarded, plain), (DEAR, FULL))
    assert made.safety_kept == pytest.approx(0.7)
    refused = curve((0, 5), (1.0, 0.2), metric="refusal_rate", defense="ada_rk")
    with pytest.raises(
        UndefinedCurve, match="metric: a trade-off cannot compare refusal_rate with refused_or_"
    ):
        tradeoff((refused, plain), (DEAR, FULL))


def seeds(steps: tuple[int, ...], *per_seed: tuple[float, ...], **changes: object) -> SeedCurve:
    own = tuple(curve(steps, values, **changes) for values in per_seed)
    mean = tuple(sum(values) / len(values) for values in zip(*per_seed, strict=True))
    shared = {**vars(own[0]), "values": mean}
    return SeedCurve(
        **shared, seeds=tuple(range(1, len(own) + 1)), per_seed=own, over="seeds", areas={}, missing=()
    )


KEPT = seeds((0, 50), *((1.0, value) for value in (0.9, 0.8, 0.9, 1.0, 0.9)), defense="g")
LEFT = seeds((0, 50), *((1.0, value) for value in (0.1, 0.2, 0.0, 0.0, 0.2)))
PAID = seeds((0, 50), *((0.9, value) for value in (0.6, 0.7, 0.6, 0.5, 0.6)), defense="g", **UTILITY)
HELD = seeds((0, 50), *((0.9, 0.9),) * 5, **UTILITY)


def test_seed_by_seed_with_an_interval_over_seeds():
    made = seed_tradeoff((KEPT, LEFT), (PAID, HELD))
    kept, lost = [0.8, 0.6, 0.9, 1.0, 0.7], [0.3, 0.2, 0.3, 0.4, 0.3]
    assert [each.safety_kept for each in made.per_seed] == pytest.approx(kept)
    assert [each.utility_lost for each in made.per_seed] == pytest.approx(lost)
    assert made.safety_kept == pytest.approx(over_seeds(kept))
    assert made.kept_per_lost == pytest.approx(0.8 / 0.3)
    short = [replace(c, seeds=c.seeds[:4], per_seed=c.per_seed[:4]) for c in (KEPT, LEFT, PAID, HELD)]
    few = seed_tradeoff((short[0], short[1]), (short[2], short[3]))
    assert few.safety_kept == (pytest.approx(0.825), None, None)


def test_sides_of_other_seeds_are_refused():
    with pytest.raises(UndefinedCurve, match="the same seeds on both sides"):
        seed_tradeoff((KEPT, replace(LEFT, seeds=(1, 2, 3, 4, 6))), (PAID, HELD))


def test_every_guard_is_set_against_none_on_every_attack_and_price():
    named = {"version": "1 phrases=1"}
    attack = {"metric": "attack_success_rate", "higher_is": "worse", **named}
    made = [
        seeds((0, 50), *((0.0, 0.8),) * 5, **attack), seeds((0, 50), *((0.0, 0.1),) * 5, **attack, defense="g"),
        seeds((0, 50), *((0.1, 0.1),) * 5, **{**attack, "metric": "refusal_rate", "suite": "fine"}),
        seeds((0, 50), *((0.1, 0.3),) * 5, **{**attack, "suite": "fine"} | {"metric": "refused_or_halted_rate"}, defense="g"),
        seeds((0, 50), *((0.9, 0.9),) * 5, **{**UTILITY, "version": "1 number=1", "judge": "number"}),
    ]  # fmt: skip
    (found,) = guard_tradeoffs(made)
    assert (found.safety.defense, found.utility.suite) == ("g", "fine")
    assert (found.safety_kept[0], found.utility_lost[0]) == (pytest.approx(0.7), pytest.approx(0.2))
