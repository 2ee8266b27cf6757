"""Slips of the hand are met by what was meant: the bound that is crossed, the flag that helps, the name that is another's."""

from __future__ import annotations

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
