r"""The cycle of a request in a running batch: it waits for a step to end, its prompt is computed, it decodes, it leaves.

With n requests in the batch, each of P prompt tokens to compute and N decoding steps, a cycle of M steps holds G steps with
prompt tokens, of q tokens each:

.. math:: G\,q = n P, \qquad M = \max(N + r + w,\; G), \qquad Z = G\,t(B_m, q) + (M - G)\,t(B_p)

r steps compute the prompt, w steps pass before it is begun; :math:`B_m` and :math:`B_p` sequences decode in the two kinds
of step, :math:`G B_m + (M - G) B_p = n N`. Throughput is n / Z. Answers of one length keep requests in groups that fill a
step's budget; else prompts come one by one, a step has some with the chance :math:`1 - e^{-n/M}`, and they queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.speculation import Speculation
from outlay.serving.steps import Mixture, Steps, pair
from outlay.workload import Number

ROUNDS = 2
"""Repetitions that settle how many sequences decode beside a chunk, which decides its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The plan of a cycle: which steps there are, before anything is timed."""

    steps: Number
    """M, of a cycle."""
    prefilling: Number
    """G, those of them with prompt tokens (not mixed: those beside M)."""
    tokens: Number
    """q, prompt tokens of such a step."""
    prompts: Number
    """Prompts that they belong to."""
    own: Number
    """r, steps in which a request's prompt is computed, waiting among other prompts included."""
    waited: Number
    """w, steps before that."""
    behind: Number
    """Share of those that have prompt tokens of others."""
    beside: Number
    """B_m, sequences that decode beside prompt tokens."""
    alone: Number
    """B_p, sequences that decode in the other steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One request's way through the instance, in seconds."""

    seconds: Number
    """Z: from being sent to the next one being sent."""
    ttft: Number
    pure: Number
    """A step of decoding alone."""
    mixed: Number
    """A step with prompt tokens."""
    decoding: Mixture
    """What a step of decoding alone works on."""
    prefilling: Mixture
    """What a step with prompt tokens works on."""
    mix: Mix

    def watts(self, steps: Steps) -> Number:
        """Mean of the cycle, of one device."""
        share = self.mix.prefilling * self.mixed / self.seconds
        return share * steps.watts(self.prefilling) + (1.0 - share) * steps.watts(self.decoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A load as the batch sees it."""

    prompt: Number
    """P: tokens to compute."""
    cached: Number
    decodes: Number
    """N: steps after the first token."""
    context: Number
    loose: Number
    """Lengths differ, so requests do not stay in groups."""
    queueing: Number
    """Half of 1 + c²: how long a queue of such prompts is over that of equal service times' double."""
    chunk: Number
    """Tokens of a step of one data-parallel device."""
    devices: Number
    """Data-parallel devices, each with a chunk of its own."""
    verified: Number
    """Tokens of a decoding sequence in a step."""

    @staticmethod
    def of(deployment: Deployment, load: Load, speculation: Speculation | None) -> Task:
        per_step = 1.0 if speculation is None else speculation.tokens_per_step
        # Independent arrivals have no groups; prompts without answers stay in theirs.
        scattered = True if load.rate is not None else np.greater(load.variation, 0)
        return Task(
            prompt=load.computed,
            cached=load.input - load.computed,
            decodes=np.maximum(np.subtract(load.output, 1.0), 0.0) / per_step,
            context=load.context,
            loose=np.logical_and(scattered, np.greater(load.output, 1)),
            queueing=(1.0 + np.square(load.variation)) / 2.0,
            chunk=deployment.engine.chunk_tokens,
            devices=deployment.layout.data,
            verified=1.0 if speculation is None else 1.0 + np.asarray(speculation.drafted),
        )

    def past(self, each: Number) -> Number:
        """Mean tokens before a chunk of `each` tokens."""
        return self.cached + (self.prompt - each) / 2.0


def mixed_cycle(task: Task, n: Number, steps: Steps) -> Cycle:
    """Chunks of prompts share steps with decoding sequences."""
    mix = _mix(task, n)
    each = np.minimum(mix.tokens / np.maximum(mix.prompts, 1e-9), task.prompt)
    decoding = Mixture(decoding=mix.alone, context=task.context)
    prefilling = Mixture(
        decoding=mix.beside, context=task.context, prefill=mix.tokens, prompts=mix.prompts, past=task.past(each)
    )
    pure, mixed = pair(steps, decoding, prefilling)
    rest = mix.steps - mix.prefilling
    seconds = mix.prefilling * mixed + rest * pure
    waiting = mix.waited * (mix.behind * mixed + (1.0 - mix.behind) * pure)
    return Cycle(
        seconds=seconds,
        ttft=waiting + mix.own * mixed,
        pure=pure,
        mixed=mixed,
        decoding=decoding,
        prefilling=prefilling,
        mix=mix,
    )


def _mix(task: Task, n: Number) -> Mix:
    beside: Number = n
    for _ in range(ROUNDS):
        budget = np.maximum(task.chunk - beside * task.verified / task.devices, 1.0)
        mix = _loose(task, n, budget) if np.all(task.loose) else _grouped(task, n, budget)
        if np.any(task.loose) and not np.all(task.loose):
            mix = _chosen(task.loose, _loose(task, n, budget), mix)
        beside = mix.beside
    return mix


def _chosen(first: Number, one: Mix, other: Mix) -> Mix:
    fields = ("steps", "prefilling", "tokens", "prompts", "own", "waited", "behind", "beside", "alone")
    return Mix(**{name: np.where(first, getattr(one, name), getattr(other, name)) for name in fields})


def _grouped(task: Task, n: Number, budget: Number) -> Mix:
    """Requests of one length, sent together: groups that fill the budget of a step stay together."""
    slots = task.devices * np.maximum(budget / task.prompt, 1.0)
    # An idle instance begins with the first one that comes; the others find it at work.
    groups = np.maximum(n / slots, np.minimum(n, 2.0))
    group = n / groups
    # Several long prompts fill chunks to the end; one alone is divided evenly.
    chunks = _chunks(task.prompt / budget, n / slots)
    prefilling = groups * chunks
    waited = np.clip(groups - 1.0, 0.0, 1.0)
    total = np.maximum(task.decodes + chunks + waited, prefilling)
    beside = np.maximum(np.minimum(n - group, n * task.decodes / total), 0.0)
    rest = np.maximum(total - prefilling, 1e-9)
    alone = np.clip((n * task.decodes - prefilling * beside) / rest, np.minimum(n, 1.0), n)
    return Mix(
        steps=total,
        prefilling=prefilling,
        tokens=group * task.prompt / chunks,
        prompts=group,
        own=total - task.decodes - waited,
        waited=waited,
        # Groups follow each other: all but the first wait for the prompts of the one before.
        behind=np.where(task.decodes > 0, 1.0 - 1.0 / groups, 1.0),
        beside=beside,
        alone=alone,
    )


def _chunks(steps: Number, crowd: Number) -> Number:
    """Steps of one prompt that would fill `steps` of them: whole ones when alone, as many as it fills among others."""
    whole, filled = np.ceil(steps), np.maximum(steps, 1.0)
    return np.asarray(whole + (filled - whole) * np.clip(crowd - 1.0, 0.0, 1.0))


def _loose(task: Task, n: Number, budget: Number) -> Mix:
    """Requests that come one by one: a closed network of one queue (prompts) and a delay (decoding)."""
    chunks = np.ceil(task.prompt / budget)
    work = task.prompt / (budget * task.devices)
    # Schweitzer's approximate mean value analysis: the steps a prompt takes with those queueing before it.
    lack = n * work - task.decodes
    queued = (lack + np.sqrt(np.square(lack) + 4.0 * work * task.decodes)) / 2.0
    own = chunks + np.maximum(queued - work, 0.0) * task.queueing
    waited = np.clip(n - 1.0, 0.0, 1.0)
    total = np.maximum(task.decodes + own + waited, n * work)
    arriving = n / total
    others = np.maximum(arriving * (1.0 - 1.0 / n), 1e-9) * chunks / task.devices
    share = np.clip(np.maximum(arriving * chunks * -np.expm1(-others) / others, arriving * work), 1e-12, 1.0)
    tokens = arriving * task.prompt / share
    decoding = n * task.decodes / total
    return Mix(
        steps=total,
        prefilling=share * total,
        tokens=tokens,
        prompts=np.maximum(arriving * chunks / share, 1.0),
        own=total - task.decodes - waited,
        waited=waited,
        behind=share,
        beside=np.minimum(decoding, np.maximum(n - 1.0, 0.0)),
        alone=np.maximum(decoding, np.minimum(n, 1.0)),
    )


def answering_cycle(task: Task, n: Number, steps: Steps) -> Cycle:
    """Caches come from elsewhere: decoding alone, after the step that is under way."""
    waited = np.clip(n - 1.0, 0.0, 1.0) / 2.0
    passes = np.maximum(task.decodes + waited, 1e-9)
    alone = np.maximum(n * task.decodes / passes, np.minimum(n, 1.0))
    decoding = Mixture(decoding=alone, context=task.context)
    pure = steps.seconds(decoding)
    nothing = np.zeros_like(alone)
    return Cycle(
        seconds=passes * pure,
        ttft=waited * pure,
        pure=pure,
        mixed=pure,
        decoding=decoding,
        prefilling=decoding,
        mix=Mix(
            steps=passes,
            prefilling=nothing,
            tokens=nothing,
            prompts=nothing,
            own=nothing,
            waited=waited,
            behind=nothing,
            beside=nothing,
            alone=alone,
        ),
    )


def apart_cycle(task: Task, n: Number, steps: Steps) -> Cycle:
    """Prompts have steps of their own, and go first: decoding stands still meanwhile."""
    slots = task.devices * np.maximum(task.chunk / task.prompt, 1.0)
    waited = np.where(task.loose, np.clip(n - 1.0, 0.0, 1.0), 0.0)
    passes = task.decodes + waited
    # Of one length: all prompts of the batch, then all decoding. Else those that came during one decoding step.
    arriving = np.where(task.loose, n / np.maximum(passes, 1.0), n)
    others = np.maximum(arriving * (1.0 - 1.0 / n), 1e-9)
    visits = np.where(task.loose, n * -np.expm1(-others) / others, 1.0)
    together = np.maximum(n / visits, 1.0)
    group = np.minimum(together, slots)
    chunks = _chunks(task.prompt / task.chunk, together / slots)
    each = task.prompt / chunks
    each_visit = together / group * chunks
    together_decoding = np.where(np.greater(passes, 0), n * task.decodes / np.maximum(passes, 1e-9), 0.0)
    alone = np.maximum(together_decoding, np.minimum(n, 1.0))
    decoding = Mixture(decoding=alone, context=task.context)
    prompts = Mixture(decoding=0.0, context=0.0, prefill=group * each, prompts=group, past=task.past(each))
    pure, mixed = steps.seconds(decoding), steps.seconds(prompts)
    prefilling = visits * each_visit
    # Those of the same visit end one group after the other; without answers, each is sent again at once.
    own = np.where(task.decodes > 0, chunks * (together / group + 1.0) / 2.0, prefilling)
    return Cycle(
        seconds=passes * pure + prefilling * mixed,
        ttft=waited * pure + own * mixed,
        pure=pure,
        mixed=mixed,
        decoding=decoding,
        prefilling=prompts,
        mix=Mix(
            steps=passes,
            prefilling=prefilling,
            tokens=group * each,
            prompts=group,
            own=own,
            waited=waited,
            behind=np.zeros_like(alone),
            beside=np.zeros_like(alone),
            alone=alone,
        ),
    )
