"""Serving rows as questions: configuration alone decides, flags are honoured, words of many hands are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from outlay.accuracy.records import Record, Records
from outlay.accuracy.serving import Question, is_serving_file, predictor, read_serving, resolve, validate_serving
from outlay.accuracy.serving.columns import COLUMNS, measured
from outlay.errors import InputError
from outlay.serving import load_serving

LLAMA = {
    "model": "llama3.1-8b",
    "engine": "vLLM",
    "engine_version": "0.6.3",
    "accelerator": "h100-sxm-80gb",
    "batch_or_concurrency": "16",
    "output_len": "256",
}


def row(numbers: dict[str, float] | None = None, **cells: str) -> Record:
    return Record(
        id="a", source="s", line=2, words={**LLAMA, **cells}, numbers={"gpus": 1, "input_len": 512, **(numbers or {})}
    )


def asked(numbers: dict[str, float] | None = None, **cells: str) -> Question:
    return resolve(row(numbers, **cells))


def predicted(record: Record) -> Any:
    (answer,) = predictor(load_serving())([resolve(record)])
    assert not isinstance(answer, InputError)
    return answer.metrics


def test_what_was_measured_changes_no_prediction() -> None:
    plain = row({"ttft_ms": 90.0, "tpot_ms": 9.0})
    other = row({"ttft_ms": 1.0, "tpot_ms": 1e4, "peak_mem_gb": 3.0}, energy="0.1 J/output token")
    assert predicted(plain) == predicted(other)


def test_a_faster_chip_answers_faster() -> None:
    assert predicted(row(accelerator="b200-sxm"))["tpot_ms"] < predicted(row())["tpot_ms"]


@pytest.mark.parametrize(
    "notes",
    [
        "ROOFLINE-EXCEEDED: faster than memory",
        "CONFLICT same config listed twice",
        "KV cache ablation: Without KV Cache",
        "With Speculative Decoding draft=x",
        "With Speculative Decoding draft=llama-68m k=0",
        "With Speculative Decoding draft=llama-68m k=3 acceptance 130%",
        "With Speculative Decoding draft=llama-68m k=3 acceptance length 4.5",
        "DISAGG prefill: workers=2",
    ],
)
def test_flagged_rows_are_refused(notes: str) -> None:
    with pytest.raises(InputError, match=r"exceeds|contradict|ablation|draft|acceptance|of their own"):
        asked(notes=notes)


def test_a_source_that_doubts_itself_is_left_out_of_sums(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "id,source,model,engine,accelerator,gpus,batch_or_concurrency,tpot_ms,notes\n"
        "a,s,llama3-8b,vLLM,h100-sxm,1,8,9.0,CHECK: printed twice\n"
        "b,s,llama3-8b,vLLM,h100-sxm,1,8,9.0,\n",
        encoding="utf-8",
    )
    found = validate_serving(read_serving(path), predictor(load_serving()))
    assert [one.flagged for one in found.comparisons] == [True, False]


def test_a_bad_cell_spoils_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "id,source,model,engine,accelerator,gpus,batch_or_concurrency,tpot_ms\n"
        "a,s,llama3-8b,vLLM,h100-sxm,one,8,9.0\n"
        "b,s,llama3-8b,vLLM,h100-sxm,1,eight,9.0\n"
        "c,s,llama3-8b,vLLM,h100-sxm,1,8,9.0\n",
        encoding="utf-8",
    )
    found = validate_serving(read_serving(path), predictor(load_serving()))
    assert [one.id for one in found.comparisons] == ["c"]
    assert {one.id for one in found.skipped} == {"a", "b"}
    assert any("`gpus`" in one.reason for one in found.skipped)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("FP8 (e4m3)", "fp8"),
        ("W4A16 AWQ", "w4a16"),
        ("int4-gptq", "w4a16"),
        ("Q4_K_M", "q4_k_m"),
        ("BF16", "bf16"),
        ("float16", "fp16"),
        ("w8a8 smoothquant", "int8"),
        ("INT8 weight-only", "w8a16"),
    ],
)
def test_formats_in_many_spellings(words: str, name: str) -> None:
    assert asked(weight_precision=words).deployment.weights.name == name


def test_published_formats_of_models() -> None:
    assert asked(model="gpt-oss-120b", weight_precision="fp4").deployment.weights.name == "mxfp4"
    assert asked(
        {"gpus": 8, "tp": 8}, model="deepseek-ai/DeepSeek-R1", weight_precision="fp8"
    ).deployment.weights.name == ("fp8-block")
    with pytest.raises(InputError, match="no format that outlay knows"):
        asked(weight_precision="posit11")


@pytest.mark.parametrize(
    ("words", "family"),
    [
        ("TensorRT-LLM v0.9", "trtllm-cpp"),
        ("SGLang", "sglang"),
        ("Ollama or llama.cpp", "llamacpp"),
        ("TGI AWQ 4bit", "vllm-0"),
        ("somebody's engine", "transformers"),
    ],
)
def test_engines_in_many_spellings(words: str, family: str) -> None:
    assert asked(engine=words, engine_version="", date="2024-03").deployment.engine.family == family


def test_the_version_dates_the_engine() -> None:
    assert asked(engine_version="0.4.2").deployment.engine.name == "vllm-0"
    assert asked(engine_version="0.11.0").deployment.engine.name == "vllm"
    assert asked(engine_version="0.4.2", date="2026-01").deployment.engine.name == "vllm"


def test_layouts() -> None:
    experts = {"model": "qwen3-235b-a22b", "weight_precision": "fp8"}
    plain = asked({"gpus": 8, "tp": 8}, **experts).deployment.layout
    assert (plain.tensor, plain.data, plain.expert, plain.expert_tensor) == (8, 1, 1, 8)
    wide = asked({"gpus": 8, "tp": 8, "ep": 8}, notes="attention_dp=8", **experts).deployment.layout
    assert (wide.tensor, wide.data, wide.expert) == (1, 8, 8)
    across = asked({"gpus": 8, "tp": 1, "ep": 8}, **experts).deployment.layout
    assert (across.tensor, across.data, across.expert) == (8, 1, 8)
    copies = asked({"gpus": 8, "tp": 2})
    assert (copies.deployment.layout.tensor, copies.instances) == (2, 4)
    split = asked({"gpus": 4}, engine="llama.cpp", weight_precision="fp16").deployment.layout
    assert (split.tensor, split.pipeline) == (1, 4)
    cores = asked({"gpus": 16, "tp": 32}, accelerator="trainium1", engine="NeuronX").deployment.layout
    assert cores.tensor == 16


def test_instances_share_the_load_and_add_up() -> None:
    one = predicted(row({"gpus": 1, "tp": 1}, batch_or_concurrency="4"))
    four = predicted(row({"gpus": 4, "tp": 1}, batch_or_concurrency="16"))
    assert four["output_tokens_per_s"] == pytest.approx(4 * one["output_tokens_per_s"], rel=1e-6)
    assert four["tpot_ms"] == pytest.approx(one["tpot_ms"], rel=1e-6)


def test_how_it_was_measured() -> None:
    both = {"ttft_ms": 1.0, "tpot_ms": 1.0}
    assert asked(both).protocol == "client"
    assert asked(notes="static batch").protocol == "batch"
    assert asked(batch_or_concurrency="max").protocol == "most"
    alone = {"batch_or_concurrency": "", "request_rate": "4.5"}
    assert asked(**alone).protocol == "rate"
    assert asked(**alone, source="mlcommons/inference_results, MLPerf Server").protocol == "sought"
    assert asked(**alone | {"request_rate": "inf", "notes": "offline"}).protocol == "most"
    burst = asked(**alone | {"request_rate": "inf", "notes": "500 prompts"})
    assert (burst.protocol, burst.batch, burst.rounds) == ("burst", 500.0, 1.0)
    assert any("1,000 requests" in said for said in asked(**alone | {"request_rate": "inf"}).assumed)
    assert asked(engine="llama.cpp", weight_precision="q4_0", batch_or_concurrency="1").protocol == "batch"


def test_a_rate_is_a_load() -> None:
    rates = ("0.01", "0.5", "2", "20", "inf")
    found = [predicted(row(batch_or_concurrency="", request_rate=rate, accelerator="l4")) for rate in rates]
    waits = [metrics["ttft_ms"] for metrics in found]
    assert waits == sorted(waits)
    assert waits[-1] > 100 * waits[0]  # of 1,000 sent at once, most wait for others
    assert waits[0] < waits[1] < waits[2]
    assert found[0]["tpot_ms"] < found[2]["tpot_ms"]
    assert found[0]["output_tokens_per_s"] == pytest.approx(0.01 * 256)


def test_energy_where_it_is_stated_for_a_token() -> None:
    assert measured(row(energy="0.82594 J/output token; 721.53 J/request"))["joules_per_token"] == 0.82594
    assert "joules_per_token" not in measured(row(energy="peak wall power 30.1W"))


def test_models_that_answer_without_tokens_are_not_yet(tmp_path: Path) -> None:
    for family in ("vision", "diffusion", "encoder"):
        with pytest.raises(InputError, match="not yet"):
            asked(family=family)


def test_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,model,step_time_s\na,b,1\n", encoding="utf-8")
    assert not is_serving_file(path)
    path.write_text("id,model,accelerator,ttft_ms\na,b,c,1\n", encoding="utf-8")
    assert is_serving_file(path)


def test_the_page_lists_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "serving-records.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []


def test_questions_are_plain_data() -> None:
    assert dataclasses.replace(asked(), output=1.0).output == 1.0


NONSENSE = [
    ({}, {"batch_or_concurrency": "-16"}, r"`batch_or_concurrency` is -16"),
    ({}, {"request_rate": "-5", "batch_or_concurrency": ""}, r"`request_rate` is -5"),
    ({}, {"output_len": "-5"}, r"`output_len` is -5"),
    ({"tp": 8}, {}, r"`tp` 8 needs 8 devices, and `gpus` is 1"),
    ({"pp": 4, "gpus": 2}, {}, r"`pp` 4 needs 4 devices, and `gpus` is 2"),
    ({"tp": 1, "pp": 99, "gpus": 99}, {}, r"`pp` is 99, and llama-3.1-8b has 32 layers"),
    ({"ep": 8, "tp": 8, "gpus": 8}, {}, r"`ep` is 8, and llama-3.1-8b has no experts"),
    ({"ep": 7, "tp": 8, "gpus": 8}, {"model": "mixtral-8x7b"}, r"`ep` is 7, which does not divide 8 devices"),
    ({"ep": 16, "tp": 16, "gpus": 16}, {"model": "mixtral-8x7b"}, r"`ep` is 16, and mixtral-8x7b has 8 experts"),
    ({"input_len": 2_000_000}, {}, r"`input_len` and `output_len` are 2,000,256 tokens"),
    ({}, {"notes": "beam 100000"}, r"100,000 beams"),
    ({"params_active_b": 40, "params_total_b": 8}, {}, r"`params_active_b` is 40, more than `params_total_b`, 8"),
]


@pytest.mark.parametrize(("numbers", "cells", "reason"), NONSENSE)
def test_what_cannot_be_is_refused_with_its_column(
    numbers: dict[str, float], cells: dict[str, str], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        asked(numbers, **cells)


def test_all_that_is_wrong_with_a_row_is_said_at_once() -> None:
    with pytest.raises(InputError, match=r"-16.*`tp` 8 needs") as refused:
        asked({"tp": 8}, batch_or_concurrency="-16")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("numbers", "cells", "said"),
    [
        ({"input_len": 3000, "tpot_ms": 9.0}, {"model": "gpt-j-6b"}, "the model takes 2,048"),
        ({"tpot_ms": 9.0}, {"model": "llama-3-405b"}, "times the memory of its 1 device"),
        ({"tpot_ms": 0.001}, {}, "its weights take"),
        ({"prefill_tokens_per_s": 1e9}, {}, "times the peak"),
    ],
)
def test_figures_that_cannot_all_be_true_are_listed_and_left_out_of_sums(
    numbers: dict[str, float], cells: dict[str, str], said: str
) -> None:
    record = row(numbers, **cells)
    (found,) = validate_serving(Records(records=(record,)), predictor(load_serving())).comparisons
    assert found.flagged
    assert said in found.contradiction


def test_a_measured_row_of_cores_is_no_nonsense() -> None:
    """Trainium's degrees count its two cores."""
    asked({"tp": 32, "gpus": 16}, accelerator="trainium1", engine="NxD")
