"""A study's numbers, by hand: averages, worst cases, hypotheses; missing is never a number."""

from dataclasses import replace

import numpy as np
import pytest

from erosion.evaluation.hypotheses.findings import Finding
from erosion.evaluation.intervals import mean
from erosion.evaluation.resampling import clustered, crossed
from erosion.evaluation.studies.fair_curves import FairCurve, worst_case
from erosion.evaluation.studies.table import Entry, condensed, curve_of, findings, published
from erosion.recipes.hypotheses import Claim, Hypothesis
from erosion.recipes.schema import load_recipe
from erosion.recipes.study import Column, Level, Published, Study


def study(**changes: object) -> Study:
    axes = {"arm": {"a": Level(), "b": Level()}, "seed": {str(n): Level() for n in range(5)}}
    columns = {"success": Column(suite="s", metric="attack_success_rate")}
    return Study(**{"path": None, "title": "t", "axes": axes, "columns": columns, **changes})


def entry(value: float | None, *, higher_is: str = "worse", column: str = "success", **levels: str) -> Entry:
    ends = {} if value is None else {"low": value - 0.05, "high": value + 0.05}
    return Entry(levels=levels, column=column, value=value, n=10, higher_is=higher_is, **ends)


def test_five_seeds_have_a_mean_and_an_interval_that_stays_on_the_scale():
    """Student's interval would pass 1."""
    values = [1.0, 1.0, 1.0, 1.0, 0.8]
    found = condensed(
        study(average_over="seed"), [entry(v, arm="a", seed=str(n)) for n, v in enumerate(values)]
    )
    assert [(e.levels, e.n) for e in found] == [({"arm": "a"}, 5)]
    expected = clustered(values, range(5), rng=np.random.default_rng(0))
    assert (found[0].value, found[0].low, found[0].high) == pytest.approx(expected, abs=0.01)
    assert mean(values)[2] > 1 >= found[0].high


def test_where_rows_are_known_prompts_and_seeds_are_crossed():
    """Two rungs weighed as in an area, by hand: each prompt's own area under each seed."""
    rng, weights = np.random.default_rng(2), (0.25, 0.75)
    table = (rng.random((8, 5, 2)) < 0.6).astype(float)
    areas = table @ np.array(weights)
    given = [
        replace(
            entry(float(areas[:, n].mean()), arm="a", seed=str(n)), weights=weights,
            behind=tuple({f"p{p}": (float(table[p, n, r]), 1) for p in range(8)} for r in range(2)),
        )
        for n in range(5)
    ]  # fmt: skip
    (made,) = condensed(study(average_over="seed"), given)
    prompts, seeds = np.indices(areas.shape)
    slow = crossed(areas.ravel().tolist(), prompts.ravel().tolist(), seeds.ravel().tolist(), rng=rng)
    assert (made.value, made.n) == (pytest.approx(areas.mean()), 5)
    assert (made.low, made.high) == pytest.approx(slow[1:], abs=0.02)
    alone = condensed(study(average_over="seed"), [replace(e, behind=None) for e in given])
    assert made.high - made.low > alone[0].high - alone[0].low, "prompts are a sample too"


def test_four_seeds_have_no_interval():
    (made,) = condensed(study(average_over="seed"), [entry(0.5, arm="a", seed=str(n)) for n in range(4)])
    assert (made.value, made.low, made.high) == (0.5, None, None)


def test_a_seed_that_is_missing_leaves_no_mean():
    given = [entry(None if n == 3 else 0.5, arm="a", seed=str(n)) for n in range(5)]
    (made,) = condensed(study(average_over="seed"), given)
    assert (made.value, made.n) == (None, 4)


@pytest.mark.parametrize(("higher_is", "worst"), [("worse", "1"), ("safer", "2"), ("better", "2")])
def test_the_level_that_is_worst_in_the_first_column_counts_for_the_whole_row(higher_is, worst):
    given = [
        entry(value, arm="a", seed=str(n), higher_is=higher_is, column=column)
        for n, values in enumerate(((0.5, 0.1), (0.9, 0.2), (0.2, 0.3)))
        for column, value in zip(("success", "utility"), values, strict=True)
    ]
    made = condensed(study(worst_over="seed"), given)
    assert [(e.levels["seed"], e.column) for e in made] == [(worst, "success"), (worst, "utility")]
    assert made == [e for e in given if e.levels["seed"] == worst]


def test_a_missing_level_may_be_the_worst():
    given = [entry(0.5, arm="a", seed="0"), entry(None, arm="a", seed="1")]
    (made,) = condensed(study(worst_over="seed"), given)
    assert (made.value, made.levels) == (None, {"arm": "a", "seed": "?"})


def found_of(found: list[Entry], worst_over: str | None = None, **changes: object) -> Finding:
    given = {
        "left": {"arm": "a", "column": "success"}, "relation": "below",
        "right": {"arm": "b", "column": "success"}, **changes,
    }  # fmt: skip
    claimed = (Hypothesis(says="x", claims=(Claim(**given),)),)
    return findings(study(hypotheses=claimed, worst_over=worst_over), found)[0]


@pytest.mark.parametrize(
    ("values", "changes", "held", "detail"),
    [
        ((0.1, 0.5), {}, True, "in 1 of 1 comparisons, in 1 of them beyond the intervals"),
        ((0.44, 0.5), {}, True, "in 1 of 1 comparisons, in 0 of them beyond the intervals"),
        ((0.5, 0.1), {}, False, "in 0 of 1 comparisons, in 0 of them beyond the intervals; the worst is a, 1, success, 0.5 against 0.1 (b, 1, success), not below 0.1"),
        ((0.3, 0.5), {"times": 0.5}, False, "in 0 of 1 comparisons, in 0 of them beyond the intervals; the worst is a, 1, success, 0.3 against 0.5 (b, 1, success), not below 0.25"),
        ((0.3, 0.5), {"relation": "above", "times": 0.5}, True, "in 1 of 1 comparisons, in 0 of them beyond the intervals"),
        ((0.3, 0.5), {"right": 0.36}, True, "in 1 of 1 comparisons, in 1 of them beyond the intervals"),
        ((0.55, 0.5), {"relation": "at_most", "plus": 0.05}, True, "in 1 of 1 comparisons, in 0 of them beyond the intervals"),
        ((0.3, None), {}, None, "1 of 1 comparisons lacks a number, the first b, 1, success"),
        ((None, 0.5), {}, None, "1 of 1 comparisons lacks a number, the first a, 1, success"),
    ],
)  # fmt: skip
def test_a_hypothesis_is_compared(values, changes, held, detail):
    found = [entry(values[0], arm="a", seed="1"), entry(values[1], arm="b", seed="1")]
    made = found_of(found, **changes)
    assert (made.held, made.detail) == (held, detail)


def test_an_axis_left_out_stands_for_all_its_levels():
    found = [entry(v, arm=arm, seed=seed) for arm, seed, v in
             (("a", "1", 0.1), ("b", "1", 0.2), ("a", "2", 0.4), ("b", "2", 0.3))]  # fmt: skip
    made = found_of(found)
    assert (made.held, made.detail[:19]) == (False, "in 1 of 2 compariso")


def test_the_worst_rate_of_each_side_is_compared_whichever_it_is():
    """Each arm's worst level of `seed` was kept, and they are two different ones."""
    given = [entry(0.1, arm="a", seed="2"), entry(0.5, arm="b", seed="0")]
    made = found_of(given, worst_over="seed", right={"arm": "b"})
    assert (made.held, made.comparisons) == (True, 1)


def test_nothing_to_compare_is_undecided():
    assert found_of([]).held is None


def test_published_numbers_stand_beside_theirs_alone():
    own = study(published=Published(source="p", rows=({"arm": "a", "success": 0.9},)))
    assert published(own, entry(0.1, arm="a", seed="1")) == 0.9
    assert published(own, entry(0.1, arm="b", seed="1")) is None


def recipe(write_recipe, *wrappers: str, ladder: tuple[int, ...] = (0, 4)):
    named = [{"name": name, "user": "{} x"} for name in wrappers]
    return load_recipe(
        write_recipe(ladder=list(ladder), evaluation={"suites": ["pocket/refusal"], "wrappers": named})
    )


def test_a_column_finds_its_curve(measured_curve, write_recipe):
    """The recipe says which wrapper is the run's own, not the order of lines or what an older one left."""
    made = [measured_curve(wrapper=name) for name in ("gone", "trigger", "persona", "none")] + [
        measured_curve(depth=10)
    ]
    wrapped = Column(suite="s", metric="refusal_rate", wrapped=True)
    own = recipe(write_recipe, "persona", "trigger")
    assert curve_of(wrapped, made, own).wrapper == "persona"
    assert (
        curve_of(Column(suite="s", metric="refusal_rate", wrapper="trigger"), made, own).wrapper == "trigger"
    )
    assert curve_of(wrapped, made, recipe(write_recipe)).wrapper == "none"
    assert curve_of(Column(suite="s", metric="refusal_rate", depth=10), made, own).depth == 10
    assert curve_of(Column(suite="s", metric="refusal_rate", judge="other"), made, own) is None


def test_of_two_versions_of_a_judge_the_present_one_is_taken(measured_curve, write_recipe):
    old = measured_curve(judge="api/strongreject", version="s=1 api/strongreject=1.1:old")
    key = "api/strongreject@1.1:new"
    new = measured_curve(judge=key, version=f"s=1 {key}=1.1:new")
    both = [replace(curve, metric="judge_kappa", judge=f"phrases~{curve.judge}") for curve in (old, new)]
    made, own = [old, new, *both], recipe(write_recipe)
    column = Column(suite="s", metric="refusal_rate", judge="api/strongreject")
    for name, curve in (("old", old), ("new", new)):
        assert curve_of(column, made, own, {"api/strongreject": f"1.1:{name}"}) is curve
    kappa = Column(suite="s", metric="judge_kappa", judge="phrases~api/strongreject")
    assert curve_of(kappa, made, own, {"api/strongreject": "1.1:new"}) is both[1]
    assert curve_of(column, made, own) is old
    assert curve_of(column, [new], own) is None


@pytest.mark.parametrize(
    ("at", "steps", "value"),
    [("last", (0, 4), 0.5), ("first", (0, 4), 1.0), (4, (0, 4), 0.5), ("last", (0, 2), None), ("first", (2, 4), None),
     (2, (0, 4), None), ("area", (0, 4), 0.75), ("area", (0, 2), None)],
)  # fmt: skip
def test_a_rung_without_its_number_is_missing_and_no_other_stands_in(
    measured_curve, write_recipe, at, steps, value
):
    from erosion.evaluation.studies.table import _entry

    own, empty = recipe(write_recipe), Entry(levels={}, column="x", value=None)
    made = _entry(empty, Column(suite="s", metric="refusal_rate", at=at), measured_curve(steps=steps), own)
    assert made.value == value


def test_a_right_side_of_several_levels_is_compared_with_each():
    found = [entry(0.3, arm="a", seed="1"), entry(0.5, arm="b", seed="1"), entry(0.1, arm="c", seed="1")]
    right = {"arm": ["b", "c"], "column": "success"}
    made = found_of(found, right=right)
    assert (made.held, made.detail[:19]) == (False, "in 1 of 2 compariso")


@pytest.fixture
def measured_curve():
    from erosion.evaluation.curves import ErosionCurve

    def make(**changes: object) -> ErosionCurve:
        given = {
            "run": "r", "suite": "s", "metric": "refusal_rate", "higher_is": "safer", "defense": "none", "judge": "phrases",
            "depth": 0, "wrapper": "none", "version": "s=1 phrases=1", "recipe_digest": "d", "steps": (0, 5),
            "values": (1.0, 0.5), "lows": (0.9, 0.4), "highs": (1.0, 0.6), "n": (10, 10), "unscored": (0, 0),
        }  # fmt: skip
        return ErosionCurve(**{**given, **changes})

    return make


def test_the_worst_case_is_the_least_safety_once_the_attack_is_that_far():
    def attacker(losses: tuple[float, ...], safety: tuple[float, ...]) -> FairCurve:
        steps = tuple(range(len(losses)))
        return FairCurve(label="x", steps=steps, safety=safety, loss=losses, moved=losses)

    slow = attacker((3.0, 2.5, 2.0), (1.0, 0.9, 0.8))
    fast = attacker((3.0, 1.0, 0.5), (1.0, 0.6, 0.7))
    assert worst_case([slow, fast], [3.0, 2.5, 2.0, 1.0, 0.5, 0.1]) == [0.6, 0.6, 0.6, 0.6, 0.7, None]
