"""Intervals by hand."""

import math

import pytest

from erosion.evaluation.intervals import mean, share


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (3, 10), (1, 200), (199, 200)])
def test_share_is_wilson(hits, n):
    z, p = 1.959963984540054, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert share(hits, n) == pytest.approx((p, centre - half, centre + half), abs=1e-12)


def test_mean_is_students():
    value, low, high = mean([1.0, 2.0, 3.0, 4.0])
    half = 3.182446305284263 * math.sqrt(5 / 3) / 2
    assert (value, low, high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))


def test_one_value_has_no_interval():
    assert mean([0.5]) == (0.5, None, None)


def test_no_data_is_an_error_and_never_zero():
    with pytest.raises(ValueError, match="no cases"):
        share(0, 0)
    with pytest.raises(ValueError, match="no values"):
        mean([])
