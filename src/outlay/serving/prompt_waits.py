"""What a prompt waits for in a running batch of requests that come at a rate: the formulas of :mod:`outlay.serving.open_loop`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.cycle import Cycle
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.mix import budget_of
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
    decoding: Number
    """Of its other tokens: their steps, and the prompts of others that come meanwhile or were left behind by its own."""
    variance: Number
    """Of `first`."""


def prompt_waits(deployment: Deployment, load: Load, task: Task, found: Cycle, inside: Number, busy: Number) -> Prompt:
    """How a prompt fares that finds a place."""
    mixed = deployment.engine.mixed
    steps = found.mix.prefilling / (inside + 1.0)
    sharing = sharing_steps(load, task, found, steps, busy, mixed=mixed)
    filling = filling_steps(load, task, found, steps, busy, mixed=mixed)
    room = task.room
    plain = Prompt(
        **{name: room * getattr(sharing, name) + (1.0 - room) * getattr(filling, name) for name in Prompt.__slots__}
    )
    # Devices that wait for each other, and engines whose prompts go first, compute in the next step all that came in one.
    in_step = np.greater(task.devices, 1) if mixed else np.greater_equal(task.chunk, task.prompt)
    return in_lockstep(load, task, found, inside, busy, plain, in_step, mixed=mixed) if np.any(in_step) else plain


def sharing_steps(load: Load, task: Task, found: Cycle, steps: Number, busy: Number, *, mixed: bool) -> Prompt:
    """A prompt that is computed with all that came in the same step; it takes `steps` of those that it makes longer."""
    assert load.rate is not None
    each = np.maximum(found.mixed - (found.pure if mixed else 0.0), 0.0) * steps
    squared = 1.0 + np.square(load.variation)
    taken = np.minimum(load.rate * each, 0.99)
    # A step that is met under way is longer than the mean one.
    mean = found.pure / ((1.0 - taken) if mixed else (1.0 + taken))
    met = busy * mean + load.rate * np.square(each) * squared / (1.0 - np.square(taken))
    waiting = met * (0.5 + taken)
    own = found.mixed - each / np.maximum(steps, 1e-9) * (1.0 - np.minimum(steps, 1.0))
    # Those that it leaves behind hold up its next steps, as many as it has.
    left = load.rate * np.maximum(own + taken * met - mean, 0.0) * (1.0 - taken**task.decodes)
    # A step with prompts that is met under way is much longer than the others: its share of the time decides.
    long = np.clip(found.mix.prefilling * found.mixed / found.seconds, 1e-9, 1.0)
    short = found.pure * (1.0 - long)
    longer = np.maximum(met - short, 0.0) / long
    square = (long * np.square(longer) * squared + short * found.pure) * (1.0 / 3.0 + taken + np.square(taken))
    return Prompt(
        first=own + waiting + found.through,
        own=own + found.through,
        each=each,
        decoding=decoding(task, found, each, left, taken),
        variance=np.square(load.variation * each) + np.maximum(busy * square - np.square(waiting), 0.0),
    )


def filling_steps(load: Load, task: Task, found: Cycle, steps: Number, busy: Number, *, mixed: bool) -> Prompt:
    """A prompt that fills `steps` of its own: one at a time, while decoding steps are what the server does else (M/G/1)."""
    assert load.rate is not None
    own, beside = found.mixed * steps, found.pure if mixed else 0.0
    each = np.maximum(found.mixed - beside, 0.0) * steps
    # Among others it takes as many steps as it fills.
    service = each + np.minimum(task.prompt / budget_of(task, found.mix.beside), steps) * beside
    squared = 1.0 + np.square(load.variation)
    share = np.minimum(load.rate * service, 0.99)
    queued = load.rate * np.square(service) * squared / (2.0 * (1.0 - share)) + busy * (1.0 - share) * found.pure / 2.0
    left = load.rate * (own + queued)
    if mixed:  # answers that end before those are through
        kept = np.maximum(steps, 1.0) * (1.0 + left) / (1.0 - share)
        left = left * -np.expm1(-task.decodes / kept)
    # The second moment of the wait (Takács 1962), with gamma-distributed prompts.
    cubed = squared * (1.0 + 2.0 * np.square(load.variation))
    square = 2.0 * np.square(queued) + load.rate * service**3 * cubed / (3.0 * (1.0 - share))
    return Prompt(
        first=own + queued + filled(load, task, found, each, queued) + found.through,
        own=own + found.through,
        each=own,
        decoding=decoding(task, found, each, left, np.minimum(load.rate * each, 0.99)),
        variance=np.square(load.variation * own) + np.maximum(square - np.square(queued), 0.0),
    )


def filled(load: Load, task: Task, found: Cycle, each: Number, queued: Number) -> Number:
    """Seconds that those who wait by then add to the last step of a prompt; lengths that vary end anywhere in a step."""
    assert load.rate is not None
    full = task.prompt / budget_of(task, found.mix.beside)
    anywhere = np.minimum(np.sqrt(12.0) * load.variation * full, 1.0)
    last = (1.0 - anywhere) * np.ceil(full - 1e-6) + anywhere * (full + 0.5)
    behind = -np.expm1(-load.rate * (queued + each * np.maximum(last - 1.0, 0.0) / full))
    return np.asarray(each * np.minimum(last / full - 1.0, 1.0) * behind)


def decoding(task: Task, found: Cycle, each: Number, left: Number, taken: Number) -> Number:
    """Seconds of the tokens after the first: their steps, `left` prompts of `each` seconds that wait by then, and those that come
    meanwhile, which take the share `taken` of the time."""
    return np.asarray(np.where(task.decodes > 0, (task.decodes * found.pure + left * each) / (1.0 - taken), 0.0))


def in_lockstep(
    load: Load, task: Task, found: Cycle, inside: Number, busy: Number, plain: Prompt, where: Number, *, mixed: bool
) -> Prompt:
    """How a prompt fares that waits for the step which all are in, and no longer; `plain` elsewhere."""
    assert load.rate is not None
    short, long = found.pure, found.mixed
    steps = found.mix.steps + (0.0 if mixed else found.mix.prefilling)
    share = np.clip(found.mix.prefilling / np.maximum(steps, 1e-9), 0.0, 1.0)
    mean = share * long + (1.0 - share) * short
    squared = 1.0 + np.square(load.variation)
    longer = np.square(long) * (1.0 + np.square(load.variation) / np.maximum(found.mix.prompts, 1.0))
    waiting = busy * (share * longer + (1.0 - share) * np.square(short)) / (2.0 * mean)
    # Nobody is served before the prompts that came before: each takes its part of a full step at least.
    slots = task.devices * np.maximum(task.chunk / task.prompt, 1.0)
    more = np.maximum(long - short, 0.0) / np.maximum(found.mix.prompts, 1.0)
    full = np.maximum(long, short + slots * more)
    each = full / slots
    work = np.minimum(load.rate * each, 0.99)
    alone = each * work * squared / (2.0 * (1.0 - work)) + busy * (1.0 - work) * short / 2.0
    waiting = np.maximum(waiting, alone)
    square = busy * (share * long**3 + (1.0 - share) * short**3) / (3.0 * mean)
    own = long * (np.maximum(found.mix.own, 1.0) if mixed else 1.0) + found.through
    # More prompts come during the long step that a prompt is in; with each step after it, that is forgotten.
    if mixed:
        again, once = -np.expm1(-load.rate * long), -np.expm1(-load.rate * short)
        left = np.maximum(again - share, 0.0) * (long - short) / np.maximum(1.0 - again + once, 1e-9) * busy
        shared = found.mix.behind * inside / (inside + 1.0)
        least = task.decodes * (short + shared * np.maximum(long - short, 0.0))
        after = np.maximum(found.seconds - found.ttft, least) + np.where(task.decodes > 0, left, 0.0)
    else:
        # Who came later than it, but for those that its own step took too.
        left = load.rate * (long + waiting) - np.minimum(load.rate * waiting, (slots - 1.0) / 2.0)
        after = decoding(task, found, plain.each, left, np.minimum(load.rate * plain.each, 0.99))
    parts = {
        "first": own + waiting,
        "own": own,
        "each": plain.each,
        "decoding": after,
        "variance": np.square(load.variation * plain.each) + np.maximum(square - np.square(waiting), 0.0),
    }
    return Prompt(**{name: np.where(where, value, getattr(plain, name)) for name, value in parts.items()})
