"""Attention against closed forms: FLOP over rate for long sequences, monotone in every size, equal element by element."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import accelerator
from outlay.errors import InputError
from outlay.machine.attention import AttentionCurve, attention_seconds, score_bytes, visible_keys
from outlay.machine.attention_curve import LIBRARIES, attention_coefficients, attention_curve

IDEAL = AttentionCurve(
    flops=1e15,
    bandwidth=1e30,
    cores=100,
    efficiency=(0.5, 0.5),
    tile_overhead=(1e-9, 1e-9),
    imbalance=0.0,
    launch_seconds=0.0,
)


def seconds(length=4096, *, batch=8, heads=32, kv_heads=8, dim=128, causal=True, curve=IDEAL, **options):
    return float(
        attention_seconds(batch, heads, kv_heads, length, length, dim, dim, causal=causal, curve=curve, **options)
    )


def unfused(**options):
    return seconds(
        2048, causal=True, curve=attention_curve(accelerator("a100-sxm-80gb"), dtype="fp16"), fused=False, **options
    )


@pytest.mark.parametrize("dim", [108, 150, 225])
def test_unaligned_heads_leave_the_tensor_cores(dim):
    """Vector units of an A100 do a sixteenth of the tensor cores' FLOP; traffic hides part of the difference."""
    padded = -(-dim // 8) * 8
    assert 3 < unfused(dim=dim) / unfused(dim=padded) < 16
    fused = [
        seconds(2048, dim=d, curve=attention_curve(accelerator("a100-sxm-80gb"), dtype="fp16")) for d in (dim, padded)
    ]
    assert fused[0] == pytest.approx(fused[1], rel=0.1)  # fused kernels pad


def test_wide_numbers_need_no_tensor_cores():
    curve = attention_curve(accelerator("v100-sxm-32gb"), dtype="fp32")
    assert seconds(2048, dim=108, curve=curve, fused=False) < seconds(2048, dim=112, curve=curve, fused=False)


@pytest.mark.parametrize("backward", [False, True])
def test_relative_positions_are_a_third_product_and_more_passes(backward):
    plain, relative = (unfused(backward=backward, relative=way) for way in (False, True))
    assert 1.5 < relative / plain < 3


@pytest.mark.parametrize(
    ("query", "key", "limit"), [(1, 1, 9), (5, 5, 9), (5, 5, 3), (3, 7, 100), (3, 7, 4), (7, 7, 1), (6, 6, 6)]
)
def test_visible_keys_equal_a_count(query, key, limit):
    counted = [sum(1 for k in range(key) if k <= q + key - query and k > q + key - query - limit) for q in range(query)]
    assert float(visible_keys(np.array(float(query)), np.array(float(key)), limit=limit, causal=True)) == pytest.approx(
        np.mean(counted)
    )


def test_full_attention_is_flop_over_rate():
    flop = 4.0 * 8 * 32 * 4096**2 * 128
    assert seconds(causal=False) == pytest.approx(flop / (1e15 * 0.5))


def test_a_long_causal_square_costs_half():
    assert seconds(65536) / seconds(65536, causal=False) == pytest.approx(0.5, rel=5e-3)


def test_a_window_makes_time_linear_in_length():
    long, longer = seconds(16384, window=1024), seconds(32768, window=1024)
    assert longer / long == pytest.approx(2.0, rel=0.05)
    assert long < seconds(16384) / 4


def test_backward_takes_two_and_a_half_times_at_equal_speed():
    from dataclasses import replace

    even = replace(IDEAL, backward_ratio=1.0)
    assert seconds(curve=even, backward=True) == pytest.approx(2.5 * seconds(curve=even))


def test_latent_attention_counts_both_widths():
    own = attention_seconds(8, 32, 32, 4096, 4096, 192, 128, causal=False, curve=IDEAL)
    assert float(own) == pytest.approx(2.0 * 8 * 32 * 4096**2 * 320 / 5e14)


def test_odd_head_dimensions_pay_their_padding():
    assert seconds(dim=72) == pytest.approx(seconds(dim=80))


def test_unfused_is_bound_by_its_scores():
    curve = attention_curve(accelerator("a100-sxm-80gb"))
    own = attention_seconds(4, 16, 16, 2048, 2048, 64, 64, causal=True, curve=curve, fused=False)
    scores = 4 * 16 * 2048**2
    assert float(own) > scores * score_bytes(backward=False, dropout=False, eager_softmax=False) / curve.bandwidth
    assert float(own) > 2 * float(attention_seconds(4, 16, 16, 2048, 2048, 64, 64, causal=True, curve=curve))


@pytest.mark.parametrize("backward", [False, True])
def test_more_passes_take_longer(backward):
    plain = score_bytes(backward=backward, dropout=False, eager_softmax=False)
    assert plain < score_bytes(backward=backward, dropout=True, eager_softmax=False)
    assert plain < score_bytes(backward=backward, dropout=False, eager_softmax=True)


SIZE = st.integers(1, 64)


@settings(max_examples=60, deadline=None)
@given(
    SIZE,
    SIZE,
    st.integers(1, 8192),
    st.sampled_from([40, 64, 80, 128, 192, 256]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_never_faster_with_more_work(batch, heads, length, dim, causal, backward, fused):
    curve = attention_curve(accelerator("h100-sxm-80gb"))

    def of(batch, heads, length):
        return float(
            attention_seconds(
                batch,
                heads,
                heads,
                length,
                length,
                dim,
                dim,
                causal=causal,
                backward=backward,
                fused=fused,
                curve=curve,
            )
        )

    own = of(batch, heads, length)
    assert 0 < own < np.inf
    assert own <= of(batch + 1, heads, length) * (1 + 1e-12)
    assert own <= of(batch, heads + 1, length) * (1 + 1e-12)
    assert own <= of(batch, heads, length + 1) * (1 + 1e-12)


def test_faster_chips_are_faster():
    from dataclasses import replace

    curve = attention_curve(accelerator("h100-sxm-80gb"))
    own = seconds(curve=curve)
    assert seconds(curve=replace(curve, flops=curve.flops * 1.2)) < own
    assert seconds(curve=replace(curve, bandwidth=curve.bandwidth * 2)) <= own


@pytest.mark.parametrize("fused", [False, True])
def test_arrays_equal_single_calls(fused):
    curve = attention_curve(accelerator("b200-sxm-180gb"))
    random = np.random.default_rng(3)
    batch, heads, length = random.integers(0, 9, 40), random.integers(1, 65, 40), random.integers(1, 9000, 40)
    together = attention_seconds(batch, heads, heads, length, length, 128, 128, causal=True, curve=curve, fused=fused)
    for index in range(40):
        own = attention_seconds(
            int(batch[index]), int(heads[index]), int(heads[index]), int(length[index]), int(length[index]), 128, 128,
            causal=True, curve=curve, fused=fused,
        )  # fmt: skip
        assert float(own) == together[index]
    assert (together[batch == 0] == 0).all()


@pytest.mark.parametrize("bad", [{"length": -1}, {"length": float("nan")}, {"batch": float("inf")}, {"window": 0}])
def test_impossible_sizes_are_refused(bad):
    with pytest.raises(InputError):
        seconds(**bad)


def test_unknown_types_and_libraries_are_refused():
    with pytest.raises(InputError):
        attention_curve(accelerator("h100-sxm-80gb"), dtype="int8")
    with pytest.raises(InputError):
        attention_curve(accelerator("h100-sxm-80gb"), library="flash-9")


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_library_beats_the_fitted_one(library):
    h100 = accelerator("h100-sxm-80gb")
    assert seconds(curve=attention_curve(h100)) <= seconds(curve=attention_curve(h100, library=library)) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("name", "dim", "low", "high"),
    [
        ("a100-sxm-80gb", 128, 150, 200),
        ("h100-sxm-80gb", 128, 520, 680),
        ("b200-sxm-180gb", 128, 1000, 1400),
        ("rtx-4090", 128, 90, 165),
    ],
)
def test_published_speeds_at_long_sequences(name, dim, low, high):
    """TFLOP/s of the forward kernel at 16,384 causal tokens: FlashAttention-2 and -3, cuDNN on B200."""
    curve = attention_curve(accelerator(name))
    own = 2.0 * 32 * 16384**2 * dim * 2 / seconds(16384, batch=1, heads=64, kv_heads=8, dim=dim, curve=curve) / 1e12
    assert low < own < high


def test_every_measured_chip_fits_its_tables():
    for record in attention_coefficients()["curves"]:
        assert record["errors"]["training"]["median"] < 0.08, record["chip"]
        assert abs(record["errors"]["training"]["bias"]) < 0.03, record["chip"]


def test_who_was_measured_and_who_was_not():
    assert attention_curve(accelerator("h100-sxm-80gb")).basis == "fitted"
    for name in ("h100-pcie-80gb", "rtx-3090", "mi300x-192gb", "tpu-v5p", "v100-sxm-32gb", "trainium2", "m3-max"):
        curve = attention_curve(accelerator(name), dtype="fp16")
        assert curve.basis == "assumed" and curve.source
