"""Slips of the hand are met by what was meant: the bound that is crossed, the flag that helps, the name that is another's."""

from __future__ import annotations

import re

import pytest

COST = ("cost", "serving", "llama-3-8b", "--on", "l4:1")
PLAN = ("plan", "serving", "llama-3-8b", "--rate", "1/s")


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ((*COST, "--rate", "1e300/s"), "at most 10,000,000 a second", "--rate 5/s"),
        ((*COST, "--users", "10", "--peak", "30"), "from 1 to 24", "--peak 2.5"),
        ((*COST, "--concurrency", "1000000000"), "at most 1,000,000", "--concurrency 32"),
        ((*COST, "--rate", "1/s", "--people", "lots"), "hours of a month and the price of one", "--people 3k"),
        ((*COST, "--rate", "1/s", "-o", "x.pdf"), ".txt, .json, .csv, .md, .html", "-o x.html"),
        ((*PLAN, "--worse", "1"), "below 100%", "--worse 1%"),
        ((*PLAN, "--tier", "gold"), "price tier", "`--tier on-demand`"),
        ((*PLAN, "--goal", "best"), "goal", "`--goal cheapest`"),
        ((*PLAN, "--mode", "foo"), "mode", "`--mode aggregated`"),
        (("plan", "serving", "llama-3-8b", "--concurrency", "3"), "no option", "`--users 10000`"),
        (("explain",), "`LINE` is missing", "`outlay explain total`"),
        (("export", "vllm"), "an option", "--export vllm"),
        (
            ("cost", "serving", "llama-3-8b", "--prefill-on", "m3-max:1", "--decode-on", "l4:1", "--rate", "1/s"),
            "no pool of vllm spans m3-max and l4-24gb",
            "--prefill-on l4:1 --decode-on l4:1",
        ),
    ],
)
def test_what_was_expected_is_said_with_what_to_type(ask, tmp_path, monkeypatch, words, said, hint):
    monkeypatch.chdir(tmp_path)
    answer = ask(*words)
    assert answer.code == 2
    told, _, offered = answer.err.partition("hint:")
    assert said in told and hint in offered
    assert not list(tmp_path.iterdir())


def test_a_peak_of_a_whole_day_is_one(ask):
    assert ask(*COST, "--users", "10", "--peak", "24").code == 0


def test_what_is_no_table_is_not_said_to_lack_a_header(ask, tmp_path):
    for count, name in enumerate((bytes(range(128, 256)) * 4, b"\x89PNG\r\n\x1a\n" + bytes(20))):
        path = tmp_path / f"{count}.csv"
        path.write_bytes(name)
        assert "is not text" in ask("validate", path).err
    trace = tmp_path / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n")
    assert "serving-records.md" in ask("validate", trace).err


@pytest.mark.parametrize(
    ("model", "sold"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("chatgpt", "openai/gpt-5-mini"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    ],
)
def test_what_is_sold_by_the_token_is_put_after_api(ask, model, sold):
    """What a newcomer types first; the hint is typed as it stands."""
    answer = ask("compare", model, "--users", "500")
    assert answer.code == 2 and f"--api {sold} --users 500" in answer.err
    assert ask(*answer.err.split("`outlay ")[1].split("`")[0].split()).code == 0
    assert "did you mean `llama-3-8b`" in ask("compare", "lama-3-8b", "--users", "500").err


def test_what_is_no_decoder_is_said_before_apis_are(ask):
    answer = ask("compare", "bert-base", "--users", "10")
    assert answer.code == 2 and "token by token" in answer.err and "--api" not in answer.err


def test_an_engine_that_does_not_read_a_format_is_named(ask):
    answer = ask(*PLAN, "--on", "l4", "--export", "vllm", "--quant", "q4_k_m")
    assert answer.code == 2 and "vllm does not read q4_k_m" in answer.err
    assert ask(*PLAN, "--on", "l4", "--export", "llamacpp", "--quant", "q4_k_m", "-o", "launch/").code == 0


def test_a_smaller_format_comes_before_sixteen_laptops(ask):
    words = ("cost", "serving", "llama-3-70b", "--concurrency", "1", "--input", "512", "--output", "128")
    answer = ask(*words, "--on", "m1")
    offered = answer.err.split("hint: write `")[1].split("`")[0].split()
    assert answer.code == 1 and offered[:2] == ["--quant", "q4_k_m"]
    assert ask(*words, *offered).code == 0


def test_as_many_of_your_own_as_it_takes(ask):
    words = ("plan", "serving", "deepseek-v3", "--rate", "1/s", "--input", "1000", "--output", "200")
    answer = ask(*words, "--on", "rtx-4090")
    offered = answer.err.split("--have ")[1].split("`")[0]
    assert answer.code == 1 and ask(*words, "--have", offered).code == 0


def test_the_nearest_plan_is_that_of_its_cheapest_seller(ask):
    words = ("plan", "serving", "llama-3-8b", "--rate", "1/s", "--on", "rtx-5090")
    answer = " ".join(ask(*words, "--carbon", "1kg").err.split())
    dollars = float(re.search(r"costs \$([\d,]+)", answer)[1].replace(",", ""))
    given = ask(*words, "--carbon", re.search(r"--carbon (\d+kg)`", answer.partition("hint")[2])[1]).out
    assert f"${dollars:,.0f} ·" in given


def test_layers_on_a_processor_say_what_an_engine_may_do_better(ask):
    words = ("cost", "serving", "llama-3-70b", "--on", "rtx-4090", "--quant", "q4_k_m", "--concurrency", "1")
    said = "several times sooner"
    answer = ask(*words, "--offload-to", "ryzen-9-7950x")
    assert answer.code == 0 and said in " ".join(answer.out.split())
    fits = ask("cost", "serving", "llama-3-8b", *words[3:], "--offload-to", "ryzen-9-7950x")
    assert fits.code == 0 and said not in " ".join(fits.out.split())


def test_weights_that_are_tuned_are_not_called_the_same(ask):
    answer = ask("compare", "llama-3-8b", "--users", "10000")
    assert answer.code == 0 and "the same, as Instruct-Lite" in answer.out
