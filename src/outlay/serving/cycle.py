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

from outlay.serving.gathering import another, gathered, gathered_first
from outlay.serving.mix import Mix, alone_of, chunks_of, mix_of
from outlay.serving.steps import Mixture, Steps, asked_together
from outlay.serving.task import Task
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One request's way through the instance, in seconds."""

    seconds: Number
    """Z: from being sent to the next one being sent."""
    crowded: Number
    """Z where all places are taken and others wait for one: they begin when one ends, so that no step gathers more."""
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
    through: Number = 0.0
    """Of `seconds` and `ttft`: what a prompt takes beyond its steps on its way through a pipeline."""

    def watts(self, steps: Steps) -> Number:
        """Mean of the cycle, of one device."""
        share = self.mix.prefilling * self.mixed / self.seconds
        return share * steps.watts(self.prefilling, self.mixed) + (1.0 - share) * steps.watts(self.decoding, self.pure)


def mixed_cycle(task: Task, n: Number, steps: Steps) -> Cycle:
    """Chunks of prompts share steps with decoding sequences."""
    mix = mix_of(task, n)
    decoding, prefilling = Mixture(decoding=mix.alone, context=task.context), prefilling_of(task, mix)
    gathers = task.independent and bool(np.any(np.greater(task.devices, 1)))
    pure, mixed, *other = asked_together(steps, decoding, prefilling, *([another(task, prefilling)] if gathers else []))
    crowded = mix.prefilling * mixed + (mix.steps - mix.prefilling) * pure
    if gathers:
        mix, mixed = gathered(task, n, mix, (pure, mixed, *other))
        prefilling = prefilling_of(task, mix)
    rest = mix.steps - mix.prefilling
    through = task.through(mixed - pure, mix.prompts)
    seconds = mix.prefilling * mixed + rest * pure + through
    waiting = mix.waited * (mix.behind * mixed + (1.0 - mix.behind) * pure)
    return Cycle(
        seconds=seconds,
        crowded=np.minimum(seconds, crowded + through),
        ttft=waiting + mix.own * mixed + through,
        pure=pure,
        mixed=mixed,
        decoding=decoding,
        prefilling=prefilling,
        mix=mix,
        through=through,
    )


def prefilling_of(task: Task, mix: Mix) -> Mixture:
    """What a step with prompt tokens works on."""
    each = np.minimum(mix.tokens / np.maximum(mix.prompts, 1e-9), task.prompt)
    return Mixture(
        decoding=mix.beside, context=task.context, prefill=mix.tokens, prompts=mix.prompts, past=task.past(each)
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
        crowded=passes * pure,
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
    # Who comes while others decode waits for the step to end, and half of the steps until the engine looks again.
    waited = np.where(task.loose, np.clip(n - 1.0, 0.0, 1.0) * (1.0 + (task.polled - 1.0) / 2.0), 0.0)
    passes = task.decodes + waited
    # Of one length: all prompts of the batch, then all decoding. Else those that came between two looks for new ones.
    between = task.polled / np.maximum(passes * task.come_in(n), 1.0)
    arriving = np.where(task.loose, n * between, n)
    others = arriving - between
    visits = np.where(task.loose, n * alone_of(others), 1.0)
    together_decoding = np.where(np.greater(passes, 0), n * task.decodes / np.maximum(passes, 1e-9), 0.0)
    alone = np.maximum(together_decoding, np.minimum(n, 1.0))
    decoding = Mixture(decoding=alone, context=task.context)

    def visiting(visits: Number) -> tuple[Number, Number, Number, Mixture]:
        """Prompts of a step, steps of one of them, steps of a visit, and such a step."""
        together = np.maximum(n / visits, 1.0)
        group = np.minimum(together, slots)
        chunks = chunks_of(task.prompt / task.chunk, together / slots)
        each = task.prompt / chunks
        step = Mixture(decoding=0.0, context=0.0, prefill=group * each, prompts=group, past=task.past(each))
        return group, chunks, together / group * chunks, step

    group, chunks, each_visit, prompts = visiting(visits)
    gathers = task.independent and bool(np.all(np.greater(task.decodes, 0)))
    pure, mixed, *other = asked_together(steps, decoding, prompts, *([another(task, prompts)] if gathers else []))
    if np.any(task.away) and np.any(task.loose):
        again = np.maximum(together_again(task, n, visits, passes, pure, each_visit * mixed), 1.0)
        visits = np.where(task.loose, np.minimum(again, visits), visits)
        group, chunks, each_visit, prompts = visiting(visits)
        pure, mixed = asked_together(steps, decoding, prompts)
    each, together = task.prompt / chunks, np.maximum(n / visits, 1.0)
    prefilling = visits * each_visit
    # Those of the same visit end one group after the other; without answers, each is sent again at once.
    own = np.where(task.decodes > 0, chunks * (together / group + 1.0) / 2.0, prefilling)
    mix = Mix(
        steps=passes,
        prefilling=prefilling,
        tokens=group * each,
        prompts=group,
        own=own,
        waited=waited,
        behind=np.zeros_like(alone),
        beside=np.zeros_like(alone),
        alone=alone,
    )
    crowded = passes * pure + prefilling * mixed
    if gathers:
        mix, mixed = gathered_first(task, n, mix, (pure, mixed, *other))
        prompts = Mixture(decoding=0.0, context=0.0, prefill=mix.tokens, prompts=mix.prompts, past=prompts.past)
    through = task.through(mixed - pure, mix.prompts)
    seconds = passes * pure + mix.prefilling * mixed + through
    return Cycle(
        seconds=seconds,
        crowded=np.minimum(seconds, crowded + through),
        ttft=waited * pure + mix.own * mixed + through,
        pure=pure,
        mixed=mixed,
        decoding=decoding,
        prefilling=prompts,
        mix=mix,
        through=through,
    )


def together_again(task: Task, n: Number, visits: Number, passes: Number, pure: Number, long: Number) -> Number:
    r"""Visits of a cycle whose requests take a while to come again, where prompts go first and take `long`.

    What was on its way when the first prompt came is there when that one is through; then nobody is on the way, and for as long
    as that takes nobody comes. Where a others end in a step of t seconds, and those of g seconds are held up,

    .. math:: \frac{2 - e^{-a g / t}}{g / t + 1 / (1 - e^{-a})}

    visits come to a step: :math:`1 - e^{-a}` where nothing is on the way, and a where hardly any come.
    """
    held = np.minimum(task.away, long) / pure
    others = np.maximum(n - 1.0, 0.0) / np.maximum(passes, 1.0)
    return visits * np.minimum((1.0 - np.expm1(-others * held)) / (1.0 - held * np.expm1(-others)), 1.0)
