r"""Clients that keep requests open where prompts and answers have instances of their own: a closed network of two stations.

n requests decode, at the rate λ = n / Z(n); the others are with the prompts. All c clients are somewhere:

.. math:: c = n + \lambda\,(W(\lambda) + travel)

W is the time at an instance of prompts, waiting included. Prompts that come from decoding come as its answers end: answers
of one length end in the groups in which they began, those of many lengths independently. With σ seconds of spread of an
answer, λσ others may end in between, and arrivals are independent as far as :math:`g = \lambda\sigma / (1 + \lambda\sigma)`.
Where decoding has no place for n, the rest waits in front of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from outlay.serving.closed_loop import emptying
from outlay.serving.cycle import Cycle
from outlay.serving.load import Load
from outlay.serving.prefill import Prefill
from outlay.serving.steps import Steps
from outlay.serving.task import Task
from outlay.workload import Number

HALVINGS = 40
"""Steps that find how clients divide between the instances."""


@dataclass(frozen=True, kw_only=True)
class ClosedApart:
    """What becomes of the clients: means over the requests of a run."""

    rate: Number
    """Requests a second that are answered."""
    ttft: Number
    queue: Number
    answer: Cycle
    utilisation: Number


def closed_apart(
    load: Load,
    *,
    prefill: Prefill,
    prefill_instances: Number,
    task: Task,
    answer: Callable[[Number], Cycle],
    steps: Steps,
    decode_instances: Number,
    most: Number,
    travel: Number,
    sent: Number = np.inf,
) -> ClosedApart:
    """How clients fare; `answer`: the cycle of so many in one decoding instance, `most`: places of one, `sent`: caches a second
    that prefilling instances send at most."""
    assert load.concurrency is not None
    clients = np.asarray(load.concurrency, dtype=float)
    places, decodes = most * decode_instances, np.greater(task.decodes, 0)
    others = (clients - 1.0) / clients
    limit = np.minimum(prefill_instances / prefill.each, sent)
    together = load.rounds is not None

    def decoding(n: Number) -> tuple[Number, Number]:
        seconds = answer(np.maximum(n / decode_instances, 1.0)).seconds
        return n / seconds, seconds

    def prompt(rate: Number, seconds: Number) -> Number:
        """Seconds with the prompts, waiting included."""
        spread = load.variation * seconds
        alone = spread / (prefill.each + spread)
        # What was sent at once stays a train of prompts, which its answers' ends pull apart round by round.
        train = clients / prefill_instances
        apart = 2.0 * spread * np.sqrt(np.divide(1.0 if load.rounds is None else load.rounds, 2.0))
        local = np.where(together, train / (train * prefill.each + apart + 1e-12), 0.0)
        each = np.maximum(rate / prefill_instances, np.minimum(local, 0.95 / prefill.each)) * others
        # A step's prompts part for several decoding instances, and where their answers end further apart than a step.
        group = np.minimum(prefill.step.prompts, clients / prefill_instances) / np.minimum(decode_instances, clients)
        lasts = prefill.each * group
        grouped = np.maximum(lasts - prefill.one, 0.0) / (1.0 + np.square(spread / lasts))
        return np.asarray(prefill.first(each, alone + np.square(load.variation)) + grouped)

    low = np.zeros(np.broadcast(clients, places, prefill.one, task.decodes).shape)
    high = low + np.minimum(clients, places)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        rate, seconds = decoding(middle)
        less = np.less(rate, limit) & np.less(middle + rate * (prompt(rate, seconds) + travel), clients)
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    rate, seconds = decoding(low)
    found = answer(np.clip(low / decode_instances, 1.0, most))
    # Without answers, all clients are with the prompts.
    alone = np.minimum(clients / (prefill.one + travel), limit)
    rate = np.where(decodes, rate, alone)
    steady = np.maximum(clients / rate - np.where(decodes, seconds, 0.0), prefill.one + travel)
    waiting = np.maximum(steady - prompt(np.minimum(rate, 0.999 * limit), seconds) - travel, 0.0)
    waiting = np.where(low < places * (1.0 - 1e-6), 0.0, waiting)
    ttft, served = steady, rate
    if load.rounds is not None:
        # All are sent at once, and the prompts of a first round wait for each other; who has no place waits for it.
        share = np.divide(1.0, load.rounds)
        excess = np.maximum(clients - places, 0.0)
        burst = prefill.together(clients / prefill_instances) + travel + (clients - 1.0) * task.each
        before = np.maximum(steady - waiting, prefill.one + travel)
        later = np.maximum(burst - before, 0.0)
        # Prompts that come later wait less for a place.
        behind = waiting * (1.0 - share * (1.0 - excess / clients / 2.0)) - share * later * excess / clients
        ttft = before + share * (burst - before) + np.maximum(behind, 0.0)
        tail = emptying(load, np.maximum(low / decode_instances, 1.0), found, steps) * found.seconds
        # At the end, who has waited for a prompt has his answer still before him.
        held = seconds * np.minimum(rate * np.maximum(before - prefill.one - travel, 0.0) / clients, 1.0)
        late = later + held + np.where(load.variation > 0, np.maximum(tail, 0.0), 0.0)
        served = clients * load.rounds / (clients * load.rounds / rate + late)
    ttft = ttft + found.ttft
    return ClosedApart(
        rate=served,
        ttft=ttft,
        queue=np.maximum(ttft - prefill.one - travel, 0.0),
        answer=found,
        utilisation=np.ones_like(served),
    )
