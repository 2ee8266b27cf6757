r"""An instance that computes prompts and nothing else: a queue of them, several to a step where they fit.

With S seconds for one alone and β for each of many in one step, at λ prompts a second,

.. math:: ttft = S + \min(\lambda S, 1)\,\frac{S v}{1 - \lambda^2\beta^2}\,(1/2 + \lambda\beta)

where v is 1 + c² for independent arrivals, and less for those that come more evenly (Kingman 1961); :math:`\lambda S^2 v
/ (2 (1 - \lambda S))` where one prompt fills a step (M/G/1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.steps import Mixture, Steps, asked_together
from outlay.serving.task import Task
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """One prefilling instance."""

    one: Number
    """S: seconds of a prompt alone."""
    each: Number
    """β: of each of as many as a step takes."""
    step: Mixture
    room: Number
    """How far several prompts share a step: 0 where one fills it, 1 where two and more fit."""
    places: Number
    """Prompts of a step at most."""
    in_step: Number
    """Several devices compute a prompt each in one step (data-parallel attention)."""

    def first(self, rate: Number, squared: Number) -> Number:
        """Mean seconds of a prompt, waiting included, at a rate; `squared`: v, 1 + c² for independent arrivals."""
        share = np.minimum(rate * self.each, 0.999)
        # A step is met by no more than all: where many prompts share one, they come as often as they may.
        met = np.minimum(rate * self.one, 1.0)
        longer = (0.5 + share) / (1.0 - np.square(share))
        # Devices in step have a place each: a step takes no longer for more prompts until all of them are taken.
        left = share ** (np.sqrt(2.0 * (self.places + 1.0)) - 1.0) / (self.places * (1.0 - share))
        gathered = met * self.one * squared * np.where(self.in_step, 0.5 + left, longer)
        alone = np.minimum(rate * self.one, 0.999)
        queued = rate * np.square(self.one) * squared / (2.0 * (1.0 - alone))
        return self.one + self.room * gathered + (1.0 - self.room) * queued

    def together(self, count: Number) -> Number:
        """Mean seconds of `count` prompts that are sent at once to an idle instance."""
        group = np.minimum(count, self.step.prompts)
        return np.maximum(self.one, self.each * (count + group) / 2.0)

    def variance(self, rate: Number, variation: Number) -> Number:
        """Of those seconds: of the prompt itself, and of its wait as in an M/G/1 queue (Takács 1962)."""
        squared = 1.0 + np.square(variation)
        wait = self.first(rate, squared) - self.one
        share = np.minimum(rate * (self.room * self.each + (1.0 - self.room) * self.one), 0.999)
        cubed = squared * (1.0 + 2.0 * np.square(variation))
        return np.square(variation * self.one) + np.square(wait) + rate * self.one**3 * cubed / (3.0 * (1.0 - share))


def behind_many(instances: Number, utilisation: Number) -> Number:
    r"""Waiting at one of k instances, each of which is `utilisation` busy, over that at one alone with its part of the load:
    a router sends each prompt to the least loaded one.

    .. math:: \rho^{\sqrt{2(k+1)} - 2} / k

    (Sakasegawa 1977, of the queue in front of k servers over that in front of one).

    >>> round(float(behind_many(1, 0.8)), 3), round(float(behind_many(8, 0.8)), 3)
    (1.0, 0.076)
    """
    share = np.clip(utilisation, 1e-9, 1.0)
    return np.asarray(share ** (np.sqrt(2.0 * (np.asarray(instances, dtype=float) + 1.0)) - 2.0) / instances)


def prefill_of(task: Task, steps: Steps) -> Prefill:
    chunks = np.ceil(task.prompt / task.chunk)
    each = task.prompt / chunks
    many = np.maximum(task.chunk / task.prompt, 1.0) * task.devices
    alone = Mixture(decoding=0.0, context=0.0, prefill=each, prompts=1.0, past=task.past(each))
    full = Mixture(decoding=0.0, context=0.0, prefill=each * many, prompts=many, past=task.past(each))
    pipelined = bool(np.any(np.greater(task.stages, 1)))
    read = Mixture(decoding=0.0, context=0.0, prefill=1.0, prompts=1.0)
    first, last, *least = asked_together(steps, alone, full, *([read] if pipelined else []))
    through = task.through(first - least[0], 1.0) if pipelined else 0.0
    return Prefill(
        one=chunks * first + through,
        each=chunks * last / many,
        step=full,
        room=np.clip(many - 1.0, 0.0, 1.0),
        places=many,
        in_step=np.greater(task.devices, 1),
    )
