"""Rows of benchmarks' entries, of beams, of engines on another maker's chips, and of servers around libraries."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from outlay.accuracy.calibrate import Scored, document
from outlay.accuracy.records import Record
from outlay.accuracy.serving.beams import read_of_prompt
from outlay.accuracy.serving.doubts import DOUBTS, doubts
from outlay.accuracy.serving.predict import predictor
from outlay.accuracy.serving.resolve import resolve
from outlay.accuracy.serving.sessions import TAIL
from outlay.catalog import accelerator
from outlay.errors import InputError
from outlay.serving import ServingCoefficients, load_serving
from outlay.serving.room import reserves

ENTRY = "MLPerf v4.1 closed available Offline llama2-70b-99.9; dataset OpenOrca"
BEAMS = "MLPerf v4.1 closed available Offline gptj-99; dataset CNN-DailyMail summarization"


def row(notes: str, numbers: dict[str, float] | None = None, **cells: str) -> Record:
    words = {"model": "llama2-70b", "engine": "vLLM 0.4.3", "date": "2024-08", "accelerator": "mi300x-192gb"}
    words |= {"weight_precision": "fp8", "batch_or_concurrency": "max", "request_rate": "inf", "notes": notes}
    return Record(id="a", source="s", line=2, words={**words, **cells}, numbers={"gpus": 1, **(numbers or {})})


def metrics(record: Record, coefficients: ServingCoefficients | None = None) -> Any:
    (answer,) = predictor(coefficients or load_serving())([resolve(record)])
    assert not isinstance(answer, InputError)
    return answer.metrics


def with_factor(factor: float) -> ServingCoefficients:
    shipped = load_serving()
    step = shipped.step.replace(family={**shipped.step.family, "vllm-0/cdna3": factor})
    return dataclasses.replace(shipped, step=step)


def test_how_slow_a_release_was_on_a_chip_says_nothing_of_its_makers_entry() -> None:
    entry, plain = row(ENTRY), row("offline; dataset OpenOrca")
    assert metrics(entry, with_factor(1.0)) == metrics(entry, with_factor(3.0))
    slower = metrics(plain, with_factor(3.0))["output_tokens_per_s"]
    assert slower < metrics(plain, with_factor(1.0))["output_tokens_per_s"]


def test_an_entry_in_8_bits_keeps_its_cache_in_8_bits() -> None:
    assert resolve(row(ENTRY)).deployment.cache == "fp8"
    assert resolve(row("offline; dataset OpenOrca")).deployment.cache == "bf16"
    assert resolve(row(ENTRY, kv_precision="bf16")).deployment.cache == "bf16"


@pytest.mark.parametrize(
    ("cells", "doubted"),
    [
        ({}, True),
        ({"notes": ENTRY}, False),
        ({"accelerator": "h100-sxm-80gb"}, False),
        ({"engine": "llama.cpp"}, True),
        ({"engine": "llama.cpp", "accelerator": "m2-ultra"}, False),
        ({"engine": "llama.cpp", "accelerator": "epyc-7763"}, False),
        ({"engine": "optimum-habana", "accelerator": "gaudi2"}, False),
    ],
)
def test_an_engine_from_another_makers_chips_is_doubted(cells: dict[str, str], doubted: bool) -> None:
    cells = {"model": "llama2-7b", "weight_precision": "", "batch_or_concurrency": "8", "request_rate": "", **cells}
    question = resolve(row(cells.pop("notes", "static batch"), {"input_len": 128, "output_len": 128}, **cells))
    assert ("ported" in doubts(question)) is doubted


def test_beams_take_less_than_as_many_answers_and_more_than_one() -> None:
    cells = {"model": "gptj-6b", "accelerator": "h100-sxm-80gb", "engine": "TensorRT 10.2.0"}
    one, four = (metrics(row(f"{BEAMS}{said}", **cells))["requests_per_s"] for said in ("", ", beam 4"))
    assert one / 4.0 < four < one


@pytest.mark.parametrize("chip", ["h100-sxm", "l40s", "a100-sxm-80gb", "tpu-v5e"])
def test_a_beam_reads_a_part_of_its_prompt_at_least_and_all_of_it_at_most(chip: str) -> None:
    for beams in (1.0, 2.0, 8.0):
        assert 1.0 / beams <= float(read_of_prompt(accelerator(chip), beams)) <= 1.0


def test_a_server_around_a_library_has_a_front_end() -> None:
    cells = {"engine": "text-generation-webui Transformer", "accelerator": "rtx-4090", "model": "yi-6b"}
    cells |= {"weight_precision": "bf16", "batch_or_concurrency": "1", "request_rate": ""}
    served, plain = (row(notes, {"input_len": 512}, **cells) for notes in ("HTTP API, locust", "locust"))
    assert metrics(served)["ttft_ms"] == metrics(plain)["ttft_ms"]  # its name says so
    library = {**cells, "engine": "transformers"}
    served, plain = (row(notes, {"input_len": 512}, **library) for notes in ("HTTP API, locust", "locust"))
    assert metrics(served)["ttft_ms"] > metrics(plain)["ttft_ms"]
    assert metrics(served)["tpot_ms"] == metrics(plain)["tpot_ms"]


def test_memory_that_a_row_states_is_a_processors() -> None:
    cells = {"engine": "llama.cpp", "weight_precision": "q4_0", "model": "llama2-7b", "batch_or_concurrency": "1"}
    plain, faster = (
        metrics(row("", {"input_len": 64}, accelerator=name, **cells))["tpot_ms"]
        for name in ("cpu-core-i9-13900k", "cpu-core-i9-13900k-ddr5-6400")
    )
    assert 1.0 < plain / faster < 102.4 / 89.6


def test_one_thread_answers_no_faster_than_it_multiplies() -> None:
    cells = {"engine": "llama.cpp", "weight_precision": "q4_0", "model": "llama2-7b", "batch_or_concurrency": "1"}
    one, all_of_them = (
        metrics(row(notes, {"input_len": 64}, accelerator="core-i9-13900k", **cells))["decode_tokens_per_s"]
        for notes in ("1 threads", "")
    )
    assert one < all_of_them / 2.0


def test_ranges_hold_rows_of_a_large_source_as_well_as_those_of_small_ones() -> None:
    small = [Scored(source=f"s{n}", error=0.1 * (k - 2), doubts=()) for n in range(6) for k in range(5)]
    large = [Scored(source="large", error=0.004 * (k - 100), doubts=()) for k in range(201)]
    alone = document(small, names=DOUBTS)
    both = document([*small, *large], names=DOUBTS)
    assert both["held"]["0.8"]["by_source"]["large"]["coverage"] > 0.5
    assert both["trimmed"] >= alone["trimmed"]


def test_a_cache_of_one_length_is_read_to_its_end() -> None:
    cells = {"model": "llama2-7b", "engine": "JetStream-PyTorch", "accelerator": "tpu-v5e", "weight_precision": "bf16"}
    cells |= {"batch_or_concurrency": "16", "request_rate": ""}
    numbers = {"gpus": 8, "tp": 8, "input_len": 128, "output_len": 128}
    grows, short, long = (
        metrics(row(f"ShareGPT prompts{said}", numbers, **cells))["tpot_ms"]
        for said in ("", "; cache len 512 slots", "; cache len 2048 slots")
    )
    assert grows < short < long


def test_a_tpu_that_nobody_measured_is_like_the_others() -> None:
    step = load_serving().step
    known = [value for name, value in step.family.items() if name.endswith(("/tpu", "/ironwood"))]
    assert min(known) <= step.family_of("vllm", "trillium") <= max(known)
    assert step.family_of("vllm", "hopper") == step.family["vllm"]


def test_an_entry_admits_what_fits_now() -> None:
    cells = {"accelerator": "h100-sxm-80gb", "engine": "TensorRT 10.2.0"}
    entry, plain = resolve(row(ENTRY, {"gpus": 2}, **cells)), resolve(row("offline; OpenOrca", {"gpus": 2}, **cells))
    assert (reserves(entry.deployment.engine), reserves(plain.deployment.engine)) == (False, True)


SERVER = "MLPerf v4.1 closed available Server llama2-70b-99; dataset OpenOrca"


def test_an_entry_keeps_the_pace_of_the_rules() -> None:
    """One GH200 of 144 GB holds more answers than it can continue every 200 ms; the offline scenario lets it take longer."""
    cells = {"accelerator": "gh200-144gb", "engine": "TensorRT 10.2.0"}
    server, offline = (metrics(row(notes, **cells)) for notes in (SERVER, ENTRY))
    assert server["tpot_ms"] == pytest.approx(200 / TAIL, rel=2e-3)
    assert offline["tpot_ms"] > server["tpot_ms"]
    assert offline["output_tokens_per_s"] > server["output_tokens_per_s"]


def test_who_is_faster_than_the_rules_fills_the_machine() -> None:
    cells = {"accelerator": "h100-nvl-94gb", "engine": "TensorRT 10.2.0"}
    server, offline = (metrics(row(notes, {"gpus": 4}, **cells)) for notes in (SERVER, ENTRY))
    assert server["tpot_ms"] < 200 / TAIL
    assert server["output_tokens_per_s"] == pytest.approx(offline["output_tokens_per_s"])
