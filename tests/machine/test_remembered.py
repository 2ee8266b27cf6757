"""What is remembered between calls must never answer for something else."""

import dataclasses
import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator
from outlay.machine import Coefficients, Curves, cluster_for, collective_curve, collective_seconds, curves_for
from outlay.machine.gemm_curve import gemm_coefficients
from outlay.machine.sizes import sound

H100 = accelerator("h100-sxm-80gb")
CURVE = collective_curve(H100)


def test_curves_are_made_once_and_belong_to_their_chip() -> None:
    first = curves_for(H100, "bf16", "bf16", Coefficients())
    assert curves_for(H100, "bf16", "bf16", Coefficients()) is first
    mine = dataclasses.replace(H100, memory_bandwidth=H100.memory_bandwidth * 2)  # of the same name
    assert curves_for(mine, "bf16", "bf16", Coefficients()).memory.bandwidth == 2 * first.memory.bandwidth
    assert curves_for(H100, "fp8", "bf16", Coefficients()).gemm != first.gemm


def test_other_coefficients_make_other_curves() -> None:
    def scaled(factor: float) -> Curves:
        content = dict(gemm_coefficients())
        content["curves"] = [
            {
                **record,
                "coefficients": {**record["coefficients"], "fraction": record["coefficients"]["fraction"] * factor},
            }
            for record in content["curves"]
        ]
        return curves_for(H100, "bf16", "bf16", Coefficients(gemm=content))

    speeds = []
    for step in range(40):  # dropped contents leave identities that new ones could take
        speeds.append(scaled(1.0 - step / 100).gemm.flops)
        gc.collect()
    assert speeds == sorted(speeds, reverse=True)
    assert len(set(speeds)) == 40


def test_a_dropped_cluster_does_not_answer_for_a_new_one() -> None:
    base = cluster_for(H100, 64)
    seconds = []
    for step in range(1, 41):
        cluster = dataclasses.replace(base, network_bandwidth=base.network_bandwidth / step)
        seconds.append(float(collective_seconds("all-reduce", 2**28, 8, stride=8, cluster=cluster, curve=CURVE)))
        del cluster
        gc.collect()
    assert seconds == sorted(seconds)
    assert len(set(seconds)) == 40


def test_a_cluster_of_arrays_is_never_remembered() -> None:
    width = np.array([50e9, 25e9])
    cluster = dataclasses.replace(cluster_for(H100, 64), network_bandwidth=width)
    before = collective_seconds("all-gather", 2**28, 8, stride=8, cluster=cluster, curve=CURVE)
    width *= 2
    after = collective_seconds("all-gather", 2**28, 8, stride=8, cluster=cluster, curve=CURVE)
    assert (after < before).all()


@given(st.sampled_from([1, 2, 8, 16, 64]), st.sampled_from([1, 4, 8]), st.floats(0, 1e10))
def test_one_group_equals_many(ranks: int, stride: int, size: float) -> None:
    cluster = cluster_for(H100, 512)
    for kind in ("all-reduce", "all-gather", "all-to-all", "send"):
        one = collective_seconds(kind, size, ranks, stride=stride, cluster=cluster, curve=CURVE)
        some = collective_seconds(kind, np.full(2, size), ranks, stride=stride, cluster=cluster, curve=CURVE)
        many = collective_seconds(kind, size, np.full(5000, ranks), stride=stride, cluster=cluster, curve=CURVE)
        assert some == pytest.approx(float(one), rel=1e-12)
        assert many[[0, -1]] == pytest.approx(float(one), rel=1e-12)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=6), st.floats(0, 2))
def test_sound_says_what_a_look_at_each_number_says(numbers: list[float], least: float) -> None:
    array = np.array(numbers, dtype=float)
    assert sound(array, least) == all(least <= number < float("inf") for number in numbers)
    for number in numbers:
        assert sound(np.asarray(number), least) == (least <= number < float("inf"))
