"""The largest figure at which something still holds, for many candidates at once. Knows no domain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

POINTS, ROUNDS = 12, 4
"""Figures that are tried for each candidate in a round, and rounds: each narrows the range to one part of it."""

_Floats = NDArray[np.float64]


def largest(
    holds: Callable[[NDArray[np.intp], _Floats], NDArray[np.bool_]],
    low: _Floats,
    high: _Floats,
    *,
    points: int = POINTS,
    rounds: int = ROUNDS,
) -> _Floats:
    """For each candidate, a figure at which `holds`, not above `high`, and near the largest; 0 where not even `low` does.

    `holds(places, figures)` takes the places of candidates (n, 1) and figures for each (n, points), all above 0, and is
    true up to some figure and false beyond. The range low … high is cut in geometric steps, round by round, so the answer
    is short of the largest by at most a factor (high / low) ** (1 / (points − 1) / (points + 1) ** (rounds − 1)).

    >>> limits = np.array([3.0, 50.0, 0.5])
    >>> found = largest(lambda places, x: x <= limits[places], np.ones(3), np.full(3, 20.0))
    >>> found.round(2).tolist()
    [3.0, 20.0, 0.0]
    """
    good, bad = np.zeros_like(low, dtype=float), np.full_like(high, np.inf, dtype=float)
    live, start, end = np.flatnonzero(high >= low), np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    for number in range(rounds):
        if not live.size:
            break
        # Both ends are known after the first round.
        share = np.linspace(0.0, 1.0, points) if number == 0 else np.linspace(0.0, 1.0, points + 2)[1:-1]
        tried = start[live, None] * (end[live, None] / start[live, None]) ** share
        kept = np.cumprod(holds(live[:, None], tried), axis=1).sum(axis=1)  # up to the first that fails
        rows = np.arange(live.size)
        good[live] = np.where(kept > 0, tried[rows, np.maximum(kept - 1, 0)], good[live])
        bad[live] = np.where(kept < points, tried[rows, np.minimum(kept, points - 1)], bad[live])
        live = live[(good[live] > 0) & np.isfinite(bad[live])]
        start, end = good, bad
    return good
