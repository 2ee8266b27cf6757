"""Ranges are ordered, add without narrowing, and stay unknown once they are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.statement import Interval

_small = st.floats(min_value=-1e6, max_value=1e6)
_ranges = st.lists(_small, min_size=3, max_size=3).map(sorted).map(lambda three: Interval(*three))


@given(_ranges, _ranges)
def test_sums_and_products_hold_every_pair(one: Interval, other: Interval) -> None:
    for left in (one.low, one.likely, one.high):
        for right in (other.low, other.likely, other.high):
            assert left is not None
            assert right is not None
            slack = 1e-9 * (1 + abs(left) + abs(right))
            for result, value in (
                (one + other, left + right),
                (one * other, left * right),
                (one - other, left - right),
            ):
                assert result.low is not None
                assert result.high is not None
                assert result.low - slack * 1e6 <= value <= result.high + slack * 1e6


@given(_ranges, _small)
def test_a_scalar_keeps_the_order(one: Interval, factor: float) -> None:
    scaled = one * factor
    assert scaled == factor * one
    assert scaled.low is not None
    assert scaled.high is not None
    assert scaled.low <= scaled.likely <= scaled.high


def test_unknown_ranges_stay_unknown() -> None:
    assert (Interval.of(1) + Interval.between(1, 2, 3)).low is None
    assert (Interval.of(1) * Interval.exact(2)) == Interval.of(2)
    assert (Interval.exact(1) + Interval.exact(2)) == Interval.exact(3)
    assert not Interval.exact(1).has_range
    assert not Interval.of(1).has_range
    assert Interval.between(1, 2, 3).has_range


@pytest.mark.parametrize(
    "three",
    [(2, 1, 3), (1, 4, 3), (None, 1, 2), (1, 1, None), (None, math.nan, None), (0, 0, math.inf), (-math.inf, 0, 1)],
)
def test_no_interval(three: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"interval|finite"):
        Interval(*three)
