"""Serving asked oddly: engines on chips they do not run on, limits far out of reach, hints that are typed as they stand."""

from __future__ import annotations

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
    ],
)
def test_an_engine_is_refused_where_it_does_not_run_and_the_usual_one_is_named(ask, engine, chip, usual):
    question = ("cost", "serving", "llama-3-8b", "--on", chip, "--concurrency", "1")
    answer = ask(*question, "--engine", engine)
    assert answer.code == 2 and f"{engine} does not run on a {chip}" in answer.err
    assert typed(answer.err.partition("hint:")[2]) == ["--engine", usual]
    planned = ask(*PLAN, "--rate", "1/s", "--on", chip, "--engine", engine)
    assert planned.code == 2 and f"{engine} does not run on a {chip}" in planned.err


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
    assert answer.code == 2 and "there are `" in answer.err
