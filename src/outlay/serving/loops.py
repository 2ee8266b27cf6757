"""Many instances under open loops at once, asked by how full they are rather than by what reaches them.

:func:`~outlay.serving.batching.perform` looks for the requests that are inside at a given rate. Turned round, nothing has to
be looked for: with x requests inside, :math:`\\lambda = x / Z`. That is what a search over rates wants, since it may choose
its points. The model is the same, and so are the figures (tested).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from outlay.serving.batching import performance_of
from outlay.serving.closed_loop import cycle_of
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.cycle import Cycle
from outlay.serving.deployment import Deployment
from outlay.serving.front_end import behind, scheduled_before
from outlay.serving.inside import SEARCHES, Ends, far_off, looked_at
from outlay.serving.load import Load, Performance
from outlay.serving.open_loop import fared_among
from outlay.serving.room import Room, room
from outlay.serving.spelling import spelled, write
from outlay.serving.static_batching import Batch, batch_of, batch_seconds, batch_times, static_among
from outlay.serving.steps import Steps, asked_together, knows, timed
from outlay.serving.task import Task

Floats = NDArray[np.float64]
FEW = (1e-3, 1e-2, 1e-1)
"""Requests inside, on average, of instances that hardly any reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What a request meets in instances: their cycle, or the batch that it is in."""

    found: Cycle | Batch
    seconds: Floats
    """From being sent to being answered, or of the batch."""
    watts: Any
    """Of one device; None where nobody asked."""

    def spelled(self, shape: tuple[int, ...]) -> Met:
        """The same with an array of a shape for each number, into which can be written."""
        return spelled(self, shape)

    def write(self, some: Met, places: NDArray[np.intp]) -> None:
        """What some of them meet, in the place of what stood there."""
        write(self, some, places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """One instance of each of many deployments (degrees and chunks are arrays of one length) under the same requests."""

    deployment: Deployment
    load: Load
    """Its `rate` is of no account."""
    coefficients: ServingCoefficients
    limits: Room
    first: Floats
    """Seconds of a request that is alone."""
    full: Floats
    """Seconds of a request among as many as fit, were they answered at the highest rate."""
    numbers: Floats
    """Requests inside that are looked at first (places, numbers), in rising order: hardly any, those at which
    :func:`~outlay.serving.inside.inside` looks, and as many as can be carried. Nothing of the load's size is in them, so that
    more machines or fewer requests find the same."""
    met: Met | None = None
    """What requests meet there."""

    def looked(self) -> tuple[Floats, Performance]:
        """The rates that :attr:`numbers` keep up, and how they fare."""
        places = np.arange(self.first.size)[:, None]
        return self.at(places, self.numbers) if self.met is None else self._fares(places, self.numbers, self.met)

    def at(self, places: Any, inside: Floats, *, watts: bool = False) -> tuple[Floats, Performance]:
        """The rate that keeps `inside` requests in instances at `places`, and how they fare; below the most that fit.

        Their power only where `watts` asks for it: it takes as long again.
        """
        met = self._met(places, inside, watts=watts)
        return self._fares(places, inside, self._with_watts(places, met) if watts else met)

    def kept_up(self, places: Any, inside: Floats) -> Floats:
        """The rate alone."""
        return inside / self._met(places, inside, watts=False).seconds

    def utilisation(self, places: Any, rate: Floats) -> Floats:
        """A rate over the highest that can be sustained."""
        most = np.maximum(np.asarray(self.limits.sequences, dtype=float)[places], 1.0)
        return np.asarray(rate * self.full[places] / most)

    def _fares(self, places: Any, inside: Floats, met: Met) -> tuple[Floats, Performance]:
        """The same where it is known what they meet."""
        deployment, limits = some_of(self.deployment, places), self.limits.at(places)
        most = np.maximum(limits.sequences, 1.0)
        rate = inside / met.seconds
        load = dataclasses.replace(self.load, rate=rate)
        if isinstance(met.found, Batch):
            n = np.maximum(inside, 1.0)
            fared, utilisation, busy = static_among(n, met.found, met.seconds, load, most, self.full[places])
        else:
            others, task = np.minimum(inside, most - 1.0), Task.of(deployment, self.load, None)
            full = self.full[places]
            local, steps = self._slope(places, others), timed(deployment, self.coefficients)
            fared, utilisation, busy = fared_among(
                others, met.found, deployment, load, task, most, full, local=local, steps=steps
            )
        if met.watts is not None:
            fared = dataclasses.replace(fared, watts=met.watts)
        found = performance_of(deployment, load, limits, fared, utilisation, busy)
        front_end = self.coefficients.step.front_of(deployment.engine, self.load.input)
        return rate, behind(
            found, load, deployment, front_end + scheduled_before(deployment, load, found, fared.step, front_end)
        )

    def _slope(self, places: Any, others: Floats) -> Floats:
        """Seconds that one more adds to a cycle, about there, as in :attr:`~outlay.serving.inside.Inside.slope`."""
        assert self.met is not None
        # The numbers at which `inside` looks, and none of them twice.
        among = [0, *range(len(FEW), self.numbers.shape[1] - 1)]
        numbers, seconds = (part[:, among][places] for part in (self.numbers, self.met.seconds))
        place = np.clip((others[..., None] > numbers[..., 1:]).sum(axis=-1), 0, len(among) - 2)
        between = np.maximum(np.diff(seconds), 0.0) / np.maximum(np.diff(numbers), 1e-9)
        between = np.broadcast_to(between, (*place.shape, between.shape[-1]))
        return np.take_along_axis(between, place[..., None], axis=-1)[..., 0]

    def at_rate(self, places: Any, rate: Any, *, watts: bool = True) -> Performance:
        """How they fare when `rate` requests a second reach each.

        Of several n with n = rate · Z(n), which there are where a step jumps, it is the one that
        :func:`~outlay.serving.batching.perform` finds: between the first two numbers of the grid that enclose one.
        """
        alone = self.first[places]
        rate = np.broadcast_to(np.asarray(rate, dtype=float), alone.shape)
        assert self.met is not None
        ends = _around(alone, rate, self.numbers[places], self.met.seconds[places])
        now = ends.chord()
        met = self._met(places, now, watts=watts).spelled(now.shape)
        far, side = np.arange(alone.size), np.zeros(alone.size)
        for _ in range(SEARCHES - 1):
            at = rate[far] * met.seconds[far] - now[far]
            off = far_off(at, now[far]) & ~ends.over
            if not off.any():
                break
            ends, side = ends.at(off).past(now[far[off]], at[off], side[off])
            far = far[off]
            now[far] = ends.chord()
            met.write(self._met(places[far], now[far], watts=watts), far)
        return self._fares(places, now, self._with_watts(places, met) if watts else met)[1]

    def sustained(self, places: Any) -> Floats:
        """The most requests a second that can be sustained at all."""
        most: Floats = np.asarray(self.limits.sequences, dtype=float)[places] / self.full[places]
        return most

    def most(self, places: Any) -> Floats:
        """Requests inside just before no more can be carried."""
        below: Floats = np.maximum(np.asarray(self.limits.sequences, dtype=float)[places], 1.0) * (1.0 - 1e-6)
        return below

    @property
    def _static(self) -> bool:
        return self.deployment.engine.batching == "static"

    def meet(self, places: Any, inside: Floats) -> Met:
        """What a request meets that finds so many inside, but for watts."""
        return self._met(places, inside, watts=False)

    def _met(self, places: Any, inside: Floats, *, watts: bool) -> Met:
        """What a request meets that finds so many inside."""
        deployment = some_of(self.deployment, places)
        task, steps = Task.of(deployment, self.load, None), timed(deployment, self.coefficients)
        found: Batch | Cycle
        if self._static:
            n = np.maximum(inside, 1.0)
            found = batch_of(task, n, steps)
            seconds = batch_seconds(found, self.load, n)
        else:
            most = np.maximum(np.asarray(self.limits.sequences)[places], 1.0)
            found = self._cycle(deployment, np.minimum(inside, most - 1.0) + 1.0, steps)
            seconds = found.seconds
        drawn = found.watts(steps) if watts and knows(steps, found.prefilling) else None
        return Met(found=found, seconds=np.asarray(seconds, dtype=float), watts=drawn)

    def _with_watts(self, places: Any, met: Met) -> Met:
        """With what they draw, where that is not known of the steps that were timed: prompts have gathered in others."""
        if met.watts is not None:
            return met
        assert isinstance(met.found, Cycle)
        steps = timed(some_of(self.deployment, places), self.coefficients)
        asked_together(steps, met.found.prefilling, met.found.decoding)
        return dataclasses.replace(met, watts=met.found.watts(steps))

    def _cycle(self, deployment: Deployment, running: Floats, steps: Steps) -> Cycle:
        return cycle_of(deployment)(Task.of(deployment, self.load, None), running, steps)


def _around(alone: Floats, rate: Floats, inside: Floats, taken: Floats) -> Ends:
    """By place, the first of the requests inside that keep up `rate`, and those before them; each takes so many seconds."""
    n = np.concatenate([np.zeros((alone.size, 1)), inside], axis=1)
    seconds = np.concatenate([alone[:, None], taken], axis=1)
    enough = inside >= rate[:, None] * taken
    over: NDArray[np.bool_] = np.logical_not(enough.any(axis=1))
    row, above = np.arange(alone.size), np.where(over, inside.shape[1] - 1, enough.argmax(axis=1)) + 1
    low, high = n[row, above - 1], n[row, above]
    return Ends(
        low=low,
        high=high,
        at_low=rate * seconds[row, above - 1] - low,
        at_high=rate * seconds[row, above] - high,
        over=over,
    )


Make: TypeAlias = Callable[[Deployment, Load, ServingCoefficients, Room | None], "Loops"]
"""What makes loops of deployments: of whole instances, or of one kind of pool."""


def loops_of(
    deployment: Deployment, load: Load, coefficients: ServingCoefficients, limits: Room | None = None
) -> Loops:
    """The loops of deployments whose degrees and chunks are arrays of one length; `limits` are theirs where they are known."""
    shape = np.shape(deployment.layout.tensor)
    limits = limits or room(deployment, load, coefficients, together=deployment.engine.batching == "static")
    sequences = np.maximum(np.broadcast_to(limits.sequences, shape), 1.0)
    loops = Loops(
        deployment=deployment,
        load=load,
        coefficients=coefficients,
        limits=Room(
            sequences=sequences,
            cache_bytes=np.broadcast_to(limits.cache_bytes, shape),
            mean_bytes=np.broadcast_to(limits.mean_bytes, shape),
        ),
        first=np.zeros(shape),
        full=np.zeros(shape),
        numbers=numbers_of(sequences),
    )
    return looked_up(loops)


def numbers_of(sequences: Floats) -> Floats:
    """The requests inside that are looked at first, of instances in which so many run together at most.

    >>> numbers_of(np.array([6.0]))[0].round(3).tolist()
    [0.001, 0.01, 0.1, 1.0, 3.0, 5.0, 6.0]
    """
    others = [*np.minimum(np.reshape(FEW, (-1, 1)), sequences - 1.0), *looked_at(sequences)[1:]]
    numbers: Floats = np.maximum(np.stack([*others, sequences * (1.0 - 1e-6)], axis=-1), FEW[0])
    return numbers


AnyLoops = TypeVar("AnyLoops", bound=Loops)


def looked_up(loops: AnyLoops) -> AnyLoops:
    """The same, with what requests meet at :attr:`Loops.numbers`."""
    met = loops.meet(np.arange(loops.first.size)[:, None], loops.numbers)
    met = dataclasses.replace(met, seconds=np.broadcast_to(met.seconds, loops.numbers.shape))
    return dataclasses.replace(loops, met=met, first=met.seconds[:, 0], full=_full_seconds(loops, met))


def _full_seconds(loops: Loops, met: Met) -> Floats:
    """Seconds of a request among as many as fit, were they answered at the highest rate, however many run together for that."""
    sequences = np.asarray(loops.limits.sequences, dtype=float)
    running = np.minimum(loops.numbers, sequences[:, None] - 1.0) + 1.0
    if isinstance(met.found, Cycle):
        crowded = met.found.crowded
    else:
        deployment = some_of(loops.deployment, np.arange(sequences.size)[:, None])
        task = Task.of(deployment, loops.load, None)
        _, crowded = batch_times(task, loops.load, timed(deployment, loops.coefficients))(running)
    # Between hardly any and one there is nothing to carry more.
    rates = np.delete(running / np.broadcast_to(crowded, running.shape), range(1, len(FEW)), axis=1)
    return np.asarray(sequences / rates.max(axis=1))


def some_of(deployment: Deployment, places: Any) -> Deployment:
    """Some of the deployments that the arrays of one spell out."""
    chunks = np.asarray(deployment.engine.chunk_tokens)
    engine = with_chunks(deployment, chunks[places]) if chunks.ndim else deployment.engine
    return dataclasses.replace(deployment, layout=deployment.layout.at(places), engine=engine)


def with_chunks(deployment: Deployment, chunks: NDArray[Any]) -> Any:
    """The engine with an array of most tokens of a step."""
    return dataclasses.replace(deployment.engine, chunk_tokens=cast("Any", chunks))
