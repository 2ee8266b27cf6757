"""Processors and libraries: what they widen themselves, and what a library copies for each token."""

from __future__ import annotations

import pytest

from outlay.catalog import accelerator, model_config
from outlay.machine import cluster_for
from outlay.serving import Deployment, ServingCoefficients, Work, engine_for, format_for, iteration
from outlay.serving.kv_cache import copied_bytes
from outlay.serving.lanes import on_lanes
from outlay.workload import Attention, from_config


def deployed(chip: str, weights: str, *, engine: str = "transformers", model: str = "mistral-7b-v0.1") -> Deployment:
    return Deployment(
        architecture=from_config(model_config(model).config),
        cluster=cluster_for(accelerator(chip), 1),
        engine=engine_for(engine),
        weights=format_for(weights),
    )


def test_lanes_have_no_more_than_the_chip_and_are_one_object() -> None:
    for name in ("xeon-spr-48c", "graviton4", "epyc-7763", "core-i9-13900k"):
        chip = accelerator(name)
        lanes = on_lanes(chip)
        assert lanes is on_lanes(chip)
        assert lanes.peak("bf16") <= min(chip.peak("bf16"), 2.0 * chip.peak("fp32"))
        assert lanes.memory_bandwidth == chip.memory_bandwidth


def test_packed_weights_make_a_processors_prompts_slower_and_its_answers_faster(
    coefficients: ServingCoefficients,
) -> None:
    def times(weights: str) -> tuple[float, float]:
        one = deployed("xeon-8480-plus", weights)
        works = Work(prefill=2048.0, prompts=1.0), Work(decoding=1.0, context=64.0)
        first, further = (float(iteration(one, work, coefficients).seconds) for work in works)
        return first, further

    (plain_first, plain_further), (packed_first, packed_further) = times("bf16"), times("w4a16")
    assert packed_first > 3.0 * plain_first
    assert packed_further < plain_further


def test_a_library_copies_the_cache_to_append_a_token(coefficients: ServingCoefficients) -> None:
    one, work = deployed("a100-sxm-80gb", "bf16"), Work(decoding=1.0, context=1000.0)
    mixer = one.architecture.blocks[0].layer.mixer
    assert isinstance(mixer, Attention)
    kept = 1000.0 * 2 * 8 * 128 * 2
    # Read and written, and written and read for each of 32 heads.
    assert float(copied_bytes(mixer, one, work)) == pytest.approx(2.0 * kept + 2.0 * 4.0 * kept)
    library, engine = (
        float(
            iteration(deployed("a100-sxm-80gb", "bf16", engine=name), work, coefficients).breakdown["decode attention"]
        )
        for name in ("transformers", "vllm")
    )
    assert library > 2.0 * engine
