"""Everything that can be asked wrongly: one error, a hint, exit 2, nothing on stdout, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LLAMA = ["cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64"]


def training(model: object = "llama-3-8b", **flags: object) -> list[str]:
    """The plain question with some flags changed; None leaves one out."""
    asked: dict[str, object] = {"tokens": "1T", "on": "h100-sxm:64", **flags}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items() if value is not None]
    return ["cost", "training", str(model), *words]


def refused(answer, *words: str) -> None:
    assert answer.out == ""
    assert answer.code == 2, answer.err
    assert answer.err.count("error: ") == 1, answer.err
    assert answer.err.startswith("error: ")
    assert "\nhint: " in answer.err
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err, answer.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"model": "llama-3-8c"}, ["`llama-3-8c`", "`llama-3-8b`"]),
        ({"model": ""}, []),
        ({"on": "h100-smx:64"}, ["h100-smx", "h100-sxm"]),
        ({"on": "h100:64"}, ["h100-sxm", "h100-pcie", ":64"]),
        ({"on": "a100-sxm:64"}, ["a100-sxm-40gb", "a100-sxm-80gb"]),
        ({"on": ""}, []),
        ({"on": ":8"}, []),
        ({"on": "h100-sxm:8,a100-sxm-80gb:8"}, []),
        ({"on": None}, ["--on"]),
        ({"tokens": None}, ["--tokens"]),
        ({"provider": "runpodd"}, ["runpod"]),
        ({"grid": "frnace"}, ["grid"]),
        ({"tier": "on-demnad"}, ["on-demand"]),
        ({"precision": "bf17"}, ["bf16"]),
        ({"optimizer": "adamx"}, ["adam"]),
        ({"recompute": "some"}, ["selective"]),
        ({"interconnect": "fast"}, ["interconnect"]),
    ],
)
def test_names(ask, flags, words):
    refused(ask(*training(**flags)), *words)


@pytest.mark.parametrize("count", ["0", "-8", "8.5", "nan", "inf", "1e400", "many", "", "99999999999999999999", "1e2x"])
def test_counts(ask, count):
    refused(ask(*training(on=f"h100-sxm:{count}")), "--on")


@pytest.mark.parametrize("flag", ["tokens", "seq", "batch", "price", "pue", "gpus_per_node", "checkpoints"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf", "1e400", "lots", "", "0x10", "1,5 apples", "١٢"])
def test_numbers(ask, flag, value):
    if (flag, value) in {("price", "0"), ("checkpoints", "0")}:
        pytest.skip("nothing to pay, nothing kept: both are answers")
    refused(ask(*training(**{flag: value})), f"--{flag.replace('_', '-')}")


@pytest.mark.parametrize("flag", ["seq", "batch", "gpus_per_node", "checkpoints"])
def test_fractions_of_things(ask, flag):
    refused(ask(*training(**{flag: "2.5"})), f"--{flag.replace('_', '-')}", "whole")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("discount", "130%"),
        ("discount", "-5%"),
        ("discount", "nan"),
        ("lost_work", "100%"),
        ("lost_work", "-1%"),
        ("pue", "0.9"),
    ],
)
def test_shares(ask, flag, value):
    refused(ask(*training(**{flag: value})), f"--{flag.replace('_', '-')}")


def test_an_amount_of_data_has_a_unit(ask):
    refused(ask(*training(data="4")), "`--data` is 4", "GB or TB", "hint: write `--data 4TB`")
    assert ask(*training(data="0")).code == ask(*training(data="4TB")).code == 0


def test_the_hint_for_a_batch_is_a_batch(ask):
    refused(ask(*training(batch="tokens")), "`--batch '4M tokens'`")
    refused(ask(*training(tokens="tokens")), "`--tokens 15T`")


def test_a_computer_is_answered_with_its_chips(ask):
    answer = ask(*training(on="macbook:1"))
    refused(answer, "`macbook` is a computer", "m3-max", "hint: write `--on m")
    assert ask(*training(model="gpt2", on=answer.err.rpartition("--on ")[2].partition("`")[0])).code == 0
    refused(ask(*training(on="MacBook Pro M3 Max")), "hint: write `--on m3-max:1`")
    refused(ask(*training(on="h100-smx:8")), "did you mean `h100-sxm")
    refused(ask(*training(on="machine:8")), "`outlay show accelerators` lists all")


@pytest.mark.parametrize("key", ["seconds", "joules", "kg_co2e"])
def test_a_report_of_time_before_the_start_is_refused(ask, tmp_path, key):
    import json

    ask(*training(), "-o", "answer.json")
    document = json.loads((tmp_path / "answer.json").read_text())
    document["answer"][key]["value"] = {"low": -4.0, "likely": -3.0, "high": -2.0}
    (tmp_path / "answer.json").write_text(json.dumps(document))
    refused(ask("report", "answer.json"), f"`{key}` is below zero")


@pytest.mark.parametrize("tokens", ["1 T parameters", "15T seconds", "one trillion", "1T1", "1e"])
def test_tokens_as_text(ask, tokens):
    refused(ask(*training(tokens=tokens)), "--tokens")


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("tp=7", ["tp", "7"]),
        ("tp=8,pp=3,dp=2", []),
        ("xp=8", ["xp"]),
        ("tp=8,tp=4", ["twice"]),
        ("tp", []),
        ("tp=0", []),
        ("tp=-8", []),
        ("tp=2.5", []),
        ("tp=nan", []),
        ("tp=eight", []),
        ("zero=4", []),
        ("ep=8", []),
        ("tp=8,pp=33", []),
        ("dp=3", []),
        ("tp=99999999999999999999", []),
    ],
)
def test_layouts(ask, layout, words):
    refused(ask(*training(layout=layout)), "hint", *words)


def test_a_sequence_longer_than_learned_positions_or_absurd(ask):
    refused(ask(*training(seq="1e12")), "--seq")


def config(tmp_path: Path, **changes: object) -> Path:
    facts: dict[str, object] = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        **changes,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: value for name, value in facts.items() if value is not None}))
    return path


QUESTIONS = pytest.mark.parametrize("ask_of", [training, lambda path: ["show", "models", str(path)]])


@QUESTIONS
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", []),
        (b"{", []),
        (b"not json", []),
        (b"[1, 2]", []),
        (b"null", []),
        (b"{}", []),
        (b'"llama"', []),
        (b"\xff\xfe\x00", []),
        (b'{"model_type": "llama", "hidden_size": NaN}', []),
        (b'{"model_type": "resnet", "num_channels": 3}', ["resnet"]),
        (b'{"hello": "world"}', []),
        (b"[" * 200_000 + b"]" * 200_000, []),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, []),
    ],
    ids=[
        "empty",
        "open",
        "text",
        "list",
        "null",
        "object",
        "string",
        "binary",
        "nan",
        "foreign",
        "stranger",
        "nested",
        "deep",
    ],
)
def test_broken_configs(ask, tmp_path, ask_of, content, words):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    refused(ask(*ask_of(path)), *words)


@QUESTIONS
def test_sixty_megabytes(ask, tmp_path, ask_of):
    path = tmp_path / "config.json"
    path.write_bytes(b'{"model_type": "llama", "padding": "' + b"x" * 60_000_000 + b'"}')
    refused(ask(*ask_of(path)))


@QUESTIONS
def test_all_missing_keys_are_named_at_once(ask, tmp_path, ask_of):
    path = config(tmp_path, hidden_size=None, num_hidden_layers=None, vocab_size=None)
    refused(ask(*ask_of(path)), "hidden_size", "num_hidden_layers", "vocab_size")


@QUESTIONS
@pytest.mark.parametrize(
    "changes",
    [
        {"vocab_size": 0},
        {"vocab_size": -1},
        {"hidden_size": 0},
        {"num_hidden_layers": 1.5},
        {"num_attention_heads": "many"},
        {"num_attention_heads": 0},
        {"num_hidden_layers": True},
        {"vocab_size": [1, 2]},
        {"num_hidden_layers": 10**30},
    ],
    ids=str,
)
def test_impossible_configs(ask, tmp_path, ask_of, changes):
    refused(ask(*ask_of(config(tmp_path, **changes))), next(iter(changes)))


@QUESTIONS
def test_folders_and_missing_files(ask, tmp_path, ask_of):
    refused(ask(*ask_of(tmp_path)))
    refused(ask(*ask_of(tmp_path / "no-such-config.json")), "no-such-config.json")


STATEMENT_VERBS = pytest.mark.parametrize(
    "words", [["report"], ["cite"], ["explain", "Accelerators"], ["diff"]], ids=lambda words: words[0]
)


@STATEMENT_VERBS
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"null", b'{"schema": "outlay/statement/99"}', b'{"schema": "outlay/statement/1"}', b"\xff\xfe",
     b"[" * 200_000, b'{"schema": "outlay/statement/1", "lines": "none"}', b"x" * 60_000_000],
    ids=["empty", "open", "list", "object", "null", "future", "bare", "binary", "nested", "wrong", "large"],
)  # fmt: skip
def test_broken_statements(ask, tmp_path, words, content):
    path = tmp_path / "answer.json"
    path.write_bytes(content)
    refused(ask(*words, *([path, path] if words == ["diff"] else [path])), "answer.json")


@STATEMENT_VERBS
def test_statements_that_are_not_there(ask, tmp_path, words):
    for path in (tmp_path, tmp_path / "none.json"):
        refused(ask(*words, *([path, path] if words == ["diff"] else [path])))


def test_no_last_answer(ask):
    refused(ask("explain", "Accelerators"), "no last answer")


def test_unwritable_output(ask, tmp_path):
    refused(ask(*LLAMA, "-o", tmp_path), "folder")
    refused(ask(*LLAMA, "-o", tmp_path / "no" / "answer.json"), "there is no folder")
    refused(ask(*LLAMA, "-o", "/proc/answer.json"), "cannot be written")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_keeps_the_answer(ask):
    answer = ask(*LLAMA, "-o", "/dev/full")
    refused(answer, "No space left on device")
    assert ask("report").code == 0


@pytest.mark.parametrize(
    "content", ["[[[[", "x = ", "\x00", "[accelerators.mine]\nmemory = 'lots'\n", "nonsense = 1\n"], ids=range(5)
)
def test_broken_catalogs(ask, tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    refused(ask(*LLAMA, "--catalog", path), "mine.toml")
    refused(ask(*LLAMA, "--catalog", tmp_path))
    refused(ask(*LLAMA, "--catalog", tmp_path / "none.toml"), "none.toml")


@pytest.mark.parametrize(
    ("noun", "word"),
    [
        ("accelerators", "h100-smx"),
        ("models", "lama-3-8b"),
        ("prices", "runpodd"),
        ("grids", "frnace"),
        ("laws", "chinchila"),
    ],
)
def test_unknown_names_to_show(ask, noun, word):
    refused(ask("show", noun, word), word)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], ["budget is missing", "outlay size --under 1M"]),
        (["--under", "1M", "--flop", "1e22"], ["two budgets"]),
        (["--flop", "1e22", "--law", "besirglu"], ["`besirglu`", "`besiroglu`"]),
        (["--flop", "1e22", "--tokens-served", "lots"], ["--tokens-served"]),
        (["--flop", "1e22", "--unique-tokens", "2.5"], ["--unique-tokens", "whole"]),
        (["--under", "1M", "--on", "h100-smx"], ["h100-smx", "h100-sxm"]),
        (["--under", "1M", "--provider", "runpodd"], ["runpod"]),
        (["--under", "1M", "--utilisation", "0"], ["--utilisation"]),
        (["--fit", "none.csv"], ["none.csv"]),
        (["--fit", "."], ["folder"]),
        (["--fit", "few.csv"], ["2 runs cannot fit a law of 5 constants"]),
        (["--fit", "bad.csv"], ["line 2, `tokens`: `-3`", "line 3, `loss`: `high`"]),
    ],
    ids=str,
)
def test_sizes(ask, tmp_path, words, says):
    (tmp_path / "few.csv").write_text("parameters,tokens,loss\n1e9,2e10,2.5\n2e9,2e10,2.4\n")
    (tmp_path / "bad.csv").write_text("parameters,tokens,loss\n1e9,-3,2.5\n2e9,2e10,high\n")
    refused(ask("size", *words), *says)


def test_a_budget_for_no_model_is_no(ask):
    answer = ask("size", "--flop", "5")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("no: ")
    assert ask("size", *answer.err.partition("write `")[2].partition("`")[0].split()).code == 0


def run(
    *arguments: str, stdout: int | object = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "outlay.cli", *arguments],
        stdout=stdout,  # type: ignore[arg-type]
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_under_stdout():
    with open("/dev/full", "w") as full:
        answer = run("show", "models", stdout=full)
    assert answer.returncode == 2
    assert "No space left on device" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "Exception ignored" not in answer.stderr


def test_a_reader_that_leaves_is_quiet():
    read, write = os.pipe()
    os.close(read)
    answer = run("show", "models", "--format", "json", stdout=write)
    os.close(write)
    assert answer.returncode == 141
    assert answer.stderr == ""


def test_a_terminal_without_letters():
    answer = run("show", "models", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert answer.returncode == 0, answer.stderr
