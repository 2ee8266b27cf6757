"""Prompts here, answers there: closed forms against the simulator, and what more devices can never spoil."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import (
    Deployment,
    Load,
    Requests,
    ServingCoefficients,
    Speculation,
    Transfer,
    Work,
    engine_for,
    iteration,
    perform_disaggregated,
    poisson,
    prompts_kept_up_with,
    simulate_disaggregated,
    timed,
)
from outlay.serving.iteration import Iteration
from outlay.serving.steps import Mixture
from outlay.serving.timer import Timer
from outlay.workload import Architecture, transformer

ROUNDS = 10


def lengths(mean: int, variation: float, count: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).uniform(-np.sqrt(3.0), np.sqrt(3.0), count)
    return np.maximum(np.rint(mean * (1.0 + variation * drawn)), 1).astype(int)


LOADS = [
    # input, output, clients, prefilling and decoding instances, variation, places of a decoding instance
    (1024, 512, 4, 1, 2, 0.06, None),
    (1024, 512, 64, 1, 2, 0.06, None),
    (1024, 512, 256, 1, 2, 0.06, None),
    (8000, 300, 4, 1, 1, 0.06, None),
    (8000, 300, 16, 1, 1, 0.06, None),
    (8000, 300, 16, 4, 1, 0.06, None),
    (8000, 300, 64, 2, 1, 0.06, None),
    (8000, 20, 24, 1, 1, 0.06, None),
    (1024, 512, 24, 1, 4, 0.06, 4),
    (1024, 512, 9, 1, 3, 0.06, 2),
    (1024, 512, 64, 1, 2, 0.0, None),
    (8000, 300, 16, 1, 1, 0.0, None),
    (8000, 300, 16, 2, 1, 0.5, None),
    (1024, 512, 64, 1, 2, 0.5, None),
    (200, 1000, 128, 1, 2, 0.06, None),
]


@pytest.mark.parametrize(("inp", "out", "clients", "prefill", "decode", "variation", "most"), LOADS)
def test_clients_fare_as_the_simulator_plays_them(
    one: Deployment,
    coefficients: ServingCoefficients,
    inp: int,
    out: int,
    clients: int,
    prefill: int,
    decode: int,
    variation: float,
    most: int | None,
) -> None:
    one = replace(one, engine=engine_for("sglang"))
    count = clients * ROUNDS
    requests = Requests(np.zeros(count), lengths(inp, variation, count, 1), lengths(out, variation, count, 2))
    sizes = {"prefill_instances": prefill, "decode_instances": decode, "most_sequences": most}
    played = simulate_disaggregated(one, one, requests, coefficients, concurrency=clients, **sizes).performance
    load = Load(input=inp, output=out, concurrency=clients, variation=variation, rounds=ROUNDS)
    found = perform_disaggregated(one, one, load, coefficients, **sizes)
    assert float(found.tpot) == pytest.approx(float(played.tpot), rel=0.05)
    assert float(found.requests_per_second) == pytest.approx(float(played.requests_per_second), rel=0.08)
    assert float(found.ttft) == pytest.approx(float(played.ttft), rel=0.2)


@pytest.mark.parametrize(("rounds", "slack"), [(None, 1e-2), (10, 1e-2), (1, 0.1)])
def test_more_instances_and_a_faster_network_never_hold_anything_up(
    one: Deployment, coefficients: ServingCoefficients, rounds: int | None, slack: float
) -> None:
    """Of hundreds of loads. A run of one round is all beginning and end, and known less well."""
    rng, count = np.random.default_rng(5), 300
    load = Load(
        input=np.rint(100.0 * 200.0 ** rng.uniform(0.0, 1.0, count)),
        output=np.rint(2.0 * 1000.0 ** rng.uniform(0.0, 1.0, count)),
        concurrency=np.rint(2000.0 ** rng.uniform(0.0, 1.0, count)),
        variation=rng.choice([0.0, 0.06, 0.5], count),
        rounds=rounds,
    )
    prefill, decode = rng.integers(1, 9, count), rng.integers(1, 9, count)

    def fares(prefill: np.ndarray, decode: np.ndarray, bandwidth: float = 50e9) -> tuple[np.ndarray, np.ndarray]:
        found = perform_disaggregated(
            one,
            one,
            load,
            coefficients,
            prefill_instances=prefill,
            decode_instances=decode,
            transfer=Transfer(bandwidth=bandwidth),
        )
        assert (np.asarray(found.ttft) > 0).all()
        assert (np.asarray(found.tpot) > 0).all()
        return np.asarray(found.requests_per_second), np.asarray(found.e2e)

    rate, whole = fares(prefill, decode)
    for more in (fares(2 * prefill, decode), fares(prefill, 2 * decode), fares(prefill, decode, 500e9)):
        assert (more[0] >= rate * (1.0 - slack)).all()
        assert (more[1] <= whole * (1.0 + slack)).all()


def test_a_first_token_is_never_sooner_than_its_prompt_and_its_way(
    one: Deployment, coefficients: ServingCoefficients
) -> None:
    load = Load(input=4000, output=200, concurrency=np.array([1.0, 2.0, 8.0, 64.0, 512.0]), rounds=10)
    found = perform_disaggregated(one, one, load, coefficients)
    alone = float(iteration(one, Work(prefill=4000, prompts=1), coefficients).seconds)
    way = float(Transfer.over_network(one).seconds(one, one, 4000))
    assert (np.asarray(found.ttft) >= (alone + way) * 0.999).all()
    assert (np.diff(found.ttft) > 0).all()
    assert (np.diff(found.requests_per_second) > 0).all()


def test_as_many_instances_as_keep_up_leave_no_prompt_waiting_for_ever(
    one: Deployment, coefficients: ServingCoefficients
) -> None:
    load = Load(input=4000, output=100, concurrency=np.array([4.0, 64.0, 256.0]), variation=0.1)
    enough = prompts_kept_up_with(one, one, load, coefficients)
    assert (np.diff(enough) >= 0).all()
    with_them = perform_disaggregated(one, one, load, coefficients, prefill_instances=enough)
    with_fewer = perform_disaggregated(one, one, load, coefficients, prefill_instances=np.maximum(enough / 4.0, 0.25))
    assert (np.asarray(with_them.ttft) < np.asarray(with_fewer.ttft)).all()


@pytest.mark.parametrize("clients", [1, 16, 256])
@pytest.mark.parametrize("drafted", [1, 3])
def test_tokens_that_are_never_accepted_are_no_quicker_than_none(
    one: Deployment, coefficients: ServingCoefficients, clients: int, drafted: int
) -> None:
    load = Load(input=1000, output=200, concurrency=clients)
    plain = perform_disaggregated(one, one, load, coefficients)
    found = [
        perform_disaggregated(
            one, one, load, coefficients, speculation=Speculation(drafted=drafted, acceptance=share, draft_share=0.05)
        )
        for share in (0.0, 0.5, 0.9, 1.0)
    ]
    assert found[0].tpot >= plain.tpot
    assert [float(one.tpot) for one in found] == sorted((float(one.tpot) for one in found), reverse=True)


@pytest.fixture(scope="module")
def mixture() -> Architecture:
    return transformer(
        layers=8,
        hidden=2048,
        heads=16,
        kv_heads=4,
        vocab=32000,
        gated=True,
        ffn_hidden=1024,
        experts=64,
        experts_per_token=4,
    )


def test_a_prompt_on_one_of_eight_devices_keeps_its_attention_alone_busy(
    mixture: Architecture, coefficients: ServingCoefficients
) -> None:
    """Experts take its tokens from all devices: a prompt alone is quicker than one on every device, and slower than split."""
    shared = Deployment(
        architecture=mixture, cluster=cluster_for(accelerator("h100-sxm"), 8), layout=Layout(data=8, expert=8)
    )
    steps = timed(shared, coefficients)
    alone = float(steps.seconds(Mixture(decoding=0.0, context=0.0, prefill=4096.0, prompts=1.0)))
    everywhere = float(steps.seconds(Mixture(decoding=0.0, context=0.0, prefill=8 * 4096.0, prompts=8.0)))
    evenly = float(iteration(shared, Work(prefill=4096, prompts=1), coefficients).seconds)
    assert evenly < alone < everywhere


def test_tables_and_simulator_know_a_prompt_that_is_alone(
    mixture: Architecture, coefficients: ServingCoefficients
) -> None:
    shared = Deployment(
        architecture=mixture, cluster=cluster_for(accelerator("h100-sxm"), 8), layout=Layout(data=8, expert=8)
    )
    exact, tabled, timer = (
        timed(shared, coefficients),
        timed(shared, coefficients, tabled=True),
        Timer(shared, coefficients),
    )
    for prompts in (1, 3, 8, 16):
        work = Mixture(decoding=np.array([64.0]), context=900.0, prefill=1000.0 * prompts, prompts=float(prompts))
        wanted = float(np.asarray(exact.seconds(work)).item())
        assert float(np.asarray(tabled.seconds(work)).item()) == pytest.approx(wanted, rel=0.03)
        assert timer.step(64, 900.0, [(1000, 0)] * prompts) == pytest.approx(wanted, rel=0.03)


def test_each_data_parallel_device_schedules_its_own_sequences(
    mixture: Architecture, coefficients: ServingCoefficients
) -> None:
    cluster = cluster_for(accelerator("h100-sxm"), 8)
    waits = engine_for("vllm", 2025.5)
    divided = Deployment(architecture=mixture, cluster=cluster, layout=Layout(data=8, expert=8), engine=waits)
    whole = Deployment(architecture=mixture, cluster=cluster, layout=Layout(tensor=8), engine=waits)
    engine = [
        float(iteration(one, Work(decoding=512, context=900), coefficients).breakdown["engine"])
        for one in (divided, whole)
    ]
    fixed, each = coefficients.step.fixed_of(waits)
    assert engine == pytest.approx([fixed + 64 * each, fixed + 512 * each])


@pytest.mark.parametrize("sequences", [1, 64, 2000])
def test_an_engine_that_schedules_meanwhile_takes_the_longer_of_both(
    llama: Architecture, coefficients: ServingCoefficients, sequences: int
) -> None:
    """A step of one sequence of 8B parameters hides a millisecond of scheduling; that of a tiny model does not."""
    tiny = transformer(layers=2, hidden=256, heads=4, kv_heads=4, vocab=1000, gated=True, ffn_hidden=512)
    cluster, work = cluster_for(accelerator("h100-sxm"), 1), Work(decoding=sequences, context=100)
    fixed, each = coefficients.step.fixed_of(engine_for("vllm"))
    large = iteration(Deployment(architecture=llama, cluster=cluster), work, coefficients)
    assert float(large.breakdown["engine"]) == pytest.approx(max(0.0, fixed + each * sequences - device_of(large)))
    small = iteration(Deployment(architecture=tiny, cluster=cluster), work, coefficients)
    assert float(small.seconds) == pytest.approx(fixed + each * sequences)


def device_of(step: Iteration) -> float:
    return float(sum(seconds for name, seconds in step.breakdown.items() if name != "engine"))


def test_experts_split_by_columns_get_all_tokens_gathered(
    mixture: Architecture, coefficients: ServingCoefficients
) -> None:
    cluster = cluster_for(accelerator("h100-sxm"), 8)
    split = Deployment(architecture=mixture, cluster=cluster, layout=Layout(data=8, expert=1, expert_tensor=8))
    sent = [
        float(iteration(split, Work(decoding=count, context=900), coefficients).breakdown["expert communication"])
        for count in (8, 64, 4096)
    ]
    assert 0 < sent[0] <= sent[1] < sent[2]
    alone = replace(split, layout=Layout(tensor=8, expert_tensor=8))
    assert float(iteration(alone, Work(decoding=64, context=900), coefficients).breakdown["expert communication"]) == 0


def test_the_slower_network_decides() -> None:
    llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True)
    quick, slow = (
        Deployment(architecture=llama, cluster=cluster_for(accelerator(name), 1)) for name in ("h100-sxm", "l4")
    )
    there, back = Transfer.over_network(quick, slow), Transfer.over_network(slow, quick)
    assert float(there.bandwidth) == float(back.bandwidth) < float(Transfer.over_network(quick).bandwidth)


@pytest.mark.parametrize("instances", [1, 4, 12])
@pytest.mark.parametrize("busy", [0.5, 0.8])
def test_many_instances_of_prompts_are_one_queue(
    one: Deployment, coefficients: ServingCoefficients, instances: int, busy: float
) -> None:
    """A router sends each prompt to the least loaded one."""
    lengths = {"input": 8000, "output": 2}
    alone = perform_disaggregated(
        one, one, Load(**lengths, rate=1.0), coefficients, decode_instances=4, transfer=Transfer.instant()
    )
    rate = busy / float(alone.utilisation) * instances
    requests = poisson(rate, 4000, **lengths, seed=7)
    pools = {"prefill_instances": instances, "decode_instances": 4 * instances, "transfer": Transfer.instant()}
    found = perform_disaggregated(one, one, Load(**lengths, rate=requests.rate), coefficients, **pools)
    played = simulate_disaggregated(one, one, requests, coefficients, **pools)
    assert float(found.ttft) == pytest.approx(float(played.ttft.mean()), rel=0.12)


def test_clients_get_no_more_than_caches_can_be_sent(one: Deployment, coefficients: ServingCoefficients) -> None:
    """The most at a rate, and with clients that never let go, are the same."""
    slow = Transfer(bandwidth=2e9, latency=1e-3)
    pools = {"decode_instances": 8, "transfer": slow}
    load = Load(input=4000, output=100, rate=1.0)
    highest = 1.0 / float(perform_disaggregated(one, one, load, coefficients, **pools).utilisation)
    clients = replace(load, rate=None, concurrency=2000.0, variation=0.3)
    found = perform_disaggregated(one, one, clients, coefficients, **pools)
    assert float(found.requests_per_second) == pytest.approx(highest, rel=0.02)


def test_an_answer_of_one_token_ends_where_its_prompt_does(one: Deployment, coefficients: ServingCoefficients) -> None:
    load = Load(input=4000, output=1, rate=0.5)
    near, far = (
        perform_disaggregated(one, one, load, coefficients, transfer=transfer)
        for transfer in (Transfer.instant(), Transfer(bandwidth=1e8, latency=1.0))
    )
    assert float(near.ttft) == pytest.approx(float(far.ttft))


def test_devices_that_compute_prompts_in_step_are_met_once(one: Deployment, coefficients: ServingCoefficients) -> None:
    """Eight of them share a step: a prompt waits for one that is under way, however many were in it."""
    many = replace(one, layout=replace(one.layout, data=8))
    pools = {"decode_instances": 16, "transfer": Transfer.instant()}
    alone = perform_disaggregated(many, one, Load(input=4000, output=20, rate=1.0), coefficients, **pools)
    for busy in (0.3, 0.6, 0.8):
        requests = poisson(busy / float(alone.utilisation), 3000, input=4000, output=20, seed=3)
        found = perform_disaggregated(many, one, Load(input=4000, output=20, rate=requests.rate), coefficients, **pools)
        played = simulate_disaggregated(many, one, requests, coefficients, **pools)
        assert 0.6 < float(found.ttft) / float(played.ttft.mean()) < 1.6


@pytest.mark.parametrize("rate", [1.0, 10.0, 20.0])
def test_pairs_fare_as_each_does_alone(llama: Architecture, coefficients: ServingCoefficients, rate: float) -> None:
    """Layouts for prompts down, for answers across: what is found of a pair hangs on nothing that stands beside it."""
    load = Load(input=4000, output=200, rate=rate)
    down, across = Layout(tensor=np.array([[1], [2], [4]])), Layout(tensor=np.array([[1, 2, 8]]))
    both = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 8))
    first, last = replace(both, layout=down), replace(both, layout=across)
    every = perform_disaggregated(first, last, load, coefficients)
    asked = perform_disaggregated(first, last, load, coefficients, sustained_alone=True)
    assert np.array_equal(asked.utilisation, every.utilisation)
    sustained = np.less(every.utilisation, 1.0)
    assert sustained.any() and (rate < 20 or not sustained.all())
    for row, column in np.ndindex(3, 3):
        one = replace(both, layout=Layout(tensor=int(down.tensor[row, 0])))
        other = replace(both, layout=Layout(tensor=int(across.tensor[0, column])))
        alone = perform_disaggregated(one, other, load, coefficients)
        for name in ("ttft", "tpot", "utilisation"):
            expected = pytest.approx(float(getattr(alone, name)), rel=1e-9)
            assert getattr(every, name)[row, column] == expected, name
            if sustained[row, column]:
                assert np.broadcast_to(getattr(asked, name), (3, 3))[row, column] == expected, name
