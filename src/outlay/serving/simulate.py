"""Play requests on replicas of a deployment, event by event: what closed forms average, and what they cannot say.

The engine's policy decides who is admitted; blocks of the cache run out and sequences are put back; replicas are chosen in
turn or by what they have to do. Steps take what the tables say (:mod:`outlay.serving.timer`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Literal

import numpy as np

from outlay.errors import DoesNotFit
from outlay.machine import power_watts
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.instance import Instance, Policy, Request
from outlay.serving.kv_cache import sequence_bytes
from outlay.serving.memory import memory
from outlay.serving.replay import Replay
from outlay.serving.requests import Requests
from outlay.serving.room import RESERVING
from outlay.serving.speculation import Speculation
from outlay.serving.timer import Timer

Routing = Literal["round-robin", "least-loaded"]
Progress = Callable[[int, int], None]

QUIET = 1.0
"""Seconds before progress is reported."""
EVERY = 256
"""Requests between two looks at the clock."""


def policy_of(
    deployment: Deployment,
    coefficients: ServingCoefficients,
    tokens: float,
    *,
    most_sequences: int | None = None,
    per_step: float = 1.0,
    prefill_only: bool = False,
    decode_only: bool = False,
) -> Policy:
    """The batch of one instance. `tokens`: of a usual sequence, for caches that do not grow evenly (windows, states)."""
    engine, data = deployment.engine, int(deployment.layout.data)
    free = max(float(memory(deployment, coefficients).cache), 0.0)
    block = float(sequence_bytes(deployment, tokens)) / max(np.ceil(tokens / engine.block_tokens), 1.0)
    return Policy(
        mixed=engine.mixed,
        static=engine.batching == "static",
        chunk=engine.chunk_tokens * data,
        most_sequences=engine.most_sequences * data if most_sequences is None else most_sequences,
        block_tokens=engine.block_tokens,
        blocks=int(free / max(block, 1.0)) * data,
        reserving=engine.family in RESERVING or engine.batching == "static",
        per_step=per_step,
        prefill_only=prefill_only,
        decode_only=decode_only,
    )


def simulate(
    deployment: Deployment,
    requests: Requests,
    coefficients: ServingCoefficients,
    *,
    replicas: int = 1,
    routing: Routing = "least-loaded",
    most_sequences: int | None = None,
    speculation: Speculation | None = None,
    concurrency: int | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Play requests on `replicas` of a deployment.

    Parameters
    ----------
    requests
        In the order of arrival. With `concurrency`, their times do not count.
    concurrency
        Requests that clients keep open, over all replicas: a closed loop. None: requests come at their times.
    most_sequences
        Requests that run together at most on one instance; None is what the engine allows.
    progress
        Called with requests answered and requests in all, after the first second and not too often.

    Raises
    ------
    DoesNotFit
        The model, or one of the requests, does not fit into the memory of an instance.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> found = simulate(one, Requests([0.0, 0.1, 0.2], [500, 500, 500], [100, 200, 50]), load_serving())
    >>> int(found.output.sum()), bool((found.finish > found.first).all())
    (350, True)
    """
    timer, policy = _prepared(deployment, requests, coefficients, most_sequences, speculation)
    all_requests = _all_of(requests)
    play = _Play(len(all_requests), progress)
    instances = [Instance(timer, policy, play.left) for _ in range(replicas)]
    if concurrency is None:
        play.open(instances, all_requests, routing)
    else:
        play.closed(instances, all_requests, concurrency, routing)
    return replay_of(all_requests, deployment, instances)


def _prepared(
    deployment: Deployment,
    requests: Requests,
    coefficients: ServingCoefficients,
    most_sequences: int | None,
    speculation: Speculation | None,
) -> tuple[Timer, Policy]:
    whole = requests.input + requests.output
    usual = float(whole.mean()) if len(whole) else 1.0
    per_step = 1.0 if speculation is None else float(speculation.tokens_per_step)
    policy = policy_of(deployment, coefficients, usual, most_sequences=most_sequences, per_step=per_step)
    check(policy, requests)
    return Timer(deployment, coefficients, speculation=speculation), policy


def check(policy: Policy, requests: Requests) -> None:
    """Raise `DoesNotFit` where the longest request alone is more than the cache holds."""
    longest = int((requests.input + requests.output).max()) if len(requests) else 0
    if -(-longest // policy.block_tokens) + 1 > policy.blocks:
        room = policy.blocks * policy.block_tokens
        said = f"a request of {longest:,} tokens does not fit" if room else "the model does not fit"
        raise DoesNotFit(
            f"{said}: an instance has room for {room:,} tokens in its cache",
            hint="take more devices an instance, or store weights or the cache in fewer bits",
        )


def _all_of(requests: Requests) -> list[Request]:
    assert requests.cached is not None
    columns = (requests.arrival, requests.input, requests.output, requests.cached)
    return [Request(index, *row) for index, row in enumerate(zip(*(part.tolist() for part in columns), strict=True))]


class _Play:
    """Hands requests to instances in the order of time."""

    def __init__(self, count: int, progress: Progress | None) -> None:
        self._count, self._done, self._progress = count, 0, progress
        self._begun = self._said = time.perf_counter()
        self._answered: list[tuple[float, Request]] = []
        self._keep = False

    def left(self, request: Request, at: float) -> None:
        """A request was answered."""
        self._done += 1
        if self._keep:
            self._answered.append((at, request))
        if self._progress is not None and self._done % EVERY == 0:
            now = time.perf_counter()
            if now - self._begun > QUIET and now - self._said > QUIET / 10.0:
                self._said = now
                self._progress(self._done, self._count)

    def open(self, instances: list[Instance], requests: list[Request], routing: Routing) -> None:
        """Requests at their own times."""
        count = len(instances)
        for place, request in enumerate(requests):
            at = request.arrival
            if routing == "round-robin" or count == 1:
                instance = instances[place % count]
                instance.run_until(at)
            else:
                for each in instances:
                    if each.end <= at:
                        each.run_until(at)
                instance = min(instances, key=_load)
            instance.add(request, at)
        for instance in instances:
            instance.run_until(inf)

    def closed(self, instances: list[Instance], requests: list[Request], concurrency: int, routing: Routing) -> None:
        """A request is sent when one is answered; it arrives while the next step is under way."""
        self._keep = True
        waiting = iter(requests)
        sent = 0

        def send(at: float) -> None:
            nonlocal sent
            request = next(waiting, None)
            if request is None:
                return
            request.arrival = at
            instance = instances[sent % len(instances)] if routing == "round-robin" else min(instances, key=_load)
            sent += 1
            instance.add(request, at)

        first = min(concurrency, len(requests))
        together = instances[0].policy.static

        def send_all(times: list[float]) -> None:
            # A batch that is begun once takes all that were sent at the same time.
            for instance in instances:
                instance.held_back = together
            for at in times:
                send(at)
            for instance in instances:
                instance.held_back = False
                if instance.end == inf and instance.waiting:
                    instance.begin(times[-1])

        send_all([0.0] * first)
        while True:
            instance = min(instances, key=_end)
            if instance.end == inf:
                return
            instance.next_event()
            answered, self._answered = self._answered, []
            if answered:
                send_all([at for at, _ in answered])


def _load(instance: Instance) -> int:
    return instance.load


def _end(instance: Instance) -> float:
    return instance.end


def replay_of(
    played: list[Request], deployment: Deployment, instances: list[Instance], devices_each: float | None = None
) -> Replay:
    """The record of a simulation."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(request, name) for request in played])

    arrival, finish = column("arrival"), column("finish")
    whole = float(finish.max() - arrival.min()) if played else 0.0
    each = float(deployment.devices) if devices_each is None else devices_each
    busy = sum(instance.busy for instance in instances)
    idle = float(power_watts(deployment.cluster.accelerator, {}))
    return Replay(
        arrival=arrival,
        admitted=column("admitted"),
        first=column("first"),
        finish=finish,
        input=column("input"),
        output=column("output"),
        preempted=column("preempted"),
        instances=len(instances),
        devices=each * len(instances),
        busy=busy,
        joules=each * (sum(instance.joules for instance in instances) + idle * (len(instances) * whole - busy)),
        decoded=sum(instance.decoded for instance in instances),
        steps=sum(instance.steps for instance in instances),
        prefill_steps=sum(instance.prefill_steps for instance in instances),
        most_blocks=max(instance.most_blocks for instance in instances),
        blocks=instances[0].policy.blocks,
        held=sum(instance.held for instance in instances),
    )
