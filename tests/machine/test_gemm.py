"""The time of one matrix product: closed forms, limits, monotonicity, bad input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.machine.gemm import GemmCurve, gemm_seconds, waves

PLAIN = GemmCurve(flops=1e15, bandwidth=1e20, cores=100, input_bytes=2)
REAL = GemmCurve(
    flops=8e14,
    bandwidth=2.8e12,
    cores=132,
    input_bytes=2,
    tile_efficiency=(1.0, 0.98, 0.9),
    quantisation=0.3,
    tile_seconds=2e-7,
    split_depth=900,
    split_seconds=3e-6,
    exposed_output=0.1,
    throttle=0.15,
    throttle_seconds=2e-3,
    launch_seconds=2.5e-6,
)
SIZE = st.integers(1, 70_000)


def test_many_whole_tiles_without_overheads_run_at_the_peak() -> None:
    m, n, k = 128 * 50, 256 * 40, 4096
    assert gemm_seconds(m, n, k, curve=PLAIN) == pytest.approx(2 * m * n * k / 1e15, rel=1e-9)


def test_without_arithmetic_a_product_takes_the_time_to_move_its_bytes() -> None:
    curve = GemmCurve(flops=1e25, bandwidth=1e12, cores=100, input_bytes=2, output_bytes=4)
    m, n, k = 1000, 2000, 3000
    assert gemm_seconds(m, n, k, curve=curve) == pytest.approx((2 * (m * k + n * k) + 4 * m * n) / 1e12, rel=1e-6)


def test_a_begun_wave_costs_a_whole_one() -> None:
    curve = replace(PLAIN, quantisation=1.0, tile_efficiency=(1, 1e-9, 1e-9))
    full = gemm_seconds(128 * 10, 256 * 10, 4096, curve=curve)
    assert gemm_seconds(128 * 10 + 1, 256 * 10, 4096, curve=curve) == pytest.approx(2 * full)
    assert waves(np.array([0.1, 1.0, 1.01]), 1.0).tolist() == [1.0, 1.0, 2.0]


def test_a_small_output_with_a_long_reduction_is_split_over_idle_processors() -> None:
    one = gemm_seconds(64, 64, 65536, curve=replace(PLAIN, split_depth=1e9))
    many = gemm_seconds(64, 64, 65536, curve=PLAIN)
    assert many == pytest.approx(one / 32)


def test_a_busy_chip_runs_at_its_power_limit() -> None:
    burst, sustained = (gemm_seconds(1024, 1024, 8192, curve=REAL, busy=busy) for busy in (None, 60.0))
    assert burst < sustained < burst * 1.16
    assert REAL.sustained_flops == pytest.approx(8e14 / 1.15)


def test_bringing_an_operand_to_eight_bits_costs_its_traffic() -> None:
    curve = replace(REAL, input_bytes=1, quantise_bytes=5)
    ready, late = (gemm_seconds(4096, 4096, 4096, curve=curve, quantised=done) for done in (True, False))
    assert late - ready == pytest.approx(5 * 4096 * 4096 / curve.bandwidth)


def test_an_empty_product_takes_no_time() -> None:
    assert gemm_seconds(0, 128, 128, curve=REAL) == 0.0
    assert gemm_seconds([0, 1], 128, 128, curve=REAL)[1] > 0  # type: ignore[arg-type]


@given(m=SIZE, n=SIZE, k=SIZE, batch=st.integers(1, 64))
def test_arrays_equal_single_calls_and_nothing_beats_peak_or_memory(m: int, n: int, k: int, batch: int) -> None:
    array = gemm_seconds(np.array([m, 7]), np.array([[n], [9]]), k, batch=batch, curve=REAL)
    single = gemm_seconds(m, n, k, batch=batch, curve=REAL)
    assert array.shape == (2, 2)
    assert array[0, 0] == pytest.approx(float(single), rel=1e-12)
    assert single >= 2 * m * n * k * batch / REAL.flops
    assert single >= (2 * (m + n) * k + 2 * m * n) * batch / REAL.bandwidth
    assert single >= REAL.launch_seconds


@given(m=SIZE, n=SIZE, k=SIZE, factor=st.integers(2, 4))
def test_more_work_never_takes_less(m: int, n: int, k: int, factor: int) -> None:
    least = gemm_seconds(m, n, k, curve=REAL)
    for more in ((m * factor, n, k), (m, n * factor, k), (m, n, k * factor)):
        assert gemm_seconds(*more, curve=REAL) >= least * (1 - 1e-9)


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf")])
def test_a_size_that_is_none_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="n = "):
        gemm_seconds(1, bad, 1, curve=REAL)


def test_narrower_weights_spare_their_traffic_and_pay_for_widening() -> None:
    plain, narrow = (gemm_seconds(4, 16384, 16384, weight_bytes=width, curve=REAL) for width in (None, 0.5625))
    assert 0.5625 / 2.0 < float(narrow / plain) < 0.45
    slow = replace(REAL, unpack_rate=1e12)
    assert float(gemm_seconds(4, 16384, 16384, weight_bytes=0.5625, curve=slow)) > float(narrow)
    assert float(gemm_seconds(4, 16384, 16384, weight_bytes=2.0, curve=slow)) == pytest.approx(float(plain))


def test_a_weight_without_a_size_is_refused() -> None:
    with pytest.raises(InputError, match="weight"):
        gemm_seconds(4, 16, 16, weight_bytes=np.nan, curve=REAL)
