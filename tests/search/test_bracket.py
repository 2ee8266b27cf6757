"""The largest figure at which something holds, against a look at every figure."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.search.bracket import largest

some = settings(max_examples=200, deadline=None, derandomize=True)


@some
@given(limits=st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=20), high=st.floats(1.0, 1e4))
def test_good_holds_bad_does_not_and_they_are_near(limits: list[float], high: float) -> None:
    most = np.asarray(limits)
    low, top = np.full(most.size, 0.01), np.full(most.size, high)
    found = largest(lambda places, x: (x <= most[places], 3.0 * x), low, top)
    assert (found.good <= np.minimum(most, high)).all()
    assert ((found.good > 0) == (most >= 0.01)).all()
    assert (np.isinf(found.bad) == (most >= high)).all()
    inside = (found.good > 0) & np.isfinite(found.bad)
    assert (found.bad[inside] > most[inside]).all()
    assert (found.bad[inside] <= found.good[inside] * (high / 0.01) ** (1 / 11 / 13**2) * (1 + 1e-9)).all()
    np.testing.assert_allclose(found.at_good, 3.0 * found.good)
    np.testing.assert_allclose(found.at_bad[inside], 3.0 * found.bad[inside])


def test_the_first_that_fails_counts() -> None:
    """A figure that holds again beyond one that does not is of no use to whoever grows into it."""
    found = largest(lambda places, x: ((x < 2.0) | (x > 5.0), x), np.array([1.0]), np.array([10.0]))
    assert 1.0 < found.good[0] < 2.0 <= found.bad[0] < 2.1
