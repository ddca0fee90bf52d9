"""The flags of judges that differ in sign, and of judges that drift."""

import pytest

from erosion.evaluation.curves import ErosionCurve
from erosion.evaluation.report.judges_differ import judges_differ, judges_drift


def curve(
    judge: str, *values: float, steps: tuple[int, ...] = (0, 10, 50), **changes: object
) -> ErosionCurve:
    given = {
        "run": "r", "suite": "s", "metric": "refusal_rate", "higher_is": "safer", "defense": "none", "judge": judge,
        "depth": 0, "wrapper": "none", "version": f"s=1 {judge}=1", "recipe_digest": "d", "steps": steps,
        "values": values, "lows": values, "highs": values, "n": (10,) * len(values),
        "unscored": (0,) * len(values),
    }  # fmt: skip
    return ErosionCurve(**{**given, **changes})


def test_opposite_changes_are_said():
    assert judges_differ([curve("a", 0.9, 0.2, 0.5), curve("b", 0.4, 0.3, 0.6)]) == [
        "judges differ in sign: s, refusal rate, steps 0 to 50: a 0.90 to 0.50, b 0.40 to 0.60"
    ]


@pytest.mark.parametrize(
    "other",
    [
        curve("b", 0.8, 0.9, 0.7),
        curve("b", 0.5, 0.9, 0.5),
        curve("b", 0.1, 0.2, 0.7, depth=10),
        curve("b", 0.1, 0.2, 0.7, defense="ada_rk"),
        curve("b", 0.1, 0.2, 0.7, metric="accuracy"),
        curve("b", 0.1, steps=(0,)),
    ],
)
def test_nothing_else_is(other):
    assert judges_differ([curve("a", 0.9, 0.2, 0.5), other]) == []


def test_the_rungs_both_have_are_compared():
    assert judges_differ([curve("a", 0.9, 0.2, 0.5), curve("b", 0.5, 0.4, steps=(0, 10))]) == []
    assert len(judges_differ([curve("a", 0.9, 0.2, 0.95), curve("b", 0.1, 0.4, steps=(0, 10))])) == 1


def test_a_judge_that_drifts_is_said():
    drifting = curve(
        "phrases", 0.0, 0.1, 0.6, metric="false_refusal_rate", highs=(0.1, 0.3, 0.8), lows=(0.0, 0.0, 0.4)
    )
    assert judges_drift([drifting]) == [
        "judge drifts: phrases on s, false refusal rate: 0.00 at step 0, 0.60 at step 50"
    ]


def test_a_judge_that_errs_from_its_first_number_on_is_said():
    late = curve("phrases", 1.0, metric="false_refusal_rate", steps=(50,), highs=(1.0,), lows=(0.85,))
    assert judges_drift([late]) == [
        "judge errs: phrases on s, false refusal rate: 1.00 at step 50, the first rung where it could"
    ]


def test_an_error_within_its_interval_or_another_number_does_not_drift():
    wide = {"highs": (0.5, 0.5, 0.9), "lows": (0.0, 0.0, 0.4)}
    assert judges_drift([curve("phrases", 0.0, 0.1, 0.6, metric="false_refusal_rate", **wide)]) == []
    assert judges_drift([curve("phrases", 0.0, 0.1, 0.6)]) == []
