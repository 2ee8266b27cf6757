"""Serving asked oddly: engines on chips they do not run on, limits far out of reach, hints that are typed as they stand."""

from __future__ import annotations

import json
import re
import shlex

import pytest

PLAN = ("plan", "serving", "llama-3-8b")


def typed(hint: str) -> list[str]:
    """The first command line in backticks of a hint, as words."""
    found = re.search(r"`([^`]+)`", hint)
    assert found is not None, hint
    return shlex.split(found[1])


@pytest.mark.parametrize(
    ("engine", "chip", "usual"),
    [
        ("trtllm", "mi300x", "vllm"),
        ("neuronx", "h100-sxm", "vllm"),
        ("vllm", "v100-sxm-16gb", "llamacpp"),
        ("trtllm", "t4", "vllm"),
        ("jetstream", "m3-max", "llamacpp"),
        ("exllama", "m3-max", "llamacpp"),
        ("lmdeploy", "mi300x", "vllm"),
        ("optimum-habana", "xeon-8480-plus", "llamacpp"),
    ],
)
def test_an_engine_is_refused_where_it_does_not_run_and_the_usual_one_is_named(ask, engine, chip, usual):
    question = ("cost", "serving", "llama-3-8b", "--on", chip, "--concurrency", "1")
    answer = ask(*question, "--engine", engine)
    assert answer.code == 2 and re.search(f"{engine} does not run on an? {chip}", answer.err)
    assert typed(answer.err.partition("hint:")[2]) == ["--engine", usual]
    planned = ask(*PLAN, "--rate", "1/s", "--on", chip, "--engine", engine)
    assert planned.code == 2 and re.search(f"{engine} does not run on an? {chip}", planned.err)


def test_layers_that_the_processor_has_no_room_for_are_said(ask):
    question = ("cost", "serving", "llama-3-70b", "--on", "rtx-4090", "--engine", "llamacpp", "--concurrency", "1")
    answer = ask(*question, "--quant", "bf16", "--offload-to", "core-i9-13900k")
    assert answer.code == 1 and "core-i9-13900k has" in answer.err and "q4_k_m" in answer.err
    assert ask(*question, "--quant", "q4_k_m", "--offload-to", "core-i9-13900k").code == 0


@pytest.mark.parametrize(("counts", "least"), [("4..8", 4), ("4,8", 4), ("8..16", 8), ("4", 1)])
def test_no_plan_has_a_count_that_was_left_out(ask, counts, least):
    answer = ask(*PLAN, "--rate", "5/s", "--on", "h100-sxm", "--count", counts)
    found = re.search(r"(\d+) × h100", answer.out)
    assert answer.code == 0 and found is not None and int(found[1]) >= least


def test_the_busiest_hour_does_not_decide_what_prompts_cost_all_month(ask):
    question = ("cost", "serving", "llama-3-8b", "--on", "h100-sxm", "--rate", "4/s", "--format", "json")
    shares = []
    for peak in ("1", "3"):
        lines = json.loads(ask(*question, "--peak", peak).out)["lines"]
        parts = {line["key"].partition(".")[2]: line["quantity"]["likely"] for line in lines[0]["children"]}
        shares.append(parts["input"] / sum(parts.values()))
    assert shares[0] == pytest.approx(shares[1], rel=0.02)


def test_numbers_and_brackets_beyond_reading_are_rows_that_are_wrong(ask, tmp_path):
    (tmp_path / "day.jsonl").write_text(
        '{"timestamp": 0, "input_length": ' + "9" * 5000 + ', "output_length": 1}\n' + "{" * 9
    )
    answer = ask("cost", "serving", "llama-3-8b", "--on", "l4", "--trace", "day.jsonl")
    assert answer.code == 2 and "row 1: no JSON object" in answer.err and "row 2: no JSON object" in answer.err


def test_the_usual_engine_is_planned_with_alike_whether_it_is_named_or_not(ask):
    question = (*PLAN, "--users", "10000", "--on", "l4")
    first = ask(*question).out.split("\n\n")[:3]
    assert ask(*question, "--engine", "vllm").out.split("\n\n")[:3] == first


def test_files_of_llama_cpp_are_planned_with_llama_cpp(ask):
    answer = ask(*PLAN, "--users", "10", "--have", "rtx-4090:1", "--quant", "q4_k_m")
    assert answer.code == 0 and re.search(r"engine +llamacpp", answer.out)


@pytest.mark.parametrize(
    "asked",
    [
        ("--rate", "1000/s", "--on", "l4", "--count", "4"),
        ("--users", "10000", "--have", "m3-max:1"),
    ],
)
def test_the_count_that_is_offered_carries_the_load(ask, asked):
    """A hint is typed as it stands, in place of the flag that it names."""
    answer = ask(*PLAN, *asked)
    assert answer.code == 1 and "carry it: write" in answer.err
    flag, value = typed(answer.err.partition("hint:")[2])
    words = list(asked)
    words[words.index(flag) + 1] = value
    assert ask(*PLAN, *words).code == 0


def test_a_model_that_fits_on_nothing_there_is_has_a_hint_for_what_there_is(ask):
    answer = ask("plan", "serving", "deepseek-v3", "--rate", "2/s", "--have", "h100-sxm:8")
    assert answer.code == 1 and typed(answer.err.partition("hint:")[2]) == ["--have", "h100-sxm-80gb:16"]


def test_far_beyond_a_limit_is_so_many_times_it(ask):
    answer = ask(*PLAN, "--users", "10000", "--on", "l4", "--ttft", "1ms")
    assert answer.code == 1 and re.search(r"[0-9]+ times `--ttft\s+1ms`", answer.err) and "%" not in answer.err
    assert "with 1 ms to the first token" in answer.err  # and not 1,000 µs


@pytest.mark.parametrize("flag", ["--goal", "--tier", "--mode"])
def test_a_word_of_few_is_answered_with_all_of_them(ask, flag):
    answer = ask(*PLAN, "--users", "10000", "--on", "l4", flag, "foo")
    assert answer.code == 2 and "expected one of " in answer.err and "--help" not in answer.err


@pytest.mark.parametrize(
    "asked",
    [
        ("--users", "10000", "--have", "rtx-4090:1", "--hardware", "2000"),
        ("--users", "3000", "--on", "l40s", "--tier", "spot", "--engine", "sglang"),
        ("--rate", "2/s", "--on", "h100-sxm", "--mode", "aggregated", "--ttft", "500ms", "--quant", "fp8"),
    ],
)
def test_the_plan_s_machines_alone_cost_what_the_plan_says(ask, asked):
    """The first hint, typed as it stands: the same money, whoever owns the machines."""
    answer = ask(*PLAN, *asked)
    words = " ".join(answer.out.split())
    command = re.search(r"hint: `outlay (cost serving [^`]+)`", words)
    assert answer.code == 0 and command is not None
    alone = ask(*shlex.split(command[1]))
    bill = re.search(r"\n(\$[0-9.,]+)", answer.out)
    assert alone.code == 0 and bill is not None and f"\n{bill[1]} " in alone.out


@pytest.mark.parametrize("users", [8000, 9000, 10_000, 11_000, 12_000])
def test_the_command_is_offered_only_where_it_is_answered(ask, users):
    """Near the most that an L4 carries, small steps may do what vLLM's own do not: then there is no such command."""
    answer = ask(*PLAN, "--users", users, "--on", "l4", "--mode", "aggregated")
    command = re.search(r"hint: `outlay (cost serving [^`]+)`", " ".join(answer.out.split()))
    devices = re.search(r": ([0-9]+) ×\s+l4-24gb", answer.out)
    assert answer.code == 0 and devices is not None
    question = shlex.split(command[1]) if command else ["cost", "serving", "llama-3-8b", "--on", f"l4:{devices[1]}"]
    alone = ask(*question, *(() if command else ("--users", users, "--layout", "tp=1")))
    assert alone.code == (0 if command else 1)


def test_no_share_of_the_room_is_shown_as_none(ask):
    answer = ask("cost", "serving", "llama-3-8b", "--on", "mi300x", "--concurrency", "1")
    assert re.search(r"The load\s+takes 0\.[0-9]+ % of the\s+room", answer.out)


def test_rates_that_are_held_against_each_other_have_one_unit(ask):
    answer = ask("cost", "serving", "llama-3-8b", "--on", "l4:1", "--users", "10000")
    assert re.search(r"answer 0\.[0-9]+ requests/s at most, not the 1\.02 requests/s", answer.err)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("--trace", ""), "`--trace` is empty"),
        (("--users", "0"), "write `--users 10000`"),
        (("--concurrency", "1", "--output", "0"), "write `--output 256`"),
        (("--concurrency", "1", "--gpus-per-node", "0"), "write `--gpus-per-node 8`"),
        (("--concurrency", "1", "--battery", "99.6"), "an energy (Wh, kWh"),
    ],
)
def test_hints_are_of_the_size_of_the_thing(ask, asked, words):
    answer = ask("cost", "serving", "llama-3-8b", "--on", "rtx-4090", *asked)
    assert answer.code == 2 and words in answer.err


def test_an_empty_name_of_an_api_is_not_any(ask):
    answer = ask("compare", "llama-3-8b", "--users", "10000", "--on", "l4", "--api", "")
    assert answer.code == 2 and "`--api` is empty" in answer.err


def test_what_was_written_is_cut_where_it_is_repeated(ask):
    long = "a" * 500
    question = ("cost", "serving", "llama-3-8b", "--concurrency", "1")
    for words in (("--on", long), ("--on", "l4", "--engine", long), ("--on", "l4", "--draft", long)):
        answer = ask(*question, *words, *(("--acceptance", "70%") if "--draft" in words else ()))
        assert answer.code == 2 and "a" * 39 + "…`" in answer.err and "a" * 40 not in answer.err


@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, b"l4"])
def test_what_is_no_text_is_an_error_from_python_too(value):
    from outlay import compare, cost_serving, plan_serving
    from outlay.errors import InputError

    for name in ("on", "engine", "quant", "kv", "provider", "tier", "grid"):
        for verb, load in (
            (cost_serving, {"concurrency": 1}),
            (plan_serving, {"rate": "1/s"}),
            (compare, {"rate": "1/s"}),
        ):
            with pytest.raises(InputError, match="expected text"):
                verb("llama-3-8b", **({"on": "l4:1" if verb is not plan_serving else "l4"} | load | {name: value}))
    with pytest.raises(InputError, match="the path of a file"):
        cost_serving("llama-3-8b", on="l4", trace=value)


def test_prices_of_apis_are_a_table(ask):
    """The names of models there are long: they are broken at their joints."""
    answer = ask("show", "apis", "llama-3-8b")
    assert answer.code == 0 and "Model:" not in answer.out and "$0.10" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_deepseek_v3_is_sold_by_somebody(ask):
    answer = ask("compare", "deepseek-v3", "--users", "10000", "--on", "h200:8")
    assert answer.code == 0 and "novita/deepseek/deepseek_v3" in "".join(answer.out.split())


def test_a_cache_is_of_its_engine(ask):
    question = ("cost", "serving", "llama-3-8b", "--concurrency", "1", "--on")
    other = ask(*question, "l4", "--kv", "q8_0")
    assert other.code == 2 and "is a cache of llama.cpp" in other.err
    home = ask(*question, "m3-max", "--kv", "fp8")
    assert home.code == 2 and "is no cache of llamacpp" in home.err
    assert ask(*question, "l4", "--kv", "fp8").code == ask(*question, "m3-max", "--kv", "q8_0").code == 0


def test_a_card_is_known_without_its_hyphen(ask):
    assert "1 × rtx-4090:" in ask("cost", "serving", "llama-3-8b", "--on", "RTX4090", "--concurrency", "1").out


def test_what_kubernetes_cannot_start_is_started_by_the_plan_s_own_engine(ask):
    plan = (*PLAN, "--users", "10", "--have", "m3-max:1", "--quant", "q4_k_m")
    assert typed(ask(*plan, "--export", "k8s").err.partition("hint:")[2]) == ["--export", "llamacpp"]
    assert ask(*plan, "--export", "llamacpp").code == 0


@pytest.mark.parametrize("beside", [("--adapters", "4"), ("--draft", "llama-3.2-1b", "--acceptance", "60%")])
def test_layers_on_the_processor_leave_room_for_what_is_held_beside_the_model(ask, beside):
    question = ("cost", "serving", "llama-3-70b", "--on", "l4", "--concurrency", "3", "--quant", "q8_0", *beside)
    refused = ask(*question)
    assert refused.code == 1 and "--offload-to ryzen-9-7950x" in refused.err
    assert ask(*question, "--offload-to", "ryzen-9-7950x").code == 0
