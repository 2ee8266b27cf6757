"""The simulator: every request leaves once with all its tokens, blocks are counted, and it agrees with the closed forms."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from math import ceil, inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import accelerator
from outlay.errors import DoesNotFit, InputError
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import (
    Deployment,
    Load,
    Replay,
    Requests,
    ServingCoefficients,
    Speculation,
    Transfer,
    Work,
    engine_for,
    iteration,
    perform,
    perform_disaggregated,
    poisson,
    simulate,
    simulate_disaggregated,
)
from outlay.serving.instance import Instance
from outlay.serving.request import Policy, Request
from outlay.serving.timer import Timer

ENGINES = ("vllm", "sglang", "trtllm", "llamacpp")


@pytest.fixture(scope="module")
def timer(one: Deployment, coefficients: ServingCoefficients) -> Timer:
    return Timer(one, coefficients)


REQUEST = st.tuples(st.floats(0.0, 2.0, allow_nan=False), st.integers(1, 900), st.integers(1, 120), st.integers(0, 900))
POLICY = st.builds(
    Policy,
    mixed=st.booleans(),
    static=st.booleans(),
    chunk=st.sampled_from([16, 256, 2048]),
    piece=st.sampled_from([16, 100, 4096]),
    most_sequences=st.sampled_from([1, 3, 64]),
    block_tokens=st.sampled_from([1, 16, 64]),
    blocks=st.integers(20, 60),
    reserving=st.booleans(),
    per_step=st.sampled_from([1.0, 1.0, 2.7]),
)


@settings(max_examples=120, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=25), policy=POLICY)
def test_whatever_comes_leaves_once_and_blocks_never_run_over(
    timer: Timer, requests: list[tuple[float, int, int, int]], policy: Policy
) -> None:
    room = 1040
    policy = replace(policy, blocks=ceil(room / policy.block_tokens) + policy.blocks)
    if policy.static:
        policy = replace(policy, reserving=True)
    left: list[tuple[Request, float]] = []
    instance = Instance(timer, policy, lambda request, at: left.append((request, at)))
    come = sorted(requests)
    played = [
        Request(i, at, tokens, output, min(cached, tokens)) for i, (at, tokens, output, cached) in enumerate(come)
    ]

    def check() -> None:
        held = 0
        for request in instance.running.values():
            context = request.input + request.generated - 1 + (instance.clock - request.started) * policy.per_step
            held += ceil(context / policy.block_tokens - 1e-9)
        held += sum(request.blocks for request in instance._begun.values())
        assert held <= instance.used <= policy.blocks
        if policy.per_step == 1.0 and not policy.reserving:
            assert held == instance.used
        assert len(instance.running) + len(instance._begun) <= policy.most_sequences
        assert sum(instance._phases) == (0 if policy.reserving else len(instance.running))

    for request in played:
        while instance.end <= request.arrival:
            instance.next_event()
            check()
        instance.add(request, request.arrival)
    while instance.end < inf:
        before = instance.end
        instance.next_event()
        assert instance.end > before or instance.end == inf
        check()
    assert sorted(request.index for request, _ in left) == list(range(len(played)))
    assert instance.used == 0
    assert instance.load == 0
    assert instance.context == 0
    for request, at in left:
        assert request.generated == request.output
        assert request.arrival <= request.admitted < request.first <= request.finish == at
    if policy.reserving:
        assert instance.preemptions == 0


@pytest.mark.parametrize("name", ENGINES)
def test_alone_a_request_takes_what_its_steps_take(
    one: Deployment, coefficients: ServingCoefficients, name: str
) -> None:
    deployment = replace(one, engine=engine_for(name))
    found = simulate(deployment, Requests([3.0], [400], [101]), coefficients)
    prompt = float(iteration(deployment, Work(prefill=400, prompts=1), coefficients).seconds)
    step = float(iteration(deployment, Work(decoding=1, context=450.0), coefficients).seconds)
    front = coefficients.step.front_of(deployment.engine, 400)
    assert float(found.ttft[0]) == pytest.approx(front + prompt, rel=0.02)
    assert float(found.tpot[0]) == pytest.approx(step, rel=0.02)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("routing", ["round-robin", "least-loaded"])
def test_replicas_share_and_nothing_is_lost(
    one: Deployment, coefficients: ServingCoefficients, name: str, routing: str
) -> None:
    requests = poisson(20.0, 400, input=300, output=60, variation=1.0, seed=3)
    found = simulate(replace(one, engine=engine_for(name)), requests, coefficients, replicas=3, routing=routing)
    assert (found.output == requests.output).all()
    assert (found.finish >= found.first).all()
    assert (found.first > found.arrival).all()
    assert found.performance.utilisation <= 1.0
    alone = simulate(replace(one, engine=engine_for(name)), requests, coefficients, replicas=1)
    assert alone.e2e.mean() >= found.e2e.mean()


CLOSED = [(1024, 256), (200, 1000), (6000, 300)]


@pytest.mark.parametrize("name", ["vllm", "sglang", "transformers"])
@pytest.mark.parametrize("sizes", CLOSED)
@pytest.mark.parametrize("clients", [1, 4, 24, 96])
def test_closed_forms_and_the_simulator_agree_on_clients(
    one: Deployment, coefficients: ServingCoefficients, name: str, sizes: tuple[int, int], clients: int
) -> None:
    deployment = replace(one, engine=engine_for(name))
    if name == "transformers" and clients * sum(sizes) > 300_000:
        pytest.skip("a static batch does not wait for those that it answered")
    rounds = 6
    load = Load(input=sizes[0], output=sizes[1], concurrency=clients, rounds=rounds)
    expected = perform(deployment, load, coefficients, front_end=0.0)
    count = clients * rounds
    requests = Requests(np.zeros(count), np.full(count, sizes[0]), np.full(count, sizes[1]))
    found = simulate(deployment, requests, coefficients, concurrency=clients, front_end=0.0).performance
    assert float(expected.tpot) == pytest.approx(float(found.tpot), rel=0.06)
    assert float(expected.requests_per_second) == pytest.approx(float(found.requests_per_second), rel=0.05)
    assert float(expected.e2e) == pytest.approx(float(found.e2e), rel=0.06)
    assert float(expected.ttft) == pytest.approx(float(found.ttft), rel=0.25)


@pytest.mark.parametrize("name", ["vllm", "sglang"])
@pytest.mark.parametrize(("sizes", "most"), [((1024, 256), 18.0), ((200, 1000), 10.0), ((6000, 300), 2.5)])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_closed_forms_and_the_simulator_agree_on_rates(
    one: Deployment, coefficients: ServingCoefficients, name: str, sizes: tuple[int, int], most: float, share: float
) -> None:
    deployment = replace(one, engine=engine_for(name))
    requests = poisson(share * most, 3000, input=sizes[0], output=sizes[1], seed=11)
    # The rate that was drawn, not the one that was asked for.
    expected = perform(deployment, Load(input=sizes[0], output=sizes[1], rate=requests.rate), coefficients)
    found = simulate(deployment, requests, coefficients).performance
    assert float(expected.tpot) == pytest.approx(float(found.tpot), rel=0.07)
    assert float(expected.ttft) == pytest.approx(float(found.ttft), rel=0.12)
    assert float(expected.e2e) == pytest.approx(float(found.e2e), rel=0.07)
    assert float(expected.device_watts) == pytest.approx(float(found.device_watts), rel=0.1)
    assert list(expected.quantiles) == list(found.quantiles)
    for quantile, seconds in expected.quantiles.items():
        # Few requests decide what 99 of 100 wait at most for a first token.
        most = {"ttft_p90": 0.3, "ttft_p99": 0.6}.get(quantile, 0.15)
        assert float(seconds) == pytest.approx(float(found.quantiles[quantile]), rel=most), quantile


def test_cached_prompts_agree(one: Deployment, coefficients: ServingCoefficients) -> None:
    requests = poisson(4.0, 2000, input=3000, output=150, seed=8)
    half = Requests(requests.arrival, requests.input, requests.output, requests.input // 2)
    load = Load(input=3000, output=150, rate=requests.rate)
    for cached, played in ((0.0, requests), (0.5, half)):
        expected = perform(one, replace(load, cached=cached), coefficients)
        found = simulate(one, played, coefficients).performance
        assert float(expected.ttft) == pytest.approx(float(found.ttft), rel=0.1)
        assert float(expected.tpot) == pytest.approx(float(found.tpot), rel=0.06)


@pytest.mark.parametrize("clients", [1, 8, 64])
def test_data_parallel_attention_agrees(one: Deployment, coefficients: ServingCoefficients, clients: int) -> None:
    """Four devices with their own sequences: a prompt keeps one of them busy, in chunks of its own."""
    four = replace(one, cluster=cluster_for(accelerator("h100-sxm"), 4), layout=Layout(data=4))
    count = clients * 6
    requests = Requests(np.zeros(count), np.full(count, 10_000), np.full(count, 300))
    expected = perform(four, Load(input=10_000, output=300, concurrency=clients, rounds=6), coefficients)
    found = simulate(four, requests, coefficients, concurrency=clients).performance
    assert float(expected.tpot) == pytest.approx(float(found.tpot), rel=0.1)
    assert float(expected.e2e) == pytest.approx(float(found.e2e), rel=0.1)


def test_a_full_cache_puts_requests_back(one: Deployment, coefficients: ServingCoefficients) -> None:
    """Prompts are short and answers long: more are admitted than fit in the end."""
    count = 600
    requests = Requests(np.zeros(count), np.full(count, 100), np.full(count, 3000))
    found = simulate(one, requests, coefficients)
    assert found.preempted.sum() > 0
    assert found.most_blocks <= found.blocks
    assert (found.finish > 0).all()
    reserved = simulate(replace(one, engine=engine_for("trtllm")), requests, coefficients)
    assert reserved.preempted.sum() == 0


def test_what_cannot_fit_is_said(one: Deployment, coefficients: ServingCoefficients) -> None:
    with pytest.raises(DoesNotFit, match="does not fit"):
        simulate(one, Requests([0.0], [2_000_000], [10]), coefficients)


def test_speculation_saves_steps(one: Deployment, coefficients: ServingCoefficients) -> None:
    requests = poisson(5.0, 300, input=300, output=200, seed=5)
    plain = simulate(one, requests, coefficients)
    speculation = Speculation(drafted=3, acceptance=0.8, draft_share=1 / 32)
    quick = simulate(one, requests, coefficients, speculation=speculation)
    expected = perform(one, Load(input=300, output=200, rate=requests.rate), coefficients, speculation=speculation)
    assert quick.performance.tpot < 0.6 * plain.performance.tpot
    assert float(expected.tpot) == pytest.approx(float(quick.performance.tpot), rel=0.08)


def test_goodput_counts_what_meets_every_objective(one: Deployment, coefficients: ServingCoefficients) -> None:
    found = simulate(one, poisson(15.0, 1000, input=1000, output=100, variation=0.5, seed=2), coefficients)
    every = len(found.arrival) / found.seconds
    assert found.goodput() == pytest.approx(every)
    middle = float(np.median(found.ttft))
    assert found.goodput(ttft=middle) == pytest.approx(every / 2, rel=0.02)
    assert found.goodput(ttft=middle, tpot=0.0) < found.goodput(ttft=middle)
    quantiles = found.performance.quantiles
    assert quantiles["ttft_p50"] <= quantiles["ttft_p90"] <= quantiles["ttft_p99"]


@pytest.mark.parametrize("rate", [0.5, 3.0, 6.0])
def test_disaggregated_closed_forms_and_simulator_agree(
    one: Deployment, coefficients: ServingCoefficients, rate: float
) -> None:
    requests = poisson(rate, 2000, input=3000, output=200, seed=4)
    load = Load(input=3000, output=200, rate=requests.rate)
    expected = perform_disaggregated(one, one, load, coefficients, decode_instances=2)
    found = simulate_disaggregated(one, one, requests, coefficients, decode_instances=2).performance
    assert float(expected.tpot) == pytest.approx(float(found.tpot), rel=0.05)
    assert float(expected.ttft) == pytest.approx(float(found.ttft), rel=0.1)
    assert float(expected.requests_per_second) == pytest.approx(float(found.requests_per_second), rel=0.03)
    for quantile, seconds in expected.quantiles.items():
        most = {"ttft_p50": 0.3, "ttft_p90": 0.3, "ttft_p99": 0.5}.get(quantile, 0.15)
        assert float(seconds) == pytest.approx(float(found.quantiles[quantile]), rel=most), quantile


@pytest.mark.parametrize("clients", [1, 8, 64])
def test_disaggregated_clients(one: Deployment, coefficients: ServingCoefficients, clients: int) -> None:
    count = clients * 20
    requests = Requests(np.zeros(count), np.full(count, 3000), np.full(count, 200))
    expected = perform_disaggregated(one, one, Load(input=3000, output=200, concurrency=clients), coefficients)
    found = simulate_disaggregated(one, one, requests, coefficients, concurrency=clients).performance
    assert float(expected.requests_per_second) == pytest.approx(float(found.requests_per_second), rel=0.1)
    assert float(expected.tpot) == pytest.approx(float(found.tpot), rel=0.1)


def test_disaggregation_with_an_instant_network_frees_decoding(
    one: Deployment, coefficients: ServingCoefficients
) -> None:
    """Two devices that divide the work: answers come more evenly than from two that do everything; alone, no difference."""
    instant = Transfer.instant()
    load = Load(input=3000, output=200, rate=8.0)
    apart = perform_disaggregated(one, one, load, coefficients, transfer=instant)
    together = perform(one, replace(load, rate=4.0), coefficients)
    assert apart.tpot < together.tpot
    quiet = perform_disaggregated(one, one, replace(load, rate=1e-6), coefficients, transfer=instant)
    alone = perform(one, replace(load, rate=1e-6), coefficients)
    second = float(coefficients.step.front_of(one.engine, 0.0))  # a request passes two servers
    assert float(quiet.ttft) == pytest.approx(float(alone.ttft) + second, rel=1e-2)
    assert float(quiet.tpot) == pytest.approx(float(alone.tpot), rel=1e-3)
    slow = perform_disaggregated(one, one, load, coefficients, transfer=Transfer(bandwidth=1e9))
    assert slow.ttft > apart.ttft
    assert perform_disaggregated(one, one, replace(load, rate=100.0), coefficients).utilisation > 1


def test_progress_is_told_only_when_it_takes_long(
    one: Deployment, coefficients: ServingCoefficients, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    requests = poisson(50.0, 3000, input=100, output=20, seed=1)
    simulate(one, requests, coefficients, progress=lambda done, count: told.append((done, count)))
    assert len(told) <= 10
    monkeypatch.setattr(sys.modules[simulate.__module__], "QUIET", 0.0)
    simulate(one, requests, coefficients, progress=lambda done, count: told.append((done, count)))
    assert told[-1][1] == 3000
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_no_requests_is_no_work(one: Deployment, coefficients: ServingCoefficients) -> None:
    found: Replay = simulate(one, Requests([], [], []), coefficients)
    assert found.seconds == 0
    assert found.goodput() == 0


def test_instances_that_nothing_is_sent_to_take_no_time(one: Deployment, coefficients: ServingCoefficients) -> None:
    """A hundred thousand answer as so many do as are ever busy together, in hardly more time; all of them draw power."""
    requests = poisson(4.0, 60, input=500, output=60, seed=3)
    few = simulate(one, requests, coefficients, replicas=60)
    begun = time.process_time()
    many = simulate(one, requests, coefficients, replicas=100_000)
    assert time.process_time() - begun < 3.0
    np.testing.assert_array_equal(few.finish, many.finish)
    np.testing.assert_array_equal(few.first, many.first)
    assert many.joules > 1000 * few.joules
    apart = [
        simulate_disaggregated(one, one, requests, coefficients, prefill_instances=count, decode_instances=count)
        for count in (60, 20_000)
    ]
    np.testing.assert_array_equal(apart[0].finish, apart[1].finish)


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": 0},
        {"replicas": 1.5},
        {"most_sequences": 0},
        {"concurrency": 0},
        {"front_end": float("nan")},
        {"front_end": -1.0},
        {"routing": "foo"},
    ],
)
def test_what_cannot_be_played_is_refused(llama: Any, coefficients: ServingCoefficients, wrong: dict[str, Any]) -> None:
    one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    with pytest.raises(InputError, match=next(iter(wrong))):
        simulate(one, Requests([0.0], [10], [10]), coefficients, **wrong)
