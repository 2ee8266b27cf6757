"""One load, four ways: closed and open loop, in closed form and played. They agree, however an instance is split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.scenarios.named import read_model
from outlay.serving import (
    Deployment,
    Load,
    Requests,
    ServingCoefficients,
    engine_for,
    format_for,
    perform,
    poisson,
    simulate,
)

WITHIN = 1.15
VARIATION = 0.5
"""Of lengths, so that clients do not fall into step."""


@dataclass(frozen=True)
class Case:
    model: str
    on: str
    layout: Layout
    weights: str = "bf16"
    input: int = 4000
    output: int = 1000
    engine: str = "vllm"


def spread_out(devices: int) -> Layout:
    """Data-parallel attention, and experts on all devices."""
    return Layout(data=devices, expert=devices, sequence_parallel=False)


CASES = {
    "dense, one device": Case("llama-3-8b", "h100-sxm", Layout()),
    "dense, tp": Case("llama-3-70b", "h100-sxm", Layout(tensor=4, sequence_parallel=False)),
    "dense, pp": Case("llama-3-70b", "h100-sxm", Layout(pipeline=4)),
    "mixture, tp": Case("qwen3-30b-a3b", "h100-sxm", Layout(tensor=4, expert=4, sequence_parallel=False)),
    "mixture, pp": Case("qwen3-30b-a3b", "h100-sxm", Layout(pipeline=4)),
    "mixture, dp and ep": Case("qwen3-30b-a3b", "h100-sxm", spread_out(4)),
    "mixture of two devices, few answers": Case("deepseek-v2-lite", "mi300x", spread_out(2), output=100),
    "large mixture, tp": Case("deepseek-v3", "h200", Layout(tensor=8, expert=8, sequence_parallel=False), "fp8-block"),
    "large mixture, dp and ep": Case("deepseek-v3", "h200", spread_out(8), "fp8-block"),
    "large mixture, prompts first": Case("deepseek-v3", "h200", spread_out(8), "fp8-block", engine="sglang"),
}


def deployment_of(case: Case) -> Deployment:
    return Deployment(
        architecture=read_model(case.model)[0],
        cluster=cluster_for(accelerator(case.on), int(case.layout.devices)),
        layout=case.layout,
        engine=engine_for(case.engine),
        weights=format_for(case.weights),
    )


def played(requests: Requests, deployment: Deployment, coefficients: ServingCoefficients, clients: int | None) -> float:
    """Seconds between the tokens of requests that neither the beginning nor the end of a run touches."""
    found = simulate(deployment, requests, coefficients, concurrency=clients)
    middle = slice(int(len(requests) * 0.3), int(len(requests) * 0.9))
    return float((found.finish - found.first)[middle].sum() / (found.output[middle] - 1).sum())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("name", CASES)
def test_clients_and_rates_in_closed_form_and_played_agree(
    coefficients: ServingCoefficients, name: str, share: float
) -> None:
    case = CASES[name]
    deployment = deployment_of(case)
    sizes = {"input": case.input, "output": case.output, "variation": VARIATION}
    highest = 1.0 / float(perform(deployment, Load(**sizes, rate=1.0), coefficients).utilisation)
    rate = share * highest
    at_rate = perform(deployment, Load(**sizes, rate=rate), coefficients)
    clients = max(round(float(at_rate.concurrency)), 1)
    by_clients = perform(deployment, Load(**sizes, concurrency=clients), coefficients)
    count = int(np.clip(10 * clients, 500, 4000))
    coming = poisson(rate=rate, count=count, seed=3, **sizes)
    at_once = Requests(np.zeros(count), coming.input, coming.output)
    times = {
        "rate": float(at_rate.tpot),
        "clients": float(by_clients.tpot),
        "rate, played": played(coming, deployment, coefficients, None),
        "clients, played": played(at_once, deployment, coefficients, clients),
    }
    for way in ("rate", "clients"):
        assert times[way] == pytest.approx(times[f"{way}, played"], rel=WITHIN - 1.0), times
    assert times["clients"] == pytest.approx(times["rate"], rel=WITHIN - 1.0), times
    assert float(by_clients.requests_per_second) == pytest.approx(rate, rel=WITHIN - 1.0)
