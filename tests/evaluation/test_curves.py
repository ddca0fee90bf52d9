"""Erosion curves: shares, areas and half-lives by hand, and what they refuse."""

import dataclasses
import math

import pytest

from erosion.evaluation.curves import ErosionCurve, UndefinedCurve, curves
from erosion.evaluation.records import Measurement


def point(step: int, value: float, **changes: object) -> Measurement:
    given = {
        "run": "r", "step": step, "defense": "none", "suite": "s", "metric": "refusal_rate", "higher_is": "safer",
        "judge": "phrases", "depth": 0, "value": value, "low": value - 0.1, "high": value + 0.1, "n": 100, "unscored": 0,
        "incoherent": 0.0, "weights_digest": f"w{step}", "recipe_digest": "d", "cell_digest": "c", "version": "s=1 phrases=1",
        "code": "1", "packages": {}, "seconds": 1.0,
    }  # fmt: skip
    return Measurement(**{**given, **changes})


def curve(*values: float, steps: tuple[int, ...] = (0, 1, 2, 4), **changes: object) -> ErosionCurve:
    return ErosionCurve.from_measurements(
        [point(s, v, **changes) for s, v in zip(steps, values, strict=True)]
    )


def test_retained_is_the_share_of_the_start():
    assert curve(0.8, 0.8, 0.4, 0.0).retained() == pytest.approx((1.0, 1.0, 0.5, 0.0))


def test_retained_is_undefined_where_the_start_is_near_zero():
    assert curve(0.04, 0.04, 0.02, 0.0).retained() == (None,) * 4
    with pytest.raises(UndefinedCurve, match="half-life is undefined"):
        curve(0.0, 0.0, 0.0, 0.0).half_life()


def test_half_life_is_the_bracket_of_the_first_fall():
    assert curve(1.0, 0.9, 0.3, 0.8).half_life() == (1, 2)
    assert curve(1.0, 0.5, 0.3, 0.1).half_life() == (0, 1)
    assert curve(1.0, 0.9, 0.8, 0.7).half_life() is None


def test_area_names_its_grid():
    falling = curve(1.0, 1.0, 0.5, 0.0)
    assert falling.area("steps") == pytest.approx((1 * 1 + 0.75 * 1 + 0.25 * 2) / 4)
    a, b, c = math.log(2), math.log(3), math.log(5)
    assert falling.area("log1p_steps") == pytest.approx((a + 0.75 * (b - a) + 0.25 * (c - b)) / c)


def test_points_are_sorted_and_grouped_by_what_they_measure():
    made = curves([point(2, 0.1), point(0, 0.9), point(0, 0.5, depth=25), point(2, 0.2, depth=25)])
    assert [(c.depth, c.steps, c.values) for c in made] == [(0, (0, 2), (0.9, 0.1)), (25, (0, 2), (0.5, 0.2))]


REFUSED = [
    ([], "no measurements"),
    ([point(0, 1), point(0, 1)], "a step stands twice"),
    (
        [point(0, 1), point(1, 1, version="s=2 phrases=1")],
        "version: one curve cannot mix s=1 phrases=1, s=2 phrases=1",
    ),
    ([point(0, 1), point(1, 1, recipe_digest="e")], "recipe_digest: one curve cannot mix d, e"),
    ([point(0, 1), point(1, 1, judge="other")], "judge: one curve cannot mix"),
]


@pytest.mark.parametrize(("points", "sentence"), REFUSED, ids=[r[1][:20] for r in REFUSED])
def test_what_does_not_belong_together_is_refused(points, sentence):
    with pytest.raises(UndefinedCurve, match=sentence):
        ErosionCurve.from_measurements(points)


def test_retained_needs_a_share_and_step_zero():
    with pytest.raises(UndefinedCurve, match="begins at step 1"):
        curve(1.0, 0.5, steps=(1, 2)).retained()
    with pytest.raises(UndefinedCurve, match="refusal_log_odds is none"):
        curve(5.0, 1.0, steps=(0, 1), metric="refusal_log_odds").retained()


def test_a_curve_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve(1.0, 0.5, steps=(0, 1)).values = (1.0,)
