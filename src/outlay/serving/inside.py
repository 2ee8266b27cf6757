r"""How many requests a batch holds at a rate, the least n with :math:`n = \lambda\,Z(n + 1)`; and the highest rate.

Z is looked up at numbers of requests that are the same for every load (:data:`NUMBERS`), once for loads that differ in their
rate alone. The first two of them between which n falls enclose it, so that a batch which would carry less once it is fuller
is not taken for full. A chord between the two is so near that most n need one cycle of their own, which is the answer. Those
that are not near go on with false position, by themselves; an end that stays twice counts half (the Illinois rule), or it
would stay for ever. What is found of a load hangs on nothing that stands beside it.

Nor does more room make less of a batch: who runs an engine may let it run as many as it answers fastest.
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
NUMBERS = 2.0 ** np.arange(20)
"""Numbers of requests at which Z is looked up, besides as many as fit."""
SEARCHES = 8
"""Cycles that find one n at most, beside those."""
CLOSE = 2e-4
"""Error of n, over n + 1, that is small enough."""
SMALL = 1 << 11
"""Cycles that are asked together for little more than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What a request meets that comes at a rate."""

    others: Floats
    found: Cycle
    """Of one more than those."""
    full_seconds: Floats
    """Z of as many as fit, were they answered at the highest rate."""
    slope: Floats
    """Seconds that one more adds to Z, about there."""


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

    def slope(self, rate: Floats) -> Floats:
        """Seconds of Z that lie between them, for each request."""
        seconds = (self.at_high + self.high - self.at_low - self.low) / np.maximum(rate, 1e-300)
        return np.asarray(np.maximum(seconds, 0.0) / np.maximum(self.high - self.low, 1e-9))

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
    first, kind = _kinds(task, fits, layouts)
    looked = look_up(times_of(cycle, _some_of(task, first), steps), fits[first])
    ends = _around(looked, rate, kind, shape)
    others, found = _narrowed(cycle, task, rate, ends, steps)
    full = fits / looked.highest[kind]
    slope = ends.slope(rate)
    return Inside(others=others, found=found, full_seconds=np.broadcast_to(full, shape), slope=slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Cycles of some numbers of requests: arrays with those on the first axis."""

    running: Floats
    seconds: Floats
    """Z."""
    crowded: Floats
    """Z while others wait for their places."""

    @property
    def highest(self) -> Floats:
        """The most requests a second, however many run together for that."""
        found: Floats = (self.running / self.crowded).max(axis=0)
        return found

    @property
    def best(self) -> Floats:
        """The requests that run together then."""
        place = (self.running / self.crowded).argmax(axis=0)
        return np.asarray(np.take_along_axis(self.running, place[None], axis=0)[0])


def looked_at(most: Floats) -> Floats:
    """The numbers of others at which Z is looked up, in rising order on a first axis.

    >>> looked_at(np.array([5.0, 256.0])).T.tolist()[0]
    [0.0, 1.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    """
    count = max(int(np.searchsorted(NUMBERS, np.max(most, initial=1.0))), 1) + 1
    return np.asarray(np.minimum(NUMBERS[:count].reshape(-1, *(1,) * most.ndim), most) - 1.0)


def look_up(ask: Callable[[Floats], tuple[Number, Number]], most: Floats) -> Looked:
    """The cycles of 1 to `most` requests; `ask` says what one takes, and what while others wait."""
    running = looked_at(most) + 1.0
    parts = [running] if running.size <= SMALL else list(running)
    asked = [ask(n) for n in parts]

    def spelled_out(place: int) -> Floats:
        values = [np.broadcast_to(one[place], n.shape) for one, n in zip(asked, parts, strict=True)]
        return np.asarray(np.stack(values).reshape(running.shape), dtype=float)

    return Looked(running=running, seconds=spelled_out(0), crowded=spelled_out(1))


def times_of(cycle: Cycles, task: Task, steps: Steps) -> Callable[[Floats], tuple[Number, Number]]:
    """What the cycle of so many requests takes, and what while others wait."""

    def ask(n: Floats) -> tuple[Number, Number]:
        found = cycle(task, n, steps)
        return found.seconds, found.crowded

    return ask


def _kinds(task: Task, most: Floats, layouts: tuple[int, ...]) -> tuple[Any, Any]:
    """The first load of each kind on the last axis, and the kind of each: they differ in their rate alone."""
    if not most.ndim or most.shape[-1] == 1 or (layouts and layouts[-1] != 1):
        return ..., ...
    size = most.shape[-1]
    parts = [most, *(np.asarray(getattr(task, name)) for name in task.__slots__)]
    rows = np.concatenate([part.reshape(-1, size) for part in parts if part.ndim and part.shape[-1] == size])
    order = np.lexsort(rows)
    changes = (np.diff(rows[:, order], axis=1) != 0).any(axis=0)
    kind = np.empty(size, dtype=np.intp)
    kind[order] = np.concatenate([[0], np.cumsum(changes)])
    return (..., order[np.concatenate([[0], np.flatnonzero(changes) + 1])]), (..., kind)


def _some_of(task: Task, places: Any) -> Task:
    """Some of the loads on the last axis."""

    def some(values: Any) -> Any:
        return values[places] if np.ndim(values) and np.shape(values)[-1] > 1 else values

    return Task(**{name: some(getattr(task, name)) for name in task.__slots__})


def _around(looked: Looked, rate: Floats, kind: Any, shape: tuple[int, ...]) -> Ends:
    """The first two points with n between them; `kind` says which of the loads that were looked up each one is."""
    others, seconds = looked.running - 1.0, looked.seconds
    rows = np.arange(others[0].size).reshape(others.shape[1:])[kind]
    enough = np.stack([row[kind] for row in others / seconds]) >= rate
    over = np.broadcast_to(~enough.any(axis=0), shape)
    point = np.where(over, len(others) - 1, np.maximum(np.argmax(enough, axis=0), 1))
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
