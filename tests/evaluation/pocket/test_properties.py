"""A bar is held by an interval's end, never by a value alone."""

import pytest

from erosion.evaluation.pocket.properties import Property, cells, missed


def prop(**changes):
    return Property(**{"name": "x", "value": 0.5, "low": 0.4, "high": 0.6, "n": 100, **changes})


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"at_least": 0.4}, "holds"), ({"at_least": 0.45}, "missed"), ({"at_most": 0.6}, "holds"),
        ({"at_most": 0.55}, "missed"), ({}, "reported"), ({"at_least": 0.4, "low": None}, "missed"),
        ({"at_most": 0.6, "high": float("nan")}, "missed"), ({"at_least": 0.0, "low": float("nan")}, "missed"),
    ],
)  # fmt: skip
def test_verdict(changes, verdict):
    assert prop(**changes).verdict == verdict
    assert bool(missed([prop(**changes)])) == (verdict == "missed")


def test_rows_of_the_table():
    assert cells([prop(at_least=0.97)]) == [("x", "0.500", "[0.400, 0.600]", "100", ">= 0.97", "missed")]
