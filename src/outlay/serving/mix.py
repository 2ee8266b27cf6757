"""Which steps the cycle of a request has, before anything is timed: the plan behind :mod:`outlay.serving.cycle`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from outlay.serving.task import Task
from outlay.workload import Number

TRACE = 0.05
"""Sequences beside a prompt that are so few that hardly any step has one: they take no token of it."""
SMALL = 1e-4
"""Below it, a series is exacter than an exponential."""


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

    def with_share(self, share: Number) -> Mix:
        """The same prompts, in another share of the steps."""
        fewer = share * self.steps / self.prefilling
        return replace(
            self,
            prefilling=self.prefilling * fewer,
            tokens=self.tokens / fewer,
            prompts=self.prompts / fewer,
            behind=self.behind * fewer,
        )


def mix_of(task: Task, n: Number) -> Mix:
    """The steps of a cycle with n requests in the batch."""
    if not np.any(task.loose):
        return _grouped(task, n)
    loose = _loose(task, n)
    return loose if np.all(task.loose) else _chosen(task.loose, loose, _grouped(task, n))


def budget_of(task: Task, beside: Number) -> Number:
    """Prompt tokens of one device's step, with so many sequences that decode beside them."""
    there = np.where(np.less(beside, TRACE), 0.0, beside)
    return np.maximum(task.chunk - there * task.verified / task.devices, 1.0)


def _chosen(first: Number, one: Mix, other: Mix) -> Mix:
    fields = ("steps", "prefilling", "tokens", "prompts", "own", "waited", "behind", "beside", "alone")
    return Mix(**{name: np.where(first, getattr(one, name), getattr(other, name)) for name in fields})


def _grouped(task: Task, n: Number) -> Mix:
    """Requests of one length, sent together: groups that fill the budget of a step stay together."""
    # At first as if all decoded beside a chunk; then as many as do.
    mix = _groups(task, n, budget_of(task, n))
    return _groups(task, n, budget_of(task, mix.beside))


def _groups(task: Task, n: Number, budget: Number) -> Mix:
    slots = task.devices * np.maximum(budget / task.prompt, 1.0)
    # An idle instance begins with the first one that comes; the others find it at work.
    groups = np.maximum(n / slots, np.minimum(n, 2.0))
    group = n / groups
    # Several long prompts fill chunks to the end; one alone is divided evenly.
    chunks = chunks_of(task.prompt / budget, n / slots)
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


def chunks_of(steps: Number, crowd: Number) -> Number:
    """Steps of one prompt that would fill `steps` of them: whole ones when alone, as many as it fills among others."""
    whole, filled = np.ceil(steps), np.maximum(steps, 1.0)
    return np.asarray(whole + (filled - whole) * np.clip(crowd - 1.0, 0.0, 1.0))


def _loose(task: Task, n: Number) -> Mix:
    """Requests that come one by one: a closed network of one queue (prompts) and a delay (decoding).

    Where all come in one part of the cycle, that part is such a network, and in the rest nothing but decoding goes on.
    """
    coming = task.come_in(n)
    quiet = task.decodes * (1.0 - coming)
    wave = replace(task, decodes=task.decodes * coming)
    waited = np.clip(n - 1.0, 0.0, 1.0)
    most = np.maximum(n - 1.0, 0.0)
    beside = np.minimum(n * wave.decodes / _round(wave, n, waited, budget_of(task, n)), most)
    budget = budget_of(task, beside)
    total = _round(wave, n, waited, budget)
    chunks = _whole(task.prompt / budget)
    arriving = n / total
    # Of the steps of a prompt, those that no other one shares.
    others = (arriving - 1.0 / total) * chunks
    share = np.maximum(arriving * chunks * alone_of(others), arriving * task.prompt / (budget * task.devices))
    share = np.clip(share, 1e-12, 1.0)
    decoding = n * task.decodes / (total + quiet)
    return Mix(
        steps=total + quiet,
        prefilling=share * total,
        tokens=arriving * task.prompt / share,
        prompts=np.maximum(arriving * chunks / share, 1.0),
        own=total - wave.decodes - waited,
        waited=waited,
        behind=share,
        beside=np.minimum(n * wave.decodes / total, most),
        alone=np.maximum(decoding, np.minimum(n, 1.0)),
    )


def _round(task: Task, n: Number, waited: Number, budget: Number) -> Number:
    """Steps of a cycle, with those that a prompt takes among others: Schweitzer's approximate mean value analysis."""
    work = task.prompt / (budget * task.devices)
    lack = n * work - task.decodes
    queued = (lack + np.sqrt(np.square(lack) + 4.0 * work * task.decodes)) / 2.0
    own = _whole(task.prompt / budget) + np.maximum(queued - work, 0.0) * task.queueing
    return np.asarray(np.maximum(task.decodes + own + waited, n * work))


def _whole(steps: Number) -> Number:
    """Steps of a prompt; a hair more than fills them takes no further one."""
    return np.ceil(np.subtract(steps, 1e-6))


def alone_of(mean: Number) -> Number:
    """(1 - e⁻ˣ) / x, one at 0."""
    exact = np.maximum(mean, SMALL)
    return np.asarray(np.where(np.less(mean, SMALL), 1.0 - mean / 2.0, (1.0 - np.exp(-exact)) / exact))
