r"""An instance that computes prompts and nothing else: a queue of them, several to a step where they fit.

A step of n prompts takes :math:`T(n) = \tau + \alpha n` up to the c that it has room for. Where it takes all who wait, at λ
prompts a second the mean prompt spends (Inoue 2021, *Queueing analysis of GPU-based inference servers with dynamic
batching: a closed-form characterization*)

.. math:: \min\left(\frac{\alpha + \tau}{2 (1 - \lambda\alpha)} \left(1 + 2\lambda\tau
    + \frac{1 - \lambda\tau}{1 + \lambda\alpha}\right),\;
    \frac{3\tau}{2 (1 - \lambda\alpha)} + \frac{\alpha (\lambda\alpha + 2)}{2 (1 - \lambda^2\alpha^2)}\right)

and those whom a full step leaves behind wait, with :math:`\beta = T(c)/c` and :math:`\rho = \lambda\beta`, the

.. math:: \frac{\beta}{2}\,\frac{\rho^k}{1 - \rho}, \qquad k = \left(\sqrt{2 (c + 1)} - 1\right) T(c) / \tau

that c servers leave behind (Sakasegawa 1977) where a step takes as long for one as for c, and less where it does not. All
waiting is longer by v = 1 + c² of independent arrivals, and shorter for those that come more evenly (Kingman 1961). One prompt
that fills a step waits :math:`\lambda T^2 v / (2 (1 - \lambda T))` (M/G/1).
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
    """Seconds of a prompt alone."""
    held: Number
    """T(1): those in which it holds the instance; the last stages of a pipeline are left to it when the next one begins."""
    each: Number
    """β: seconds of each of as many as a step takes."""
    step: Mixture
    room: Number
    """How far several prompts share a step: 0 where one fills it, 1 where two and more fit."""
    places: Number
    """c: prompts of a step at most."""
    devices: Number
    """Data-parallel devices, each of which computes prompts of its own in a step."""
    side: Number
    """Seconds of a step with one prompt for each of them."""

    def first(self, rate: Number, squared: Number, instances: Number = 1) -> Number:
        """Mean seconds of a prompt, waiting included, at a rate of one of so many `instances`, the least loaded of which gets
        each prompt; `squared`: v, 1 + c² for independent arrivals."""
        alone = np.minimum(rate * self.held, 0.999)
        queued = self.held * alone / (2.0 * (1.0 - alone)) * behind_many(instances, alone)
        return self.one + squared * (self.room * self._shared(rate, instances) + (1.0 - self.room) * queued)

    def _shared(self, rate: Number, instances: Number) -> Number:
        """Mean seconds that a prompt waits for steps, its own longer by the others in it, where it shares them."""
        share = np.minimum(rate * self.each, 0.999)
        rate = share / self.each
        full = self.places * self.each
        chord = np.clip((full - self.held) / np.maximum(self.places - 1.0, 1e-9), 0.0, self.each)
        # A prompt to each device costs less than further ones: T is the longer of two lines, through T(1) and through T(c).
        devices = np.maximum(self.devices, 1.0)
        beside = (self.side - self.held) / np.maximum(devices - 1.0, 1e-9)
        below = np.where(np.greater(devices, 1.0), np.clip(beside, 0.0, chord), chord)
        above = np.clip((full - self.side) / np.maximum(self.places - devices, 1e-9), chord, self.each)
        fixed = full - self.places * above
        waited = np.maximum(_unlimited(rate, self.held - below, below), _unlimited(rate, fixed, above))
        behind = (np.sqrt(2.0 * (self.places + 1.0)) - 1.0) * full / np.maximum(fixed, 1e-3 * self.held)
        left = self.each / 2.0 * share**behind / (1.0 - share)
        # Whoever finds all instances at work waits for a step of one of them, however many there are; what other prompts add
        # to it is divided among them.
        alone = 1.0 - below / self.held
        met = all_at_work(instances, np.minimum(rate * self.held, 1.0)) * (alone + (1.0 - alone) / instances)
        return np.maximum(waited - self.held, 0.0) * met + left * behind_many(instances, share)

    def together(self, count: Number) -> Number:
        """Mean seconds of `count` prompts that are sent at once to an idle instance."""
        group = np.minimum(count, self.step.prompts)
        return np.maximum(self.one, self.each * (count + group) / 2.0)

    def variance(self, rate: Number, variation: Number, instances: Number = 1) -> Number:
        """Of those seconds: of the prompt itself, and of its wait as in an M/G/1 queue (Takács 1962)."""
        squared = 1.0 + np.square(variation)
        wait = self.first(rate, squared, instances) - self.one
        share = np.minimum(rate * (self.room * self.each + (1.0 - self.room) * self.held), 0.999)
        cubed = squared * (1.0 + 2.0 * np.square(variation))
        return np.square(variation * self.one) + np.square(wait) + rate * self.held**3 * cubed / (3.0 * (1.0 - share))


def _unlimited(rate: Number, fixed: Number, more: Number) -> Number:
    """Mean seconds of a prompt where a step takes all who wait, and lasts `fixed` and `more` a prompt (Inoue 2021)."""
    busy = np.minimum(rate * more, 0.999)
    few = (fixed + more) / (2.0 * (1.0 - busy)) * (1.0 + 2.0 * rate * fixed + (1.0 - rate * fixed) / (1.0 + busy))
    many = 1.5 * fixed / (1.0 - busy) + more * (busy + 2.0) / (2.0 * (1.0 - np.square(busy)))
    return np.minimum(few, many)


def all_at_work(instances: Number, utilisation: Number) -> Number:
    r"""How often all of k instances are at work, each of which is `utilisation` busy, over how often one alone is.

    .. math:: \rho^{\sqrt{2(k+1)} - 2}

    (Sakasegawa 1977). A router sends each prompt to the least loaded one.

    >>> round(float(all_at_work(1, 0.8)), 3), round(float(all_at_work(8, 0.8)), 3), float(all_at_work(8, 1.0))
    (1.0, 0.606, 1.0)
    """
    share = np.clip(utilisation, 1e-9, 1.0)
    return np.asarray(share ** (np.sqrt(2.0 * (np.asarray(instances, dtype=float) + 1.0)) - 2.0))


def behind_many(instances: Number, utilisation: Number) -> Number:
    """Waiting in the queue of k instances over that of one alone with its part of the load: whoever waits, waits for k.

    >>> round(float(behind_many(1, 0.8)), 3), round(float(behind_many(8, 0.8)), 3)
    (1.0, 0.076)
    """
    return all_at_work(instances, utilisation) / np.asarray(instances, dtype=float)


def prefill_of(task: Task, steps: Steps) -> Prefill:
    chunks = np.ceil(task.prompt / task.chunk)
    each = task.prompt / chunks
    many = np.maximum(task.chunk / task.prompt, 1.0) * task.devices
    alone = Mixture(decoding=0.0, context=0.0, prefill=each, prompts=1.0, past=task.past(each))
    full = Mixture(decoding=0.0, context=0.0, prefill=each * many, prompts=many, past=task.past(each))
    pipelined = bool(np.any(np.greater(task.stages, 1)))
    beside = Mixture(decoding=0.0, context=0.0, prefill=each * task.devices, prompts=task.devices, past=task.past(each))
    read = Mixture(decoding=1.0, context=1.0)
    parallel = bool(np.any(np.greater(task.devices, 1)))
    first, last, *others = asked_together(
        steps, alone, full, *([beside] if parallel else []), *([read] if pipelined else [])
    )
    side = others[0] if parallel else first
    through = task.through(first - others[-1], 1.0) if pipelined else 0.0
    return Prefill(
        one=chunks * first + through,
        held=chunks * first,
        each=chunks * last / many,
        step=full,
        room=np.clip(many - 1.0, 0.0, 1.0),
        places=many,
        devices=task.devices,
        side=chunks * side,
    )
