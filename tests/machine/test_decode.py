"""Decode attention: limits, directions, and agreement of the shipped curves with the errors they state."""

from __future__ import annotations

import time

import numpy as np
import pytest

from outlay.catalog import accelerator, accelerators
from outlay.errors import InputError
from outlay.machine import (
    Coefficients,
    DecodeCurve,
    curves_for,
    decode_attention_seconds,
    mla_decode_seconds,
)
from outlay.machine.decode_curve import decode_coefficients, decode_curve

CURVE = DecodeCurve(flops=989.4e12, bandwidth=4.3e12, cores=132, efficiency=0.9)
SHAPE = (64, 32, 8, 8192, 128, 128)


def test_a_long_cache_is_read_at_the_bandwidth_of_the_curve() -> None:
    read = 512 * 8 * 32768 * 256 * 2.0
    seconds = float(decode_attention_seconds(512, 32, 8, 32768, 128, 128, curve=CURVE))
    assert 1.0 <= seconds / (read / CURVE.bandwidth) < 1.15


@pytest.mark.parametrize("chip", ["tpu-v7", "tpu-v5e", "trainium2"])
def test_chips_of_few_large_processors_read_many_caches_at_their_bandwidth(chip: str) -> None:
    curve = decode_curve(accelerator(chip), "bf16")
    read = 320 * 8 * 1024 * 256 * 2.0
    assert (
        1.0 <= float(decode_attention_seconds(320, 64, 8, 1024, 128, 128, curve=curve)) / (read / curve.bandwidth) < 1.5
    )


def test_an_empty_batch_takes_no_time_and_one_short_sequence_a_launch() -> None:
    assert float(decode_attention_seconds(0, 32, 8, 4096, 128, 128, curve=CURVE)) == 0.0
    one = float(decode_attention_seconds(1, 32, 8, 16, 128, 128, curve=CURVE))
    assert CURVE.launch_seconds < one < 3 * CURVE.launch_seconds


@pytest.mark.parametrize("place", [0, 3])
def test_more_sequences_and_longer_ones_never_take_less(place: int) -> None:
    sizes: list[object] = list(SHAPE)
    sizes[place] = np.arange(1, 5000, 7)
    seconds = decode_attention_seconds(*sizes, curve=CURVE)
    assert (np.diff(seconds) >= -1e-12).all()


def test_faster_memory_and_a_narrower_cache_never_take_longer() -> None:
    plain = float(decode_attention_seconds(*SHAPE, curve=CURVE))
    assert float(decode_attention_seconds(*SHAPE, kv_bytes=1.0, curve=CURVE)) < plain
    faster = DecodeCurve(flops=989.4e12, bandwidth=8.6e12, cores=132, efficiency=0.9)
    assert float(decode_attention_seconds(*SHAPE, curve=faster)) < plain


def test_a_window_ends_what_is_read() -> None:
    near = decode_attention_seconds(64, 32, 8, np.array([4096, 65536]), 128, 128, window=4096, curve=CURVE)
    assert near[0] == near[1]
    with pytest.raises(InputError, match="window"):
        decode_attention_seconds(*SHAPE, window=0, curve=CURVE)


def test_a_few_queries_more_share_the_reading_and_many_do_not() -> None:
    one, four, many = (float(decode_attention_seconds(*SHAPE, queries=queries, curve=CURVE)) for queries in (1, 4, 256))
    assert one <= four < 1.2 * one
    assert many > 4 * one


def test_heads_that_share_a_cache_read_it_once() -> None:
    grouped, every = (
        float(decode_attention_seconds(64, 32, kv_heads, 8192, 128, 128, curve=CURVE)) for kv_heads in (8, 32)
    )
    assert 3.0 < every / grouped < 4.5


def test_a_latent_cache_is_read_once_for_all_heads() -> None:
    read = 64 * 8192 * 576 * 2.0
    few = float(mla_decode_seconds(64, 16, 8192, curve=CURVE))
    assert read / CURVE.bandwidth < few < 2.0 * read / CURVE.bandwidth


def test_a_size_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="context"):
        decode_attention_seconds(1, 32, 8, -1, 128, 128, curve=CURVE)
    with pytest.raises(InputError, match="engine"):
        decode_curve(accelerator("h100-sxm-80gb"), engine="abacus")
    with pytest.raises(InputError, match="cache"):
        decode_curve(accelerator("h100-sxm-80gb"), "float3")


MEASURED = (
    # aiconfigurator-core 0.12.0, generation_attention_perf: chip, engine, batch, heads, heads of the cache, context, head
    # dimension, microseconds of the median of equal rows.
    ("h200-sxm-141gb", "vllm", 64, 32, 8, 8192, 128, 490.8),
    ("h200-sxm-141gb", "vllm", 256, 32, 8, 1024, 128, 272.5),
    ("h200-sxm-141gb", "trtllm", 64, 32, 8, 8192, 128, 495.8),
    ("b200-sxm-180gb", "vllm", 128, 32, 8, 4096, 128, 300.8),
    ("l40s-48gb", "vllm", 64, 32, 8, 8192, 128, 2970.9),
)


@pytest.mark.parametrize(("chip", "engine", "batch", "heads", "kv_heads", "context", "dim", "microseconds"), MEASURED)
def test_large_batches_come_out_as_measured(
    chip: str, engine: str, batch: int, heads: int, kv_heads: int, context: int, dim: int, microseconds: float
) -> None:
    curve = decode_curve(accelerator(chip), engine=engine)
    seconds = float(decode_attention_seconds(batch, heads, kv_heads, context, dim, dim, curve=curve))
    assert seconds * 1e6 == pytest.approx(microseconds, rel=0.2)


def test_every_accelerator_gets_a_curve_whose_shares_are_shares() -> None:
    for chip in accelerators():
        curve = decode_curve(chip)
        assert 0.25 * chip.memory_bandwidth <= curve.bandwidth <= chip.memory_bandwidth, chip.name
        assert curve.source
    fitted = {record["chip"] for record in decode_coefficients()["curves"]}
    assert {"h100-sxm", "h200-sxm", "b200-sxm", "l40s", "a100-sxm"} <= fitted


def test_the_curves_of_an_accelerator_hold_those_of_decoding() -> None:
    chip = accelerator("h100-sxm-80gb")
    wide, narrow = (
        curves_for(chip, "bf16", "bf16", Coefficients(), kv_dtype=dtype, engine="trtllm") for dtype in ("bf16", "fp8")
    )
    assert wide.decode.kv_bytes == 2.0 and narrow.decode.kv_bytes == 1.0
    assert "trtllm" in wide.decode.source and wide.latent_decode != wide.decode


def test_a_million_steps_take_a_second_at_most() -> None:
    batch = np.random.default_rng(1).integers(1, 512, 1_000_000)
    start = time.process_time()
    decode_attention_seconds(batch, 32, 8, batch * 17, 128, 128, curve=CURVE)
    assert time.process_time() - start < 1.0
