"""Comparisons by hand: every relation and margin, missing numbers, what is not compared."""

import pytest

from erosion.evaluation.hypotheses.findings import Number, finding, rows_of, told
from erosion.recipes.hypotheses import Claim, Hypothesis


def number(value: float | None, *, wide: float | None = None, **of: str) -> Number:
    ends = {} if wide is None or value is None else {"low": value - wide, "high": value + wide}
    return Number(of=of, value=value, name=" ".join(of.values()), **ends)


def claimed(*claims: dict) -> Hypothesis:
    made = (Claim(**{"left": {"arm": "a"}, "right": 0.5, "relation": "above", **claim}) for claim in claims)
    return Hypothesis(says="It is so.", claims=tuple(made))


@pytest.mark.parametrize(
    ("left", "relation", "right", "held"),
    [
        (0.5, "above", 0.5, False), (0.51, "above", 0.5, True), (0.49, "above", 0.5, False),
        (0.5, "at_least", 0.5, True), (0.49, "at_least", 0.5, False),
        (0.5, "below", 0.5, False), (0.49, "below", 0.5, True), (0.51, "below", 0.5, False),
        (0.5, "at_most", 0.5, True), (0.51, "at_most", 0.5, False),
        (0.0, "at_most", 0, True), (1.0, "at_least", 1, True),
    ],
)  # fmt: skip
def test_each_relation_is_strict_or_not(left, relation, right, held):
    made = finding(claimed({"relation": relation, "right": right}), [number(left, arm="a")])
    assert (made.held, made.comparisons, made.stood) == (held, 1, int(held))


@pytest.mark.parametrize(
    ("left", "relation", "right", "times", "plus", "held"),
    [
        (0.55, "at_most", 0.5, 1, 0.05, True), (0.56, "at_most", 0.5, 1, 0.05, False),
        (0.8, "at_most", 0.7, 1, 0.1, True), (0.8, "below", 0.7, 1, 0.1, False),
        (0.3, "at_least", 0.4, 1, -0.1, True), (0.29, "at_least", 0.4, 1, -0.1, False),
        (0.25, "at_least", 0.5, 0.5, 0, True), (0.24, "at_least", 0.5, 0.5, 0, False),
        (0.35, "at_least", 0.5, 0.5, 0.1, True), (0.34, "at_least", 0.5, 0.5, 0.1, False),
    ],
)  # fmt: skip
def test_a_factor_comes_before_a_margin_and_the_bound_itself_is_met(left, relation, right, times, plus, held):
    """0.7 + 0.1 is 0.7999999999999999 in binary, and 0.8 is at most that."""
    claim = {"relation": relation, "right": {"arm": "b"}, "times": times, "plus": plus}
    assert finding(claimed(claim), [number(left, arm="a"), number(right, arm="b")]).held is held


@pytest.mark.parametrize(
    ("relation", "left", "right", "wide", "beyond"),
    [("above", 0.8, 0.5, 0.1, 1), ("above", 0.8, 0.5, 0.15, 0), ("at_least", 0.8, 0.5, 0.15, 1),
     ("below", 0.2, 0.5, 0.1, 1), ("below", 0.2, 0.5, 0.15, 0), ("at_most", 0.2, 0.5, 0.15, 1),
     ("above", 0.8, 0.5, None, 0)],
)  # fmt: skip
def test_beyond_the_intervals_is_wherever_in_both_the_numbers_lie(relation, left, right, wide, beyond):
    given = [number(left, wide=wide, arm="a"), number(right, wide=wide, arm="b")]
    made = finding(claimed({"relation": relation, "right": {"arm": "b"}}), given)
    assert (made.held, made.beyond) == (True, beyond)


@pytest.mark.parametrize(
    ("values", "held", "stood", "lacking"),
    [((0.6, 0.7), True, 2, 0), ((0.6, None), None, 1, 1), ((None, None), None, 0, 2),
     ((0.4, None), False, 0, 1), ((0.4, 0.7), False, 1, 0)],
)  # fmt: skip
def test_one_failure_refutes_and_a_missing_number_never_lets_it_hold(values, held, stood, lacking):
    given = [number(value, arm="a", step=str(step)) for step, value in enumerate(values)]
    made = finding(claimed({}), given)
    assert (made.held, made.stood, made.lacking) == (held, stood, lacking)


def test_nothing_to_compare_is_undecided_for_the_whole_and_for_a_claim():
    none = finding(claimed({"left": {"arm": "z"}}), [number(1.0, arm="a")])
    assert (none.held, none.detail) == (None, "there is nothing to compare")
    one = finding(claimed({}, {"left": {"arm": "z"}}), [number(1.0, arm="a")])
    assert (one.held, one.stood) == (None, 1)
    assert one.detail.endswith("a claim has nothing to compare")


def test_a_counterpart_differs_in_the_keys_named_and_is_missing_where_there_is_none():
    given = [number(0.5, arm="a", step="0"), number(0.6, arm="a", step="1"), number(0.55, arm="b", step="0")]
    made = finding(claimed({"relation": "below", "right": {"arm": "b"}}), given)
    assert (made.held, made.comparisons, made.lacking) == (None, 1, 1)
    assert "the first b, 1 (there is no such number)" in made.detail


def test_no_number_is_compared_with_itself():
    """Above its own start: the start is not above itself, and is not asked."""
    given = [number(value, arm="a", step=str(step)) for step, value in enumerate((0.5, 0.6, 0.7))]
    made = finding(claimed({"right": {"step": "0"}}), given)
    assert (made.held, made.comparisons) == (True, 2)


def test_lists_on_both_sides_compare_each_with_each():
    given = [number(value, arm=arm) for arm, value in (("a", 0.5), ("b", 0.6), ("c", 0.4), ("d", 0.55))]
    made = finding(claimed({"left": {"arm": ["a", "b"]}, "right": {"arm": ["c", "d"]}}), given)
    assert (made.held, made.comparisons, made.stood) == (False, 4, 3)


def test_the_worst_comparison_is_told_with_its_number():
    given = [number(value, arm="a", step=step) for step, value in (("0", 0.45), ("5", 0.123456), ("9", 0.9))]
    made = finding(claimed({"relation": "at_least"}), given)
    assert told([made]) == [
        "1. It is so. did not hold: in 1 of 3 comparisons, in 0 of them beyond the intervals; "
        "the worst is a 5, 0.1235, not at least 0.5."
    ]
    assert rows_of([made])[0] == {
        "number": 1, "says": "It is so.", "held": "did not hold", "detail": made.detail, "comparisons": 3,
        "stood": 1, "beyond": 0, "lacking": 0,
    }  # fmt: skip
