"""Kernels of serving beside decode attention: narrow weights, few rows, experts of few tokens and the way to them."""

from __future__ import annotations

import numpy as np
import pytest

from outlay.catalog import accelerator, accelerators
from outlay.errors import InputError
from outlay.machine import (
    Coefficients,
    active_experts,
    curves_for,
    exchange_curve,
    expert_exchange_seconds,
    gemm_seconds,
    grouped_gemm_seconds,
    mla_decode_seconds,
)
from outlay.machine.decode_curve import decode_coefficients, decode_curve, latent_prefill_ratio
from outlay.machine.expert_exchange import exchange_coefficients
from outlay.machine.gemm_curve import gemm_coefficients, gemm_curve
from outlay.machine.grouped import grouped_coefficients, grouped_curve, moved_bytes


@pytest.mark.parametrize(
    ("m", "n", "k", "width", "microseconds"),
    [
        # aiconfigurator-core 0.12.0, A100, trtllm 1.0.0, weight-only plugin; 12.1 µs of each are the engine's start.
        (1, 65536, 12288, 1.0, 458.8),
        (1, 65536, 12288, 0.5, 235.5),
        (16, 65536, 12288, 0.5, 269.3),
        (4, 16384, 16384, 1.0, 173.1),
    ],
)
def test_narrow_weights_take_what_was_measured(m: int, n: int, k: int, width: float, microseconds: float) -> None:
    start = gemm_coefficients()["weight_only"]["start_in_tables"]
    curve = gemm_curve(accelerator("a100-sxm-80gb"), "bf16")
    seconds = float(gemm_seconds(m, n, k, weight_bytes=width, curve=curve)) + start
    assert seconds * 1e6 == pytest.approx(microseconds, rel=0.25)


def test_narrower_weights_are_never_slower_than_whole_ones_when_rows_are_few() -> None:
    for chip in accelerators():
        if chip.category in ("datacenter-gpu", "consumer-gpu", "apple"):
            curve = gemm_curve(chip, "fp16")
            whole, narrow = (float(gemm_seconds(4, 8192, 8192, weight_bytes=w, curve=curve)) for w in (2.0, 0.5625))
            assert narrow < whole, chip.name


def test_few_rows_never_beat_their_traffic_and_hardly_any_row_saves_time() -> None:
    rows = np.arange(1, 600)
    for record in gemm_coefficients()["curves"]:
        names = [chip for chip in accelerators() if chip.name.startswith(record["chip"])]
        curve = gemm_curve(names[0], record["dtype"])
        seconds = gemm_seconds(rows, 1024, 1024, curve=curve)
        assert (seconds > 1024 * (1024 + rows) * curve.input_bytes / curve.bandwidth).all()
        assert (np.diff(seconds) >= -0.03 * seconds[1:]).all()  # a fuller grid of tiles is split, and joined, less


def test_products_of_few_rows_over_large_weights_are_near_the_tables() -> None:
    for record in gemm_coefficients()["curves"]:
        assert record["serving"]["large"]["median"] <= 0.1, (record["chip"], record["dtype"])
        assert abs(record["serving"]["large"]["bias"]) <= 0.065, (record["chip"], record["dtype"])


def layer(chip: str, tokens: float, choices: int, experts: int, hidden: int, width: int) -> float:
    """Seconds of a gated expert layer with balanced routing, as a benchmark has it."""
    curve = grouped_curve(accelerator(chip), "bf16")
    rows = tokens * choices
    product = {"experts": experts, "curve": curve, "even": True, "quantised": True}
    up = grouped_gemm_seconds(rows, n=2 * width, k=hidden, **product)
    down = grouped_gemm_seconds(rows, n=hidden, k=width, **product)
    moved = moved_bytes(tokens, rows, hidden, width) / (0.8 * accelerator(chip).memory_bandwidth)
    return float(up + down + moved + curve.layer_seconds)


def test_one_token_reads_its_experts_and_many_read_all() -> None:
    one, many = (layer("h200-sxm-141gb", tokens, 8, 128, 4096, 1536) for tokens in (1, 64))
    expert = 3 * 4096 * 1536 * 2 / 4.8e12
    assert one > 8 * expert
    assert 128 * expert < many < 2 * 128 * expert
    assert many > 5 * one


def test_layers_of_few_tokens_are_closer_with_what_they_do_beside_their_products() -> None:
    for record in grouped_coefficients()["curves"]:
        own = record["serving"]
        assert own["with"]["median"] <= own["without"]["median"] + 1e-9, (record["chip"], record["dtype"])
        assert abs(own["with"]["bias"]) < 0.1 or record["chip"] == "a100-sxm"


def test_knowing_which_experts_are_hit_spares_reading_the_others() -> None:
    curve = grouped_curve(accelerator("h100-sxm-80gb"), "bf16")
    hit = active_experts(16, 8, 128)
    known = grouped_gemm_seconds(128, n=4096, k=4096, experts=128, active=hit, curve=curve)
    every = grouped_gemm_seconds(128, n=4096, k=4096, experts=128, curve=curve)
    assert 0.55 < float(known / every) < 0.8


def test_an_exchange_starts_and_then_follows_the_link() -> None:
    chip = accelerator("h200-sxm-141gb")
    curve = exchange_curve(chip)
    tokens = np.array([1, 8, 64, 128, 256])
    sizes = {"link_bandwidth": chip.link_bandwidth, "curve": curve}
    sent = expert_exchange_seconds("dispatch", tokens, 8, 7168, 8, **sizes)
    assert (np.diff(sent) > 0).all()
    # aiconfigurator-core 0.12.0, H200, DeepEP low latency in vLLM 0.24.0: means of 256 and 384 experts.
    assert sent[1] * 1e6 == pytest.approx(54.7, rel=0.25)
    assert sent[4] * 1e6 == pytest.approx(204.9, rel=0.25)
    assert float(expert_exchange_seconds("combine", 64, 8, 7168, 1, **sizes)) == 0.0
    narrow = expert_exchange_seconds("dispatch", 256, 8, 7168, 8, element_bytes=1.0, **sizes)
    assert float(narrow) < sent[4]


def test_where_a_graph_launches_like_links_start_alike_whatever_the_host() -> None:
    chips = [accelerator(name) for name in ("b200-sxm", "b300-sxm", "gb200", "gb300")]
    quick, slow = (
        {exchange_curve(chip).start_seconds[f"{way} dispatch"] for chip in chips}
        for way in ("low-latency", "throughput")
    )
    assert len(quick) == 1
    assert len(slow) == 4
    assert exchange_curve(accelerator("h100-sxm")).start_seconds["low-latency dispatch"] not in quick


def test_throughput_sends_once_to_each_device() -> None:
    shared = {"start_seconds": {"throughput dispatch": 0.0}, "share": {"throughput dispatch": 1.0}}
    curve = type(exchange_curve(accelerator("h100-sxm-80gb")))(**shared)
    seconds = expert_exchange_seconds("dispatch", 100, 8, 1000, 4, way="throughput", link_bandwidth=1e9, curve=curve)
    assert float(seconds) == pytest.approx(100 * 4 * (1 - 0.75**8) * 1000 * 2 * 0.75 / 1e9)
    with pytest.raises(InputError, match="exchange"):
        expert_exchange_seconds("return", 1, 1, 1, 2, link_bandwidth=1e9, curve=curve)


def test_every_share_of_a_link_is_a_share() -> None:
    for record in exchange_coefficients()["curves"]:
        assert all(0.0 < share <= 1.0 for share in record["share"].values()), record["chip"]
        assert all(own["median"] < 0.3 for own in record["errors"].values()), record["chip"]


@pytest.mark.parametrize(
    ("chip", "batch", "heads", "context", "microseconds"),
    [
        # aiconfigurator-core 0.12.0, generation_mla_perf of trtllm 1.3.0rc20 in bf16.
        ("h200-sxm-141gb", 64, 128, 8192, 249.8),
        ("h100-sxm-80gb", 64, 16, 8192, 216.3),
        ("b200-sxm-180gb", 64, 128, 8192, 125.0),
    ],
)
def test_latent_caches_take_what_was_measured(
    chip: str, batch: int, heads: int, context: int, microseconds: float
) -> None:
    seconds = float(mla_decode_seconds(batch, heads, context, curve=decode_curve(accelerator(chip), latent=True)))
    assert seconds * 1e6 == pytest.approx(microseconds, rel=0.25)


def test_latent_prompts_take_a_little_longer_everywhere() -> None:
    assert all(1.0 < record["ratio"] < 1.4 for record in decode_coefficients()["latent_prefill"])
    assert latent_prefill_ratio(accelerator("mi300x-192gb")) == pytest.approx(1.2, abs=0.05)
    curves = curves_for(accelerator("h100-sxm-80gb"), "bf16", "bf16", Coefficients())
    assert curves.latent_prefill == latent_prefill_ratio(accelerator("h100-sxm-80gb"))


def test_curves_of_another_source_are_taken_from_what_is_passed() -> None:
    content = {**decode_coefficients(), "curves": [], "priors": [], "latent_prefill": [{"chip": "x", "ratio": 1.5}]}
    curves = curves_for(accelerator("mi300x-192gb"), "bf16", "bf16", Coefficients(decode=content))
    assert curves.latent_prefill == 1.5
    assert curves.decode.source == "pooled over all measured chips"


@pytest.mark.parametrize("name", ["m3-max", "m2-ultra", "rtx-3060", "mi300x-192gb", "tpu-v5e", "gaudi2"])
def test_one_row_is_read_at_most_of_the_bandwidth_on_chips_without_tables(name: str) -> None:
    chip = accelerator(name)
    curves = curves_for(chip, "fp16", "fp16", Coefficients())
    read = 14336 * 4096 * 2.0
    assert 0.6 < read / float(gemm_seconds(1, 14336, 4096, curve=curves.gemm)) / chip.memory_bandwidth < 1.0
    assert curves.gemm.basis == curves.decode.basis == "assumed"


def test_whole_tiles_of_measured_chips_stay_as_they_were_fitted() -> None:
    curve = gemm_curve(accelerator("h100-sxm-80gb"), "bf16")
    assert curve.short_rows == 64.0
    borrowed = gemm_curve(accelerator("m3-max"), "fp16")
    few, many = gemm_seconds(np.array([1, 64]), 4096, 4096, curve=borrowed)
    assert many > 2 * few
