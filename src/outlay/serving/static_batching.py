"""Static batches: all prompts first, then all decode to the end together, and the next batch begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from outlay.serving.closed_loop import Fared
from outlay.serving.deployment import Deployment
from outlay.serving.inside import look_up
from outlay.serving.load import Load
from outlay.serving.steps import Mixture, Steps, asked_together
from outlay.serving.task import Task
from outlay.workload import Number

SEARCHES = 40
"""Halvings that find the batch which an open loop fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Requests that begin and end together."""

    prompts: Number
    """Seconds of all prompts."""
    decoding: Number
    """Seconds of all decoding."""
    prefilling: Mixture
    """What a step of prompts works on."""
    step: Mixture
    """What a step of decoding works on."""

    def watts(self, steps: Steps) -> Number:
        """Mean of the batch, of one device."""
        share = self.prompts / (self.prompts + self.decoding)
        return share * steps.watts(self.prefilling) + (1.0 - share) * steps.watts(self.step)


def _batch(task: Task, n: Number, steps: Steps) -> Batch:
    """A batch of n requests; prompts in steps of the engine's chunk, decoding at its mean context."""
    total = n * task.prompt
    count = np.ceil(np.maximum(total / (task.chunk * task.devices), np.ceil(task.prompt / task.chunk)) - 1e-6)
    tokens = total / count
    prompts = np.clip(tokens / task.prompt, np.minimum(n, 1.0), n)
    each = np.minimum(tokens / prompts, task.prompt)
    prompt = Mixture(decoding=0.0, context=0.0, prefill=tokens, prompts=prompts, past=task.past(each))
    step = Mixture(decoding=n, context=task.context)
    of_prompts, of_decoding = asked_together(steps, prompt, step)
    return Batch(prompts=count * of_prompts, decoding=task.decodes * of_decoding, prefilling=prompt, step=step)


def _longest(load: Load, n: Number) -> Number:
    """The longest of n answers over the mean: a batch ends with it (the largest of n normal lengths)."""
    return 1.0 + load.variation * np.sqrt(2.0 * np.log(np.maximum(n, 1.0)))


def _fared(batch: Batch, n: Number, wait: Number, served: Number, watts: Number) -> Fared:
    return Fared(
        ttft=wait + batch.prompts,
        queue=wait,
        decode_seconds=batch.decoding,
        requests_per_second=served,
        decoding=n,
        watts=watts,
    )


def static_closed(deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps) -> Fared:
    """Clients keep `concurrency` requests open; those beyond a batch wait for the next ones."""
    assert load.concurrency is not None and deployment is not None
    n = np.minimum(load.concurrency, np.maximum(sequences, 1.0))
    batch = _batch(task, n, steps)
    total = batch.prompts + batch.decoding * _longest(load, n)
    # Who ends early waits for the others.
    early = total - batch.prompts - batch.decoding
    return _fared(batch, n, (load.concurrency / n - 1.0) * total + early, n / total, batch.watts(steps))


def static_open(
    deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps
) -> tuple[Fared, Number, Number]:
    """A batch takes those that came during the one before it: n = rate · seconds(n), at least one.

    A request waits for half a batch that is under way, and where batches are full, for others before it too.
    """
    assert load.rate is not None and deployment is not None
    most = np.maximum(sequences, 1.0)

    def seconds(n: Number) -> Number:
        return batch_seconds(_batch(task, n, steps), load, n)

    shape = np.broadcast(load.rate, seconds(most)).shape
    low, high = np.ones(shape), np.ones(shape) * most
    for _ in range(SEARCHES):
        middle = (low + high) / 2.0
        more = load.rate * seconds(middle) > middle
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    batch = _batch(task, high, steps)
    full = (
        most
        / look_up(
            batch_times(task, load, steps), np.broadcast_to(most, np.broadcast(most, seconds(most)).shape)
        ).highest
    )
    fared, utilisation, busy = static_among(high, batch, batch_seconds(batch, load, high), load, most, full)
    return replace(fared, watts=batch.watts(steps)), utilisation, busy


def batch_seconds(batch: Batch, load: Load, n: Number) -> Number:
    """From the first prompt of a batch of n requests to the end of its longest answer."""
    return batch.prompts + batch.decoding * _longest(load, n)


def batch_of(task: Task, n: Number, steps: Steps) -> Batch:
    """A batch of n requests."""
    return _batch(task, n, steps)


def batch_times(task: Task, load: Load, steps: Steps) -> Callable[[Number], tuple[Number, Number]]:
    """What a batch of so many requests takes, and the same while others wait."""

    def ask(n: Number) -> tuple[Number, Number]:
        seconds = batch_seconds(_batch(task, n, steps), load, n)
        return seconds, seconds

    return ask


def static_among(
    n: Number, batch: Batch, total: Number, load: Load, most: Number, full_seconds: Number
) -> tuple[Fared, Number, Number]:
    """The same, without watts, where it is known how many requests a batch takes: n, of which a batch lasts `total`;
    `full_seconds` of `most`."""
    assert load.rate is not None
    utilisation = load.rate * full_seconds / most
    busy = np.minimum(load.rate * total / n, 1.0)
    spare = np.maximum(1.0 - utilisation, 1e-9)
    full = (n / most) ** (np.sqrt(2.0 * (most + 1.0)) - 1.0)
    wait = busy * total / 2.0 * (1.0 + full * utilisation / spare)
    wait = np.where(np.less(utilisation, 1.0), wait, np.inf)
    served = np.minimum(load.rate, most / full_seconds)
    fared = _fared(batch, n, wait, served, 0.0)
    # Half a batch on average, evenly; then whole ones.
    with np.errstate(invalid="ignore"):
        spread = np.where(np.isfinite(wait), np.square(wait) / 3.0, 0.0)
    return replace(fared, surest=batch.prompts, first_variance=spread), utilisation, busy
