"""The largest figure at which something still holds, for many candidates at once. Knows no domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS, ROUNDS = 12, 3
"""Figures that are tried for each candidate in a round after the first, and rounds: each narrows the range to one part of
it."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bracket:
    """For each candidate the largest figure at which something was seen to hold (0: none), and the least beyond it at which it
    was not (infinite: none); with the most of whatever else was measured up to the two."""

    good: _Floats
    bad: _Floats
    at_good: _Floats
    at_bad: _Floats


def largest(
    look: Callable[[NDArray[np.intp], _Floats], tuple[NDArray[np.bool_], _Floats]],
    figures: _Floats,
    *,
    kinds: int = 1,
    points: int = POINTS,
    rounds: int = ROUNDS,
    enough: Callable[[_Floats, _Floats], NDArray[np.bool_]] | None = None,
) -> Bracket:
    """The largest figure at which something holds, by thing and candidate (kinds, n).

    `figures` (n, numbers) are tried first, above 0 and in rising order. `look(places, figures)` takes the places of candidates
    (n, 1) and figures for each (n, points); whether each of `kinds` things holds (kinds, n, points) is true up to some figure
    and false beyond, and the second thing that it gives is kept. Between the last figure that holds and the next, `points` are
    tried in geometric steps, round by round, so that good and bad lie within a factor of
    (next / last) ** (1 / (points + 1) ** (rounds − 1)).

    Where the ranges of several things are the same they are looked at once. `enough` is given what was measured at both ends
    of each range (kinds, n), and says which need not be narrower.

    >>> limits = np.array([3.0, 50.0, 0.5])
    >>> figures = np.geomspace(np.ones(3), 20.0, 12, axis=1)
    >>> found = largest(lambda places, x: ((x <= limits[places])[None], 2 * x), figures)
    >>> found.good[0].round(2).tolist(), found.bad[0].round(2).tolist(), found.at_good[0].round(2).tolist()
    ([3.0, 20.0, 0.0], [3.0, inf, 1.0], [5.99, 40.0, 0.0])
    """
    shape = (kinds, len(figures))
    good, bad = np.zeros(shape), np.full(shape, np.inf)
    at_good, at_bad = good.copy(), bad.copy()
    kind, place = (part.reshape(-1) for part in np.indices(shape))
    row, tried = place, figures
    holds, value = look(np.arange(len(figures))[:, None], figures)
    share = np.linspace(0.0, 1.0, points + 2)[1:-1]  # both ends of a range are known
    for left in reversed(range(rounds)):
        kept = np.cumprod(holds[kind, row], axis=1).sum(axis=1)  # up to the first that does not
        most = np.maximum(np.maximum.accumulate(value, axis=1)[row], at_good[kind, place][:, None])
        some, last = kept > 0, np.maximum(kept - 1, 0)
        good[kind, place] = np.where(some, tried[row, last], good[kind, place])
        at_good[kind, place] = np.where(some, most[np.arange(row.size), last], at_good[kind, place])
        some, first = kept < tried.shape[1], np.minimum(kept, tried.shape[1] - 1)
        bad[kind, place] = np.where(some, tried[row, first], bad[kind, place])
        at_bad[kind, place] = np.where(some, most[np.arange(row.size), first], at_bad[kind, place])
        live: NDArray[np.bool_] = (good > 0) & np.isfinite(bad)
        if enough is not None:
            live = live & ~enough(at_good, at_bad)
        kind, place = np.nonzero(live)
        if not left or not kind.size:
            break
        ranges = np.stack([place, good[kind, place], bad[kind, place]], axis=1)
        ranges, row = np.unique(ranges, axis=0, return_inverse=True)
        row = row.reshape(-1)
        tried = ranges[:, 1:2] * (ranges[:, 2:] / ranges[:, 1:2]) ** share
        holds, value = look(ranges[:, :1].astype(np.intp), tried)
    return Bracket(good, bad, at_good, at_bad)
