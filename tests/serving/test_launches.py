"""What the host of an engine takes to launch a step, where the device has little to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.scenarios.named import read_model
from outlay.serving import Deployment, ServingCoefficients, Work, engine_for, iteration


def step(deployment: Deployment, coefficients: ServingCoefficients, **work: float) -> float:
    return float(iteration(deployment, Work(**work), coefficients).seconds)


def test_a_short_prompt_takes_as_long_as_its_pieces_are_launched(
    one: Deployment, coefficients: ServingCoefficients
) -> None:
    """Measured on one H200: 12 ms for a prompt of 16 tokens through 32 layers, 5 ms for a token of decoding."""
    one = replace(one, cluster=cluster_for(accelerator("h200-sxm"), 1))
    short = step(one, coefficients, prefill=16, prompts=1)
    assert short > 32 * coefficients.step.launch["pieces"]
    assert short > 1.2 * step(one, coefficients, decoding=16, context=16)
    long = step(one, coefficients, prefill=4096, prompts=1)
    slower = replace(coefficients.step, launch={**coefficients.step.launch, "pieces": 1e-3})
    assert step(one, replace(coefficients, step=slower), prefill=4096, prompts=1) == pytest.approx(long)


def test_python_sorts_experts_in_some_engines_alone(coefficients: ServingCoefficients) -> None:
    mixture, *_ = read_model("qwen3-30b-a3b")
    cluster = cluster_for(accelerator("h100-sxm"), 4)
    slower = replace(coefficients.step, launch={**coefficients.step.launch, "experts": 10e-3})

    def more(engine: str, **work: float) -> float:
        one = Deployment(
            architecture=mixture, cluster=cluster, layout=Layout(tensor=4), engine=engine_for(engine, 2026.2)
        )
        return step(one, replace(coefficients, step=slower), **work) - step(one, coefficients, **work)

    assert more("sglang", prefill=64, prompts=1) > 48 * 5e-3
    assert more("sglang", decoding=64, context=100) == 0.0
    assert more("vllm", prefill=64, prompts=1) == 0.0
    assert more("trtllm", prefill=64, prompts=1) == 0.0


def test_graphs_are_captured_for_the_sequences_of_one_device(coefficients: ServingCoefficients) -> None:
    """Eight devices that decode 400 sequences each have a graph for them, where one with 3,200 has none."""
    mixture, *_ = read_model("qwen3-30b-a3b")
    cluster, engine = cluster_for(accelerator("h100-sxm"), 8), engine_for("trtllm")
    shared = Deployment(architecture=mixture, cluster=cluster, layout=Layout(data=8, expert=8), engine=engine)
    whole = Deployment(architecture=mixture, cluster=cluster, layout=Layout(tensor=8), engine=engine)
    slow = replace(coefficients.step, launch={**coefficients.step.launch, "pieces": 5e-3})
    changed = replace(coefficients, step=slow)
    assert step(shared, changed, decoding=3200, context=100) == step(shared, coefficients, decoding=3200, context=100)
    assert step(whole, changed, decoding=3200, context=100) > step(whole, coefficients, decoding=3200, context=100)
