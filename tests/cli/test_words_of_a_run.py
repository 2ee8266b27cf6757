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


@pytest.mark.parametrize(
    ("name", "near"), [("foo", "pytorch"), ("megatorn-core", "`megatron-core`"), ("tochtitan", "`torchtitan`")]
)
def test_an_unknown_framework_is_an_error(ask, name, near):
    refused(ask(*BASE, "--framework", name), name, near)


@pytest.mark.parametrize("name", ["pytorch", "PyTorch 2.5 FSDP", "nemo", "Megatron-LM", "jax"])
def test_a_known_framework_is_not_assumed(ask, name):
    answer = ask(*BASE, "--framework", name)
    assert answer.code == 0 and "is not known" not in answer.out and "framework = " not in answer.out


def test_every_framework_that_an_error_lists_is_taken():
    from outlay.scenarios.frameworks import FRAMEWORKS
    from outlay.training import software_for

    for name in FRAMEWORKS:
        assert software_for(name, None).family != "other" or "torch" in name or name == "fsdp"


@pytest.mark.parametrize("level", ["96", "99", "99.9"])
def test_a_level_beyond_the_data_is_refused(ask, level):
    refused(ask(*BASE, "--interval", level), "`--interval` is", "whole runs were measured", "--interval 95")


def test_each_level_that_is_taken_is_wider_than_the_last():
    from outlay.training.production import load_production
    from outlay.training.ranges import most_level

    widths = [
        low / high
        for low, _, high in (
            load_production().factor(devices=256, active=8e9, level=level) for level in (0.8, 0.9, 0.95)
        )
    ]
    assert widths == sorted(widths, reverse=True) and widths[0] > widths[-1]
    assert 0.95 <= most_level() < 0.96


@pytest.mark.parametrize(
    ("flags", "said", "not_said"),
    [
        (("--data", "-1"), "negative", "-1TB"),
        (("--lost-work", "100"), "5%", "write `--lost-work 100%`"),
        (("--checkpoints", "-1"), "0 or more", "256"),
        (("--nope", "1"), "--help", "--pue"),
        (("--recompute", ""), "`--recompute` is empty", "is :"),
    ],
)
def test_hints_that_help(ask, flags, said, not_said):
    answer = ask(*BASE, *flags)
    refused(answer, said)
    assert not_said not in answer.err


def test_a_line_of_two_words_wants_quotes(ask):
    assert ask(*BASE).code == 0
    refused(ask("explain", "training", "steps"), 'explain "training steps"')
    assert ask("explain", "training steps").code == 0


def test_one_token_and_a_run_of_a_century(ask):
    tiny = ask("cost", "training", "gpt2", "--tokens", "1", "--on", "h100-sxm")
    assert tiny.code == 0 and "on 1 token with" in tiny.out
    long = ask("cost", "training", "llama-3-8b", "--tokens", "15T", "--on", "h100-sxm")
    assert "longer than accelerators are kept" in " ".join(long.out.split())
    assert "longer than accelerators are kept" not in " ".join(ask(*BASE).out.split())


def test_skipped_rows_say_their_line_and_the_cause(ask, tmp_path):
    (tmp_path / "rows.csv").write_text(
        "id,model,params_total_b,heads,accelerator,gpus,step_time_s\na,,,,h100-sxm,8,1\nb,,7,35,h100-sxm,8,1\n"
        "c,gpt2,,,h100-sxm,8,1\n"
    )
    out = " ".join(ask("validate", "rows.csv").out.split())
    assert "a (line 2)" in out and "b (line 3)" in out
    assert "``" not in out and "`heads` is 35" in out and "4352" not in out
