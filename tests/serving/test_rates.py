"""Requests that come at a rate, in closed form and played, where the closed form was once far off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.scenarios.named import read_model
from outlay.serving import (
    Deployment,
    Load,
    ServingCoefficients,
    engine_for,
    format_for,
    perform,
    poisson,
    simulate,
)

ONE = Layout()


@dataclass(frozen=True)
class Case:
    """A deployment, its requests, and the rates at which it is looked at."""

    model: str
    on: str
    engine: str
    rates: tuple[float, ...]
    input: int
    output: int
    variation: float = 0.0
    weights: str = "bf16"
    cache: str = "bf16"
    layout: Layout = ONE
    within: float = 0.1
    names: tuple[str, ...] = ("ttft", "tpot", "e2e")


TILES = Case(
    "qwen3-30b-a3b", "a100-sxm-80gb", "sglang", (2.0, 4.0, 8.0, 24.0), 128, 128, 0.5, "nvfp4", "fp8", within=0.15
)
"""Two prompts begin one more tile than one and a half."""

QUEUE = Case("llama-3-8b", "h100-sxm", "vllm", (0.5, 1.4, 2.3, 3.2, 4.1), 7000, 64, within=0.12)
"""Prompts that fill a step, one after the other."""
SHORT = Case("llama-3-8b", "h100-sxm", "vllm", (1.5, 2.5, 3.5), 7000, 4, within=0.2)
"""And answers that end before the next ones are through."""
LONG = Case("llama-3-8b", "h100-sxm", "sglang", (2.5, 3.6, 4.5, 5.0), 6000, 50, within=0.17)
"""Prompts that go first, and fill three quarters of a step."""
ALONE = Case("llama-3-8b", "h100-sxm", "vllm", (1.0, 2.3, 3.5), 8000, 1, within=0.02, names=("ttft", "e2e"))
"""Nothing but prompts, in an engine that schedules ahead."""
SHORTEST = Case("qwen3-30b-a3b", "h100-sxm", "vllm", (0.6, 1.8), 12000, 2, 0.5, within=0.25)


def deployment_of(case: Case) -> Deployment:
    return Deployment(
        architecture=read_model(case.model)[0],
        cluster=cluster_for(accelerator(case.on), int(case.layout.devices)),
        layout=case.layout,
        engine=engine_for(case.engine),
        weights=format_for(case.weights),
        cache=case.cache,
    )


def played(deployment: Deployment, load: Load, coefficients: ServingCoefficients, count: int) -> dict[str, float]:
    """Means over requests that neither the beginning nor the end of a run touches."""
    assert load.rate is not None
    sizes = {"input": float(load.input), "output": float(load.output), "variation": float(load.variation)}
    found = simulate(deployment, poisson(rate=float(load.rate), count=count, seed=3, **sizes), coefficients)
    middle = slice(int(count * 0.3), int(count * 0.9))
    after = (found.finish - found.first)[middle].sum() / max(np.maximum(found.output[middle] - 1, 0).sum(), 1)
    return {"ttft": float(found.ttft[middle].mean()), "tpot": float(after), "e2e": float(found.e2e[middle].mean())}


@pytest.mark.parametrize(
    "case", [TILES, QUEUE, SHORT, SHORTEST, LONG, ALONE], ids=lambda case: f"{case.model} {case.engine} {case.output}"
)
def test_times_are_those_of_the_simulator(coefficients: ServingCoefficients, case: Case) -> None:
    deployment = deployment_of(case)
    for rate in case.rates:
        load = Load(input=case.input, output=case.output, variation=case.variation, rate=rate)
        found = perform(deployment, load, coefficients)
        count = int(np.clip(30 * float(found.concurrency), 1500, 8000))
        truth = played(deployment, load, coefficients, count)
        for name in case.names:
            assert float(getattr(found, name)) == pytest.approx(truth[name], rel=case.within), (rate, name)


SHARED = (
    Case("llama-3-8b", "h100-sxm", "vllm", (0.3, 0.6, 0.8), 2000, 300),
    Case("llama-3-8b", "h100-sxm", "vllm", (0.3, 0.6, 0.8), 6000, 50),
    Case("llama-3-8b", "h100-sxm", "sglang", (0.3, 0.6, 0.8), 3000, 300),
    Case("llama-3-8b", "h100-sxm", "sglang", (0.3, 0.6, 0.8), 6000, 50),
    Case("llama-3-8b", "a100-sxm-80gb", "trtllm", (0.3, 0.6, 0.8), 6000, 50, within=0.12),
    Case("llama-3-8b", "h100-sxm", "sglang", (0.2, 0.4, 0.6), 3000, 1, names=("ttft",)),
    Case("llama-3-8b", "a100-sxm-80gb", "lmdeploy", (0.2, 0.4, 0.6), 3000, 1, names=("ttft",)),
    Case("llama-3-8b", "m3-max", "llamacpp", (0.3, 0.6), 512, 256, weights="q4_k_m", within=0.15),
    Case("llama-3-8b", "h100-sxm", "llamacpp", (0.2, 0.4, 0.6), 512, 200, within=0.2),
)
"""At shares of the highest rate: prompts that fit into steps many times, hardly, and not quite, first or beside answers."""


@pytest.mark.parametrize("variation", [0.0, 0.6])
@pytest.mark.parametrize("case", SHARED, ids=lambda case: f"{case.engine} {case.input} {case.output}")
def test_times_of_prompts_that_share_steps(coefficients: ServingCoefficients, case: Case, variation: float) -> None:
    deployment = deployment_of(case)
    sizes = {"input": case.input, "output": case.output, "variation": variation}
    highest = 1.0 / float(perform(deployment, Load(**sizes, rate=1.0), coefficients).utilisation)
    for share in case.rates:
        load = Load(**sizes, rate=share * highest)
        truth = played(deployment, load, coefficients, 20_000)
        found = perform(deployment, load, coefficients)
        for name in case.names:
            assert float(getattr(found, name)) == pytest.approx(truth[name], rel=case.within), (share, name)


ON_THE_WAY = {
    "large mixture on eight": ("deepseek-v3", "h200", 8, 2048, 64, 95),
    "longer answers": ("deepseek-v3", "h200", 8, 2048, 256, 200),
    "dense on eight": ("mistral-7b", "rtx-4090", 8, 2048, 64, 95),
    "dense on one": ("llama-3-8b", "h100-sxm", 1, 1024, 128, 64),
}
"""Prompts go first, and take longer than a request is on its way: who comes meanwhile comes together."""


@pytest.mark.parametrize("name", ON_THE_WAY)
@pytest.mark.parametrize("front_end", [None, 0.0])
def test_clients_that_take_a_while_to_come_again(
    coefficients: ServingCoefficients, name: str, front_end: float | None
) -> None:
    model, on, devices, tokens, output, clients = ON_THE_WAY[name]
    case = Case(model, on, "sglang", (), tokens, output, 0.3, weights="fp8-block" if model == "deepseek-v3" else "bf16")
    layout = Layout(data=devices, expert=devices if model == "deepseek-v3" else 1, sequence_parallel=False)
    deployment = deployment_of(replace(case, layout=layout))
    load = Load(input=tokens, output=output, variation=0.3, concurrency=clients)
    found = perform(deployment, load, coefficients, front_end=front_end)
    count = max(10 * clients, 1200)
    sent = poisson(rate=1.0, count=count, seed=4, input=tokens, output=output, variation=0.3)
    ended = np.sort(simulate(deployment, sent, coefficients, concurrency=clients, front_end=front_end).finish)
    first, last = int(count * 0.3), int(count * 0.9 - clients)
    assert float(found.requests_per_second) == pytest.approx((last - first) / (ended[last] - ended[first]), rel=0.1)


@pytest.mark.parametrize("output", [2, 3, 8])
def test_clients_are_where_they_take_their_time(coefficients: ServingCoefficients, output: int) -> None:
    """Little's law where prompts go first and answers are short: all prompts met in one visit, and took longer than the cycle."""
    one = deployment_of(Case("llama-3-8b", "h100-sxm", "sglang", (), 1000, output))
    clients = np.array([1.0, 4.0, 16.0, 64.0])
    found = perform(one, Load(input=1000, output=output, concurrency=clients, variation=0.3), coefficients)
    assert found.requests_per_second * found.e2e == pytest.approx(clients, rel=0.02)
    further = clients >= 4
    assert (np.asarray(found.tpot)[further] > 0).all()
