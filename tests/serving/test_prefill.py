"""Queues of prompts that share steps, against their exact solution and against the simulator."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson as arrivals

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
    perform_disaggregated,
    poisson,
    simulate_disaggregated,
)
from outlay.serving.prefill import Prefill
from outlay.serving.steps import Mixture


def queue(places: float, fixed: float) -> Prefill:
    """Steps of one second for a prompt alone, of which `fixed` is shared."""
    full = fixed + (1.0 - fixed) * places
    step = Mixture(decoding=0.0, context=0.0, prefill=1.0, prompts=places)
    return Prefill(one=1.0, held=1.0, each=full / places, step=step, room=1.0, places=places, devices=1.0, side=1.0)


def exact(places: int, fixed: float, share: float) -> float:
    """Mean seconds of a prompt: the Markov chain of those who wait when a step ends, and Little's law."""
    each = (fixed + (1.0 - fixed) * places) / places
    rate, most = share / each, int(12 * places / (1.0 - share) + 80)
    taken = np.minimum(np.arange(most + 1), places)
    seconds = fixed + (1.0 - fixed) * np.maximum(taken, 1)
    chain = np.zeros((most + 1, most + 1))
    for waiting in range(1, most + 1):
        left = waiting - taken[waiting]
        chance = arrivals.pmf(np.arange(most + 1 - left), rate * seconds[waiting])
        chain[waiting, left:] = chance
        chain[waiting, most] += 1.0 - chance.sum()
    chain[0] = chain[1]  # an idle instance waits for one
    equations = chain.T - np.eye(most + 1)
    equations[-1] = 1.0
    stationary = np.linalg.solve(equations, np.eye(most + 1)[-1])
    waiting = np.maximum(np.arange(most + 1), 1)
    inside = stationary @ (waiting * seconds + rate * np.square(seconds) / 2.0)
    lasting = stationary @ (seconds + np.eye(most + 1)[0] / rate)
    return float(inside / lasting / rate)


@pytest.mark.parametrize("places", [2, 4, 8, 32])
@pytest.mark.parametrize("fixed", [0.1, 0.4, 0.8, 1.0])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.6, 0.8, 0.9])
def test_prompts_wait_as_the_exact_solution_says(places: int, fixed: float, share: float) -> None:
    prompts = queue(places, fixed)
    assert float(prompts.first(share / prompts.each, 1.0)) == pytest.approx(exact(places, fixed, share), rel=0.12)


def pools(prompts: Layout, model: str = "deepseek-v3", form: str = "fp8-block") -> tuple[Deployment, Deployment]:
    """Instances for prompts, in a layout, and for answers."""
    first, last = (
        Deployment(
            architecture=read_model(model)[0],
            cluster=cluster_for(accelerator("h200"), int(layout.devices)),
            layout=layout,
            engine=engine_for("vllm"),
            weights=format_for(form),
        )
        for layout in (prompts, Layout(tensor=8, expert=8 if form == "fp8-block" else 1))
    )
    return first, last


@pytest.mark.parametrize(("layout", "variation"), [(Layout(tensor=8, expert=8), 0.0), (Layout(data=8, expert=8), 0.0)])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("instances", [1, 2, 4])
def test_prompts_beside_each_other_are_as_played(
    coefficients: ServingCoefficients, layout: Layout, variation: float, share: float, instances: int
) -> None:
    """DeepSeek-V3's experts on eight devices: eight prompts side by side take twice as long as one, not as long; and of
    several instances that are all at work, the least loaded is in the middle of a step."""
    both, counts = pools(layout), {"prefill_instances": instances, "decode_instances": 64}
    load = Load(input=2048, output=32, rate=1e-3)
    highest = 1e-3 / float(perform_disaggregated(*both, load, coefficients, **counts).utilisation)
    requests = poisson(share * highest, 3000, input=2048, output=32, variation=variation, seed=4)
    load = Load(input=2048, output=32, rate=requests.rate, variation=variation)
    expected = perform_disaggregated(*both, load, coefficients, **counts)
    played = simulate_disaggregated(*both, requests, coefficients, **counts).performance
    assert float(expected.ttft) == pytest.approx(float(played.ttft), rel=0.15)


def test_lengths_that_vary_are_as_played(coefficients: ServingCoefficients) -> None:
    both = pools(Layout(tensor=8, expert=8))
    requests = poisson(12.0, 3000, input=2048, output=32, variation=0.5, seed=4)
    load = Load(input=2048, output=32, rate=requests.rate, variation=0.5)
    expected = perform_disaggregated(*both, load, coefficients, decode_instances=64)
    played = simulate_disaggregated(*both, requests, coefficients, decode_instances=64).performance
    assert float(expected.ttft) == pytest.approx(float(played.ttft), rel=0.15)


@pytest.mark.parametrize("layout", [Layout(tensor=8, pipeline=4), Layout(tensor=4, pipeline=8)])
@pytest.mark.parametrize("rate", [0.01, 5.0])
def test_a_prompt_passes_all_stages_of_a_pipeline(
    coefficients: ServingCoefficients, layout: Layout, rate: float
) -> None:
    both = pools(layout, "llama-3-70b", "bf16")
    requests = poisson(rate, 600, input=1024, output=32, seed=4)
    load = Load(input=1024, output=32, rate=requests.rate)
    expected = perform_disaggregated(*both, load, coefficients, decode_instances=8)
    played = simulate_disaggregated(*both, requests, coefficients, decode_instances=8).performance
    assert float(expected.ttft) == pytest.approx(float(played.ttft), rel=0.05)


def test_a_place_in_four_small_instances_is_as_soon_as_played(coefficients: ServingCoefficients) -> None:
    """Two dozen places in each of four that decode: a router takes the least loaded one."""
    one = Deployment(
        architecture=read_model("llama-3-8b")[0],
        cluster=cluster_for(accelerator("l40s"), 1),
        engine=engine_for("vllm"),
    )
    counts = {"prefill_instances": 4, "decode_instances": 4}
    load = Load(input=7000, output=1000, rate=1e-3)
    highest = 1e-3 / float(perform_disaggregated(one, one, load, coefficients, **counts).utilisation)
    requests = poisson(0.8 * highest, 4000, input=7000, output=1000, seed=3)
    load = Load(input=7000, output=1000, rate=requests.rate)
    expected = perform_disaggregated(one, one, load, coefficients, **counts)
    played = simulate_disaggregated(one, one, requests, coefficients, **counts)
    assert float(expected.ttft) == pytest.approx(float(played.ttft[1000:].mean()), rel=0.15)
