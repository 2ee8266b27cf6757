"""The largest figure at which something holds, against a look at every figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.search.bracket import largest

some = settings(max_examples=200, deadline=None, derandomize=True)


@some
@given(limits=st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=20), high=st.floats(1.0, 1e4))
def test_good_holds_bad_does_not_and_they_are_near(limits: list[float], high: float) -> None:
    most = np.asarray(limits)
    figures = np.geomspace(np.full(most.size, 0.01), high, 12, axis=1)
    found = largest(lambda places, x: ((x <= most[places])[None], 3.0 * x), figures)
    good, bad = found.good[0], found.bad[0]
    assert (good <= np.minimum(most, figures[:, -1])).all()
    assert ((good > 0) == (most >= 0.01)).all()
    assert (np.isinf(bad) == (most >= figures[:, -1])).all()
    inside = (good > 0) & np.isfinite(bad)
    assert (bad[inside] > most[inside]).all()
    assert (bad[inside] <= good[inside] * (high / 0.01) ** (1 / 11 / 13**2) * (1 + 1e-9)).all()
    np.testing.assert_allclose(found.at_good[0], 3.0 * good)
    np.testing.assert_allclose(found.at_bad[0][inside], 3.0 * bad[inside])


def test_the_first_that_fails_counts() -> None:
    """A figure that holds again beyond one that does not is of no use to whoever grows into it."""
    found = largest(lambda places, x: (((x < 2.0) | (x > 5.0))[None], x), np.geomspace(1.0, 10.0, 12)[None])
    assert 1.0 < found.good[0, 0] < 2.0 <= found.bad[0, 0] < 2.1


def test_things_are_looked_for_together() -> None:
    """Each as if it were alone, where figures are tried that others hold of too."""
    limits, figures = np.array([[3.0, 50.0], [3.1, 0.5]]), np.geomspace(np.ones(2), 20.0, 12, axis=1)
    both = largest(lambda places, x: (x <= limits[:, places], x), figures, kinds=2)
    for kind in range(2):
        alone = largest(lambda places, x, kind=kind: ((x <= limits[kind][places])[None], x), figures)
        np.testing.assert_array_equal(both.good[kind], alone.good[0])
        np.testing.assert_array_equal(both.bad[kind], alone.bad[0])


def test_what_falls_on_the_way_was_reached_before() -> None:
    """Who rises meets the most that was measured before it falls, and needs not come further."""
    figures = np.geomspace(1.0, 10.0, 12)[None]
    found = largest(lambda places, x: ((x < 7.0)[None], np.where(x < 4.0, x, x / 2.0)), figures)
    reached = figures[figures < 4.0].max()
    assert found.good[0, 0] == pytest.approx(7.0, rel=0.01)
    assert found.at_good[0, 0] == reached == pytest.approx(found.at_bad[0, 0])
    assert reached > 3.5
