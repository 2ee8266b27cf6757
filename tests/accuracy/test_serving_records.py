"""Serving rows as questions: configuration alone decides, flags are honoured, words of many hands are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from outlay.accuracy.records import Record, Records
from outlay.accuracy.serving.columns import COLUMNS, measured
from outlay.accuracy.serving.doubts import doubts
from outlay.accuracy.serving.predict import predictor
from outlay.accuracy.serving.resolve import Question, resolve
from outlay.accuracy.serving.validate import is_serving_file, read_serving, validate_serving
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
        ("Ollama or llama.cpp", "llamacpp-server"),
        ("llama.cpp", "llamacpp"),
        ("text-generation-webui llama-cpp GGUF 4bit", "llamacpp-webui"),
        ("AutoAWQ (HF transformers)", "autoawq"),
        ("text-generation-webui exllama 8bit", "exllama"),
        ("TGI AWQ 4bit", "vllm-0"),
        ("HF transformers", "transformers"),
        ("NxD", "compiled-static"),
    ],
)
def test_engines_in_many_spellings(words: str, family: str) -> None:
    assert asked(engine=words, engine_version="", date="2024-03").deployment.engine.family == family


def test_somebodys_engine_is_taken_for_no_other() -> None:
    with pytest.raises(InputError, match="no engine that outlay knows"):
        asked(engine="somebody's engine")


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
    assert asked(**alone, source="mlcommons/inference_results, MLPerf Server").protocol == "most"
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


INFERENCEMAX = "closed-loop client; src id dsr1_b200_sglang_fp8_agg_1024x1024_c64_cfg536"


def test_rows_of_inferencemax_run_as_its_scripts_set_engines() -> None:
    cells = {"accelerator": "b200-sxm-180gb", "model": "deepseek-r1", "engine": "SGLang", "engine_version": "0.5.8"}
    numbers = {"input_len": 1000, "layers": 61, "hidden": 7168, "tp": 8, "gpus": 8}
    many, few = (
        asked(numbers, notes=INFERENCEMAX, batch_or_concurrency=open_, output_len="1000", **cells)
        for open_ in ("64", "8")
    )
    assert many.deployment.engine.poll_steps == 30 and few.deployment.engine.poll_steps == 10
    assert many.deployment.cache == "fp8"
    # Lengths are drawn between 80 and 100 % of the nominal ones.
    assert (many.input, many.output) == (900.0, 900.0)
    plain = asked(numbers, notes="closed-loop client", batch_or_concurrency="64", output_len="1000", **cells)
    assert plain.deployment.engine.poll_steps == 1 and plain.input == 1000.0
    other = asked(numbers, notes=INFERENCEMAX, batch_or_concurrency="64", **(cells | {"model": "glm-5"}))
    assert other.deployment.engine.poll_steps == 1


def test_a_chats_client_leaves_sampling_to_the_model_and_a_source_may_state_its_engine_elsewhere() -> None:
    chat = asked(notes="task lm-arena-chat; batch = measured average running batch, max_num_seqs=8", engine="vLLM")
    assert chat.deployment.truncated
    assert not asked(notes="closed-loop client", engine="vLLM").deployment.truncated
    dated = row(notes="task gpqa", engine="vLLM", engine_version="", date="2026-02")
    known = row(
        notes="task gpqa",
        engine="vLLM",
        engine_version="",
        date="2026-02",
        source="ml-energy/leaderboard v3 data (ML.ENERGY benchmark)",
    )
    assert resolve(dated).deployment.engine.year == 2026.12
    # vLLM 0.11.1, which came out in 2025-10.
    assert resolve(known).deployment.engine.year == 2025.8


ARGONNE = "argonne-lcf/LLM-Inference-Bench"


@pytest.mark.parametrize(
    ("chip", "engine", "source", "year"),
    [
        ("mi300x", "vLLM", ARGONNE, 2024.7),
        ("max-1550", "vLLM", ARGONNE, 2024.5),
        ("h100-sxm-80gb", "vLLM", ARGONNE, None),
        ("mi300x", "vLLM", "someone else", None),
    ],
)
def test_a_sources_scripts_say_which_release_ran_on_which_chip(
    chip: str, engine: str, source: str, year: float | None
) -> None:
    cells = {"accelerator": chip, "engine": engine, "engine_version": "", "date": "2024-11", "source": source}
    found = asked(**cells).deployment.engine.year
    plain = asked(**{**cells, "source": "s", "accelerator": "h100-sxm-80gb"}).deployment.engine.year
    assert found == (plain if year is None else pytest.approx(year, abs=0.1))


def test_a_rate_of_whole_answers_counts_the_first_token() -> None:
    """trtllm-bench divides a request's tokens by its whole latency, others by what comes after the first."""
    notes = {"engine": "TensorRT-LLM", "engine_version": "0.20", "batch_or_concurrency": "1"}
    whole, after = (
        predicted(row(source=source, **notes)) for source in ("NVIDIA/TensorRT-LLM docs", "vllm-project.github.io")
    )
    assert whole["decode_tokens_per_s"] == pytest.approx(256 / whole["e2e_latency_ms"] * 1e3)
    assert after["decode_tokens_per_s"] == pytest.approx(1e3 / after["tpot_ms"])


# --- at home ---------------------------------------------------------------------------------------------------------

LLAMACPP = {
    "engine": "llama.cpp",
    "engine_version": "",
    "weight_precision": "q4_0",
    "batch_or_concurrency": "1",
    "date": "2023-09",
}


def test_threads_are_those_of_a_processor() -> None:
    def cores(notes: str, chip: str = "core-i9-13900k") -> Any:
        return asked(**{**LLAMACPP, "accelerator": chip}, notes=notes).deployment.cluster.accelerator.cores

    assert (cores("4 threads; pp64/tg16"), cores("32 threads"), cores("")) == (4, 24, 24)
    assert cores("4 threads", "rtx-4090") == cores("", "rtx-4090")
    home = {**LLAMACPP, "accelerator": "core-i9-13900k"}
    few, more, all_of_them = (predicted(row(**home, notes=f"{n} threads"))["tpot_ms"] for n in (1, 8, 24))
    assert few > 1.2 * more >= 1.2 * all_of_them


def test_a_stated_batch_of_a_prompt_is_a_chunk_and_no_company() -> None:
    notes = "llama-bench -pg L,L with -b {} (logical prompt batch, NOT concurrency): single sequence"
    one, many = (
        row({"input_len": 2048}, **LLAMACPP, accelerator="a100-sxm-80gb", notes=notes.format(n)) for n in (1, 64)
    )
    assert resolve(one).deployment.engine.chunk_tokens == 1
    assert resolve(many).deployment.engine.chunk_tokens == 64
    assert resolve(one).batch == resolve(many).batch == 1.0
    assert predicted(one)["tpot_ms"] == predicted(many)["tpot_ms"]
    # A token at a time, a prompt takes what as many tokens of an answer take.
    assert predicted(one)["ttft_ms"] == pytest.approx(2048 * predicted(one)["tpot_ms"], rel=0.1)
    assert predicted(many)["ttft_ms"] < 0.25 * predicted(one)["ttft_ms"]


def test_tests_that_run_apart_answer_without_the_prompt() -> None:
    home = {**LLAMACPP, "accelerator": "m1-pro-14c", "output_len": "128"}
    together, apart = (
        predicted(row({"input_len": 2048}, **home, notes=notes)) for notes in ("", "pp512 and tg128 run separately")
    )
    assert apart["tpot_ms"] < together["tpot_ms"]
    assert apart["ttft_ms"] == together["ttft_ms"]


def test_autoawq_says_which_kernel_and_times_its_first_pass() -> None:
    card = {
        "engine": "AutoAWQ (HF transformers)",
        "accelerator": "rtx-4090",
        "weight_precision": "int4",
        "date": "2024-02",
    }
    card |= {"model": "mistral-7b", "batch_or_concurrency": "1"}
    tiles, rows = (row(**card, notes=f"AWQ kernel {kernel}, group 128") for kernel in ("GEMM", "GEMV"))
    assert resolve(tiles).deployment.engine.name == "autoawq"
    assert resolve(rows).deployment.engine.name == "autoawq-gemv"
    assert predicted(rows)["tpot_ms"] < predicted(tiles)["tpot_ms"]
    assert predicted(rows)["ttft_ms"] > predicted(tiles)["ttft_ms"] > 1e3 * load_serving().step.first_call
    processor = row(**{**card, "accelerator": "xeon-spr-48c"}, notes="AWQ kernel gemm; IPEX CPU, hf generator")
    assert resolve(processor).deployment.engine.name == "transformers"
    assert not resolve(processor).cold


def test_a_published_hybrid_in_4_bits_has_8_beside_its_experts() -> None:
    spark = {"model": "nemotron-3-super-120b-a12b", "accelerator": "gb10-spark-128gb", "weight_precision": "fp4"}
    assert asked(**spark, batch_or_concurrency="1").deployment.weights.name == "nvfp4-fp8"
    assert asked(weight_precision="fp4", accelerator="b200-sxm").deployment.weights.name == "nvfp4"


NONSENSE = [
    ({}, {"batch_or_concurrency": "-16"}, r"`batch_or_concurrency` is -16"),
    ({}, {"request_rate": "-5", "batch_or_concurrency": ""}, r"`request_rate` is -5"),
    ({}, {"request_rate": "abc", "batch_or_concurrency": ""}, r"`request_rate` `abc` is no number"),
    ({}, {"request_rate": "0", "batch_or_concurrency": ""}, r"`request_rate` is 0"),
    ({"gpus": 2}, {"notes": "DISAGG prefill: workers=0/tp=1 decode: workers=1/tp=1"}, r"0 instances of a pool"),
    ({}, {"output_len": "-5"}, r"`output_len` is -5"),
    ({"tp": 8}, {}, r"`tp` 8 needs 8 devices, and `gpus` is 1"),
    ({"pp": 4, "gpus": 2}, {}, r"`pp` 4 needs 4 devices, and `gpus` is 2"),
    ({"tp": 1, "pp": 99, "gpus": 99}, {}, r"`pp` is 99, and llama-3.1-8b has 32 layers"),
    ({"ep": 8, "tp": 8, "gpus": 8}, {}, r"`ep` is 8, and llama-3.1-8b has no experts"),
    ({"ep": 7, "tp": 8, "gpus": 8}, {"model": "mixtral-8x7b"}, r"`ep` is 7, which does not divide 8 devices"),
    ({"ep": 16, "tp": 16, "gpus": 16}, {"model": "mixtral-8x7b"}, r"`ep` is 16, and mixtral-8x7b has 8 experts"),
    ({"input_len": 2_000_000}, {}, r"`input_len` and `output_len` are 2,000,256 tokens"),
    ({}, {"notes": "beam 100000"}, r"100,000 beams"),
    ({"gpus": 10**9}, {}, r"`gpus` is 1,000,000,000, more than"),
    ({}, {"batch_or_concurrency": "100000000000"}, r"`batch_or_concurrency` is 100,000,000,000, more than"),
    ({}, {"output_len": "1e9"}, r"`output_len` `1e9` is no number"),
    ({}, {"request_rate": "2e5/s", "batch_or_concurrency": ""}, r"`request_rate` `2e5/s` is no number"),
    ({"tp": 64, "gpus": 64}, {}, r"`tp` is 64, and llama-3.1-8b has 32 heads"),
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
        ({"input_len": 5000, "tpot_ms": 9.0}, {"model": "gpt-j-6b"}, "the model takes 2,048"),
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


def test_a_request_somewhat_beyond_the_context_is_answered_and_said() -> None:
    question = asked({"input_len": 2048}, model="gpt-j-6b")
    assert "2,304 tokens in and out, beyond the model's 2,048" in question.assumed


def test_a_measured_row_of_cores_is_no_nonsense() -> None:
    """Trainium's degrees count its two cores."""
    asked({"tp": 32, "gpus": 16}, accelerator="trainium1", engine="NxD")


POOLS = "DISAGG prefill: workers={p}/tp=1/pp=1/adp=8/moe_ep=8/bs=1 decode: workers={d}/tp=8/pp=1/adp=1/moe_ep=8/bs={bs}; rest"
R1 = {"model": "deepseek-r1", "accelerator": "h200-sxm-141gb", "weight_precision": "fp8", "engine": "TensorRT-LLM"}


def apart(p: str = "2", d: str = "9", bs: str = "8", clients: str = "72", **numbers: float) -> Record:
    cells = {**R1, "output_len": "1024", "batch_or_concurrency": clients, "notes": POOLS.format(p=p, d=d, bs=bs)}
    return Record(id="a", source="s", line=2, words=cells, numbers={"input_len": 1024, **numbers})


def test_pools_are_read_as_they_stand() -> None:
    question = resolve(apart())
    assert question.apart is not None
    prefill, decode = question.apart.prefill.layout, question.deployment.layout
    assert (question.apart.instances, prefill.tensor, prefill.data, prefill.expert) == (2, 1, 8, 8)
    assert (question.instances, decode.tensor, decode.data, decode.expert) == (9, 8, 1, 8)
    assert question.protocol == "client"
    assert question.batch == 72
    assert "layout" not in doubts(question)
    assert "apart" in doubts(question)


def test_pools_that_are_not_counted_are_doubted() -> None:
    question = resolve(apart(p="", d="", bs=""))
    assert question.apart is not None
    assert question.apart.instances is None
    assert {"layout", "apart", "drafting"} <= set(doubts(question))
    assert any("instances for answers" in said for said in question.assumed)


def test_pools_of_more_devices_than_there_are_are_refused() -> None:
    assert resolve(apart(gpus=88)).instances == 9
    with pytest.raises(InputError, match="pools of 88 devices, and `gpus` is 80"):
        resolve(apart(gpus=80))


@pytest.mark.parametrize("notes", ["DISAGG: prefill 2x DEP8, decode 9x TEP8", "DISAGG 2P9D"])
def test_pools_in_short(notes: str) -> None:
    record = apart(tp=8, gpus=88)
    question = resolve(dataclasses.replace(record, words={**record.words, "notes": notes}))
    assert question.apart is not None
    assert (question.apart.instances, question.instances) == (2, 9)
    assert int(question.apart.prefill.devices) == int(question.deployment.devices) == 8


@pytest.mark.parametrize(("engine", "expert", "columns"), [("SGLang", 1, 8), ("TensorRT-LLM", 8, 1)])
def test_experts_that_are_stated_whole_are_split_by_columns_where_an_engine_does(
    engine: str, expert: int, columns: int
) -> None:
    record = apart()
    notes = record.words["notes"].replace("adp=8/moe_ep=8", "adp=8/moe_ep=1")
    found = resolve(dataclasses.replace(record, words={**record.words, "notes": notes, "engine": engine})).apart
    assert found is not None
    assert (found.prefill.layout.expert, found.prefill.layout.expert_tensor) == (expert, columns)


def test_clients_that_are_not_stated_fill_the_batches() -> None:
    assert resolve(apart(clients="")).batch == 9 * 8


def test_more_devices_for_prompts_answer_sooner_and_rates_are_of_all_instances() -> None:
    few, many = (predicted(apart(p=count, clients="576")) for count in ("1", "4"))
    assert many["ttft_ms"] < few["ttft_ms"]
    one, both = (predicted(apart(p="4", d=count, clients="576")) for count in ("1", "9"))
    assert both["output_tokens_per_s"] > 1.5 * one["output_tokens_per_s"]
    served = both["output_tokens_per_s"] / 1024
    assert served * both["e2e_latency_ms"] / 1e3 == pytest.approx(576, rel=0.15)


def test_pools_alike_in_all_but_numbers_are_answered_together_as_alone() -> None:
    rows = [apart(clients="9"), apart(p="1", clients="576"), apart(p="", d="", bs="")]
    together = predictor(load_serving())([resolve(record) for record in rows])
    for record, answer in zip(rows, together, strict=True):
        assert not isinstance(answer, InputError)
        assert answer.metrics == pytest.approx(predicted(record))


@pytest.mark.parametrize(
    "notes", ["MTP depth 3 (speculative)", "EAGLE k=3", "With Speculative Decoding draft=llama-3.2-1b k=3"]
)
def test_drafting_rows_are_answered_and_what_is_assumed_is_said(notes: str) -> None:
    question = asked(notes=notes)
    assert question.speculation is not None
    assert question.speculation.drafted == 3
    assert any("of drafted tokens accepted" in said for said in question.assumed)
    assert "drafting" in doubts(question)
    assert float(question.deployment.held) > 0


@pytest.mark.parametrize("stated", ["acceptance 70%", "acceptance rate: 0.7", "acceptance length 2.533"])
def test_an_acceptance_that_is_stated_is_used(stated: str) -> None:
    question = asked(notes=f"MTP depth 3; {stated}")
    assert question.speculation is not None
    assert question.speculation.acceptance == pytest.approx(0.7, abs=1e-3)
    assert "drafting" not in doubts(question)


@pytest.mark.parametrize("batch", ["1", "64"])
@pytest.mark.parametrize("how", ["static batch", "closed-loop", "running batch"])
def test_drafts_that_are_never_right_are_no_quicker(batch: str, how: str) -> None:
    plain = predicted(row(batch_or_concurrency=batch, notes=how))
    spans = [
        predicted(row(batch_or_concurrency=batch, notes=f"{how}; draft=llama-3.2-1b k=3 acceptance {share}%"))[
            "tpot_ms"
        ]
        for share in (0, 50, 100)
    ]
    assert spans[0] >= plain["tpot_ms"]
    assert spans == sorted(spans, reverse=True)


def test_a_row_without_drafting_is_plain() -> None:
    assert asked(notes="Without Speculative Decoding draft=None k=None").speculation is None


def test_requests_of_many_instances_are_divided_where_notes_say_how_many_each_has() -> None:
    notes = "agg; attention_dp=1 moe_tp=1 moe_ep=1 local_batch={}; closed-loop client"
    cells = {"batch_or_concurrency": "448", "engine": "TensorRT-LLM", "engine_version": "1.3.0rc5"}
    assert asked({"tp": 1}, notes=notes.format(14), **cells).instances == 32
    assert asked({"tp": 1}, notes=notes.format(448), **cells).instances == 1
    mixture = asked({"tp": 8, "gpus": 8}, notes=notes.format(56), **(cells | {"model": "mixtral-8x7b"}))
    assert mixture.instances == 1


def test_the_rate_that_a_submitter_found_is_no_hint() -> None:
    """MLPerf's Server entries state the rate that they reached: it is the answer, and not read."""
    server = {"batch_or_concurrency": "", "source": "mlcommons/inference_results, MLPerf Server"}
    few, many = (predicted(row(**server, request_rate=rate)) for rate in ("0.01", "1000"))
    assert few["output_tokens_per_s"] == many["output_tokens_per_s"]
