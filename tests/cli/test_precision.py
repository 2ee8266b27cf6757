"""A number format that a chip does not have: refused where it is asked for, said where a record has it."""

from __future__ import annotations

import pytest
from tests.accuracy.test_resolve import ask as resolved

from outlay import catalog


@pytest.mark.parametrize(
    ("on", "precision", "has"),
    [("a100-sxm-80gb", "fp8", "bf16"), ("v100-sxm-32gb", "bf16", "fp16"), ("h100-sxm", "nvfp4", "fp8-block")],
)
def test_a_chip_without_the_format(ask, on, precision, has):
    answer = ask("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", f"{on}:64", "--precision", precision)
    assert answer.code == 2 and not answer.out
    assert f"does not multiply in {precision}" in answer.err and has in answer.err and on[:4] in answer.err
    assert "hint: write `--precision " in answer.err


def test_the_format_that_every_chip_gets_is_its_own():
    from outlay.scenarios.training.question import _usual_precision

    for chip in catalog.accelerators():
        if {"fp32", "fp16", "bf16"} & set(chip.peaks):
            assert chip.has(_usual_precision(chip)), chip.name
            assert chip.runs_as(_usual_precision(chip)) == _usual_precision(chip)


def test_a_record_says_what_its_format_ran_as():
    notes = resolved(accelerator="a100-sxm-80gb", precision="fp8").assumed
    assert any(note.startswith("fp8 runs as bf16") for note in notes), notes
    assert not any("runs as" in note for note in resolved(precision="fp8").assumed)


def test_an_unknown_format_lists_all(ask):
    answer = ask("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64", "--precision", "foo")
    assert answer.code == 2
    assert all(name in answer.err for name in ("bf16", "fp16", "tf32", "fp32", "fp8", "nvfp4"))
