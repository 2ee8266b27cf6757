"""Words of a question that used to be taken for something else."""

from __future__ import annotations

import pytest

BASE = ("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64")


def refused(answer, *words: str) -> None:
    assert answer.code == 2 and not answer.out, answer.err
    assert answer.err.count("error: ") == 1 and "\nhint: " in answer.err
    assert all(word in answer.err for word in words), answer.err


def test_tokens_without_the_word_are_no_sequences(ask):
    refused(ask(*BASE, "--batch", "4M"), "sequences", "4M tokens")
    assert ask(*BASE, "--batch", "4M tokens").code == 0


@pytest.mark.parametrize(("name", "near"), [("foo", "pytorch"), ("megatron-cor", "`megatron-core`"), ("tochtitan", "`torchtitan`")])
def test_an_unknown_framework_is_an_error(ask, name, near):
    refused(ask(*BASE, "--framework", name), name, near)


@pytest.mark.parametrize("name", ["pytorch", "PyTorch 2.5 FSDP", "nemo", "Megatron-LM", "jax"])
def test_a_known_framework_is_not_assumed(ask, name):
    answer = ask(*BASE, "--framework", name)
    assert answer.code == 0 and "is not known" not in answer.out and "framework = " not in answer.out


def test_every_framework_that_an_error_lists_is_taken():
    from outlay.scenarios.question import FRAMEWORKS
    from outlay.training import software_for

    for name in FRAMEWORKS:
        assert software_for(name, None).family != "other" or "torch" in name or name == "fsdp"
