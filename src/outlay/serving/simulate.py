"""Play requests on replicas of a deployment, event by event: what closed forms average, and what they cannot say.

The engine's policy decides who is admitted; blocks of the cache run out and sequences are put back; replicas are chosen in
turn or by what they have to do. Steps take what the tables say (:mod:`outlay.serving.timer`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from math import inf
from typing import Literal, get_args

import numpy as np

from outlay.errors import DoesNotFit, InputError
from outlay.machine import power_watts
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.instance import Instance
from outlay.serving.kv_cache import sequence_bytes
from outlay.serving.memory import memory
from outlay.serving.replay import Replay
from outlay.serving.request import Policy, Request
from outlay.serving.requests import Requests
from outlay.serving.room import reserves
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
        piece=engine.chunk_tokens,
        most_sequences=engine.most_sequences * data if most_sequences is None else most_sequences,
        block_tokens=engine.block_tokens,
        blocks=int(free / max(block, 1.0)) * data,
        reserving=reserves(engine) or engine.batching == "static",
        per_step=per_step,
        prefill_only=prefill_only,
        decode_only=decode_only,
        stages=1 if engine.sequential_layers else int(deployment.layout.pipeline),
        overlaps=engine.overlap_schedule and not (prefill_only or decode_only),
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
    front_end: float | None = None,
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
    front_end
        Seconds from a client to the engine; None is what the engine's own front end takes.
    progress
        Called with requests answered and requests in all, after the first second and not too often.

    Raises
    ------
    DoesNotFit
        The model, or one of the requests, does not fit into the memory of an instance.
    InputError
        A count is not a whole number from 1, `front_end` is no time, or the routing is unknown.

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
    check_counts(replicas=replicas, most_sequences=most_sequences, concurrency=concurrency)
    if front_end is not None and not 0 <= front_end < inf:
        raise InputError(f"`front_end` is {front_end}", expected="seconds from 0", hint="write `front_end=0.02`")
    if routing not in (ways := get_args(Routing)):
        raise InputError(f"`routing` is {routing!r}", expected=" or ".join(ways), hint=f"write `routing={ways[0]!r}`")
    per_step = 1.0 if speculation is None else float(speculation.tokens_per_step)
    policy = policy_of(
        deployment, coefficients, usual_tokens(requests), most_sequences=most_sequences, per_step=per_step
    )
    check(policy, requests)
    front = front_of(deployment, requests, coefficients) if front_end is None else front_end
    timer = Timer(deployment, coefficients, speculation=speculation)
    played = all_of(requests)
    pace = Pacer(len(played), progress)
    answered: list[float] = []

    def left(_: Request, at: float) -> None:
        pace.one()
        if concurrency is not None:
            answered.append(at)

    instances = [Instance(timer, policy, left) for _ in range(replicas)]
    if concurrency is None:
        _open(instances, played, routing, front)
    else:
        _closed(instances, played, concurrency, routing, answered, front, each_of(deployment, coefficients, front))
    return replay_of(played, instances, [deployment] * replicas, front_end=front)


def check_counts(**counts: int | None) -> None:
    """Raise `InputError` where a count is none."""
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or count != int(count) or count < 1):
            raise InputError(f"`{name}` is {count}", expected="a whole number from 1", hint=f"write `{name}=4`")


def front_of(deployment: Deployment, requests: Requests, coefficients: ServingCoefficients) -> float:
    """Seconds of the front end for the mean prompt: of all, so that they come in the order in which they were sent."""
    return float(coefficients.step.front_of(deployment.engine, mean_prompt(requests)))


def mean_prompt(requests: Requests) -> float:
    """Mean tokens of a prompt."""
    return float(requests.input.mean()) if len(requests) else 0.0


def each_of(deployment: Deployment, coefficients: ServingCoefficients, front_end: float) -> float:
    """Seconds that each other request of a burst takes in a front end; none where there is no such."""
    return coefficients.step.front_each(deployment.engine) if front_end else 0.0


def usual_tokens(requests: Requests) -> float:
    """Mean tokens of a request, answer included."""
    return float((requests.input + requests.output).mean()) if len(requests) else 1.0


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


def all_of(requests: Requests) -> list[Request]:
    """One object a request."""
    assert requests.cached is not None
    columns = (requests.arrival, requests.input, requests.output, requests.cached)
    return [Request(index, *row) for index, row in enumerate(zip(*(part.tolist() for part in columns), strict=True))]


class Pacer:
    """Tells how far a simulation is, once it takes long."""

    def __init__(self, count: int, progress: Progress | None) -> None:
        self._count, self._done, self._progress = count, 0, progress
        self._begun = self._said = time.perf_counter()

    def one(self) -> None:
        """One more request is answered."""
        self._done += 1
        if self._progress is not None and self._done % EVERY == 0:
            now = time.perf_counter()
            if now - self._begun > QUIET and now - self._said > QUIET / 10.0:
                self._said = now
                self._progress(self._done, self._count)


def asked_and_fresh(instances: list[Instance], routing: Routing) -> tuple[list[Instance], Iterator[Instance]]:
    """Those that are looked through for each request, and those that nothing has been sent to: where the least loaded is taken,
    one of these comes only when all others have work, so that of a hundred thousand those few count that are ever used."""
    return (instances, iter(())) if routing == "round-robin" else (instances[:1], iter(instances[1:]))


def choose(instances: list[Instance], place: int, routing: Routing, fresh: Iterator[Instance] = iter(())) -> Instance:  # noqa: B008 - it is empty
    """Which instance gets the next request; one of the `fresh` ones joins the others when all of those have work."""
    if routing == "round-robin":
        return instances[place % len(instances)]
    found = min(instances, key=_load)
    if found.load > 0 and (another := next(fresh, None)) is not None:
        instances.append(another)
        return another
    return found


def _open(instances: list[Instance], requests: list[Request], routing: Routing, front_end: float) -> None:
    """Requests at their own times, each so much later at the engine."""
    blind = routing == "round-robin" or len(instances) == 1
    asked, fresh = asked_and_fresh(instances, routing)
    for place, request in enumerate(requests):
        at = request.arrival + front_end
        for each in [instances[place % len(instances)]] if blind else asked:
            if each.end <= at:
                each.run_until(at)
        choose(asked, place, "round-robin" if blind else routing, fresh).add(request, at)
    for instance in asked:
        instance.run_until(inf)


def _closed(
    instances: list[Instance],
    requests: list[Request],
    concurrency: int,
    routing: Routing,
    answered: list[float],
    front_end: float,
    front_each: float,
) -> None:
    """A request is sent when one is answered; it arrives while the next step is under way, or a later one."""
    later = iter(requests)
    together = instances[0].policy.static
    coming = [0.0] * min(concurrency, len(requests))
    """When the next requests are sent: a heap."""
    sent = 0

    def send(count: int, at: float, reached: float) -> None:
        nonlocal sent
        # A batch that is begun once takes all that were sent at the same time.
        for instance in instances:
            instance.held_back = together
        for request in islice(later, count):
            request.arrival = at
            choose(instances, sent, routing).add(request, reached)
            sent += 1
        for instance in instances:
            instance.held_back = False
            if instance.end == inf and instance.waiting:
                instance.begin(reached)

    while True:
        instance = min(instances, key=_end)
        count = coming.count(coming[0]) if coming else 0
        # One process takes turns among requests that are sent at once, which pass it together.
        away = front_end + max(count - 1, 0) * front_each
        if coming and coming[0] + away <= instance.end:
            at = coming[0]
            for _ in range(count):
                heappop(coming)
            send(count, at, at + away)
        elif instance.end < inf:
            instance.next_event()
            for time_answered in answered:
                heappush(coming, time_answered)
            answered.clear()
        else:
            break


def _load(instance: Instance) -> int:
    return instance.load


def _end(instance: Instance) -> float:
    return instance.end


def replay_of(
    played: list[Request], instances: list[Instance], deployments: list[Deployment], *, front_end: float
) -> Replay:
    """The record of a simulation; `deployments`: of each instance."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(request, name) for request in played])

    arrival, finish = column("arrival"), column("finish")
    whole = float(finish.max() - arrival.min()) if played else 0.0
    joules = 0.0
    chips = {id(deployment): deployment.cluster.accelerator for deployment in deployments}
    watts = {key: float(power_watts(chip, {})) for key, chip in chips.items()}
    for instance, deployment in zip(instances, deployments, strict=True):
        idle = watts[id(deployment)]
        joules += float(deployment.devices) * (instance.joules + idle * max(whole - instance.busy, 0.0))
    return Replay(
        arrival=arrival,
        admitted=column("admitted"),
        first=column("first"),
        finish=finish,
        input=column("input"),
        output=column("output"),
        preempted=column("preempted"),
        instances=len(instances),
        devices=sum(float(deployment.devices) for deployment in deployments),
        busy=sum(instance.busy for instance in instances),
        joules=joules,
        decoded=sum(instance.decoded for instance in instances),
        steps=sum(instance.steps for instance in instances),
        prefill_steps=sum(instance.prefill_steps for instance in instances),
        most_blocks=max(instance.most_blocks for instance in instances),
        blocks=instances[-1].policy.blocks,
        held=sum(instance.held for instance in instances),
        front_end=front_end,
    )
