"""Where an option comes from: flag, variable, file, default."""

from __future__ import annotations

import json

import pytest

LLAMA = ["cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64", "--format", "json"]


def sequence(answer) -> bool:
    assert answer.code == 0, answer.err
    return answer.out


def test_order(ask, tmp_path, monkeypatch):
    (tmp_path / "outlay.toml").write_text('[cost.training]\ntokens = "3T"\n')
    asked = ["cost", "training", "llama-3-8b", "--on", "h100-sxm:64"]
    assert "3 T tokens" in ask(*asked).out
    monkeypatch.setenv("OUTLAY_TOKENS", "2T")
    assert "2 T tokens" in ask(*asked).out
    assert "1 T tokens" in ask(*asked, "--tokens", "1T").out


def test_flat_keys_serve_every_verb_that_has_them(ask, tmp_path):
    (tmp_path / "outlay.toml").write_text('format = "json"\ngpus-per-node = 8\n')
    assert json.loads(ask("show", "models").out)
    assert json.loads(ask(*LLAMA[:-2]).out)["schema"] == "outlay/statement/1"


def test_where_a_value_came_from_is_said(ask, tmp_path, monkeypatch):
    (tmp_path / "outlay.toml").write_text("seq = 4096\n")
    monkeypatch.setenv("OUTLAY_PUE", "1.3")
    out = " ".join(ask(*LLAMA[:-2]).out.split())
    assert "--seq 4096 (outlay.toml)" in out
    assert "--pue 1.3 (environment)" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tokns = 1\n", ["tokns", "tokens"]),
        ("[cots]\n", ["cots", "cost"]),
        ("[cost.training]\nprovidr = 'x'\n", ["providr", "provider"]),
        ("[cost.training]\ntokens = [1]\n", ["tokens"]),
        ("seq = \n", ["outlay.toml"]),
        ("\x00", ["outlay.toml"]),
    ],
)
def test_wrong_files(ask, tmp_path, text, words):
    (tmp_path / "outlay.toml").write_text(text)
    answer = ask(*LLAMA)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert all(word in answer.err for word in words), answer.err


def test_a_folder_of_that_name(ask, tmp_path):
    (tmp_path / "outlay.toml").mkdir()
    assert ask(*LLAMA).code == 2


def test_unknown_variable(ask, monkeypatch):
    monkeypatch.setenv("OUTLAY_TOKNES", "1T")
    answer = ask(*LLAMA)
    assert answer.code == 2
    assert "OUTLAY_TOKNES" in answer.err
    assert "outlay_tokens" in answer.err.lower()


def test_a_variable_of_another_verb_is_no_error(ask, monkeypatch):
    monkeypatch.setenv("OUTLAY_TOKENS", "1T")
    assert ask("show", "models").code == 0


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("cost training gpt2 --tier ", "on-demand"),
        ("cost training gpt2 --tier s", "spot"),
        ("show prices --tier o", "on-demand"),
        ("cost training gpt2 --provider lamb", "lambda"),
        ("cost training gpt2 --precision b", "bf16"),
        ("cost training gpt2 --optimizer l", "lion"),
        ("cost training gpt2 --grid wor", "world"),
        ("cost training gpt2 --on h100-p", "h100-pcie-80gb:"),
    ],
)
def test_values_are_completed(words, first, monkeypatch, capsys):
    from outlay.cli.main import cli

    parts = ["outlay", *words.split(" ")]
    monkeypatch.setenv("_OUTLAY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(parts))
    monkeypatch.setenv("COMP_CWORD", str(len(parts) - 1))
    with pytest.raises(SystemExit):
        cli.main(prog_name="outlay", args=[])
    assert capsys.readouterr().out.splitlines()[0] == f"plain,{first}"


def test_completion(monkeypatch, capsys):
    from outlay.cli.main import cli

    monkeypatch.setenv("_OUTLAY_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "outlay cost training llama-3-")
    monkeypatch.setenv("COMP_CWORD", "3")
    with pytest.raises(SystemExit):
        cli.main(prog_name="outlay", args=[])
    assert "llama-3-8b" in capsys.readouterr().out
