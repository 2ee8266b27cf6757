r"""Requests that come whatever happens, one by one (Poisson).

A running batch is a shared processor whose speed depends on how many share it: with n requests inside, each takes
Z(n) for its cycle. Then the mean number inside solves

.. math:: n = \lambda\, Z(n + 1)

for a request finds n others (exactly so where Z grows evenly with n, whatever the lengths: the queue is insensitive).
Where the batch may hold L requests, those that find it full wait as before L servers (Sakasegawa 1977).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from outlay.serving.closed_loop import Fared, cycle_of
from outlay.serving.cycle import Task
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.steps import Steps
from outlay.workload import Number

SEARCHES = 20
"""Chords that find n at most."""
CLOSE = 1e-3
"""Error of n, over n + 1, that is small enough."""


def open_loop(
    deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps
) -> tuple[Fared, Number, Number]:
    """How requests fare, the rate over the highest that can be sustained, and the share of time with any request."""
    assert load.rate is not None
    cycle = cycle_of(deployment)
    most = np.maximum(sequences, 1.0)
    full = cycle(task, most, steps)
    utilisation = load.rate * full.seconds / most
    inside = _inside(lambda n: cycle(task, n + 1.0, steps).seconds, load.rate, most - 1.0)
    found = cycle(task, inside + 1.0, steps)
    busy = -np.expm1(-load.rate * found.seconds)
    # A request comes in the middle of a step, not at its end; and finds none where nobody is inside.
    saved = found.mix.waited * (1.0 - busy / 2.0) * found.pure
    occupied = np.clip((inside + 1.0) / most, 0.0, 1.0)
    spare = np.maximum(1.0 - utilisation, 1e-9)
    wait = task.queueing * found.seconds / most * occupied ** (np.sqrt(2.0 * (most + 1.0)) - 1.0) / spare
    wait = np.where(np.less(utilisation, 1.0), wait, np.inf)
    fared = Fared(
        ttft=np.maximum(found.ttft - saved, 0.0) + wait,
        queue=wait,
        decode_seconds=found.seconds - found.ttft,
        requests_per_second=np.minimum(load.rate, most / full.seconds),
        decoding=np.maximum(found.mix.alone, found.mix.beside),
        watts=found.watts(steps),
    )
    return fared, utilisation, np.where(np.less(utilisation, 1.0), busy, 1.0)


def _inside(seconds: Callable[[Number], Number], rate: Number, most: Number) -> Number:
    """n with n = rate · seconds(n), between 0 and `most`; `most` where even that many are not enough.

    False position; an end that stays twice counts half (the Illinois rule), or it would stay for ever.
    """
    low = np.zeros(np.broadcast(rate, most).shape)
    high = low + most
    at_low, at_high = rate * seconds(low) - low, rate * seconds(high) - high
    over = at_high >= 0
    found, side = np.where(over, high, low), low
    for _ in range(SEARCHES):
        apart = at_low - at_high
        found = np.where(over, high, low + (high - low) * at_low / np.where(apart > 0, apart, 1.0))
        at = rate * seconds(found) - found
        if np.all((np.abs(at) <= CLOSE * (1.0 + found)) | over):
            break
        above = at > 0
        at_high = np.where(above, np.where(side > 0, at_high / 2.0, at_high), at)
        at_low = np.where(above, at, np.where(side < 0, at_low / 2.0, at_low))
        low, high = np.where(above, found, low), np.where(above | over, high, found)
        side = np.where(above, 1.0, -1.0)
    return found
