"""Clients that keep a number of requests open: the cycle of a request, with those that wait for room and the beginning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from outlay.serving.cycle import Cycle, apart_cycle, mixed_cycle
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.steps import Mixture, Steps
from outlay.serving.task import Task
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """Means over the requests of a run."""

    ttft: Number
    queue: Number
    decode_seconds: Number
    """From the first token to the last."""
    requests_per_second: Number
    decoding: Number
    watts: Number
    """Of one device."""
    surest: Number | None = None
    """Seconds to the first token that nobody undercuts; None where nothing is known of the spread."""
    first_variance: Number = 0.0
    """Of the seconds to the first token."""
    step: Number = 0.0
    """Seconds of a mean step; 0 where requests do not come in and out of a running batch."""
    decode_variance: Number = 0.0
    """Of the seconds between the first token and the last, of answers of one length."""


def cycle_of(deployment: Deployment) -> Callable[[Task, Number, Steps], Cycle]:
    """How this engine lets prompts and decoding share its time."""
    return mixed_cycle if deployment.engine.mixed else apart_cycle


def in_and_out_of_step(deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps) -> Fared:
    r"""Answers of one length, sent by clients that leave a `gap` between two requests.

    Where prompts go first, those of a round that take longer than the gaps between them stay together and wait for each
    other; where they take less, requests come one by one. Of the two, each has its share of the time that prompts wait in
    step, D, and that the gaps take together:

    .. math:: w = D / (D + n\,gap)

    Where prompts share steps with decoding, a group that the gaps once divided never meets again: each part goes on with
    the step that it finds. First tokens of vLLM and TensorRT-LLM under 8 to 128 clients whose lengths are drawn about a mean
    are those of requests that come one by one, those of SGLang of all in step (validation/serving/aiconfigurator_silicon.csv,
    qwen3-32b). Clients whose requests are all alike stay in step in any engine (validation/serving/outlay_h200.csv): of
    those, :func:`~outlay.serving.simulate` knows more than a mean cycle.
    """
    tight = closed_loop(deployment, load, task, sequences, steps)
    if not np.any(load.gap) or np.all(load.variation):
        return tight
    apart = replace(load, variation=np.maximum(load.variation, LOOSE))
    loose = closed_loop(deployment, apart, replace(task, loose=np.greater(load.output, 1), wave=1.0), sequences, steps)
    assert load.concurrency is not None
    waiting = np.maximum(tight.ttft - loose.ttft, 0.0)
    gaps = np.minimum(load.concurrency, np.maximum(sequences, 1.0)) * load.gap
    met = 0.0 if deployment.engine.mixed else np.where(gaps > 0, waiting / np.maximum(waiting + gaps, 1e-12), 1.0)
    share = np.where(np.greater(load.variation, 0) | np.equal(gaps, 0), 1.0, met)

    def mean(name: str) -> Number:
        one, other = getattr(tight, name), getattr(loose, name)
        return np.asarray(share * one + (1.0 - share) * other)

    pace = share / np.maximum(tight.requests_per_second, 1e-12) + (1.0 - share) / np.maximum(
        loose.requests_per_second, 1e-12
    )
    return Fared(
        ttft=mean("ttft"),
        queue=mean("queue"),
        decode_seconds=mean("decode_seconds"),
        requests_per_second=1.0 / pace,
        decoding=mean("decoding"),
        watts=mean("watts"),
        step=mean("step"),
    )


LOOSE = 1e-6
"""A variation of lengths that pulls requests apart and does nothing else."""


def closed_loop(deployment: Deployment, load: Load, task: Task, sequences: Number, steps: Steps) -> Fared:
    """`sequences` run at most; of the `concurrency` that clients keep open, the rest waits."""
    assert load.concurrency is not None
    n = np.minimum(load.concurrency, np.maximum(sequences, 1.0))
    cycle = cycle_of(deployment)(task, n, steps)
    excess = np.maximum(load.concurrency - n, 0.0)
    queue = excess / n * cycle.seconds
    rounds = np.inf if load.rounds is None else load.rounds
    first = np.divide(1.0, rounds)
    groups = n / np.maximum(cycle.mix.prompts, 1e-9)
    ttft = cycle.ttft
    mixing: Number = 0.0
    tail: Number = 0.0
    if load.rounds is not None:
        # Those that run at once were sent at once; those behind them find a batch that is under way.
        burst = n / load.concurrency * first
        ttft = ttft + burst * (_burst(deployment, task, n, steps, cycle.pure) - ttft)
        queue = queue * (1.0 - first * (1.0 - excess / load.concurrency / 2.0))
        last = first * n / load.concurrency
        if deployment.engine.mixed:
            # In the last round the prompts of the next one are missing.
            slower = np.maximum(cycle.mixed - cycle.pure, 0.0)
            mixing = np.maximum(cycle.mix.prefilling - cycle.mix.own, 0.0) * slower * last / 2.0
            tail = np.maximum(groups - 1.0, 0.0) * cycle.pure * last
        end = emptying(load, n, cycle, steps) * cycle.seconds * last
        tail = np.where(task.loose, np.maximum(end, 0.0), tail)
    return Fared(
        ttft=ttft + queue,
        queue=queue,
        decode_seconds=np.maximum(cycle.seconds - cycle.ttft - mixing, 0.0),
        requests_per_second=n / (cycle.seconds + tail),
        decoding=np.maximum(cycle.mix.alone, cycle.mix.beside),
        watts=cycle.watts(steps),
        step=step_of(deployment, cycle),
    )


def step_of(deployment: Deployment, cycle: Cycle) -> Number:
    """Seconds of a mean step."""
    return cycle.seconds / np.maximum(cycle.mix.steps + (0.0 if deployment.engine.mixed else cycle.mix.prefilling), 1.0)


def _burst(deployment: Deployment, task: Task, n: Number, steps: Steps, pure: Number) -> Number:
    """Mean seconds to the first token of n requests that are sent together to an idle instance."""
    budget = np.maximum(task.chunk - (n / 2.0 * task.verified / task.devices if deployment.engine.mixed else 0.0), 1.0)
    slots = task.devices * np.maximum(budget / task.prompt, 1.0)
    group = np.minimum(n, slots)
    chunks = np.where(np.greater(n, slots), np.maximum(task.prompt / budget, 1.0), np.ceil(task.prompt / budget))
    each = task.prompt / chunks
    beside = (n - group) / 2.0 if deployment.engine.mixed else np.zeros_like(n)
    step = Mixture(decoding=beside, context=task.context, prefill=group * each, prompts=group, past=task.past(each))
    seconds = steps.seconds(step)
    computed = chunks * (n / group + 1.0) / 2.0 * seconds + task.through(seconds - pure, group)
    return computed + (n - 1.0) * task.each


def emptying(load: Load, n: Number, cycle: Cycle, steps: Steps) -> Number:
    """Cycles that a run takes longer because its last requests end one after the other, at the pace of half a batch.

    What is left of the n requests when no more are sent is r of a cycle on average and r + σ · q at most: the moments of
    what is left of a gamma-distributed length, and the largest of n normal ones.
    """
    squared = np.square(load.variation)
    mean = (1.0 + squared) / 2.0
    spread = np.sqrt((1.0 + squared) * (1.0 + 2.0 * squared) / 3.0 - np.square(mean))
    logarithm = np.sqrt(2.0 * np.log(np.maximum(n, 1.5)))
    largest = np.maximum(
        logarithm - (np.log(np.square(logarithm) / 2.0) + np.log(4.0 * np.pi)) / (2.0 * logarithm), 0.0
    )
    half = Mixture(decoding=np.maximum(cycle.mix.alone / 2.0, 1.0), context=cycle.decoding.context)
    pace = np.minimum(steps.seconds(half) * cycle.mix.steps / cycle.seconds, 1.0)
    return np.asarray((mean + spread * largest) * pace - mean)
