r"""How many requests a batch holds at a rate: the n with :math:`n = \lambda\,Z(n + 1)`, for many loads with few cycles.

Loads that differ in their rate alone share Z. So Z is looked up at :data:`POINTS` numbers of requests, evenly apart in their
logarithm, once for each run of equal loads; the first two between which n falls enclose it, and a chord between them is so
near that nine n of ten need one cycle of their own, which is the answer. Those that are not near go on with false position,
by themselves; an end that stays twice counts half (the Illinois rule), or it would stay for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.serving.cycle import Cycle
from outlay.serving.spelling import spelled, write
from outlay.serving.steps import Steps, divides, some_steps
from outlay.serving.task import Task
from outlay.workload import Number

Floats = NDArray[np.float64]
Cycles = Callable[[Task, Number, Steps], Cycle]
POINTS = 24
"""Numbers of requests at which Z is looked up."""
SEARCHES = 8
"""Cycles that find one n at most, beside those."""
CLOSE = 2e-4
"""Error of n, over n + 1, that is small enough."""
SMALL = 1 << 11
"""Cycles that are asked together for little more than one."""
SHARED = 4
"""Loads in a run from which it pays to look Z up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What a request meets that comes at a rate."""

    others: Floats
    found: Cycle
    """Of one more than those."""
    full_seconds: Floats
    """Z of as many as fit, while others wait for their places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Two numbers of requests with n between them, and λ Z - n at each; arrays of one shape."""

    low: Floats
    high: Floats
    at_low: Floats
    at_high: Floats
    over: NDArray[np.bool_]
    """As many as fit are not enough: n is `high`."""

    def chord(self) -> Floats:
        apart = self.at_low - self.at_high
        found = self.low + (self.high - self.low) * self.at_low / np.where(apart > 0, apart, 1.0)
        return np.asarray(np.where(self.over, self.high, np.clip(found, self.low, self.high)))

    def past(self, n: Floats, at: Floats, side: Floats) -> tuple[Ends, Floats]:
        """The ends when n was looked at, and which of them it took the place of."""
        above = at > 0
        ends = Ends(
            low=np.where(above, n, self.low),
            high=np.where(above | self.over, self.high, n),
            at_low=np.where(above, at, np.where(side < 0, self.at_low / 2.0, self.at_low)),
            at_high=np.where(above, np.where(side > 0, self.at_high / 2.0, self.at_high), at),
            over=self.over,
        )
        return ends, np.where(above, 1.0, -1.0)

    def at(self, places: Any) -> Ends:
        """Some of them, in one row."""
        return Ends(**{name: getattr(self, name).reshape(-1)[places] for name in self.__slots__})


def inside(cycle: Cycles, task: Task, most: Number, rate: Number, steps: Steps, *, layouts: tuple[int, ...]) -> Inside:
    """The requests inside at `rate`, of `most` at most; that many where even they are not enough. `layouts` is the shape of
    the layout's degrees."""
    parts = [np.shape(getattr(task, name)) for name in task.__slots__]
    alike = np.broadcast_shapes(layouts, np.shape(most), *parts)
    rate = np.asarray(rate, dtype=float)
    shape = np.broadcast_shapes(alike, rate.shape)
    fits = np.broadcast_to(np.asarray(most, dtype=float), (1,) * (len(shape) - len(alike)) + alike)
    starts, number = _runs(task, fits, layouts)
    if starts is None and fits.size * POINTS > SMALL:
        others = np.stack([fits * 0.0, fits - 1.0])
        cycles = [cycle(task, n + 1.0, steps) for n in others]
        seconds = np.stack([np.broadcast_to(one.seconds, fits.shape) for one in cycles])
        full = np.broadcast_to(cycles[-1].crowded, fits.shape)
    else:
        few, of = (fits, task) if starts is None else (fits[..., starts], _first(task, starts))
        others = looked_at(few)
        looked = cycle(of, others + 1.0, steps)
        seconds = np.broadcast_to(looked.seconds, others.shape)
        full = np.broadcast_to(looked.crowded, others.shape)[-1]
    ends = _around(others, np.asarray(seconds, dtype=float), rate, number, shape)
    full = full if number is None else full[..., number]
    others, found = _narrowed(cycle, task, rate, ends, steps)
    return Inside(others=others, found=found, full_seconds=np.broadcast_to(full, shape))


def looked_at(most: Floats) -> Floats:
    """The numbers of others at which Z is looked up, in rising order on a first axis.

    >>> looked_at(np.array([256.0]))[[0, 12, -1], 0].round(1).tolist()
    [0.0, 17.1, 255.0]
    """
    others: Floats = most ** np.linspace(0.0, 1.0, POINTS).reshape(-1, *(1,) * most.ndim) - 1.0
    others[-1] = most - 1.0  # powers are not exact
    return others


def _runs(task: Task, most: Floats, layouts: tuple[int, ...]) -> tuple[Any, Any]:
    """Where runs of equal loads begin on the last axis, and the run of each load; None where loads hardly repeat."""
    if not most.ndim or most.shape[-1] == 1 or (layouts and layouts[-1] != 1):
        return None, None
    changes = np.zeros(most.shape[-1] - 1, dtype=bool)
    for values in (most, *(np.asarray(getattr(task, name)) for name in task.__slots__)):
        if values.ndim and values.shape[-1] > 1:
            changes |= (values[..., 1:] != values[..., :-1]).reshape(-1, changes.size).any(axis=0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    if starts.size * SHARED > most.shape[-1]:
        return None, None
    return starts, np.concatenate([[0], np.cumsum(changes)])


def _first(task: Task, starts: NDArray[np.intp]) -> Task:
    """The first load of each run."""

    def first(values: Any) -> Any:
        return values[..., starts] if np.ndim(values) and np.shape(values)[-1] > 1 else values

    return Task(**{name: first(getattr(task, name)) for name in task.__slots__})


def _around(
    others: Floats, seconds: Floats, rate: Floats, number: NDArray[np.intp] | None, shape: tuple[int, ...]
) -> Ends:
    """The first two points with n between them; `number` says which run each load is in."""
    rows = np.arange(others[0].size).reshape(others.shape[1:])
    carried = others / seconds
    if number is not None:
        rows, carried = rows[..., number], carried[..., number]
    over = np.broadcast_to(rate >= carried[-1], shape)
    point = np.where(over, len(others) - 1, np.maximum(np.argmax(carried >= rate, axis=0), 1))
    place = rows + point * others[0].size
    low, high = others.take(place - others[0].size), others.take(place)
    at_low, at_high = rate * seconds.take(place - others[0].size) - low, rate * seconds.take(place) - high
    return Ends(low=low, high=high, at_low=at_low, at_high=at_high, over=over)


def _narrowed(cycle: Cycles, task: Task, rate: Floats, ends: Ends, steps: Steps) -> tuple[Floats, Cycle]:
    """n, near enough, and the cycle of one more."""
    others = ends.chord()
    shape = others.shape
    found = cycle(task, others + 1.0, steps)
    at = np.asarray(rate * found.seconds - others)
    far = far_off(at, others) & ~ends.over
    if not far.any():
        return others, found
    apart = divides(steps)
    if apart:
        found = spelled(found, shape)
    # Those that are far, by themselves; where steps cannot be asked so, all together.
    places = np.flatnonzero(far) if apart else np.arange(others.size)
    others, at, rates = others.reshape(-1), at.reshape(-1)[places], np.broadcast_to(rate, shape).reshape(-1)[places]
    ends, n, side = ends.at(places), others[places], np.zeros(places.size)
    for _ in range(SEARCHES - 1):
        ends, side = ends.past(n, at, side)
        n = np.where(far_off(at, n) & ~ends.over, ends.chord(), n)
        if apart:
            one = cycle(_some(task, places, shape), n + 1.0, some_steps(steps, shape, places))
            write(found, one, places)
        else:
            found = one = cycle(task, n.reshape(shape) + 1.0, steps)
        others[places] = n
        at = rates * np.reshape(one.seconds, -1) - n
        left = far_off(at, n) & ~ends.over
        if not left.any():
            break
        if apart:
            places, rates, n, at, side, ends = places[left], rates[left], n[left], at[left], side[left], ends.at(left)
    return others.reshape(shape), found


def far_off(at: Floats, n: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.abs(at) > CLOSE * (1.0 + n))


def _some(task: Task, places: Any, shape: tuple[int, ...]) -> Task:
    """Some of the loads, in one row."""

    def some(values: Any) -> Any:
        if np.ndim(values) == 0:
            return values
        return np.asarray(np.broadcast_to(values, shape).reshape(-1)[places])

    return Task(**{name: some(getattr(task, name)) for name in task.__slots__})
