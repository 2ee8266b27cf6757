"""The largest figure at which something still holds, for many candidates at once. Knows no domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS, ROUNDS = 12, 3
"""Figures that are tried for each candidate in a round, and rounds: each narrows the range to one part of it."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bracket:
    """For each candidate the largest figure at which something was seen to hold (0: none), and the least beyond it at which it
    was not (infinite: none); with whatever else was measured at the two."""

    good: _Floats
    bad: _Floats
    at_good: _Floats
    at_bad: _Floats


def largest(
    look: Callable[[NDArray[np.intp], _Floats], tuple[NDArray[np.bool_], _Floats]],
    low: _Floats,
    high: _Floats,
    *,
    points: int = POINTS,
    rounds: int = ROUNDS,
) -> Bracket:
    """The largest figure from `low` to `high` at which something holds, by candidate.

    `look(places, figures)` takes the places of candidates (n, 1) and figures for each (n, points), all above 0; whether it
    holds is true up to some figure and false beyond, and the second thing that it gives is kept. The range is cut in
    geometric steps, round by round, so that good and bad lie within a factor of
    (high / low) ** (1 / (points − 1) / (points + 1) ** (rounds − 1)).

    >>> limits = np.array([3.0, 50.0, 0.5])
    >>> found = largest(lambda places, x: (x <= limits[places], 2 * x), np.ones(3), np.full(3, 20.0))
    >>> found.good.round(2).tolist(), found.bad.round(2).tolist(), found.at_good.round(2).tolist()
    ([3.0, 20.0, 0.0], [3.0, inf, 1.0], [5.99, 40.0, 0.0])
    """
    good, bad = np.zeros_like(low, dtype=float), np.full_like(high, np.inf, dtype=float)
    at_good, at_bad = good.copy(), bad.copy()
    live, start, end = np.flatnonzero(high >= low), np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    for number in range(rounds):
        if not live.size:
            break
        # Both ends are known after the first round.
        share = np.linspace(0.0, 1.0, points) if number == 0 else np.linspace(0.0, 1.0, points + 2)[1:-1]
        tried = start[live, None] * (end[live, None] / start[live, None]) ** share
        if number == 0:
            tried[:, 0], tried[:, -1] = start[live], end[live]  # powers are not exact
        holds, value = look(live[:, None], tried)
        kept = np.cumprod(holds, axis=1).sum(axis=1)  # up to the first that does not
        rows = np.arange(live.size)
        some, last = kept > 0, np.maximum(kept - 1, 0)
        good[live] = np.where(some, tried[rows, last], good[live])
        at_good[live] = np.where(some, value[rows, last], at_good[live])
        some, first = kept < points, np.minimum(kept, points - 1)
        bad[live] = np.where(some, tried[rows, first], bad[live])
        at_bad[live] = np.where(some, value[rows, first], at_bad[live])
        live = live[(good[live] > 0) & np.isfinite(bad[live])]
        start, end = good, bad
    return Bracket(good, bad, at_good, at_bad)
