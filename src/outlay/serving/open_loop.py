r"""Requests that come whatever happens, one by one (Poisson).

A running batch is a shared processor whose speed depends on how many share it: with n requests inside, each takes
Z(n) for its cycle. Then the mean number inside solves

.. math:: n = \lambda\, Z(n + 1)

for a request finds n others (exactly so where Z grows evenly with n, whatever the lengths: the queue is insensitive).

Prompts that come during one step are computed in the next, so long steps gather many prompts and the next one is long too:
with α seconds of a step, and β more for each prompt, a request meets a step of :math:`T = E[t^2]/E[t]` under way,

.. math:: T = \frac{\alpha}{1 - \lambda\beta} + \frac{\lambda\beta^2 (1 + c^2)}{1 - \lambda^2\beta^2}, \qquad
          ttft = \alpha + \beta + T\,(1/2 + \lambda\beta)

A prompt that fills steps alone waits as in an M/G/1 queue. K others come while it is there (Little), whom it leaves behind. Its N
further tokens take their steps, the prompts of those, and of all who come until it ends:

.. math:: \frac{N \alpha + K \beta}{1 - \lambda\beta}

Where the batch may hold L requests, those that find it full wait as in front of L servers (Halfin and Whitt 1981).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from outlay.serving.closed_loop import Fared, cycle_of, step_of
from outlay.serving.cycle import Cycle
from outlay.serving.deployment import DEGREES, Deployment
from outlay.serving.inside import inside
from outlay.serving.load import Load
from outlay.serving.prefill import prefill_of
from outlay.serving.prompt_waits import prompt_waits
from outlay.serving.steps import Mixture, Steps, asked_together
from outlay.serving.task import Task
from outlay.workload import Number

SEARCHES = 6
"""Chords that find n at most: then n of one load in three thousand is off by more than `CLOSE`."""
CLOSE = 1e-3
"""Error of n, over n + 1, that is small enough."""


def open_loop(
    deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps
) -> tuple[Fared, Number, Number]:
    """How requests fare, the rate over the highest that can be sustained, and the share of time with any request."""
    assert load.rate is not None
    most = np.maximum(sequences, 1.0)
    shapes = (np.shape(getattr(deployment.layout, name)) for name in DEGREES)
    layouts = np.broadcast_shapes(*shapes)
    met = inside(cycle_of(deployment), task, most, load.rate, steps, layouts=layouts)
    # With all places taken, requests stay as long as places are there for them (Little).
    longest = np.maximum(most / np.maximum(load.rate, 1e-300), met.full_seconds)
    shorter = np.minimum(1.0, longest / met.found.seconds)
    found = replace(met.found, seconds=met.found.seconds * shorter, ttft=met.found.ttft * shorter)
    fared, utilisation, busy = fared_among(
        met.others, found, deployment, load, task, most, met.full_seconds, local=met.slope, steps=steps
    )
    return replace(fared, watts=found.watts(steps)), utilisation, busy


def fared_among(
    inside: Number,
    found: Cycle,
    deployment: Deployment,
    load: Load,
    task: Task,
    most: Number,
    full_seconds: Number,
    *,
    local: Number,
    steps: Steps,
) -> tuple[Fared, Number, Number]:
    """The same, without watts, where it is known how many others a request finds `inside`: `found` is the cycle of one more, and
    `local` the seconds that each adds to it, about there."""
    assert load.rate is not None
    utilisation, rate = load.rate * full_seconds / most, np.maximum(load.rate, 1e-300)
    busy = -np.expm1(-load.rate * found.seconds)
    slope, steady = slope_of(load, most, full_seconds, found, inside, local)
    if deployment.engine.kernels == "ggml":
        found = replace(found, pure=mean_step(found, task, steps, np.sqrt(inside / steady)))
    prompt = prompt_waits(deployment, load, task, found, inside, busy)
    if not deployment.engine.mixed and not np.all(np.greater(task.decodes, 0)):
        # Nothing but prompts, in steps of their own: an instance that computes them alone.
        first = prefill_of(task, steps).first(load.rate, 1.0 + np.square(load.variation))
        prompt = replace(prompt, first=np.where(np.greater(task.decodes, 0), prompt.first, first))
    wait = slot_wait(load, task, most, full_seconds, found, inside, utilisation, steady)
    longest = np.maximum(most / rate, full_seconds)
    if deployment.engine.mixed:
        alone = np.less_equal(task.devices, 1)
        longest = np.where(alone, np.minimum(longest, task.decodes * np.maximum(found.mixed, found.pure)), longest)
    decoding = np.minimum(prompt.decoding, longest)
    # Prompts of others that fall into an answer, and how many share the batch while it lasts.
    squared = 1.0 + np.square(load.variation)
    others = load.rate * decoding * np.square(prompt.each) * np.square(squared)
    fared = Fared(
        ttft=np.maximum(prompt.first, 0.0) + wait,
        queue=wait,
        decode_seconds=decoding,
        requests_per_second=np.minimum(load.rate, most / full_seconds),
        decoding=np.maximum(found.mix.alone, found.mix.beside),
        watts=0.0,
        # A step that a prompt misses is one without prompts where those fill steps alone.
        step=found.pure + task.room * (step_of(deployment, found) - found.pure),
        surest=prompt.own - np.minimum(load.variation, 1.0) * prompt.each,
        first_variance=prompt.variance + wait_variance(wait, freed_in(task, found, most), utilisation),
        decode_variance=np.where(task.decodes > 0, others + np.square(slope) * inside / steady, 0.0),
    )
    return fared, utilisation, np.where(np.less(utilisation, 1.0), busy, 1.0)


def mean_step(found: Cycle, task: Task, steps: Steps, deviation: Number) -> Number:
    """Seconds of a step of decoding over the numbers that are inside, which spread by `deviation` (three points of Gauss and
    Hermite): llama.cpp's kernels change with that number, and a step of nine sequences may take twice what eight take."""
    away = np.sqrt(3.0) * deviation
    around = (np.maximum(found.mix.alone + away, 1.0), np.maximum(found.mix.alone - away, 1.0))
    more, fewer = asked_together(steps, *(Mixture(decoding=n, context=task.context) for n in around))
    return np.asarray((4.0 * found.pure + more + fewer) / 6.0)


def slope_of(
    load: Load, most: Number, full_seconds: Number, found: Cycle, inside: Number, local: Number = 0.0
) -> tuple[Number, Number]:
    """Seconds that one more inside adds to a cycle, about there or up to as many as fit, and by how much that widens the spread
    of the number inside: its variance is the number itself (Poisson), divided by this."""
    assert load.rate is not None
    slope = np.maximum(full_seconds - found.seconds, 0.0) / np.maximum(most - inside - 1.0, 1e-9)
    slope = np.maximum(slope, local)
    return slope, 1.0 - np.clip(load.rate * slope, 0.0, 0.99)


def freed_in(task: Task, found: Cycle, places: Number) -> Number:
    """Seconds in which a place is free again, of a queue in front of them. A place is memory: who has more tokens takes more of
    it for longer, so that what requests hold differs as the square of their lengths, and 1 + c² counts twice."""
    return 2.0 * np.square(task.queueing) * found.seconds / places


def wait_variance(wait: Number, scale: Number, utilisation: Number) -> Number:
    """Of a wait that few have: exponential with mean `scale` / (1 - utilisation) for those."""
    some = scale / np.maximum(1.0 - utilisation, 1e-9)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(wait), wait * np.maximum(2.0 * some - wait, 0.0), 0.0)


def slot_wait(
    load: Load,
    task: Task,
    most: Number,
    full_seconds: Number,
    found: Cycle,
    inside: Number,
    utilisation: Number,
    steady: Number,
    *,
    instances: Number = 1,
) -> Number:
    """Seconds before there is a place in the batch; infinite where the load cannot be sustained. Of so many `instances` a router
    takes the least loaded one, so that all of their places are in front of a request.

    What requests hold varies more than a Poisson number: the more there are, the longer each stays (`steady`), and some hold
    more than others. Where one finds all places but its own taken, as many are taken on average as the rate keeps busy.
    """
    assert load.rate is not None
    crowded = np.greater_equal(inside, (most - 1.0) * (1.0 - 1e-6))
    taken = np.where(crowded, np.clip(load.rate * full_seconds, inside, most), inside)
    deviation = np.sqrt(np.maximum(taken, 1e-12) * (1.0 + np.square(load.variation)) / steady)
    distance = np.clip(np.sqrt(instances) * (most - taken) / deviation, 1e-3, 30.0)
    density = np.exp(-np.square(distance) / 2.0) / np.sqrt(2.0 * np.pi)
    # A logistic curve for the normal distribution (Bowling et al. 2009, error below 2e-4).
    below = 1.0 / (1.0 + np.exp(-1.5976 * distance - 0.07056 * distance**3))
    full_chance = 1.0 / (1.0 + distance * below / np.maximum(density, 1e-300))
    wait = full_chance * freed_in(task, found, most * instances) / np.maximum(1.0 - utilisation, 1e-9)
    return np.where(np.less(utilisation, 1.0), wait, np.inf)


def number_inside(seconds: Callable[[Number], Number], rate: Number, most: Number) -> Number:
    """n with n = rate · seconds(n), between 0 and `most`; `most` where even that many are not enough.

    False position; an end that stays twice counts half (the Illinois rule), or it would stay for ever. What is near enough
    stays, so that it hangs on nothing that stands beside it.
    """
    low = np.zeros(np.broadcast(rate, most).shape)
    high = low + most
    at_low, at_high = rate * seconds(low) - low, rate * seconds(high) - high
    over = at_high >= 0
    found, side, near = np.where(over, high, low), low, over
    for _ in range(SEARCHES):
        apart = at_low - at_high
        chord = low + (high - low) * at_low / np.where(apart > 0, apart, 1.0)
        found = np.where(near, found, chord)
        at = rate * seconds(found) - found
        near = near | (np.abs(at) <= CLOSE * (1.0 + found))
        if near.all():
            break
        above = at > 0
        at_high = np.where(above, np.where(side > 0, at_high / 2.0, at_high), at)
        at_low = np.where(above, at, np.where(side < 0, at_low / 2.0, at_low))
        low, high = np.where(above, found, low), np.where(above | over, high, found)
        side = np.where(above, 1.0, -1.0)
    return found
