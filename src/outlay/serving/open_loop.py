r"""Requests that come whatever happens, one by one (Poisson).

A running batch is a shared processor whose speed depends on how many share it: with n requests inside, each takes
Z(n) for its cycle. Then the mean number inside solves

.. math:: n = \lambda\, Z(n + 1)

for a request finds n others (exactly so where Z grows evenly with n, whatever the lengths: the queue is insensitive).
Where the batch may hold L requests, those that find it full wait as before L servers (Sakasegawa 1977).
"""

from __future__ import annotations

import numpy as np

from outlay.serving.closed_loop import Fared, cycle_of
from outlay.serving.cycle import Cycle, Task
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.steps import Steps
from outlay.workload import Number

SEARCHES = 14
"""Halvings and chords that find n; the error of n is then below a thousandth."""


def open_loop(
    deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps
) -> tuple[Fared, Number, Number]:
    """How requests fare, the rate over the highest that can be sustained, and the share of time with any request."""
    assert load.rate is not None
    cycle = cycle_of(deployment)
    most = np.maximum(sequences, 1.0)
    full = cycle(task, most, steps)
    inside = _inside(lambda n: cycle(task, n + 1.0, steps).seconds, load.rate, most - 1.0)
    found = cycle(task, inside + 1.0, steps)
    return fared_with(load.rate, found, inside, most, task, full.seconds, full.joules / full.seconds)


def fared_with(
    rate: Number, found: Cycle, inside: Number, most: Number, task: Task, full_seconds: Number, full_watts: Number
) -> tuple[Fared, Number, Number]:
    """The same for requests that find `inside` others: `found` is the cycle of one more, `full_…` are those of as many as fit."""
    utilisation = rate * full_seconds / most
    busy = -np.expm1(-rate * found.seconds)
    # A request comes in the middle of a step, not at its end; and finds none where nobody is inside.
    saved = found.mix.waited * (1.0 - busy / 2.0) * found.pure.seconds
    occupied = np.clip((inside + 1.0) / most, 0.0, 1.0)
    spare = np.maximum(1.0 - utilisation, 1e-9)
    wait = task.queueing * found.seconds / most * occupied ** (np.sqrt(2.0 * (most + 1.0)) - 1.0) / spare
    wait = np.where(np.less(utilisation, 1.0), wait, np.inf)
    power = np.where(np.less(utilisation, 1.0), found.joules / found.seconds, full_watts)
    fared = Fared(
        ttft=np.maximum(found.ttft - saved, 0.0) + wait,
        queue=wait,
        decode_seconds=found.seconds - found.ttft,
        requests_per_second=np.minimum(rate, most / full_seconds),
        decoding=np.maximum(found.mix.alone, found.mix.beside),
        watts=power,
    )
    return fared, utilisation, np.where(np.less(utilisation, 1.0), busy, 1.0)


def _inside(seconds: object, rate: Number, most: Number) -> Number:
    """n with n = rate · seconds(n), between 0 and `most`; `most` where even that many are not enough."""
    assert callable(seconds)
    low, high = np.zeros(np.broadcast(rate, most).shape), np.zeros(np.broadcast(rate, most).shape) + most
    at_low, at_high = rate * seconds(low) - low, rate * seconds(high) - high
    over = at_high >= 0
    for _ in range(SEARCHES):
        spread = np.where(at_low - at_high != 0, at_low - at_high, 1.0)
        middle = np.clip(low + (high - low) * at_low / spread, low, high)
        at = rate * seconds(middle) - middle
        above = at > 0
        # The end that stays counts half (Illinois), or one end would never move.
        at_high = np.where(above, np.where(over, at_high, at_high / 2.0), at)
        at_low = np.where(above, at, at_low / 2.0)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(over, most, (low + high) / 2.0)
