"""Experts that are chosen at all: the table against the mean that it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from outlay.machine.popularity import MANY, chosen_share, popularity

RANKS = 64


@pytest.mark.parametrize("skew", [0.3, 0.6, 1.0])
def test_many_are_answered_as_few(skew: float) -> None:
    choices = np.append(np.exp(np.random.default_rng(1).uniform(-35.0, 14.0, 8 * MANY)), [0.0, 1e9])
    exact = -np.expm1(-np.multiply.outer(choices, popularity(skew, RANKS))).mean(axis=-1)
    np.testing.assert_allclose(chosen_share(choices, skew, RANKS), exact, rtol=2e-10, atol=0.0)
    few = chosen_share(choices[: MANY - 1], skew, RANKS)
    np.testing.assert_array_equal(few, exact[: MANY - 1])


def test_shapes_are_kept() -> None:
    assert chosen_share(np.ones((MANY, 3)), 0.6, RANKS).shape == (MANY, 3)
    assert chosen_share(np.asarray(1.0), 0.6, RANKS).shape == ()
