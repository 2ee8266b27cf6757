"""Play requests where some instances compute prompts and others answer, with caches travelling between them."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.instance import Instance
from outlay.serving.replay import Replay
from outlay.serving.request import Request
from outlay.serving.requests import Requests
from outlay.serving.simulate import (
    Pacer,
    Progress,
    Routing,
    all_of,
    asked_and_fresh,
    check,
    choose,
    each_of,
    mean_prompt,
    policy_of,
    replay_of,
    usual_tokens,
)
from outlay.serving.speculation import Speculation
from outlay.serving.timer import Timer
from outlay.serving.transfer import Transfer


def simulate_disaggregated(
    prefill_deployment: Deployment,
    decode_deployment: Deployment,
    requests: Requests,
    coefficients: ServingCoefficients,
    *,
    transfer: Transfer | None = None,
    prefill_instances: int = 1,
    decode_instances: int = 1,
    routing: Routing = "least-loaded",
    most_sequences: int | None = None,
    speculation: Speculation | None = None,
    concurrency: int | None = None,
    front_end: float | None = None,
    progress: Progress | None = None,
) -> Replay:
    """As :func:`~outlay.serving.simulate.simulate`, with the arguments of
    :func:`~outlay.serving.disaggregated.perform_disaggregated`.

    A first token counts when its cache has come and a decoding instance has taken it up. The replay's `busy`, `steps` and
    `joules` are of all instances; its blocks are those of a decoding one.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> few = Requests([0.0, 0.1, 0.2], [500, 500, 500], [100, 200, 1])
    >>> found = simulate_disaggregated(one, one, few, load_serving())
    >>> bool((found.finish >= found.first).all() and (found.first > found.arrival).all())
    True
    """
    transfer = Transfer.over_network(prefill_deployment, decode_deployment) if transfer is None else transfer
    usual = usual_tokens(requests)
    per_step = 1.0 if speculation is None else float(speculation.tokens_per_step)
    first_policy = policy_of(prefill_deployment, coefficients, usual, prefill_only=True)
    last_policy = policy_of(
        decode_deployment, coefficients, usual, most_sequences=most_sequences, per_step=per_step, decode_only=True
    )
    check(first_policy, requests)
    check(last_policy, requests)
    played = all_of(requests)
    pace = Pacer(len(played), progress)
    prompted: list[tuple[float, Request]] = []
    answered: list[tuple[float, Request]] = []
    first_timer = Timer(prefill_deployment, coefficients)
    last_timer = Timer(decode_deployment, coefficients, speculation=speculation)
    firsts = [
        Instance(first_timer, first_policy, lambda r, at: prompted.append((at, r))) for _ in range(prefill_instances)
    ]
    lasts = [Instance(last_timer, last_policy, lambda r, at: answered.append((at, r))) for _ in range(decode_instances)]
    asked_first, fresh_first = asked_and_fresh(firsts, routing)
    asked_last, fresh_last = asked_and_fresh(lasts, routing)
    order = count()
    coming: list[tuple[float, int, Request]] = []
    """Requests on their way to a prefilling instance."""
    travelling: list[tuple[float, int, Request]] = []
    later = iter(played)
    if concurrency is None:
        coming = [(request.arrival, next(order), request) for request in later]
    else:
        coming = [(0.0, next(order), request) for _, request in zip(range(concurrency), later, strict=False)]
    engines = prefill_deployment.engine, decode_deployment.engine
    usual = float(coefficients.step.front_of_pools(*engines, mean_prompt(requests)))
    front = usual if front_end is None else front_end
    each = each_of(decode_deployment, coefficients, front) if concurrency is not None else 0.0
    together = float(len(coming)) if concurrency is not None else 1.0
    sent = taken = 0
    while True:
        # Clients that begin together pass one process together.
        away = front + (each * (together - 1.0) if coming and coming[0][0] == 0.0 else 0.0)
        times = (coming[0][0] + away if coming else inf, travelling[0][0] if travelling else inf)
        working = min((*asked_first, *asked_last), key=lambda instance: instance.end)
        if working.end == inf and min(times) == inf:
            break
        if working.end <= min(times):
            working.next_event()
        elif times[1] <= times[0]:
            at, _, request = heappop(travelling)
            choose(asked_last, taken, routing, fresh_last).add(request, at)
            taken += 1
        else:
            at, _, request = heappop(coming)
            request.arrival = at
            choose(asked_first, sent, routing, fresh_first).add(request, at + away)
            sent += 1
        for at, request in prompted:
            if request.finish >= 0:
                answered.append((at, request))
                continue
            request.first = -1.0
            way = float(transfer.seconds(prefill_deployment, decode_deployment, request.input))
            heappush(travelling, (at + way, next(order), request))
        for at, _ in answered:
            pace.one()
            following = next(later, None) if concurrency is not None else None
            if following is not None:
                heappush(coming, (at, next(order), following))
        prompted.clear()
        answered.clear()
    deployments = [*[prefill_deployment] * len(firsts), *[decode_deployment] * len(lasts)]
    return replay_of(played, firsts + lasts, deployments, front_end=front)
