"""Products of many experts in one launch: closed forms, limits, bad input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator
from outlay.errors import InputError
from outlay.machine.gemm import GemmCurve, gemm_seconds
from outlay.machine.grouped import GroupedCurve, active_experts, grouped_curve, grouped_gemm_seconds, moved_bytes

GEMM = GemmCurve(flops=1e15, bandwidth=1e20, cores=100, input_bytes=2, split_depth=1e9)
PLAIN = GroupedCurve(gemm=GEMM)
REAL = GroupedCurve(gemm=replace(GEMM, bandwidth=3e12, quantisation=0.5, tile_seconds=1e-7, launch_seconds=3e-6))


def test_one_expert_is_one_product() -> None:
    grouped = grouped_gemm_seconds(128 * 50, n=256 * 40, k=4096, experts=1, curve=REAL, even=True)
    assert grouped == pytest.approx(float(gemm_seconds(128 * 50, 256 * 40, 4096, curve=REAL.gemm)))


def test_even_experts_of_whole_tiles_run_at_the_peak() -> None:
    seconds = grouped_gemm_seconds(8 * 128 * 10, n=256 * 10, k=4096, experts=8, curve=PLAIN, even=True)
    assert seconds == pytest.approx(2 * 8 * 1280 * 2560 * 4096 / 1e15)


def test_chance_wastes_half_a_tile_for_each_expert() -> None:
    curve = GroupedCurve(gemm=replace(GEMM, tile_efficiency=(1.0, 1e-9, 1e-9)))
    shape = {"n": 2560, "k": 4096, "experts": 8, "curve": curve}
    even, chance = (grouped_gemm_seconds(8 * 1280, even=even, **shape) for even in (True, False))
    assert chance / even == pytest.approx(10.5 / 10)


def test_few_rows_read_only_the_experts_that_they_reach() -> None:
    curve = GroupedCurve(gemm=replace(GEMM, flops=1e25, bandwidth=1e12))
    few, all_of_them = (grouped_gemm_seconds(rows, n=4096, k=4096, experts=256, curve=curve) for rows in (4, 256))
    assert all_of_them / few == pytest.approx(64, rel=0.01)


def test_imbalance_is_more_rows() -> None:
    shape = {"n": 4096, "k": 4096, "experts": 8, "curve": REAL}
    assert grouped_gemm_seconds(8192, imbalance=1.5, **shape) == grouped_gemm_seconds(12288, **shape)


def test_no_rows_take_no_time() -> None:
    assert grouped_gemm_seconds(0, n=4096, k=4096, experts=8, curve=REAL) == 0.0


@given(rows=st.integers(1, 200_000), experts=st.integers(1, 512), n=st.integers(1, 16_384), k=st.integers(1, 16_384))
def test_arrays_equal_single_calls_and_nothing_beats_the_peak(rows: int, experts: int, n: int, k: int) -> None:
    single = grouped_gemm_seconds(rows, n=n, k=k, experts=experts, curve=REAL)
    array = grouped_gemm_seconds(np.array([rows, 5]), n=n, k=k, experts=np.array([[experts], [1]]), curve=REAL)
    assert array[0, 0] == pytest.approx(float(single), rel=1e-12)  # NumPy's power of arrays may round otherwise
    assert single >= 2 * rows * n * k / REAL.gemm.flops * (1 - 1e-12)
    assert grouped_gemm_seconds(rows * 2, n=n, k=k, experts=experts, curve=REAL) >= single * (1 - 1e-12)


def test_fewer_and_larger_experts_are_never_slower() -> None:
    counts = np.array([1, 2, 8, 64, 256])
    seconds = grouped_gemm_seconds(32768, n=4096, k=4096, experts=counts, curve=REAL)
    assert (np.diff(seconds) >= 0).all()


def test_measured_chips_reach_a_good_part_of_their_plain_products() -> None:
    for name in ("h100-sxm-80gb", "b200-sxm-180gb"):
        curve = grouped_curve(accelerator(name), "bf16")
        assert curve.gemm.basis == "fitted"
        seconds = float(grouped_gemm_seconds(65536, n=4096, k=4096, experts=16, curve=curve, busy=60.0))
        assert 0.4 < 2 * 65536 * 4096**2 / seconds / accelerator(name).peak("bf16") < 0.8


def test_moved_bytes_of_a_layer() -> None:
    assert moved_bytes(tokens=1, rows=2, hidden=10, width=5) == 2 * (3 * 20 + 3 * 10 + 10)


@pytest.mark.parametrize("bad", [{"rows": -1}, {"experts": 0}, {"imbalance": 0.5}, {"rows": float("nan")}])
def test_bad_sizes_are_refused(bad: dict[str, float]) -> None:
    shape = {"rows": 100, "experts": 4, "imbalance": 1.0} | bad
    with pytest.raises(InputError, match="grouped product"):
        grouped_gemm_seconds(n=64, k=64, curve=REAL, **shape)


def test_distinct_experts_are_those_of_drawing() -> None:
    random = np.random.default_rng(3)
    hit = [len({expert for _ in range(24) for expert in random.choice(64, 6, replace=False)}) for _ in range(300)]
    assert float(active_experts(24, 6, 64)) == pytest.approx(np.mean(hit), rel=0.01)
    assert float(active_experts(24, 6, 64, local=8)) == pytest.approx(np.mean(hit) / 8, rel=0.01)


def test_few_tokens_hit_their_choices_and_many_hit_all() -> None:
    assert float(active_experts(1, 8, 256)) == pytest.approx(8.0)
    assert float(active_experts(10_000, 8, 256)) == pytest.approx(256.0)
    assert (active_experts(np.array([4, 64]), 8, 256, skew=1.0) < active_experts(np.array([4, 64]), 8, 256)).all()
    with pytest.raises(InputError, match="choose"):
        active_experts(1, 9, 8)
