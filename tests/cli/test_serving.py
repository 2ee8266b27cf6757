"""`outlay cost serving` as it is typed: answers, and everything that can be asked wrongly."""

from __future__ import annotations

import json

import pytest


def serving(model: object = "llama-3-8b", **flags: object) -> list[str]:
    """The plain question with some flags changed; None leaves one out."""
    asked: dict[str, object] = {"on": "h100-sxm:1", "input": 1024, "output": 256, "rate": "2/s", **flags}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items() if value is not None]
    return ["cost", "serving", str(model), *words]


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
        ({"model": "llama-3-8c"}, ["`llama-3-8b`"]),
        ({"model": "bert-large"}, ["token by token"]),
        ({"on": None}, ["--on"]),
        ({"on": "h100-smx:8"}, ["h100-sxm"]),
        ({"on": "h100:8"}, ["h100-pcie", ":8"]),
        ({"on": "h100-sxm:0"}, ["positive whole number"]),
        ({"engine": "vlm"}, ["`vlm`", "outlay show engines"]),
        ({"engine": ""}, []),
        ({"quant": "fp9"}, ["outlay show formats"]),
        ({"quant": ""}, ["--quant"]),
        ({"quant": "mxfp4"}, ["experts"]),
        ({"quant": "q4_k_m", "engine": "vllm"}, ["llama.cpp", "--engine llamacpp"]),
        ({"kv": "fp7"}, ["cache"]),
        ({"provider": "runpodd"}, ["runpod"]),
        ({"grid": "frnace"}, ["grid"]),
        ({"layout": "tp=3"}, ["tp=3"]),
        ({"layout": "tp=2"}, ["2 devices", "--on h100-sxm:2"]),
        ({"layout": "zero=3"}, ["of training"]),
        ({"layout": ""}, ["--layout"]),
        ({"layout": "tp=2", "on": "h100-sxm:2", "engine": "llamacpp", "quant": "q4_k_m"}, ["splits layers"]),
        ({"replicas": 2}, ["--replicas"]),
        ({"interconnect": "fast"}, ["interconnect"]),
    ],
)
def test_names(ask, flags, words):
    refused(ask(*serving(**flags)), *words)


@pytest.mark.parametrize("flag", ["input", "output", "replicas", "users", "turns", "concurrency"])
@pytest.mark.parametrize("value", ["0", "-3", "2.5", "nan", "inf", "many", "", "1e400"])
def test_counts(ask, flag, value):
    flags = {flag: value}
    if flag in ("users", "concurrency"):
        flags["rate"] = None
    refused(ask(*serving(**flags)), f"--{flag}")


@pytest.mark.parametrize("value", ["0/s", "-5/s", "5", "", "5/week", "1e30/s", "inf/s", "/s"])
def test_rates(ask, value):
    refused(ask(*serving(rate=value)), "--rate")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"rate": None}, ["load is missing", "--rate 5/s", "--users"]),
        ({"concurrency": 4}, ["`--rate` and `--concurrency`"]),
        ({"users": 100, "concurrency": 4}, ["3 loads"]),
        ({"requests_per_user": 3}, ["--users"]),
        ({"rate": None, "concurrency": 4, "peak": 2}, ["--peak"]),
        ({"peak": 0.5}, ["--peak"]),
        ({"prefix_hit": "100%"}, ["below 100%"]),
        ({"prefix_hit": "-1%"}, ["--prefix-hit"]),
        ({"output": None}, ["`--output` is missing"]),
        ({"input": None}, ["`--input` is missing"]),
        ({"input": 8000, "output": 256}, ["8,256 tokens", "8,192", "--input 7936"]),
        ({"input": 500, "turns": 100}, ["last of 100 turns", "--turns 10"]),
        ({"turns": 5000}, ["at most 1,000"]),
        ({"ttft": "500"}, ["--ttft", "ms"]),
        ({"tpot": "0ms"}, ["--tpot"]),
        ({"price": 2, "provider": "runpod"}, ["two prices"]),
        ({"hardware": "30k"}, ["--tier owned"]),
        ({"life": 3}, ["--hardware"]),
        ({"electricity": 0.2}, ["--tier owned"]),
        ({"pue": 0.5}, ["--pue"]),
        ({"acceptance": "70%"}, ["--draft"]),
        ({"draft": "mtp"}, ["no layers that predict"]),
        ({"draft": "llama-3.2-1b"}, ["`--acceptance` is missing"]),
        ({"draft": "gpt2", "acceptance": "70%"}, ["vocabulary"]),
        ({"draft": "lookup", "acceptance": "170%"}, ["--acceptance"]),
        ({"adapters": -1}, ["--adapters"]),
        ({"offload_to": "ryzen-9-7950x"}, ["llamacpp"]),
        ({"offload_to": "rtx-4090", "quant": "q4_k_m"}, ["no processor"]),
        ({"offload_to": "ryzen-9-7950x", "quant": "q4_k_m", "on": "m3-max"}, ["same memory"]),
        ({"battery": "100"}, ["--battery"]),
        ({"battery": "0Wh"}, ["--battery"]),
        ({"interval": "200"}, ["--interval"]),
        ({"prefill_on": "h100-sxm:1"}, ["--decode-on"]),
        ({"decode_on": "h100-sxm:1", "on": None}, ["--prefill-on"]),
        ({"prefill_on": "h100-sxm:1", "decode_on": "h100-sxm:1"}, ["`--on h100-sxm:1`", "do not go together"]),
        ({"prefill_on": "h100-sxm:0", "decode_on": "h100-sxm:1", "on": None}, ["h100-sxm:0"]),
        ({"prefill_on": "h100-sxm:1", "decode_on": "h100-sxm:2", "on": None, "replicas": 2}, ["--replicas"]),
    ],
)
def test_contradictions(ask, flags, words):
    refused(ask(*serving(**flags)), *words)


def test_all_problems_are_said_at_once(ask):
    answer = ask(*serving(input=0, output=-1, rate="x", turns="y"))
    refused(answer, "4 things cannot be read", "--input", "--output", "--rate", "--turns")


@pytest.mark.parametrize(
    "flags",
    [
        {"rate": "500/s"},
        {"tpot": "1ms"},
        {"model": "llama-3.1-405b"},
        {"on": "raspberry-pi-5", "quant": "q4_k_m", "rate": "1/s"},
    ],
)
def test_no_is_an_answer(ask, flags):
    answer = ask(*serving(**flags))
    assert answer.code == 1, answer.err
    assert answer.out == ""
    assert answer.err.startswith("no: ")
    assert "\nhint: " in answer.err
    assert "∞" not in answer.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["day.csv"]),
        ("arrival,input\n0,5\n", ["`output`"]),
        ("arrival,input,output\n0,5,5\n-1,5,5\n", ["row 3", "negative"]),
        ("arrival,input,output\n3,5,5\n1,5,5\n", ["row 3", "arrival", "earlier"]),
        ("arrival,input,output\n0,x,0\n1,2.5,5\n", ["row 2, `input`", "row 2, `output`", "row 3, `input`"]),
        ("arrival,input,output\n0,5,5\n", ["1 request at one moment"]),
        ("arrival,input,output\n0,5,5\n1,9000,5\n", ["request 2", "9,005 tokens", "8,192"]),
    ],
)
def test_traces(ask, tmp_path, text, words):
    (tmp_path / "day.csv").write_text(text)
    refused(ask(*serving(input=None, output=None, rate=None, trace="day.csv")), *words)


def test_a_trace_says_its_tokens_itself(ask, tmp_path):
    (tmp_path / "day.csv").write_text("arrival,input,output\n0,5,5\n1,5,5\n")
    refused(ask(*serving(rate=None, trace="day.csv")), "--input", "--output")
    refused(ask(*serving(rate=None, input=None, output=None, trace="none.csv")), "none.csv")
    answer = ask(*serving(rate=None, input=None, output=None, trace="day.csv"))
    assert answer.code == 0, answer.err
    assert "99 in 100" in answer.out


def test_tokens_and_files_do_not_meet(ask, tmp_path):
    answer = ask(*serving(), "-o", "answer.json")
    assert answer.code == 0, answer.err
    saved = json.loads((tmp_path / "answer.json").read_text())
    assert saved["inputs"]["output"] == "256"
    assert ask("report", "answer.json").out.startswith("A month of llama-3-8b")


def test_an_unpriced_line_can_be_made_a_failure(ask):
    asked = serving(on="m3-max", quant="q4_k_m", rate=None, concurrency=1)
    assert ask(*asked).code == 0
    strict = ask(*asked, "--strict")
    assert strict.code == 3 and "no price for Accelerators" in strict.err


@pytest.mark.parametrize("form", ["json", "csv", "md", "html"])
def test_every_format(ask, form):
    answer = ask(*serving(), "--format", form)
    assert answer.code == 0, answer.err
    assert answer.out.strip()


@pytest.mark.parametrize(
    "line", ["total", "tpot", "ttft", "energy", "memory", "step", "load", "costs", "answers", "utilisation"]
)
def test_every_part_is_explained(ask, line):
    assert ask(*serving()).code == 0
    answer = ask("explain", line)
    assert answer.code == 0, answer.err


def test_two_answers_are_subtracted(ask):
    assert ask(*serving(), "-o", "a.json").code == 0
    assert ask(*serving(quant="fp8"), "-o", "b.json").code == 0
    assert "each further" in ask("diff", "a.json", "b.json").out


def test_environment_has_names_of_its_own(ask, monkeypatch):
    monkeypatch.setenv("OUTLAY_INPUT_TOKENS", "100")
    answer = ask(*serving(input=None))
    assert answer.code == 0, answer.err
    assert "100 tokens in" in " ".join(answer.out.split())
    assert "--input 100 (environment)" in answer.out


@pytest.mark.parametrize(("what", "name", "said"), [("formats", "awq", "w4a16"), ("engines", "vllm", "chunk tokens")])
def test_listings(ask, what, name, said):
    listing = ask("show", what)
    assert listing.code == 0, listing.err
    assert max(map(len, listing.out.splitlines())) <= 80
    one = ask("show", what, name)
    assert one.code == 0
    assert said in one.out
    refused(ask("show", what, "nonesuch"), "nonesuch")
