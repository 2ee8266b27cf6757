"""What must hold whatever the model and the machine: more bandwidth, more memory, longer contexts, company."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import (
    Deployment,
    Load,
    ServingCoefficients,
    engine_for,
    format_for,
    maximum,
    perform,
    sequence_bytes,
)
from outlay.serving.room import room
from outlay.workload import from_config

MODELS = ("llama-3-8b", "mixtral-8x7b", "deepseek-v3", "gemma-2-9b", "qwen3-30b-a3b")
MIXTURES = {"mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b"}
ENGINES = ("vllm", "sglang", "trtllm")


@functools.cache
def deployed(model: str, engine: str, bandwidth: float = 1.0, capacity: float = 1.0) -> Deployment:
    """On eight H200s, whose memory may be made faster or larger."""
    chip = accelerator("h200-sxm-141gb")
    chip = replace(chip, memory_bandwidth=chip.memory_bandwidth * bandwidth, memory=chip.memory * capacity)
    return Deployment(
        architecture=from_config(model_config(model).config),
        cluster=replace(cluster_for(accelerator("h200-sxm-141gb"), 8), accelerator=chip),
        layout=Layout(tensor=8, expert=8 if model in MIXTURES else 1),
        engine=engine_for(engine),
        weights=format_for("fp8"),
    )


WORK = st.tuples(
    st.sampled_from(MODELS),
    st.sampled_from(ENGINES),
    st.integers(1, 20_000),
    st.integers(1, 2_000),
    st.integers(1, 400),
)


@settings(max_examples=25, deadline=None)
@given(work=WORK)
def test_more_bandwidth_is_never_slower(
    coefficients: ServingCoefficients, work: tuple[str, str, int, int, int]
) -> None:
    model, engine, tokens, output, clients = work
    load = Load(input=tokens, output=output, concurrency=clients)
    slow, fast = (perform(deployed(model, engine, factor), load, coefficients) for factor in (1.0, 1.5))
    assert float(fast.e2e) <= float(slow.e2e) * (1 + 1e-9)
    assert float(fast.requests_per_second) >= float(slow.requests_per_second) * (1 - 1e-9)


@settings(max_examples=25, deadline=None)
@given(work=WORK)
def test_more_memory_never_holds_fewer(coefficients: ServingCoefficients, work: tuple[str, str, int, int, int]) -> None:
    model, engine, tokens, output, _ = work
    load = Load(input=tokens, output=output, concurrency=1)
    small, large = (room(deployed(model, engine, 1.0, factor), load, coefficients) for factor in (1.0, 1.5))
    assert large.sequences >= small.sequences


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    engine=st.sampled_from(ENGINES),
    tokens=st.integers(1, 100_000),
    more=st.integers(0, 10_000),
)
def test_a_longer_context_never_takes_less_memory(model: str, engine: str, tokens: int, more: int) -> None:
    deployment = deployed(model, engine)
    assert float(sequence_bytes(deployment, tokens + more)) >= float(sequence_bytes(deployment, tokens)) > 0


@settings(max_examples=25, deadline=None)
@given(work=WORK, variation=st.sampled_from([0.0, 0.6]))
def test_being_alone_is_a_floor(
    coefficients: ServingCoefficients, work: tuple[str, str, int, int, int], variation: float
) -> None:
    model, engine, tokens, output, clients = work
    load = Load(input=tokens, output=output, concurrency=np.array([1, clients]), variation=variation)
    found = perform(deployed(model, engine), load, coefficients)
    for values in (found.ttft, found.e2e):
        assert values[1] >= values[0] * (1 - 5e-3)
    assert found.tpot[1] >= found.tpot[0] * (1 - 5e-3)
    rated = perform(
        deployed(model, engine),
        replace(load, concurrency=None, rate=np.array([0.0, clients / 100])),
        coefficients,
    )
    assert rated.e2e[0] == pytest.approx(float(found.e2e[0]), rel=1e-2)
    assert rated.e2e[1] >= rated.e2e[0] * (1 - 2e-2)


@pytest.mark.parametrize("model", MODELS)
def test_the_highest_throughput_is_the_highest(coefficients: ServingCoefficients, model: str) -> None:
    deployment = deployed(model, "vllm")
    most = maximum(deployment, input=1000, output=500, coefficients=coefficients, variation=0.5)
    load = Load(input=1000, output=500, concurrency=np.array([1, 8, 64, 512, 4096]), variation=0.5)
    found = perform(deployment, load, coefficients)
    assert (found.requests_per_second <= most.requests_per_second * 1.01).all()
    sustained = perform(
        deployment,
        replace(load, concurrency=None, rate=most.requests_per_second * np.array([0.98, 1.02])),
        coefficients,
    )
    assert sustained.utilisation[0] < 1 < sustained.utilisation[1]


@settings(max_examples=25, deadline=None)
@given(work=WORK, chunk=st.sampled_from([256, 512, 8192]), variation=st.sampled_from([0.0, 0.5]))
def test_more_memory_never_carries_less(
    coefficients: ServingCoefficients, work: tuple[str, str, int, int, int], chunk: int, variation: float
) -> None:
    """Who has room for more need not let them run."""
    model, engine, tokens, output, _ = work
    highest = []
    for factor in (1.0, 1.1, 1.3, 2.0):
        deployment = deployed(model, engine, 1.0, factor)
        deployment = replace(deployment, engine=replace(deployment.engine, chunk_tokens=chunk))
        load = Load(input=tokens, output=output, rate=1.0, variation=variation)
        highest.append(1.0 / float(perform(deployment, load, coefficients).utilisation))
    # Between two numbers of requests that are looked at, a tile may begin.
    assert (np.diff(highest) >= -0.05 * np.array(highest[1:])).all()


def test_the_highest_rate_is_of_the_number_that_carries_most(coefficients: ServingCoefficients) -> None:
    """Where as many as fit carry less than half of what fewer do."""
    chip = accelerator("a100-sxm-80gb")
    deployment = Deployment(
        architecture=from_config(model_config("qwen3-30b-a3b").config),
        cluster=cluster_for(chip, 4),
        layout=Layout(tensor=4, sequence_parallel=False),
        engine=engine_for("llamacpp"),
        weights=format_for("nvfp4"),
    )
    asked = {"input": 64, "output": 2, "variation": 0.5}
    clients = np.array([1.0, 8.0, 32.0, 64.0, 256.0])
    carried = perform(deployment, Load(**asked, concurrency=clients), coefficients, front_end=0.0).requests_per_second
    assert carried[-1] < 0.6 * carried.max()
    highest = 1.0 / float(perform(deployment, Load(**asked, rate=1.0), coefficients).utilisation)
    assert highest >= 0.95 * carried.max()
    most = maximum(deployment, **asked, coefficients=coefficients)
    assert most.concurrency < 256
    assert float(most.requests_per_second) == pytest.approx(highest, rel=0.05)
