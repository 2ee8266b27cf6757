"""`outlay plan training`: several models and prices, stages, and hints that work when they are copied."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pytest

ASKED = ["plan", "training", "gpt2", "--tokens", "10B"]
STAGES = "stage,tokens,seq,batch\npre,8B,1024,512\nlater,2B,512,256\n"


def test_several_models_are_a_table_and_the_code_says_whether_all_are_planned(ask) -> None:
    both = ask(*ASKED[:3], "gpt2-xl", *ASKED[3:], "--on", "h100-sxm", "--count", "8")
    assert both.code == 0
    assert "gpt2-1.5b" in both.out
    some = ask(*ASKED[:3], "llama-3.1-405b", *ASKED[3:], "--on", "h100-sxm", "--count", "8")
    assert some.code == 3
    assert "llama-3.1-405b: no:" in some.out
    assert ask("plan", "training", "deepseek-v3", "llama-3.1-405b", *ASKED[3:], "--count", "1").code == 1
    saved = ask("report")
    assert "gpt2-124m" in saved.out or saved.code == 0


def test_several_prices_and_one_with_thousands(ask) -> None:
    asked = [*ASKED, "--on", "h100-sxm", "--count", "8"]
    rows = json.loads(ask(*asked, "--price", "1.5,3", "--format", "json").out)["sections"][0]["rows"]
    assert [row[1] for row in rows] == [1.5, 3.0]
    one = json.loads(ask(*asked, "--price", "1,000", "--format", "json").out)
    assert one["lines"][0]["children"][0]["unit_price"]["likely"] == 1000


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--seq", "512", "--batch", "256k tokens", "--framework", "torchtitan", "--optimizer", "adamw,adam8bit"],
        ["--have", "h100-sxm:8", "--electricity", "0.1", "--grid", "france", "--pue", "1.2"],
        ["--tier", "spot", "--discount", "10%", "--data", "1TB", "--people", "5k", "--exploration", "20%"],
        ["--done", "3B", "--price", "2", "--on", "h100-sxm", "--lost-work", "4%", "--checkpoints", "2"],
        ["--stages", "run.csv", "--done", "1B", "--on", "h100-sxm,a100-sxm-80gb", "--count", "4..8"],
        ["--stages", "own.csv", "--on", "h100-sxm,gh200-96gb", "--count", "8", "--provider", "lambda,vultr,hyperstack"],
        ["--stages", "own.csv", "--price", "2", "--on", "h100-sxm", "--count", "8"],
        ["--have", "h100-sxm:8", "--hardware", "30k", "--life", "4", "--use", "80%", "--layout", "zero=3"],
    ],
)
def test_the_last_hint_is_the_same_plan(ask, more: list[str]) -> None:
    Path("run.csv").write_text(STAGES)
    Path("own.csv").write_text("stage,tokens,on\npre,8B,\nlater,2B,l40s:4\n")
    count = [] if "--have" in more or "--count" in more else ["--count", "1..8"]
    plan = json.loads(ask(*ASKED, *count, *more, "--format", "json").out)
    command = re.search("`(outlay cost training .*?)`", plan["hints"][-1])[1]
    alone = ask(*shlex.split(command)[1:], "--format", "json")
    assert alone.code == 0, alone.err
    found = json.loads(alone.out)
    assert found["total"]["amount"] == pytest.approx(plan["total"]["amount"])
    assert found["answer"]["seconds"]["value"] == pytest.approx(plan["answer"]["seconds"]["value"])


def test_hints_of_plans_that_do_not_exist_lead_to_plans(ask) -> None:
    for asked in (
        ["plan", "training", "llama-3.1-405b", "--tokens", "1T", "--within", "20d"],
        ["plan", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm", "--count", "8", "--under", "1k"],
        ["plan", "training", "deepseek-v3", "--tokens", "1T", "--on", "h100-sxm", "--count", "8"],
        ["plan", "training", "gpt2", "--tokens", "1B", "--on", "rtx-4090", "--provider", "aws"],
    ):
        refused = ask(*asked)
        assert refused.code == 1
        hint = refused.err.partition("hint:")[2]
        for words in re.findall("`(--[^`]*)`", hint):
            changed = shlex.split(words)
            if len(changed) < 2:
                continue
            flags = set(changed[::2])
            kept, place = [], 0
            while place < len(asked):
                drop = asked[place] in flags or (asked[place] == "--provider" and "--on" in flags)
                kept += [] if drop else [asked[place]]
                place += 2 if drop else 1
            assert ask(*kept, *changed).code == 0, words


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--electricity", "0.1"], "rented"),
        (["--on", "h100-sxm", "--price", "2", "--provider", "aws"], "two prices"),
        (["--on", "h100-sxm", "--price", "2", "--tier", "spot"], "two prices"),
        (["--on", "h100-sxm", "--price", "2,,3"], "empty price"),
        (["--on", "a100-sxm"], "`--on a100-sxm-80gb`"),
        (["--have", "a100-sxm:8"], "`--have a100-sxm-80gb:8`"),
        (["--without", "a100-sxm"], "`--without a100-sxm-80gb`"),
        (["--stages", ""], "`--stages` is empty"),
        (["--provider", ""], "`--provider` is empty"),
        (["--goal"], "`--goal` has no value"),
        (["--export", "x"], "`--export` is `x`: expected one of torchtitan"),
    ],
)
def test_flags_that_contradict_or_lack_something_are_named(ask, more: list[str], named: str) -> None:
    answer = ask(*ASKED, *more)
    assert answer.code == 2
    assert named in answer.err
    assert "hint: " in answer.err


def test_a_plan_without_tokens_or_stages_asks_for_them(ask) -> None:
    answer = ask("plan", "training", "gpt2")
    assert answer.code == 2
    assert "`--tokens` is missing" in answer.err


def test_every_plan_goes_into_one_csv(ask) -> None:
    asked = [*ASKED, "--on", "h100-sxm", "--count", "4,8", "--all"]
    rows = list(csv.reader(io.StringIO(ask(*asked, "--format", "csv").out)))
    listed = next(
        table for table in json.loads(ask(*asked, "--format", "json").out)["sections"] if table["key"] == "all"
    )
    assert rows[0][:2] == ["Accelerators", "Seller"]
    assert len(rows) - 1 == len(listed["rows"]) > 2
    assert ask(*asked[:-1], "--format", "csv").out.startswith("key,line,")


def test_tpus_are_planned_in_slices(ask) -> None:
    answer = ask("plan", "training", "llama-3-8b", "--tokens", "100B", "--on", "tpu-v5p", "--count", "64")
    assert answer.code == 0
    assert "64 × tpu-v5p" in answer.out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--on", "nope,h100-sxm,never"], ["`nope` is not", "`never` is not"]),
        (["--have", "h100-sxm:8,nope:3,never"], ["`nope` is not", "`--have never`"]),
        (["--on", "h100-sxm", "--provider", "nobody,noone,aws"], ["`nobody` is not", "`noone` is not"]),
        (["--on", "h100-sxm", "--goal", "best"], ["one of cheapest, fastest, greenest"]),
        (["--on", "h100-sxm", "--tier", "free"], ["one of on-demand, spot, reserved, owned"]),
        (["--on", "h100-sxm", "--done", "20B"], ["is more than `--tokens 10B`"]),
    ],
)
def test_all_that_cannot_be_read_is_said_at_once(ask, more, said) -> None:
    answer = ask(*ASKED, *more)
    assert answer.code == 2
    assert answer.err.count("hint:") == 1
    for words in said:
        assert words in answer.err


def test_a_limit_that_is_far_off_is_said_in_times(ask) -> None:
    answer = ask(*ASKED, "--on", "h100-sxm", "--count", "8", "--within", "1s")
    assert answer.code == 1
    assert re.search(r"takes \S+ min, [0-9,]+ times `--within 1s`", " ".join(answer.err.split()))
    near = ask(*ASKED, "--on", "h100-sxm", "--count", "8", "--under", "14")
    assert re.search(r"costs \S+, \S+ % over `--under 14`", " ".join(near.err.split()))


def test_no_plan_for_any_says_what_is_nearest_for_each(ask) -> None:
    answer = ask(*ASKED[:3], "gpt2-xl", *ASKED[3:], "--on", "h100-sxm", "--count", "8", "--within", "1s")
    assert answer.code == 1
    assert answer.err.count("nearest: 8 × h100-sxm-80gb") == 2
    assert "gpt2-124m: it is there with" in answer.err
    assert "gpt2-1.5b: it is there with" in answer.err
