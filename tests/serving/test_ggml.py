"""llama.cpp's kernels and splits: bounds, order, and what changed with its builds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, ServingCoefficients, Work, engine_for, format_for, iteration
from outlay.serving.ggml import ERAS, Backend, era, half_peak
from outlay.serving.ggml_prompts import product_seconds, widening_seconds
from outlay.serving.ggml_step import HOST_RATE, backend_for, spilled
from outlay.workload import from_config

ROWS = np.array([1.0, 2, 4, 8, 9, 12, 16, 32, 33, 64, 128, 256, 512, 513, 1024, 2048])
OLD, LAYERS, LIBRARY, GRAPHS, TODAY = 2023.96, 2024.1, 2024.3, 2024.44, 2026.5


def deployed(
    chip: str = "rtx-4090",
    *,
    weights: str = "q4_0",
    year: float = TODAY,
    cards: int = 1,
    engine: str = "llamacpp",
    model: str = "llama-2-7b",
) -> Deployment:
    return Deployment(
        architecture=from_config(model_config(model).config),
        cluster=cluster_for(accelerator(chip), cards),
        layout=Layout(pipeline=cards),
        engine=engine_for(engine, year),
        weights=format_for(weights),
    )


def step(one: Deployment, coefficients: ServingCoefficients, **work: float) -> float:
    return float(iteration(one, Work(**work), coefficients).seconds)


def decoding(one: Deployment, coefficients: ServingCoefficients, context: float = 256.0) -> float:
    return step(one, coefficients, decoding=1.0, context=context)


def prompt(one: Deployment, coefficients: ServingCoefficients, tokens: float = 512.0, past: float = 0.0) -> float:
    return step(one, coefficients, prefill=tokens, prompts=1.0, past=past)


def products(one: Deployment, coefficients: ServingCoefficients, rows: np.ndarray = ROWS) -> np.ndarray:
    backend = backend_for(one, coefficients.step)
    chip, form = one.cluster.accelerator, one.weights
    return np.asarray(
        product_seconds(
            rows, 14336, 4096, chip, form, backend, weight_bytes=form.weight_bytes, year=one.engine.year, tables=None
        )
    )


@pytest.mark.parametrize(
    "chip", ["rtx-4090", "rtx-3090", "a100-sxm-80gb", "gtx-1080-ti", "m3-max", "rx-7900-xt", "raspberry-pi-5-16gb"]
)
@pytest.mark.parametrize("weights", ["fp16", "q4_0", "q4_k_m"])
@pytest.mark.parametrize("year", [2023.7, OLD, LIBRARY, TODAY])
def test_more_rows_take_longer_and_none_beats_the_hardware(
    chip: str, weights: str, year: float, coefficients: ServingCoefficients
) -> None:
    one = deployed(chip, weights=weights, year=year)
    seconds = products(one, coefficients)
    assert (np.diff(seconds) >= -1e-12).all()
    assert (seconds > 14336 * 4096 * one.weights.weight_bytes / one.cluster.accelerator.memory_bandwidth).all()
    peak = half_peak(one.cluster.accelerator)
    if one.cluster.accelerator.has("int8"):
        peak = max(peak, one.cluster.accelerator.peak("int8"))
    assert (seconds[-1] > 2.0 * ROWS[-1] * 14336 * 4096 / peak).all()


def test_packed_weights_are_widened_for_a_library_and_pay_for_it(coefficients: ServingCoefficients) -> None:
    card = accelerator("rtx-4090")
    backend = backend_for(deployed(), coefficients.step)
    one = float(widening_seconds(1e9, card, backend, weight_bytes=0.5625))
    assert one > 2.5625e9 / card.memory_bandwidth
    plain, packed = (prompt(deployed(weights=form, year=LIBRARY), coefficients) for form in ("fp16", "q4_0"))
    assert packed > plain + 6.5 * 0.9 * one


def test_a_build_belongs_to_one_era_and_a_later_one_to_none_before() -> None:
    assert [era(year) for year in (0.0, *ERAS, TODAY)] == [0, 1, 2, 3, 4, 5, 5]
    assert sorted(ERAS) == list(ERAS)


def test_graphs_and_fusion_shorten_a_step_by_less_than_the_small_kernels(coefficients: ServingCoefficients) -> None:
    before, after = (decoding(deployed(year=year), coefficients) for year in (LIBRARY, GRAPHS))
    assert 0.5 * before < after < before


def test_scores_that_stay_on_the_chip_matter_for_long_prompts_alone(coefficients: ServingCoefficients) -> None:
    def gain(past: float) -> float:
        written, fused = (
            prompt(deployed(weights="fp16", year=year), coefficients, past=past) for year in (2025.5, TODAY)
        )
        return written / fused

    assert 1.0 < gain(0.0) < 1.15
    assert gain(16384.0) > 1.5


# --- several cards ---------------------------------------------------------------------------------------------------


def test_products_split_by_rows_share_the_reading_and_pay_for_the_exchange(coefficients: ServingCoefficients) -> None:
    alone, two, six = (
        iteration(deployed(weights="fp16", year=OLD, cards=n), Work(decoding=1.0, context=256.0), coefficients)
        for n in (1, 2, 6)
    )
    assert float(two.breakdown["projections"]) == pytest.approx(float(alone.breakdown["projections"]) / 2.0)
    assert float(alone.breakdown["tensor communication"]) == 0.0
    assert float(six.breakdown["tensor communication"]) == pytest.approx(
        5.0 * float(two.breakdown["tensor communication"]), rel=0.1
    )
    assert float(two.breakdown["pipeline communication"]) == 0.0


def test_prompts_split_by_rows_wait_for_the_link(coefficients: ServingCoefficients) -> None:
    """Each further card gets every product's input, four bytes a number: 1.6 GB for 350 tokens of a 7-billion model."""
    times = [prompt(deployed(weights="fp16", year=OLD, cards=n), coefficients, tokens=350.0) for n in (1, 2, 3, 6)]
    assert all(later > earlier for earlier, later in pairwise(times))
    each = (times[3] - times[2]) / 3.0
    share = backend_for(deployed(), coefficients.step).link_share
    assert each == pytest.approx(1.6e9 / (accelerator("rtx-4090").pcie_bandwidth * share), rel=0.25)


def test_layers_split_over_cards_work_one_after_another(coefficients: ServingCoefficients) -> None:
    alone, four = (decoding(deployed(year=LAYERS, cards=n), coefficients) for n in (1, 4))
    hop = backend_for(deployed(), coefficients.step).hop_seconds
    assert four == pytest.approx(alone + 3.0 * hop, rel=0.02)


# --- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["memory_bandwidth", "cores"])
@pytest.mark.parametrize("chip", ["rtx-3090", "rtx-4090", "a100-pcie-80gb", "m2-ultra", "rx-7900-xt", "core-i9-13900k"])
@pytest.mark.parametrize("year", [OLD, LIBRARY, TODAY])
def test_a_better_chip_is_never_slower(chip: str, field: str, year: float, coefficients: ServingCoefficients) -> None:
    one = deployed(chip, year=year)
    card = one.cluster.accelerator
    more = replace(card, **{field: type(getattr(card, field))(getattr(card, field) * 1.25)})
    if field == "cores":
        share = (more.cores or 1) / (card.cores or 1)
        more = replace(more, peaks={name: peak * share for name, peak in card.peaks.items()}, tdp=card.tdp * share)
    better = replace(one, cluster=replace(one.cluster, accelerator=more))
    for work in ({"decoding": 1.0, "context": 256.0}, {"prefill": 512.0, "prompts": 1.0}):
        assert step(better, coefficients, **work) <= step(one, coefficients, **work) * 1.03


@pytest.mark.parametrize(
    "pair",
    [("rtx-4080", "rtx-4090"), ("rtx-3080", "rtx-3090"), ("m1-max", "m2-ultra"), ("a100-pcie-80gb", "a100-sxm-80gb")],
)
def test_of_two_chips_the_better_one_serves_faster(pair: tuple[str, str], coefficients: ServingCoefficients) -> None:
    slow, fast = (deployed(chip) for chip in pair)
    assert decoding(fast, coefficients) < decoding(slow, coefficients)
    assert prompt(fast, coefficients) < prompt(slow, coefficients) * 1.001


def test_smaller_weights_are_read_sooner(coefficients: ServingCoefficients) -> None:
    for chip in ("rtx-4090", "m3-max"):
        times = [decoding(deployed(chip, weights=form), coefficients) for form in ("q8_0", "q6_k", "q4_k_m", "q3_k_m")]
        assert times == sorted(times, reverse=True)
    small, large = (decoding(deployed("raspberry-pi-5-16gb", weights=form), coefficients) for form in ("q4_0", "q8_0"))
    assert small < large


def test_a_server_around_it_adds_its_draw_to_each_token(coefficients: ServingCoefficients) -> None:
    plain, served = (decoding(deployed(engine=name), coefficients) for name in ("llama-bench", "ollama"))
    assert 1e-4 < served - plain < 1e-3


def test_vulkan_submits_each_step_anew(coefficients: ServingCoefficients) -> None:
    cuda, vulkan = (decoding(deployed(engine=name), coefficients) for name in ("llamacpp", "llamacpp-vulkan"))
    assert cuda < vulkan < 1.3 * cuda


MEASURED = (
    ("rtx-3090", "llama-3-8b", "q4_k_m", LIBRARY, 8.66, 4030.0),
    ("rtx-4080", "llama-3-8b", "q4_k_m", LIBRARY, 9.25, 5390.0),
    ("a100-pcie-80gb", "llama-3-8b", "q4_k_m", LIBRARY, 7.11, 5981.0),
    ("rtx-a6000", "llama-3-8b", "fp16", LIBRARY, 24.6, 4511.0),
    ("m2-ultra", "llama-3-8b", "q4_k_m", LIBRARY, 12.7, 994.0),
)
"""Chip, model, weights, build, milliseconds between 512 tokens, tokens of a prompt of 512 a second: llama-bench of May 2024
(GPU-Benchmarks-on-LLM-Inference)."""


@pytest.mark.parametrize(("chip", "model", "weights", "year", "milliseconds", "rate"), MEASURED)
def test_usual_machines_take_what_people_measure(
    chip: str,
    model: str,
    weights: str,
    year: float,
    milliseconds: float,
    rate: float,
    coefficients: ServingCoefficients,
) -> None:
    one = deployed(chip, model=model, weights=weights, year=year)
    assert decoding(one, coefficients) * 1e3 == pytest.approx(milliseconds, rel=0.15)
    assert 512.0 / prompt(one, coefficients) == pytest.approx(rate, rel=0.3)


def test_every_backend_reads_back(coefficients: ServingCoefficients) -> None:
    for values in coefficients.step.ggml.values():
        backend = Backend.from_json(values)
        assert 0.0 < backend.bandwidth_share <= 1.0
        assert 0.3 <= backend.overlap <= 1.0
        assert 0.0 < backend.link_share <= 1.0


# --- what does not fit -----------------------------------------------------------------------------------------------


def test_a_mixture_with_its_rest_in_8_bits_fits_a_card_of_12_gb(coefficients: ServingCoefficients) -> None:
    """The file has 12.1 GB (gpt-oss-20b in MXFP4), of which the table of tokens stays with the host."""
    fits = deployed("rtx-4070-ti", model="gpt-oss-20b", weights="mxfp4")
    assert float(spilled(fits)) < 0.02
    large = deployed("rtx-4090", model="llama-3.1-70b", weights="q4_k_m")
    assert 0.40 < float(spilled(large)) < 0.50
    assert decoding(large, coefficients) > 5.0 * decoding(
        deployed("a100-sxm-80gb", model="llama-3.1-70b", weights="q4_k_m"), coefficients
    )


def test_what_stays_with_the_host_costs_what_the_host_reads(coefficients: ServingCoefficients) -> None:
    large = deployed("rtx-4090", model="llama-3.1-70b", weights="q4_k_m")
    host = float(spilled(large)) * 42.5e9 / HOST_RATE
    assert decoding(large, coefficients) == pytest.approx(host, rel=0.25)
