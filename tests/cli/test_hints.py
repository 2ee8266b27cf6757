"""Hints are true when they are typed: flags go back into the command that was refused, and it answers."""

from __future__ import annotations

import re
import shlex

import pytest

REFUSED = [
    "cost serving llama-3-70b --on h100-sxm:8 --rate 60/s --input 1024 --output 256",
    "cost serving llama-3-70b --on h100-sxm:8 --rate 20/s --input 1024 --output 256 --ttft 100ms --tpot 20ms",
    "cost serving llama-3-8b --on m3-max --rate 2/min --ttft 1s --tpot 100ms",
    "cost serving llama-3-8b --on m3-max --rate 40/min --tpot 20ms",
    "cost serving llama-3-8b --on l4:4 --rate 5/s --input 1024 --output 256 --ttft 300ms --tpot 30ms",
    "cost serving llama-3-70b --on h100-sxm:1 --rate 1/s --layout tp=1",
    "cost serving llama-3-70b --on rtx-4090:1 --quant q4_k_m --rate 1/min",
    "cost serving llama-3-8b --on raspberry-pi-5 --quant q4_k_m --concurrency 1 --tpot 100ms",
    "cost serving llama-3-8b --on h100-sxm:1 --rate 40/s --max-num-seqs 4",
    "cost serving llama-3-8b --prefill-on h100-sxm:1 --decode-on h100-sxm:1 --rate 60/s",
    "plan serving llama-3-8b --on l40s --rate 5/s --ttft 50ms --tpot 5ms",
    "plan serving llama-3-8b --on m3-max --rate 2/s --ttft 1s --tpot 100ms",
    "plan serving llama-3-8b --have l4:2 --rate 20/s --ttft 500ms",
    "plan serving llama-3-8b --have l4:2 --rate 20/s",
    "plan serving llama-3-70b --rate 5/s --on a100-sxm-80gb --under 900",
    "compare llama-3-8b --on l4 --rate 2/s --ttft 50ms --tpot 5ms",
]
ANSWERED = [
    "cost serving llama-3-8b --on h100-sxm:8 --rate 2/s --input 1024 --output 256",
    "cost serving llama-3-8b --on l4:12 --rate 5/s --input 1024 --output 256 --quant fp8",
    "plan serving llama-3-8b --on h100-sxm --rate 20/s --input 4000 --output 100 --quant fp8",
    "plan serving llama-3-8b --on m3-max --rate 3/min",
    "plan serving llama-3-8b --on l4 --rate 2/s --ttft 500ms",
    "plan serving llama-3-8b --on l40s --users 100k --day diurnal --ttft 500ms",
    "compare llama-3-8b --on l4 --rate 2/s --cached 20% --input 1024 --output 256",
    "compare llama-3.1-8b --users 20k --tier spot --ttft 1s --people 40h/month:$90",
    "compare llama-3-8b --on l4:4 --price 0.5 --rate 2/s --quant fp8",
    "compare llama-3.3-70b --on h100-sxm --users 200k --batch-share 60%",
    "compare llama-3.3-70b --on h100-sxm --users 200k --peak 3 --batch-share 25%",
]
UNDONE = "leave"
"""Of a hint that takes flags away too: it is not typed here."""


def hints_in(text: str) -> list[str]:
    """The commands and flags between backticks after `hint:`."""
    _, _, said = re.sub(r"\s+", " ", text).partition("hint: ")
    found = re.findall(r"`([^`]*)`", said)
    return [words for words in found if words.startswith(("--", "outlay ")) and " " in words and UNDONE not in said]


def typed(command: str, hint: str) -> list[str]:
    """The command as it reads with the flags of the hint in place of its own."""
    if hint.startswith("outlay "):
        return shlex.split(hint)[1:]
    words, flags = shlex.split(command), shlex.split(hint)
    for flag, value in zip(flags[::2], flags[1::2], strict=True):
        if flag in words:
            words[words.index(flag) + 1] = value
        else:
            words += [flag, value]
    return words


def count_of(words: list[str]) -> int:
    """Accelerators that `--on` or `--have` names."""
    flag = "--on" if "--on" in words else "--have"
    return int(words[words.index(flag) + 1].rpartition(":")[2])


@pytest.mark.parametrize("command", REFUSED)
def test_what_a_refusal_offers_is_there(ask, command):
    answer = ask(*shlex.split(command))
    assert answer.code == 1
    hints = hints_in(answer.err + answer.out)
    assert hints
    for hint in hints:
        again = ask(*typed(command, hint))
        assert again.code == 0, f"{command}: {hint}\n{again.err}"


@pytest.mark.parametrize("command", ANSWERED)
def test_what_an_answer_offers_is_there(ask, command):
    answer = ask(*shlex.split(command))
    assert answer.code == 0
    assert "…" not in " ".join(hints_in(answer.out))
    for hint in hints_in(answer.out):
        again = ask(*typed(command, hint))
        assert again.code == 0, f"{command}: {hint}\n{again.err}"


@pytest.mark.parametrize(
    "command",
    [
        "cost serving llama-3-8b --on l4:4 --rate 5/s --input 1024 --output 256 --ttft 300ms --tpot 30ms",
        "cost serving llama-3-8b --on l4:1 --rate 20/s --input 1024 --output 256",
        "cost serving llama-3-70b --on l4:2 --rate 1/min",
        "cost serving llama-3-8b --on l4:24 --rate 5/s --input 1024 --output 256",
    ],
)
def test_no_fewer_accelerators_do(ask, command):
    """The number that a hint names is the least: one less is refused."""
    answer = ask(*shlex.split(command))
    hint = next(hint for hint in hints_in(answer.err + answer.out) if "--on " in hint)
    words = typed(command, hint)
    assert ask(*words).code == 0
    words[words.index("--on") + 1] = f"l4:{count_of(words) - 1}"
    assert ask(*words).code == 1


@pytest.mark.parametrize(
    "command",
    [
        "cost serving llama-3-8b --prefill-on h100-sxm:1 --decode-on h100-sxm:1 --rate 60/s",
        "cost serving llama-3-8b --prefill-on h100-sxm:2 --decode-on h100-sxm:1 --rate 60/s --input 128 --output 800",
        "cost serving llama-3-8b --prefill-on h100-sxm:8 --decode-on h100-sxm:8 --rate 2/s",
    ],
)
def test_neither_pool_has_one_to_spare(ask, command):
    answer = ask(*shlex.split(command))
    hint = next(
        hint for hint in hints_in((answer.err + answer.out).replace("(`--", "hint: (`--")) if "--decode-on" in hint
    )
    words = typed(command, hint)
    assert ask(*words).code == 0
    for flag in ("--prefill-on", "--decode-on"):
        fewer = list(words)
        chip, _, count = words[words.index(flag) + 1].rpartition(":")
        fewer[words.index(flag) + 1] = f"{chip}:{int(count) - 1}"
        assert ask(*fewer).code == (1 if int(count) > 1 else 2)


def test_patience_is_offered_only_where_it_helps(ask):
    """On a Mac no plan has its first token within a second of a prompt of 4,000 tokens, and nobody says so."""
    slow = "plan serving llama-3-8b --on m3-max --count 4 --rate 1/min --input 4000 --output 100"
    answer = ask(*shlex.split(slow))
    assert answer.code == 0
    assert "--ttft 1s" not in answer.out
    assert ask(*shlex.split(f"{slow} --ttft 1s --tpot 100ms")).code == 1


@pytest.mark.parametrize("load", ["--rate 20/s", "--users 100k --requests-per-user 3"])
def test_the_machines_of_a_day_have_its_busiest_hour_and_its_mean(ask, load):
    """The command that prices them alone keeps the mean and the peak; only that they are all on all day is other."""
    answer = ask(*shlex.split(f"plan serving llama-3-8b --on l40s {load} --day diurnal --ttft 500ms"))
    hint = hints_in(answer.out)[0]
    assert load in hint
    assert "--peak 2.4" in hint
    assert "with all of them on all day" in re.sub(r"\s+", " ", answer.out)
    alone = ask(*typed("", hint))
    first = [re.search(r"first token +([\d.]+ m?s)", text)[1] for text in (answer.out, alone.out)]
    assert first[0] == first[1]
