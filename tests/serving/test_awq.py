"""AutoAWQ's two kernels: what bounds them, which is better when, and what was measured with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import accelerator, model_config
from outlay.machine import cluster_for
from outlay.serving import Deployment, ServingCoefficients, Work, engine_for, engine_on, format_for, iteration
from outlay.serving.awq import AwqKernels, awq_product_seconds, awq_runs
from outlay.workload import from_config

WEIGHTS = 4096 * 14336


def deployed(
    engine: str = "autoawq", *, model: str = "mistral-7b-v0.1", chip: str = "rtx-4090", weights: str = "awq"
) -> Deployment:
    card = accelerator(chip)
    return Deployment(
        architecture=from_config(model_config(model).config),
        cluster=cluster_for(card, 1),
        engine=engine_on(engine_for(engine), card),
        weights=format_for(weights),
    )


@pytest.fixture(scope="module")
def kernels(coefficients: ServingCoefficients) -> AwqKernels:
    return AwqKernels.from_json(coefficients.step.awq)


def product(rows: float, engine: str, kernels: AwqKernels, **where: str) -> float:
    return float(awq_product_seconds(rows, WEIGHTS, deployed(engine, **where), kernels))


@pytest.mark.parametrize("engine", ["autoawq", "autoawq-gemv"])
@pytest.mark.parametrize("rows", [1, 3, 8, 9, 16, 64, 2048])
def test_no_product_beats_the_memory_or_the_peak(engine: str, rows: int, kernels: AwqKernels) -> None:
    card = accelerator("rtx-4090")
    seconds = product(rows, engine, kernels)
    assert seconds > WEIGHTS * format_for("awq").weight_bytes / card.memory_bandwidth
    assert seconds > 2.0 * rows * WEIGHTS / card.peak("fp16")


def test_one_row_wants_the_kernel_of_rows_and_a_prompt_the_other(kernels: AwqKernels) -> None:
    assert product(1, "autoawq-gemv", kernels) < product(1, "autoawq", kernels)
    for rows in (8, 64, 2048):
        assert product(rows, "autoawq-gemv", kernels) > 2.0 * product(rows, "autoawq", kernels)


def test_rows_of_a_tile_are_free_and_every_further_row_of_the_other_kernel_costs_as_much(kernels: AwqKernels) -> None:
    assert product(16, "autoawq", kernels) == pytest.approx(product(1, "autoawq", kernels))
    assert product(513, "autoawq", kernels) > 1.02 * product(512, "autoawq", kernels)
    assert product(4096, "autoawq-gemv", kernels) == pytest.approx(
        2.0 * product(2048, "autoawq-gemv", kernels), rel=1e-3
    )


@pytest.mark.parametrize("engine", ["autoawq", "autoawq-gemv"])
def test_a_better_card_is_no_slower(engine: str, kernels: AwqKernels) -> None:
    for rows in (1, 8, 512):
        slow, fast = (product(rows, engine, kernels, chip=chip) for chip in ("rtx-4080", "rtx-4090"))
        assert fast < slow


MEASURED = (
    ("autoawq", 1, 64, 6.40),
    ("autoawq", 8, 64, 6.75),
    ("autoawq", 1, 2048, 8.74),
    ("autoawq-gemv", 1, 64, 5.31),
    ("autoawq-gemv", 8, 64, 16.4),
    ("autoawq-gemv", 1, 2048, 7.65),
)
"""Kernel, sequences, tokens of prompt and answer, milliseconds between tokens: Mistral-7B on an RTX 4090 (AutoAWQ README)."""


@pytest.mark.parametrize(("engine", "sequences", "tokens", "milliseconds"), MEASURED)
def test_decoding_takes_what_was_measured(
    engine: str, sequences: int, tokens: int, milliseconds: float, coefficients: ServingCoefficients
) -> None:
    work = Work(decoding=sequences, context=1.5 * tokens)
    seconds = float(iteration(deployed(engine), work, coefficients).seconds)
    assert seconds * 1e3 == pytest.approx(milliseconds, rel=0.2)


@pytest.mark.parametrize(("engine", "rate"), [("autoawq", 3897.0), ("autoawq-gemv", 904.0)])
def test_prompts_take_what_was_measured(engine: str, rate: float, coefficients: ServingCoefficients) -> None:
    seconds = float(iteration(deployed(engine), Work(prefill=2048.0, prompts=1.0), coefficients).seconds)
    assert 2048.0 / (seconds + coefficients.step.first_call) == pytest.approx(rate, rel=0.2)


def test_scores_that_are_written_out_grow_with_the_square_of_a_prompt(coefficients: ServingCoefficients) -> None:
    one = deployed()
    short, long = (
        float(iteration(one, Work(prefill=n, prompts=1.0), coefficients).breakdown["prompt attention"])
        for n in (2048.0, 8192.0)
    )
    assert 12.0 < long / short < 17.0


def test_a_head_walks_its_cache_alone(coefficients: ServingCoefficients) -> None:
    """Sharing keys among heads spares memory and no time: each head has a block of its own."""
    one = deployed()
    block = one.architecture.blocks[0]
    every = replace(block, layer=replace(block.layer, mixer=replace(block.layer.mixer, kv_heads=32)))
    whole = replace(one, architecture=replace(one.architecture, blocks=(every,)))
    work = Work(decoding=1.0, context=4000.0)
    shared, apart = (float(iteration(d, work, coefficients).breakdown["decode attention"]) for d in (one, whole))
    assert apart < 1.1 * shared


def test_only_narrow_weights_on_a_card_run_in_its_kernels(coefficients: ServingCoefficients) -> None:
    assert awq_runs(deployed()) and awq_runs(deployed("AutoAWQ gemv"))
    assert not awq_runs(deployed(weights="bf16"))
    assert engine_on(engine_for("autoawq"), accelerator("xeon-8480-plus")).name == "transformers"
    plain = iteration(deployed(weights="bf16"), Work(decoding=1.0, context=100.0), coefficients)
    assert float(plain.seconds) > 2.0 * float(
        iteration(deployed(), Work(decoding=1.0, context=100.0), coefficients).seconds
    )


def test_work_on_nothing_takes_no_time(kernels: AwqKernels) -> None:
    assert float(awq_product_seconds(np.array(0.0), WEIGHTS, deployed(), kernels)) == 0.0
