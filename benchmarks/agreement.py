"""How far closed forms and the simulator part: the mean of a closed form over that of 20,000 requests played one by one.

Up to 80 % of the highest rate they agree (tests/serving/test_rates.py). Beyond, and where a step jumps, they are known not to:
docs/explanation/serving.md names those loads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks import Result
from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.scenarios.named import read_model
from outlay.serving import (
    Deployment,
    Load,
    engine_for,
    format_for,
    load_serving,
    perform,
    perform_disaggregated,
    poisson,
    simulate,
    simulate_disaggregated,
)

COUNT = 20_000
UNTOUCHED = slice(COUNT // 4, COUNT * 9 // 10)
"""Requests that neither the beginning nor the end of a run touches."""
ALONE = (
    # What, model, chip, engine, format, tokens in and out, how they vary, shares of the highest rate.
    ("vllm", "llama-3-8b", "h100-sxm", "vllm", "bf16", 2000, 300, 0.6, (0.5, 0.8, 0.9)),
    ("vllm, long prompts", "llama-3-8b", "h100-sxm", "vllm", "bf16", 6000, 400, 0.6, (0.5, 0.8, 0.9)),
    ("sglang, long prompts", "llama-3-8b", "h100-sxm", "sglang", "bf16", 6000, 50, 0.0, (0.8, 0.9, 0.95)),
    ("llama.cpp on a Mac", "llama-3-8b", "m3-max", "llamacpp", "q4_k_m", 512, 256, 0.0, (0.3, 0.5, 0.7, 0.8)),
    ("little room for caches", "llama-3-8b", "rtx-3080", "vllm", "w4a16", 1155, 211, 0.6, (0.7, 0.8, 0.9)),
    ("short answers", "llama-3-8b", "a100-sxm-80gb", "trtllm", "bf16", 2500, 8, 0.0, (0.6, 0.8)),
    ("tgi, long answers", "llama-3-8b", "a100-sxm-80gb", "tgi", "bf16", 200, 800, 0.6, (0.6, 0.8)),
    ("prompts alone", "llama-3-8b", "h100-sxm", "vllm", "bf16", 8000, 1, 0.0, (0.5, 0.8)),
)
APART = (0.7, 0.8, 0.9)
"""Shares of the highest rate of four L40S that answer what four others have read, 7,000 tokens in and 1,000 out."""


def deployment(model: str, chip: str, engine: str, form: str) -> Deployment:
    return Deployment(
        architecture=read_model(model)[0],
        cluster=cluster_for(accelerator(chip), 1),
        layout=Layout(),
        engine=engine_for(engine),
        weights=format_for(form),
    )


def measure() -> list[Result]:
    """Of the first token and of the time between tokens, at shares of the highest rate."""
    return [*_alone(), *_apart()]


def _alone() -> Iterator[Result]:
    table = load_serving()
    for what, model, chip, engine, form, prompt, answer, variation, shares in ALONE:
        one = deployment(model, chip, engine, form)
        idle = Load(input=prompt, output=answer, variation=variation, rate=1e-3)
        highest = 1e-3 / float(perform(one, idle, table).utilisation)
        for share in shares:
            requests = poisson(share * highest, COUNT, input=prompt, output=answer, variation=variation, seed=3)
            found = perform(one, replace(idle, rate=requests.rate), table)
            played = simulate(one, requests, table)
            name = f"{what}, {share:.0%}"
            yield Result(
                name=f"{name}: first token",
                value=float(found.ttft) / float(played.ttft[UNTOUCHED].mean()),
                unit="× played",
            )
            if answer > 1:
                seconds = (played.finish - played.first)[UNTOUCHED].sum()
                between = float(seconds / (played.output[UNTOUCHED] - 1).sum())
                yield Result(name=f"{name}: between tokens", value=float(found.tpot) / between, unit="× played")


def _apart() -> Iterator[Result]:
    table, one = load_serving(), deployment("llama-3-8b", "l40s", "vllm", "bf16")

    def load(rate: float) -> Load:
        return Load(input=7000, output=1000, rate=rate)

    few = perform_disaggregated(one, one, load(1e-3), table, prefill_instances=4, decode_instances=4)
    highest = 1e-3 / float(few.utilisation)
    for share in APART:
        requests = poisson(share * highest, COUNT, input=7000, output=1000, seed=3)
        found = perform_disaggregated(one, one, load(requests.rate), table, prefill_instances=4, decode_instances=4)
        played = simulate_disaggregated(one, one, requests, table, prefill_instances=4, decode_instances=4)
        yield Result(
            name=f"few places to decode, {share:.0%}: first token",
            value=float(found.ttft) / float(played.ttft[UNTOUCHED].mean()),
            unit="× played",
        )
