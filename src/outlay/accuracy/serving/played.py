"""Clients whose requests are all alike, played one by one: who began together ends together, and comes again together.

Answers of one length end in the order and at the distances in which their prompts were computed, so the requests that
clients sent at once follow each other through every round: the first token waits for the prompts of all of them. No steady
state in closed form knows that; the simulator does (:func:`~outlay.serving.simulate`).
"""

from __future__ import annotations

import numpy as np

from outlay.errors import DoesNotFit
from outlay.serving import Deployment, Requests, ServingCoefficients, Speculation, simulate

MOST_STEPS = 200_000
"""Steps beyond which fewer rounds are played."""


def played(
    deployment: Deployment,
    coefficients: ServingCoefficients,
    *,
    prompt: float,
    answer: float,
    clients: float,
    rounds: float,
    speculation: Speculation | None = None,
) -> dict[str, float] | None:
    """How `clients` of one instance fare that send `rounds` requests each, by the names of a
    :class:`~outlay.accuracy.serving.sessions.Fare`; None where a request does not fit.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> sixteen = played(one, load_serving(), prompt=1024, answer=128, clients=16, rounds=5)
    >>> alone = played(one, load_serving(), prompt=1024, answer=128, clients=1, rounds=5)
    >>> bool(sixteen["ttft"] > 4 * alone["ttft"])  # prompts that come together are computed together
    True
    """
    tokens, further = max(round(prompt), 1), max(round(answer), 1)
    count = max(round(clients), 1) * min(max(round(rounds), 1), max(MOST_STEPS // further, 1))
    requests = Requests(np.zeros(count), np.full(count, tokens), np.full(count, further))
    try:
        replay = simulate(
            deployment,
            requests,
            coefficients,
            concurrency=max(round(clients), 1),
            speculation=speculation,
        )
    except DoesNotFit:
        return None
    seconds, output = replay.seconds, float(replay.output.sum())
    found = {
        "ttft": float(replay.ttft.mean()),
        "e2e": float(replay.e2e.mean()),
        "output_per_second": output / seconds,
        "total_per_second": (output + float(replay.input.sum())) / seconds,
        "requests_per_second": count / seconds,
        "joules_per_token": replay.joules / output,
    }
    return found | ({"tpot": float(replay.tpot.mean())} if further > 1 else {})
