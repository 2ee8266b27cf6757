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
    tried: _Floats
    """The figures of the first round (candidates, points)."""
    measured: _Floats
    """What was measured at them."""


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

    def one(places: NDArray[np.intp], figures: _Floats) -> tuple[NDArray[np.bool_], _Floats]:
        holds, value = look(places, figures)
        return holds[None], value

    found = largest_of(one, low, high, kinds=1, points=points, rounds=rounds)
    return Bracket(found.good[0], found.bad[0], found.at_good[0], found.at_bad[0], found.tried, found.measured)


def largest_of(
    look: Callable[[NDArray[np.intp], _Floats], tuple[NDArray[np.bool_], _Floats]],
    low: _Floats,
    high: _Floats,
    *,
    kinds: int,
    points: int = POINTS,
    rounds: int = ROUNDS,
    enough: Callable[[_Floats, _Floats], NDArray[np.bool_]] | None = None,
) -> Bracket:
    """The same for several things at once, which hold of the same figures: `look` gives (kinds, n, points).

    Where the ranges of several are the same, which in the first round all are, the figures are looked at once. `enough` is
    given what was measured at both ends of each range (kinds, n), and says which need not be narrower.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    shape = (kinds, low.size)
    good, bad = np.zeros(shape), np.full(shape, np.inf)
    at_good, at_bad = good.copy(), bad.copy()
    first_tried = np.full((low.size, points), np.nan)
    measured = first_tried.copy()
    start, end = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    live = np.broadcast_to(high >= low, shape)
    for number in range(rounds):
        kind, place = np.nonzero(live)
        if not kind.size:
            break
        ranges = np.stack([place, start[kind, place], end[kind, place]], axis=1)
        if kinds == 1:
            row = np.arange(place.size)
        else:
            ranges, row = np.unique(ranges, axis=0, return_inverse=True)
            row = row.reshape(-1)
        # Both ends are known after the first round.
        share = np.linspace(0.0, 1.0, points) if number == 0 else np.linspace(0.0, 1.0, points + 2)[1:-1]
        tried = ranges[:, 1:2] * (ranges[:, 2:] / ranges[:, 1:2]) ** share
        if number == 0:
            tried[:, 0], tried[:, -1] = ranges[:, 1], ranges[:, 2]  # powers are not exact
        holds, value = look(ranges[:, :1].astype(np.intp), tried)
        if number == 0:
            first_tried[ranges[:, 0].astype(np.intp)] = tried
            measured[ranges[:, 0].astype(np.intp)] = value
        kept = np.cumprod(holds[kind, row], axis=1).sum(axis=1)  # up to the first that does not
        some, last = kept > 0, np.maximum(kept - 1, 0)
        good[kind, place] = np.where(some, tried[row, last], good[kind, place])
        at_good[kind, place] = np.where(some, value[row, last], at_good[kind, place])
        some, first = kept < points, np.minimum(kept, points - 1)
        bad[kind, place] = np.where(some, tried[row, first], bad[kind, place])
        at_bad[kind, place] = np.where(some, value[row, first], at_bad[kind, place])
        live = live & (good > 0) & np.isfinite(bad)
        if enough is not None:
            live = live & ~enough(at_good, at_bad)
        start, end = good, bad
    return Bracket(good, bad, at_good, at_bad, first_tried, measured)
