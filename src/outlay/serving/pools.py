"""Pools of a disaggregated deployment, one at a time: instances that compute prompts, and instances that decode.

The formulas are those of :mod:`outlay.serving.disaggregated`, for many deployments in arrays and for any rate; what couples
the pools (caches that are sent, waiting for a place to decode) is added by whoever joins them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.cycle import Cycle, answering_cycle
from outlay.serving.deployment import Deployment
from outlay.serving.disaggregated import mean_watts
from outlay.serving.load import Load, Performance
from outlay.serving.loops import FEW, Floats, Loops, Met, looked_up, numbers_of, some_of
from outlay.serving.open_loop import slope_of, slot_wait
from outlay.serving.prefill import Prefill, prefill_of
from outlay.serving.room import Room, room
from outlay.serving.steps import Steps, timed
from outlay.serving.task import Task

NUMBERS = 12
"""Rates that are looked at first, of instances that compute prompts alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLoops(Loops):
    """Instances that decode what others have prefilled: `ttft` is what a request waits before it decodes."""

    instances: Any = 1
    """How many there are of each that is asked for, among which a router balances."""

    def _cycle(self, deployment: Deployment, running: Floats, steps: Steps) -> Cycle:
        return answering_cycle(Task.of(deployment, self.load, None), running, steps)

    def _fares(self, places: Any, inside: Floats, met: Met) -> tuple[Floats, Performance]:
        deployment, found = some_of(self.deployment, places), met.found
        assert isinstance(found, Cycle)
        most = np.maximum(np.asarray(self.limits.sequences)[places], 1.0)
        others = np.minimum(inside, most - 1.0)
        rate: Floats = inside / found.seconds
        task, load = Task.of(deployment, self.load, None), dataclasses.replace(self.load, rate=rate)
        utilisation = rate * self.full[places] / most
        full = self.full[places]
        _, steady = slope_of(load, most, full, found, others)
        place = slot_wait(load, task, most, full, found, others, utilisation, steady, instances=self.instances)
        answer = found.seconds - found.ttft
        power: Any = 0.0
        if met.watts is not None:
            power = mean_watts(deployment, -np.expm1(-rate * found.seconds), met.watts)
        further = np.maximum(np.subtract(self.load.output, 1.0), 1e-9)
        return rate, _performance(
            load, ttft=place + found.ttft, tpot=answer / further, utilisation=utilisation, queue=place, watts=power
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillLoops(Loops):
    """Instances that compute prompts alone: `ttft` ends with the prompt. Asked by their rate, which nothing hangs on."""

    prompts: Prefill
    working: Floats
    """Watts of a device while prompts are computed."""

    def at(self, places: Any, inside: Floats, *, watts: bool = False) -> tuple[Floats, Performance]:
        rate, prompts = inside, _prompts_at(self.prompts, places)
        squared = 1.0 + np.square(self.load.variation)
        utilisation = rate * prompts.each
        first = np.where(np.less(utilisation, 1.0), prompts.first(rate, squared), np.inf)
        load, power = dataclasses.replace(self.load, rate=rate), np.zeros_like(rate)
        if watts:
            power = np.asarray(mean_watts(self.deployment, np.minimum(utilisation, 1.0), self.working[places]))
        queue = first - prompts.one
        return rate, _performance(load, ttft=first, tpot=0.0, utilisation=utilisation, queue=queue, watts=power)

    def among(self, places: Any, rate: Floats, instances: Any) -> Floats:
        """Seconds of a prompt where so many `instances` have such a rate each, the least loaded of which gets it."""
        prompts = _prompts_at(self.prompts, places)
        first = prompts.first(rate, 1.0 + np.square(self.load.variation), instances)
        return np.where(np.less(rate * prompts.each, 1.0), first, np.inf)

    def kept_up(self, places: Any, inside: Floats) -> Floats:
        """The rate itself."""
        return inside

    def utilisation(self, places: Any, rate: Floats) -> Floats:
        """A rate over that at which a prompt comes as fast as one is computed."""
        return np.asarray(rate * np.asarray(self.prompts.each)[places])

    def at_rate(self, places: Any, rate: Any, *, watts: bool = True) -> Performance:
        """How they fare at a rate: nothing has to be looked for."""
        return self.at(places, np.broadcast_to(np.asarray(rate, dtype=float), np.shape(places)), watts=watts)[1]

    def most(self, places: Any) -> Floats:
        """The rate at which a prompt comes as fast as one is computed."""
        return np.asarray((1.0 - 1e-6) / np.asarray(self.prompts.each)[places], dtype=float)

    def sustained(self, places: Any) -> Floats:
        """The same."""
        return np.asarray(1.0 / np.asarray(self.prompts.each)[places], dtype=float)


def decode_loops(
    deployment: Deployment, load: Load, coefficients: ServingCoefficients, limits: Room | None = None
) -> DecodeLoops:
    """The decoding pools of deployments whose degrees and chunks are arrays of one length."""
    shape = np.shape(deployment.layout.tensor)
    limits = limits or room(deployment, load, coefficients)
    sequences = np.maximum(np.broadcast_to(limits.sequences, shape), 1.0)
    return looked_up(
        DecodeLoops(
            deployment=deployment,
            load=load,
            coefficients=coefficients,
            limits=_spelled(limits, sequences),
            first=np.zeros(shape),
            full=np.zeros(shape),
            numbers=numbers_of(sequences),
        )
    )


def prefill_loops(
    deployment: Deployment, load: Load, coefficients: ServingCoefficients, limits: Room | None = None
) -> PrefillLoops:
    """The pools of prompts of deployments whose degrees and chunks are arrays of one length."""
    shape = np.shape(deployment.layout.tensor)
    steps = timed(deployment, coefficients)
    prompts = prefill_of(Task.of(deployment, load, None), steps)
    spelled: dict[str, Any] = {name: np.broadcast_to(getattr(prompts, name), shape) for name in _BY_PLACE}
    limits = limits or room(deployment, load, coefficients)
    return PrefillLoops(
        deployment=deployment,
        load=load,
        coefficients=coefficients,
        limits=_spelled(limits, np.maximum(np.broadcast_to(limits.sequences, shape), 1.0)),
        first=np.asarray(spelled["one"], dtype=float),
        full=np.asarray(spelled["each"], dtype=float),
        numbers=np.geomspace(FEW[0], 1.0, NUMBERS) * (1.0 - 1e-6) / np.asarray(spelled["each"], dtype=float)[:, None],
        prompts=dataclasses.replace(prompts, **spelled),
        working=np.broadcast_to(np.asarray(steps.watts(prompts.step), dtype=float), shape),
    )


_BY_PLACE = ("one", "each", "room", "places", "held", "devices", "side")
"""What of the prompts of many deployments is an array."""


def _prompts_at(prompts: Prefill, places: Any) -> Prefill:
    some: dict[str, Any] = {name: np.asarray(getattr(prompts, name))[places] for name in _BY_PLACE}
    return dataclasses.replace(prompts, **some)


def _spelled(limits: Room, sequences: Floats) -> Room:
    return Room(
        sequences=sequences,
        cache_bytes=np.broadcast_to(limits.cache_bytes, sequences.shape),
        mean_bytes=np.broadcast_to(limits.mean_bytes, sequences.shape),
    )


def _performance(load: Load, *, ttft: Any, tpot: Any, utilisation: Any, queue: Any, watts: Any) -> Performance:
    """What a pool is asked for; the rest is of the whole deployment."""
    rate = np.asarray(load.rate, dtype=float)
    return Performance(
        ttft=ttft,
        tpot=tpot,
        e2e=ttft + np.maximum(np.subtract(load.output, 1.0), 0.0) * tpot,
        requests_per_second=rate,
        output_per_second=rate * load.output,
        total_per_second=rate * np.add(load.input, load.output),
        concurrency=rate * ttft,
        decoding=0.0,
        utilisation=utilisation,
        cache_share=0.0,
        queue=queue,
        device_watts=watts,
    )
