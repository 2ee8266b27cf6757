r"""Prompts that come at times of their own: more of them come during a long step, and are computed together in the next.

Clients that wait send a request when a step ends, however long it was. Independent requests come as :math:`\lambda t` in a
step of t seconds. Of steps with prompts (of t₁ seconds) and without (t₀), those with prompts are then

.. math:: p = \frac{1 - e^{-\lambda t_0}}{1 - e^{-\lambda t_0} + e^{-\lambda t_1} c^{-k}}

where a prompt takes c steps, and k of them share one. That matters where a second prompt costs less than the first: with
data-parallel attention, whose devices wait for one that has a prompt, until each of them has one. Beyond, a step takes as
many times longer as the fullest device has more prompts; numbers that vary about that bend cost more than their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from outlay.serving.mix import Mix
from outlay.serving.steps import Mixture
from outlay.serving.task import Task
from outlay.workload import Number

TIMES = 12
"""Rounds after which the share of steps with prompts stands still."""


def another(task: Task, prefilling: Mixture) -> Mixture:
    """A step with another number of the same prompts: with what it takes, that of any number follows."""
    prompts = _other(task, prefilling.prompts)
    return replace(prefilling, prefill=prompts * (prefilling.prefill / prefilling.prompts), prompts=prompts)


def gathered(task: Task, n: Number, mix: Mix, times: Sequence[Number]) -> tuple[Mix, Number]:
    """The plan of a cycle in which prompts gather in long steps, and the seconds of such a step. `times` are those of a
    step without and with prompts, as if they came one by one, and of :func:`another` one.
    """
    spread = np.greater(task.devices, 1)
    long = _seconds(task, mix.prompts, times[1], times[2], beside=times[0])
    before = mix.prefilling / mix.steps
    pieces = before * mix.prompts
    share = _share(task, n, pieces, mix.steps, times[0], long, before)
    share = np.where(spread, share, before)
    return mix.with_share(share), np.where(spread, long(pieces / share), times[1])


def gathered_first(task: Task, n: Number, mix: Mix, times: Sequence[Number]) -> tuple[Mix, Number]:
    """The same where prompts have steps of their own and go first: those that come during one follow it at once."""
    long = _seconds(task, mix.prompts, times[1], times[2], beside=0.0)
    pieces = mix.prefilling * mix.prompts / mix.steps
    more = mix.prefilling / mix.steps
    least = pieces / _slots(task)
    others, chunks = _coming(n, pieces, mix.steps)
    logarithm = np.log(chunks)
    for _ in range(TIMES):
        together = pieces / more
        seconds = long(together)
        rate = others / (times[0] + more * seconds)
        found = _ratio(rate, logarithm, times[0], seconds, together)
        found = pieces * found / (rate * chunks * (times[0] + found * seconds))
        more = np.clip(np.sqrt(more * found), least, pieces)
    return mix.with_share(more), long(pieces / more)


def _share(
    task: Task, n: Number, pieces: Number, whole: Number, short: Number, long: Callable[[Number], Number], share: Number
) -> Number:
    """Of `whole` steps of a cycle those that hold prompts, `pieces` of them in a mean step; `share` is where to begin."""
    least, most = np.minimum(pieces / _slots(task), 1.0), np.minimum(pieces, 1.0)
    others, chunks = _coming(n, pieces, whole)
    logarithm = np.log(chunks)
    for _ in range(TIMES):
        together = pieces / share
        seconds = long(together)
        rate = others / (share * seconds + (1.0 - share) * short)
        ratio = _ratio(rate, logarithm, short, seconds, together)
        found = ratio / (1.0 + ratio)
        found = pieces * found / (rate * chunks * (found * seconds + (1.0 - found) * short))
        share = np.clip((share + found) / 2.0, least, most)
    return share


def _coming(n: Number, pieces: Number, whole: Number) -> tuple[Number, Number]:
    """Prompts of others that come in a step, and steps that each takes."""
    return np.maximum(n - 1.0, 1e-6) / whole, np.maximum(pieces * whole / n, 1.0)


def _ratio(rate: Number, logarithm: Number, short: Number, long: Number, together: Number) -> Number:
    """Steps with prompts of others over those without, p / (1 - p); `logarithm` is that of the steps that each takes."""
    again = np.minimum(rate * long + together * logarithm, 500.0)
    return -np.expm1(-rate * short) * np.exp(again)


def _slots(task: Task) -> Number:
    """Prompts that fill a step."""
    return task.devices * np.maximum(task.chunk / task.prompt, 1.0)


def _bend(task: Task) -> Number:
    """Prompts up to which a device more has one, rather than a device more of them."""
    return np.maximum(task.devices, 2.0)


def _other(task: Task, prompts: Number) -> Number:
    """Prompts of :func:`another` step: those at the bend, or one, whichever is further away."""
    bend = _bend(task)
    return np.where(np.square(prompts) < bend, bend, 1.0)


def _seconds(
    task: Task, prompts: Number, known: Number, at_other: Number, *, beside: Number
) -> Callable[[Number], Number]:
    """What a step takes by how many prompts share it on average: `known` with `prompts`, `at_other` with those of
    :func:`another` step, `beside` without any.

    Up to one prompt on every device it grows by what experts take; beyond, as the fullest device has more.
    """
    # A line through the two that are known leads to the bend; where more prompts are known, what each of them adds leads back.
    bend, alone = _bend(task), np.less_equal(task.devices, 1)
    other = _other(task, prompts)
    slope = np.maximum((known - at_other) / (prompts - other), 0.0)
    within = np.less_equal(prompts, bend) | alone
    each = (known - beside) / prompts
    at_bend = known + np.where(within, slope, each) * (bend - prompts)
    below = np.where(within, slope, (at_bend - at_other) / (bend - 1.0))
    bent = np.where(alone, 0.0, np.maximum(np.where(within, (at_bend - beside) / bend, each) - below, 0.0))

    # A step takes no less than one without prompts, nor than its share of one with more of them, wherever a line leads
    # that was drawn through the two sides of a tile.
    least = np.maximum(beside, np.minimum(known / np.maximum(prompts, 1.0), at_other / other))
    slots = _slots(task)

    def long(together: Number) -> Number:
        # Of independent prompts; steps that are full hold as many each.
        free = np.maximum(1.0 - together / slots, 0.0)
        deviation = np.sqrt(np.maximum((together - 1.0) * free, 1e-9))
        away = together - bend
        over = np.maximum(away, 0.0) + deviation * shortfall(np.abs(away) / deviation)
        return np.asarray(np.maximum(at_bend + below * away + bent * over, least))

    return long


def shortfall(distance: Number) -> Number:
    """Mean of what a standard normal number is beyond `distance`, 0 where it is not.

    >>> round(float(shortfall(0.0)), 4), round(float(shortfall(1.0)), 4)
    (0.3989, 0.0833)
    """
    density = np.exp(-np.square(distance) / 2.0) / np.sqrt(2.0 * np.pi)
    # A logistic curve for the normal distribution (Bowling et al. 2009, error below 2e-4).
    above = 1.0 / (1.0 + np.exp(np.minimum(1.5976 * distance + 0.07056 * distance * distance * distance, 700.0)))
    return np.asarray(np.maximum(density - distance * above, 0.0))
