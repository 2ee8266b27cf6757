"""What a prompt waits for in a running batch of requests that come at a rate: the formulas of :mod:`outlay.serving.open_loop`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.cycle import Cycle
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.task import Task
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Seconds of a prompt that finds a place."""

    first: Number
    """To its first token."""
    own: Number
    """Of that, its own steps."""
    each: Number
    """What it adds to steps."""
    after: Number
    """What the steps that it leaves behind cost its other tokens."""
    variance: Number
    """Of `first`."""


def prompt_waits(deployment: Deployment, load: Load, task: Task, found: Cycle, inside: Number, busy: Number) -> Prompt:
    """How a prompt fares that finds a place."""
    assert load.rate is not None
    mixed = deployment.engine.mixed
    alone = found.pure if mixed else 0.0
    steps = found.mix.prefilling / (inside + 1.0)
    each = np.maximum(found.mixed - alone, 0.0) * steps
    squared = 1.0 + np.square(load.variation)
    taken = np.minimum(load.rate * each, 0.99)
    # A step that is met under way is longer than the mean one.
    met = (found.pure if not mixed else found.pure / (1.0 - taken)) / (1.0 if mixed else 1.0 + taken)
    met = met + load.rate * np.square(each) * squared / (1.0 - np.square(taken))
    gathered = met * (0.5 + taken)
    # A prompt that fills steps of its own: one at a time, while decoding steps are what the server does else.
    own = found.mixed * steps
    share = np.minimum(load.rate * own, 0.99)
    queued = load.rate * np.square(own) * squared / (2.0 * (1.0 - share)) + (1.0 - share) * found.pure / 2.0
    room = np.clip(task.chunk / task.prompt - 1.0, 0.0, 1.0)
    waiting = busy * (room * gathered + (1.0 - room) * queued)
    mean = found.seconds / np.maximum(found.mix.steps + (0.0 if mixed else found.mix.prefilling), 1.0)
    one = found.mixed - np.maximum(found.mixed - alone, 0.0) * (1.0 - np.minimum(steps, 1.0))
    excess = np.maximum(one + taken * met - mean, 0.0) * taken / (1.0 - taken)
    left = room * excess * busy
    if mixed:
        left = left + (1.0 - room) * left_behind(load, task, found, steps)
    own_step = room * one + (1.0 - room) * own
    # A step with prompts that is met under way is much longer than the others: its share of the time decides.
    long = np.clip(found.mix.prefilling * found.mixed / found.seconds, 1e-9, 1.0)
    short = found.pure * (1.0 - long)
    longer = np.maximum(met - short, 0.0) / long
    rest = 1.0 / 3.0 + taken + np.square(taken)
    gathered_square = (long * np.square(longer) * squared + short * found.pure) * rest
    # The second moment of an M/G/1 queue's wait (Takács 1962), with gamma-distributed prompts.
    cubed = squared * (1.0 + 2.0 * np.square(load.variation))
    queued_square = 2.0 * np.square(queued) + load.rate * own**3 * cubed / (3.0 * (1.0 - share))
    squares = busy * (room * gathered_square + (1.0 - room) * queued_square)
    marginal = room * each + (1.0 - room) * own
    plain = Prompt(
        first=own_step + waiting + found.through,
        own=own_step + found.through,
        each=marginal,
        after=np.where(task.decodes > 0, left, 0.0),
        variance=np.square(load.variation * marginal) + squares - np.square(waiting),
    )
    # Devices that wait for each other, and engines whose prompts go first, compute in the next step all that came in one.
    in_step = np.greater(task.devices, 1) if mixed else np.greater_equal(task.chunk, task.prompt)
    return in_lockstep(load, task, found, busy, plain, in_step, mixed=mixed) if np.any(in_step) else plain


def left_behind(load: Load, task: Task, found: Cycle, steps: Number) -> Number:
    r"""Seconds that prompts which queue one by one, `steps` each, cost the tokens of the one before them beyond the mean.

    Who leaves such a queue finds it busy as often as whoever comes to it, ρ of the time, which are many more than ρ of the
    steps. It leaves K prompts (Pollaczek and Khinchine), and with those that come meanwhile the queue stays busy for
    :math:`K / (1 - \rho)` of them; so many steps later, that is forgotten.
    """
    assert load.rate is not None
    share = np.minimum(load.rate * found.mixed * steps, 0.99)
    squared = 1.0 + np.square(load.variation)
    kept = np.maximum(steps, 1.0) * (1.0 + share * squared / (2.0 * (1.0 - share))) / (1.0 - share)
    decay = np.exp(-1.0 / kept)
    more = np.maximum(share - found.mix.prefilling / found.mix.steps, 0.0) * (1.0 - decay**task.decodes) / (1.0 - decay)
    return more * np.maximum(found.mixed - found.pure, 0.0)


def in_lockstep(
    load: Load, task: Task, found: Cycle, busy: Number, plain: Prompt, where: Number, *, mixed: bool
) -> Prompt:
    """How a prompt fares that waits for the step which all are in, and no longer; `plain` elsewhere."""
    assert load.rate is not None
    short, long = found.pure, found.mixed
    steps = found.mix.steps + (0.0 if mixed else found.mix.prefilling)
    share = np.clip(found.mix.prefilling / np.maximum(steps, 1e-9), 0.0, 1.0)
    mean = share * long + (1.0 - share) * short
    waiting = busy * (share * np.square(long) + (1.0 - share) * np.square(short)) / (2.0 * mean)
    # Nobody is served before the prompts that came before: each takes its part of a full step at least.
    each = long / (task.devices * np.maximum(task.chunk / task.prompt, 1.0))
    work = np.minimum(load.rate * each, 0.99)
    waiting = np.maximum(waiting, work * each * (1.0 + np.square(load.variation)) / (2.0 * (1.0 - work)))
    square = busy * (share * long**3 + (1.0 - share) * short**3) / (3.0 * mean)
    own = long * np.maximum(found.mix.own, 1.0) + found.through
    # More prompts come during the long step that a prompt is in; with each step after it, that is forgotten.
    again, once = -np.expm1(-load.rate * long), -np.expm1(-load.rate * short)
    if mixed:
        after = np.maximum(again - share, 0.0) * (long - short) / np.maximum(1.0 - again + once, 1e-9)
    else:
        after = np.maximum(again - once, 0.0) * long / np.maximum(1.0 - again, 1e-9)
    parts = {
        "first": own + waiting,
        "own": own,
        "each": plain.each,
        "after": np.where(task.decodes > 0, np.maximum(after, 0.0) * busy, 0.0),
        "variance": np.square(load.variation * plain.each) + np.maximum(square - np.square(waiting), 0.0),
    }
    return Prompt(**{name: np.where(where, value, getattr(plain, name)) for name, value in parts.items()})
