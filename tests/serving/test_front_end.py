"""A front end delays every request, and keeps clients that wait for answers from asking; it works no device."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from outlay.serving import (
    Deployment,
    Load,
    Requests,
    ServingCoefficients,
    engine_for,
    perform,
    perform_disaggregated,
    poisson,
    simulate,
    simulate_disaggregated,
)
from outlay.serving.loops import loops_of

CLIENTS = np.array([1, 2, 8, 32, 128, 512])
FRONT = 0.8
LONGEST = 0.25
"""Seconds that the slowest front end takes that was measured."""


def test_libraries_have_none(coefficients: ServingCoefficients) -> None:
    assert coefficients.step.front_of(engine_for("llama.cpp"), 1000) == 0
    assert coefficients.step.front_of(engine_for("transformers"), 1000) == 0


def test_a_longer_prompt_takes_longer_through_it(coefficients: ServingCoefficients) -> None:
    """As measured on vLLM: some ten milliseconds, and four or five microseconds a token."""
    short, long = (float(coefficients.step.front_of(engine_for("vllm"), tokens)) for tokens in (16, 16_000))
    assert 5e-3 < short < 30e-3
    assert (long - short) / 15_984 == pytest.approx(coefficients.step.front_token)


@pytest.mark.parametrize(
    ("server", "library"),
    [("text-generation-webui exllama", "exllamav2"), ("text-generation-webui transformers", "transformers")],
)
def test_a_web_interface_waits_while_python_collects_garbage(
    coefficients: ServingCoefficients, server: str, library: str
) -> None:
    """Timed: 360,000 objects of PyTorch, transformers and an interface take 0.2 s; the library alone has no front end."""
    around, alone = engine_for(server), engine_for(library)
    assert around.family == alone.family
    assert alone.collection == 0.0
    without = replace(around, collection=0.0)
    more = coefficients.step.front_of(around, 100) - coefficients.step.front_of(without, 100)
    assert float(more) == pytest.approx(0.2)
    assert engine_for("openllm pytorch").collection > engine_for("openllm vllm").collection == 0.0


@pytest.mark.parametrize("load", [Load(input=900, output=90, rate=2.0), Load(input=900, output=90, concurrency=1)])
def test_a_first_token_comes_later_by_it(one: Deployment, coefficients: ServingCoefficients, load: Load) -> None:
    one = replace(one, engine=engine_for("vllm", 2025.5))
    engine, seen = (perform(one, load, coefficients, front_end=front) for front in (0.0, FRONT))
    for name in ("ttft", "e2e"):
        assert float(getattr(seen, name)) == pytest.approx(float(getattr(engine, name)) + FRONT)
    assert float(seen.tpot) == pytest.approx(float(engine.tpot))
    for name, seconds in engine.quantiles.items():
        later = 0.0 if name.startswith("tpot") else FRONT
        assert float(seen.quantiles[name]) == pytest.approx(float(seconds) + later)


def test_who_finds_an_engine_at_work_waits_for_a_step_that_was_scheduled(
    one: Deployment, coefficients: ServingCoefficients
) -> None:
    """vLLM since 0.14, which schedules the next step when one begins, beside what it was: alone there is no difference."""
    load = Load(input=900, output=90, concurrency=np.array([1.0, 32.0]), variation=0.3)
    waits = replace(one, engine=replace(one.engine, overlap_schedule=False))
    sooner, later = (perform(each, load, coefficients, front_end=0.01) for each in (waits, one))
    more = later.ttft - sooner.ttft + (sooner.tpot - later.tpot)
    assert float(later.ttft[0]) <= float(sooner.ttft[0])
    assert 0.3 * float(later.tpot[1]) < float(more[1]) < 2.0 * float(later.tpot[1])


def test_who_comes_at_a_rate_asks_no_less(one: Deployment, coefficients: ServingCoefficients) -> None:
    load = Load(input=900, output=90, rate=np.array([0.1, 2.0, 20.0, 1e5]))
    engine, seen = (perform(one, load, coefficients, front_end=front) for front in (0.0, FRONT))
    for name in ("requests_per_second", "utilisation", "device_watts", "decoding", "cache_share"):
        np.testing.assert_allclose(getattr(seen, name), getattr(engine, name))
    np.testing.assert_allclose(seen.concurrency[:3], load.rate[:3] * seen.e2e[:3])


@pytest.mark.parametrize("variation", [0.0, 0.7])
def test_clients_that_wait_ask_less(one: Deployment, coefficients: ServingCoefficients, variation: float) -> None:
    load = Load(input=900, output=90, concurrency=CLIENTS, variation=variation)
    found = [perform(one, load, coefficients, front_end=front) for front in (0.0, 0.05, 0.2, FRONT)]
    for sooner, later in itertools.pairwise(found):
        # A few clients less may fill tiles of rows better.
        assert (later.requests_per_second <= sooner.requests_per_second * 1.03).all()
        assert (later.device_watts <= sooner.device_watts * 1.03).all()
        np.testing.assert_allclose(later.requests_per_second * later.e2e, later.concurrency, rtol=1e-6)
    # Alone, the device idles while the front end works.
    alone = found[0].e2e[0] / (found[0].e2e[0] + FRONT)
    assert found[-1].requests_per_second[0] / found[0].requests_per_second[0] == pytest.approx(alone)
    assert found[-1].busy[0] == pytest.approx(alone)


@pytest.mark.parametrize("name", ["vllm", "trtllm", "vllm-0"])
@pytest.mark.parametrize("clients", [1, 4, 32, 200])
def test_a_simulated_client_sees_the_same(
    one: Deployment, coefficients: ServingCoefficients, name: str, clients: int
) -> None:
    engine = engine_for("vllm", 2024) if name == "vllm-0" else engine_for(name)
    deployment = replace(one, engine=engine)
    lengths = poisson(1.0, 40 * clients if clients < 100 else 4000, input=600, output=120, variation=0.5, seed=5)
    closed = Load(input=600, output=120, concurrency=clients, variation=0.5)
    expected = perform(deployment, closed, coefficients, front_end=LONGEST)
    played = simulate(deployment, lengths, coefficients, concurrency=clients, front_end=LONGEST)
    steady = slice(len(lengths) // 4, -len(lengths) // 4)
    rate = (len(lengths) // 2) / (np.sort(played.finish)[steady][-1] - np.sort(played.finish)[steady][0])
    assert rate == pytest.approx(float(expected.requests_per_second), rel=0.06)
    assert played.e2e[steady].mean() == pytest.approx(float(expected.e2e), rel=0.06)


def test_a_trace_is_played_later_by_it(one: Deployment, coefficients: ServingCoefficients) -> None:
    requests = Requests([0.0, 0.3, 5.0], [500, 900, 200], [100, 20, 1])
    engine, seen = (simulate(one, requests, coefficients, front_end=front) for front in (0.0, FRONT))
    np.testing.assert_allclose(seen.ttft, engine.ttft + FRONT)
    np.testing.assert_allclose(seen.e2e, engine.e2e + FRONT)
    assert seen.performance.queue == pytest.approx(engine.performance.queue)
    apart = [simulate_disaggregated(one, one, requests, coefficients, front_end=front) for front in (0.0, FRONT)]
    np.testing.assert_allclose(apart[1].ttft, apart[0].ttft + FRONT)


def test_one_stands_before_both_pools(one: Deployment, coefficients: ServingCoefficients) -> None:
    load = Load(input=900, output=90, rate=2.0)
    engine, seen = (perform_disaggregated(one, one, load, coefficients, front_end=front) for front in (0.0, FRONT))
    assert float(seen.ttft) == pytest.approx(float(engine.ttft) + FRONT)
    clients = replace(load, rate=None, concurrency=1.0)
    engine, seen = (perform_disaggregated(one, one, clients, coefficients, front_end=front) for front in (0.0, FRONT))
    assert float(seen.e2e) == pytest.approx(float(engine.e2e) + FRONT, rel=1e-3)
    assert float(seen.requests_per_second) == pytest.approx(1.0 / float(seen.e2e), rel=1e-3)


def test_a_search_sees_it_too(one: Deployment, coefficients: ServingCoefficients) -> None:

    spread = replace(one, layout=replace(one.layout, tensor=np.array([1, 2, 4])))
    load = Load(input=900, output=90, rate=2.0)
    loops = loops_of(spread, load, coefficients)
    found = loops.at_rate(np.arange(3), 2.0)
    np.testing.assert_allclose(found.ttft, perform(spread, load, coefficients).ttft, rtol=1e-3)
