"""Adapters that are served together: never free, never less for more of them, and about what a paper measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, Load, ServingCoefficients, Work, engine_for, iteration, perform, timed
from outlay.serving.adapters import Adapters, adapter_bytes
from outlay.serving.steps import Mixture
from outlay.workload import transformer


def seconds(deployment: Deployment, work: Work, coefficients: ServingCoefficients) -> float:
    return float(iteration(deployment, work, coefficients).seconds)


@given(count=st.integers(1, 10_000), sequences=st.integers(1, 10_000))
def test_sequences_use_at_most_as_many_adapters_as_there_are_of_either(count: int, sequences: int) -> None:
    distinct = float(Adapters(count=count, rank=8).distinct(float(sequences)))
    assert 1.0 - 1e-9 <= distinct <= min(count, sequences) * (1.0 + 1e-9)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm", "llamacpp"])
@pytest.mark.parametrize("work", [Work(decoding=1, context=500), Work(decoding=64, context=500), Work(prefill=2048)])
def test_a_step_is_never_shorter_with_adapters_and_grows_with_them(
    one: Deployment, coefficients: ServingCoefficients, engine: str, work: Work
) -> None:
    plain = replace(one, engine=engine_for(engine))
    found = [
        seconds(replace(plain, adapters=Adapters(count=count, rank=rank)), work, coefficients)
        for count, rank in ((1, 8), (16, 8), (16, 64), (1000, 64))
    ]
    assert found == sorted(found)
    assert seconds(plain, work, coefficients) < found[0]


def test_a_batch_of_different_adapters_costs_milliseconds(coefficients: ServingCoefficients) -> None:
    """Chen et al. 2023 (Punica, arXiv:2310.18547, abstract): 2 ms a token, on A100s, with adapters of rank 16."""
    llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=32, vocab=32000, gated=True, ffn_hidden=11008)
    plain = Deployment(architecture=llama, cluster=cluster_for(accelerator("a100-sxm-80gb"), 1))
    work = Work(decoding=32, context=500)
    adapted = replace(plain, adapters=Adapters(count=32, rank=16))
    more = seconds(adapted, work, coefficients) - seconds(plain, work, coefficients)
    assert 1e-3 < more < 4e-3


def test_tables_know_adapters(one: Deployment, coefficients: ServingCoefficients) -> None:
    adapted = replace(one, adapters=Adapters(count=50, rank=16))
    load = Mixture(decoding=np.array([3.0, 30.0, 120.0]), context=700.0)
    exact, tabled = timed(adapted, coefficients), timed(adapted, coefficients, tabled=True)
    assert tabled.seconds(load) == pytest.approx(exact.seconds(load), rel=0.02)


def test_devices_that_split_a_model_split_its_adapters(eight: Deployment, coefficients: ServingCoefficients) -> None:
    work = Work(decoding=64, context=500)

    def more(deployment: Deployment) -> float:
        adapted = replace(deployment, adapters=Adapters(count=1000, rank=64))
        return seconds(adapted, work, coefficients) - seconds(deployment, work, coefficients)

    assert more(eight) < more(replace(eight, layout=Layout(tensor=2)))


def test_a_load_slows_down_by_what_its_steps_do(one: Deployment, coefficients: ServingCoefficients) -> None:
    adapted = replace(one, adapters=Adapters(count=20, rank=16))
    load = Load(input=1000, output=200, concurrency=32)
    assert perform(adapted, load, coefficients).tpot > perform(one, load, coefficients).tpot


def test_bytes_are_those_of_rank_times_width(one: Deployment) -> None:
    assert adapter_bytes(one.architecture, 32) == 2 * adapter_bytes(one.architecture, 16)


def test_more_adapters_are_never_fewer() -> None:
    """Of any number of sequences, those of less than one among them: one that all share is the least, their number the most."""
    sequences = np.array([0.0, 0.1, 0.5, 0.99, 1.0, 1.5, 8.0, 500.0])
    used = np.array([Adapters(count=count, rank=16).distinct(sequences) for count in (1, 2, 3, 8, 64, 10_000)])
    assert (np.diff(used, axis=0) >= -1e-9).all()
    assert (np.diff(used, axis=1) >= -1e-9).all()
    assert (used <= np.maximum(sequences, 0.0) + 1e-9).all()
    assert used[0] == pytest.approx(np.minimum(sequences, 1.0))


@pytest.mark.parametrize("asked", [{"concurrency": 1}, {"concurrency": 8}, {"concurrency": 64}, {"rate": 0.5}])
def test_more_adapters_are_never_faster(
    one: Deployment, coefficients: ServingCoefficients, asked: dict[str, float]
) -> None:
    load = Load(input=1024, output=256, **asked)
    found = [
        perform(replace(one, adapters=Adapters(count=count, rank=16)), load, coefficients, front_end=0.0)
        for count in (1, 2, 4, 8, 16, 64)
    ]
    for name, slack in (("ttft", 0.005), ("tpot", 0.0), ("e2e", 0.0)):
        values = np.array([float(getattr(each, name)) for each in found])
        # At a rate a few more are inside, and a step may end a tile of rows sooner.
        assert (np.diff(values) >= -slack * values[1:]).all()
