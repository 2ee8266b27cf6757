"""Clients whose requests are all alike stay together; those whose lengths are drawn do not."""

from __future__ import annotations

import pytest

from outlay.accuracy.records import Record
from outlay.accuracy.serving.manner import STEADY, manner_of
from outlay.accuracy.serving.predict import predictor
from outlay.accuracy.serving.resolve import resolve
from outlay.serving import load_serving

ROW = {
    "model": "llama-3.1-8b",
    "engine": "vLLM",
    "engine_version": "0.20.2",
    "date": "2026-11-27",
    "accelerator": "h200-sxm-141gb",
    "weight_precision": "bf16",
}


def said(notes: str, **numbers: float) -> Record:
    words = {**ROW, "notes": notes, **{name: f"{value:g}" for name, value in numbers.items()}}
    return Record(
        id="a", source="s", line=2, words=words, numbers={name: float(value) for name, value in numbers.items()}
    )


def first_token(notes: str, clients: int) -> float:
    load = {"input_len": 1024, "output_len": 128, "batch_or_concurrency": clients, "gpus": 1, "tp": 1, "ttft_ms": 1.0}
    (found,) = predictor(load_serving())([resolve(said(notes, **load))])
    return float(found.metrics["ttft_ms"])  # type: ignore[union-attr]


ALIKE = "closed-loop client, 96 requests at concurrency 16; all lengths alike"
DRAWN = "closed-loop client, 96 requests at concurrency 16; lengths in a random range of 80 to 100 %"


@pytest.mark.parametrize(
    ("notes", "alike", "drawn"),
    [
        (ALIKE, True, False),
        (DRAWN, False, True),
        ("random ISL/OSL of nominal length", False, False),
        ("~20k in / ~2k out (+-15%)", False, False),
    ],
)
def test_notes_say_how_lengths_scatter(notes: str, alike: bool, drawn: bool) -> None:
    found = manner_of(said(notes))
    assert (found.alike, found.random_lengths) == (alike, drawn)
    assert not found.inferencemax


def test_a_median_does_not_see_the_beginning() -> None:
    assert manner_of(said("150 requests, concurrency 8; median TTFT and ITL")).rounds == STEADY
    assert manner_of(said("80 requests, concurrency 8")).rounds == 10.0


def test_alone_nobody_is_met() -> None:
    assert first_token(ALIKE, 1) == pytest.approx(first_token(DRAWN, 1), rel=0.2)


def test_who_began_together_waits_for_all_prompts() -> None:
    """Measured on one H200: 286 ms for 16 such clients, 39 ms for one."""
    alike, drawn, alone = first_token(ALIKE, 16), first_token(DRAWN, 16), first_token(ALIKE, 1)
    assert alike > 1.5 * drawn > 1.5 * alone
    assert alike == pytest.approx(286.0, rel=0.25)
