"""Words that a reader without the field's habits takes as they are meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CARD = ("cost", "serving", "llama-3-8b", "--on", "rtx-4090:1", "--quant", "fp8", "--concurrency", 1)


def spoken(answer: Any) -> str:
    return " ".join((answer.out + answer.err).split())


def test_a_word_is_no_code_of_a_country(ask: Any) -> None:
    said = ask(*CARD, "--grid", "mars").err
    assert not {"`mar`", "`rs`", "`ms`"} & set(said.replace("?", "").split())
    assert "`fr`" in ask(*CARD, "--grid", "frr").err


@pytest.mark.parametrize("more", [(), ("--layout", "tp=1")])
def test_a_card_that_people_have_at_home_may_be_ones_own(ask: Any, more: tuple[str, ...]) -> None:
    answer = ask(*CARD, *more)
    assert "`--tier owned --hardware 2000`" in answer.out
    own = ask(*CARD, *more, "--tier", "owned", "--hardware", 2000)
    assert own.code == 0 and "--hardware 2000`" not in own.out


@pytest.mark.parametrize("said", [("--provider", "vast-ai"), ("--tier", "spot"), ("--price", 1)])
def test_who_says_how_a_card_is_paid_for_is_asked_no_more(ask: Any, said: tuple[Any, ...]) -> None:
    assert "--tier owned" not in ask(*CARD, *said).out


def test_the_highest_range_says_what_was_measured_of_its_kind(ask: Any, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("model,engine,accelerator,gpus,tpot_ms\nllama-3-8b,vllm,h100-sxm,1,8\n", encoding="utf-8")
    for question in (CARD, ("plan", "serving", "llama-3-8b", "--rate", "1/s"), ("validate", rows)):
        refused = ask(*question, "--interval", 99)
        assert refused.code == 2 and "sources that the fit left out" in refused.err and "whole runs" not in refused.err
    training = ask("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64", "--interval", 99)
    assert "whole runs" in training.err


def test_power_of_a_plan_is_that_of_a_device_and_of_its_server(ask: Any) -> None:
    plan = ask("plan", "serving", "llama-3-8b", "--rate", "1/s", "--on", "rtx-5090")
    assert plan.code == 0
    assert "Power of a device with its share of the server" in spoken(ask("explain", "energy"))


@pytest.mark.parametrize(("chip", "quant", "label"), [("m3-max", "q4_k_m", "Device"), ("h100-sxm", "fp8", "Filled")])
def test_a_device_is_filled_by_engines_that_fill_it(ask: Any, chip: str, quant: str, label: str) -> None:
    answer = ask("cost", "serving", "llama-3-8b", "--on", f"{chip}:1", "--quant", quant, "--concurrency", 1)
    table = answer.out.partition("Memory of the fullest device")[2].partition("\n\n")[2].partition("\n\n")[0]
    footer = next(line for line in reversed(table.splitlines()) if "100 %" in line)
    assert footer.split()[0] == label


def test_one_token_is_no_tokens(ask: Any) -> None:
    answer = ask(*CARD, "--input", 1, "--output", 1)
    assert "1 token in, 1 out" in spoken(answer)
