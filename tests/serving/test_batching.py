"""Closed forms of batching: floors, limits, sums, broadcasting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.layout import Layout
from outlay.serving import (
    Deployment,
    Load,
    Performance,
    ServingCoefficients,
    Speculation,
    Work,
    engine_for,
    format_for,
    iteration,
    maximum,
    perform,
)

ENGINES = ("vllm", "sglang", "trtllm", "vllm-0", "llamacpp", "transformers", "jetstream")


def engine(name: str) -> object:
    return engine_for("vllm", 2024) if name == "vllm-0" else engine_for(name)


def on(deployment: Deployment, name: str) -> Deployment:
    return replace(deployment, engine=engine(name))


@pytest.mark.parametrize("name", ENGINES)
def test_alone_a_request_takes_its_prompt_and_its_steps(
    one: Deployment, coefficients: ServingCoefficients, name: str
) -> None:
    deployment = on(one, name)
    found = perform(deployment, Load(input=400, output=101, concurrency=1), coefficients)
    prompt = iteration(deployment, Work(prefill=400, prompts=1), coefficients).seconds
    step = iteration(deployment, Work(decoding=1, context=450.5), coefficients).seconds
    front = coefficients.step.front_of(deployment.engine, 400)
    assert float(found.ttft) == pytest.approx(front + float(prompt), rel=1e-9)
    assert float(found.tpot) == pytest.approx(float(step), rel=1e-9)
    assert float(found.e2e) == pytest.approx(front + float(prompt + 100 * step), rel=1e-9)
    assert float(found.requests_per_second * found.e2e) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("variation", [0.0, 0.7])
@pytest.mark.parametrize("sizes", [(1024, 256), (8192, 64), (64, 2000), (20000, 8), (300, 1)])
def test_littles_law_and_the_floor(
    one: Deployment, coefficients: ServingCoefficients, name: str, variation: float, sizes: tuple[int, int]
) -> None:
    """Requests inside = rate × time inside; nobody is faster in company than alone; throughput never falls."""
    load = Load(
        input=sizes[0], output=sizes[1], variation=variation, concurrency=np.array([1, 2, 3, 7, 20, 64, 200, 1000])
    )
    found = perform(on(one, name), load, coefficients)
    np.testing.assert_allclose(found.requests_per_second * found.e2e, found.concurrency, rtol=1e-6)
    assert (found.e2e >= found.e2e[0] * (1 - 1e-9)).all()
    assert (found.tpot >= found.tpot[0] * (1 - 1e-9)).all()
    if (
        on(one, name).engine.batching == "continuous" or not variation
    ):  # a larger static batch waits for a longer answer
        assert (np.diff(found.requests_per_second) >= -0.03 * found.requests_per_second[1:]).all()
    assert (found.cache_share <= 1).all()


@pytest.mark.parametrize("name", ENGINES)
def test_no_rate_is_being_alone_and_too_much_is_said(
    one: Deployment, coefficients: ServingCoefficients, name: str
) -> None:
    deployment = on(one, name)
    alone = perform(deployment, Load(input=512, output=128, concurrency=1), coefficients)
    found = perform(deployment, Load(input=512, output=128, rate=np.array([0.0, 1e-8, 1e4])), coefficients)
    np.testing.assert_allclose(found.ttft[:2], alone.ttft, rtol=1e-5)
    np.testing.assert_allclose(found.tpot[:2], alone.tpot, rtol=1e-5)
    assert found.busy[0] == 0
    assert found.utilisation[2] > 1
    assert np.isinf(found.ttft[2])
    assert np.isinf(found.e2e[2])
    assert 0 < found.requests_per_second[2] < 1e4


@pytest.mark.parametrize("name", ENGINES)
def test_more_load_is_never_faster(one: Deployment, coefficients: ServingCoefficients, name: str) -> None:
    load = Load(input=512, output=128, rate=np.geomspace(0.01, 60, 60), variation=0.5)
    found = perform(on(one, name), load, coefficients)
    # Where prompts go first, a batch fills up at rates below the highest; a full one is left the sooner, the more come.
    slack = 1e-2 if on(one, name).engine.mixed else 6e-2
    for values in (found.ttft, found.tpot, found.e2e, found.utilisation, found.concurrency):
        finite = np.asarray(values)[np.isfinite(values)]
        assert (np.diff(finite) >= -slack * finite[1:]).all()


def test_what_fits_limits_what_runs(one: Deployment, coefficients: ServingCoefficients) -> None:
    most = maximum(one, input=30_000, output=1_000, coefficients=coefficients)
    beyond = perform(one, Load(input=30_000, output=1_000, concurrency=4 * most.concurrency), coefficients)
    assert float(beyond.requests_per_second) == pytest.approx(float(most.requests_per_second))
    # Who waits for a place passes the front end meanwhile, and the step that was scheduled before.
    before = float(coefficients.step.front_of(one.engine, 30_000)) + float(beyond.tpot)
    assert float(beyond.queue) == pytest.approx(3 * float(most.e2e) - before, rel=1e-4)
    told = maximum(one, input=30_000, output=1_000, coefficients=coefficients, most_sequences=4)
    assert float(told.concurrency) == 4


def test_what_does_not_fit_answers_nothing(eight: Deployment, coefficients: ServingCoefficients) -> None:
    narrow = replace(eight, layout=Layout(tensor=np.array([1, 8])), weights=format_for("bf16"))
    found = perform(narrow, Load(input=100, output=100, concurrency=4), coefficients)
    assert found.requests_per_second[0] == 0
    assert np.isinf(found.e2e[0])
    assert found.requests_per_second[1] > 0


def test_arrays_are_single_answers(eight: Deployment, coefficients: ServingCoefficients) -> None:
    tensor, concurrency = np.array([2, 4, 8])[:, None], np.array([1, 5, 50, 500])
    whole = perform(
        replace(eight, layout=Layout(tensor=tensor)), Load(input=900, output=90, concurrency=concurrency), coefficients
    )
    for i, degree in enumerate((2, 4, 8)):
        for j, clients in enumerate(concurrency):
            single = perform(
                replace(eight, layout=Layout(tensor=degree)),
                Load(input=900, output=90, concurrency=int(clients)),
                coefficients,
            )
            for name in ("ttft", "tpot", "e2e", "requests_per_second", "device_watts"):
                assert float(getattr(single, name)) == pytest.approx(float(getattr(whole, name)[i, j]), rel=1e-9)


def test_the_beginning_of_a_run_counts(one: Deployment, coefficients: ServingCoefficients) -> None:
    """All clients send at once; the more rounds, the less that weighs."""
    load = Load(input=2048, output=256, concurrency=128, rounds=np.array([1, 2, 10, 1e6]))
    found = perform(one, load, coefficients)
    steady = perform(one, Load(input=2048, output=256, concurrency=128), coefficients)
    assert (np.diff(found.ttft) < 0).all()
    assert found.ttft[-1] == pytest.approx(float(steady.ttft), rel=1e-4)
    assert found.tpot[-1] == pytest.approx(float(steady.tpot), rel=1e-4)


def test_cached_prompts_and_speculation_save_time(one: Deployment, coefficients: ServingCoefficients) -> None:
    load = Load(input=4000, output=200, concurrency=8)
    plain = perform(one, load, coefficients)
    cached = perform(one, replace(load, cached=0.9), coefficients)
    assert cached.ttft < plain.ttft
    drafted = perform(one, load, coefficients, speculation=Speculation(drafted=3, acceptance=0.8, draft_share=1 / 32))
    assert 0.3 * plain.tpot < drafted.tpot < 0.7 * plain.tpot
    rejected = perform(one, load, coefficients, speculation=Speculation(drafted=3, acceptance=0.0, draft_share=1 / 32))
    assert rejected.tpot > plain.tpot


def test_wrong_loads_are_told_all_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Load(input=0, output=0, cached=2)
    assert len(caught.value.details) == 4
    assert caught.value.hint


@settings(max_examples=30, deadline=None)
@given(
    prompt=st.integers(1, 30_000),
    answer=st.integers(1, 4_000),
    clients=st.integers(1, 2_000),
    variation=st.sampled_from([0.0, 0.5, 1.0]),
    name=st.sampled_from(ENGINES),
    rounds=st.sampled_from([None, 1, 5]),
)
def test_any_load_is_answered(
    one: Deployment,
    coefficients: ServingCoefficients,
    prompt: int,
    answer: int,
    clients: int,
    variation: float,
    name: str,
    rounds: int | None,
) -> None:
    load = Load(input=prompt, output=answer, concurrency=clients, variation=variation, rounds=rounds)
    found: Performance = perform(on(one, name), load, coefficients)
    assert float(found.ttft) > 0
    assert np.isfinite(float(found.e2e))
    assert 0 <= float(found.decoding) <= clients
    assert float(found.queue) <= float(found.ttft)
