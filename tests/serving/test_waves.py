"""Runs that begin together, engines that look for requests now and then, logits that are sorted, tiles that are filled up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.machine import cluster_for
from outlay.serving import (
    Deployment,
    Load,
    Requests,
    Work,
    engine_for,
    format_for,
    iteration,
    load_serving,
    perform,
    perform_disaggregated,
    simulate,
)
from outlay.serving.task import wave
from outlay.workload import transformer

LLAMA = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)


def on_h100(engine: str, year: float | None = None, **more: object) -> Deployment:
    chip = accelerator("h100-sxm-80gb")
    return Deployment(
        architecture=LLAMA,
        cluster=cluster_for(chip, 1),
        engine=engine_for(engine, year),
        **more,  # type: ignore[arg-type]
    )


def fared(deployment: Deployment, **load: object) -> object:
    usual = {"input": 1000, "output": 1000, "concurrency": 64.0, "variation": 0.064, "rounds": 10.0}
    return perform(deployment, Load(**(usual | load)), load_serving())  # type: ignore[arg-type]


def test_a_wave_is_as_wide_as_lengths_drawn_round_after_round_make_it():
    random = np.random.default_rng(3)
    ends = np.cumsum(random.uniform(0.8, 1.0, size=(9, 4000)), axis=0) / 0.9
    widths = np.minimum(np.sqrt(12.0) * ends.std(axis=1), 1.0)
    assert float(wave(0.0642, 10.0)) == pytest.approx(len(widths) / np.sum(1.0 / widths), rel=0.05)


def test_waves_end_where_lengths_scatter_or_runs_are_long():
    assert float(wave(0.8, 10.0)) == 1.0
    assert wave(0.064, None) == 1.0
    found = [float(wave(0.064, rounds)) for rounds in (2.0, 5.0, 10.0, 50.0)]
    assert (np.diff(found) > 0).all()
    many = wave(np.array([0.064, 0.3]), np.array([[2.0], [10.0]]))
    assert many.shape == (2, 2) and (np.diff(many, axis=0) >= 0).all() and (np.diff(many, axis=1) >= 0).all()


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_requests_of_one_wave_wait_longer_than_those_that_come_evenly(engine):
    ours = on_h100(engine)
    together = fared(ours, input=4000)
    # The same lengths in a run so long that its beginning is forgotten, without the first round's crowd.
    evenly = fared(ours, input=4000, rounds=1e6)
    assert float(together.ttft) > 1.2 * float(evenly.ttft)
    assert float(together.output_per_second) < 1.02 * float(evenly.output_per_second)


def test_an_engine_that_looks_now_and_then_answers_later_and_in_larger_groups():
    seldom = {
        steps: fared(replace(on_h100("sglang"), engine=replace(engine_for("sglang"), poll_steps=steps)), rounds=1e6)
        for steps in (1, 10, 30)
    }
    step = float(seldom[1].tpot)
    waits = [float(found.ttft) for found in seldom.values()]
    assert waits[0] < waits[1] < waits[2]
    # Half of the 29 steps between two looks, and the prompts that have gathered meanwhile.
    assert 10 * step < waits[2] - waits[0] < 25 * step
    alone = replace(on_h100("sglang"), engine=replace(engine_for("sglang"), poll_steps=30))
    assert float(fared(alone, concurrency=1.0).ttft) == pytest.approx(
        float(fared(on_h100("sglang"), concurrency=1.0).ttft)
    )


def test_sorting_grows_with_sequences_and_vocabulary_where_engines_sort():
    def more(engine: str, year: float, sequences: float) -> float:
        plain, truncated = (
            float(
                iteration(
                    on_h100(engine, year, truncated=on), Work(decoding=sequences, context=500), load_serving()
                ).seconds
            )
            for on in (False, True)
        )
        return truncated - plain

    few, many = more("vllm", 2025.8, 8), more("vllm", 2025.8, 128)
    # vllm-project/vllm pull request 40376: 2.3 ms for top-p over 128 rows of 131,072 logits, sorted.
    assert many == pytest.approx(2.3e-3, rel=0.3)
    assert few < many / 4
    assert more("vllm", 2026.5, 128) == 0.0 and more("sglang", 2025.8, 128) == 0.0


def test_whole_tiles_for_each_expert_belong_to_one_engine_format_and_time():
    def rows(engine: str, year: float, form: str, tensor: int = 4) -> float:
        return float(engine_for(engine, year).pads(form, tensor))

    assert rows("vllm", 2025.8, "fp8-block") == rows("vllm", 2025.95, "fp8-block") == 128.0
    assert rows("vllm", 2025.8, "fp8-block", 8) == 128.0 and rows("vllm", 2025.95, "fp8-block", 8) == 1.0
    assert (
        rows("vllm", 2026.3, "fp8-block") == rows("vllm", 2025.8, "bf16") == rows("sglang", 2025.8, "fp8-block") == 1.0
    )


def test_an_old_vllm_fills_tiles_of_a_mixture_in_8_bits():
    mixture = transformer(
        layers=94,
        hidden=4096,
        heads=64,
        kv_heads=4,
        vocab=151936,
        gated=True,
        ffn_hidden=1536,
        experts=128,
        experts_per_token=8,
    )
    chip = accelerator("h100-sxm-80gb")

    def step(year: float) -> float:
        deployment = Deployment(
            architecture=mixture,
            cluster=cluster_for(chip, 8),
            engine=engine_for("vllm", year),
            weights=format_for("fp8-block"),
        )
        from outlay.layout import Layout

        layout = Layout(tensor=4, expert=4, sequence_parallel=False)
        return float(
            iteration(replace(deployment, layout=layout), Work(decoding=8, context=700), load_serving()).seconds
        )

    assert step(2025.85) > 1.25 * step(2026.3)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_what_else_is_asked_changes_no_answer(engine: str):
    one = on_h100(engine)
    variation, clients = np.array([0.0, 0.064, 0.0, 0.8]), np.array([8.0, 8.0, 64.0, 64.0])
    many = fared(one, output=100, variation=variation, concurrency=clients, gap=0.004)
    each = [
        fared(one, output=100, variation=v, concurrency=n, gap=0.004) for v, n in zip(variation, clients, strict=True)
    ]
    for name in ("ttft", "tpot", "requests_per_second", "device_watts"):
        np.testing.assert_allclose(getattr(many, name), [float(getattr(alone, name)) for alone in each], rtol=1e-9)


def test_equal_answers_stay_in_step_where_prompts_go_first_alone():
    """Seconds to the first token of 16 clients with prompts of 1,024 tokens, of prompts by themselves."""
    for engine, together in (("sglang", True), ("vllm", False)):
        one = on_h100(engine)
        prompt = float(iteration(one, Work(prefill=1024, prompts=1), load_serving()).seconds)
        equal = fared(one, input=1024, output=512, concurrency=16.0, variation=0.0, gap=0.004, rounds=None)
        waited = float(equal.ttft) - load_serving().step.front_of(one.engine, 1024)
        assert (waited > 8 * prompt) is together, waited / prompt
        assert (waited < 4 * prompt) is not together, waited / prompt


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
@pytest.mark.parametrize("stages", [2, 4, 8])
def test_one_prompt_passes_the_stages_of_a_pipeline_one_after_another(engine: str, stages: int):
    """A chunk is whole: stages have nothing to share of it. Many prompts fill all of them."""
    chip = accelerator("h100-sxm-80gb")
    one = Deployment(architecture=LLAMA, cluster=cluster_for(chip, 8), engine=engine_for(engine))
    many = replace(one, layout=replace(one.layout, pipeline=stages))
    load = {"input": 6000, "output": 200, "concurrency": 1.0, "variation": 0.0, "rounds": None}
    alone, staged = fared(one, **load), fared(many, **load)
    assert 0.75 < float(staged.ttft) / float(alone.ttft) < 1.2
    assert 0.8 < float(staged.tpot) / float(alone.tpot) < 1.2
    full = load | {"concurrency": 64.0 * stages, "variation": 0.3}
    rate = float(fared(many, **full).requests_per_second) / float(fared(one, **full).requests_per_second)
    assert 0.75 * stages < rate < 1.3 * stages
    played = simulate(many, Requests([0.0], [6000], [200]), load_serving())
    assert float(played.ttft[0]) == pytest.approx(float(staged.ttft), rel=0.05)
    assert float(played.e2e[0]) == pytest.approx(float(staged.e2e), rel=0.05)
    apart = perform_disaggregated(many, many, Load(input=6000, output=200, rate=0.01), load_serving())
    assert float(apart.ttft) > 0.75 * float(alone.ttft)
