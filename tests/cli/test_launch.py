"""`--export`, `outlay import` and `--import`: from a plan to its files and back to its price."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

PLAN = ["cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64", "--layout", "tp=2,zero=1,mbs=2"]
SAID = [
    "--seq",
    "8192",
    "--batch",
    "512",
    "--precision",
    "bf16",
    "--optimizer",
    "adamw",
    "--framework",
    "megatron-core",
]


def test_the_file_goes_to_the_screen_and_its_remarks_beside_it(ask) -> None:
    answer = ask(*PLAN, "--export", "megatron")
    assert answer.code == 0
    assert answer.out.startswith("#!/usr/bin/env bash\n")
    assert "--tensor-model-parallel-size 2\n" in answer.out
    assert "note: data, tokenizer" in answer.err


def test_several_go_to_a_folder(ask) -> None:
    answer = ask(*PLAN, "--export", "megatron", "--export", "slurm", "-o", "launch/")
    assert (answer.code, answer.out) == (0, "")
    assert {path.name for path in Path("launch").iterdir()} == {"megatron.sh", "train.sbatch"}
    assert Path("launch/megatron.sh").stat().st_mode & 0o111


def test_what_is_there_is_replaced_only_when_told(ask) -> None:
    Path("launch").mkdir()
    Path("launch/train.sbatch").write_text("mine")
    asked = [*PLAN, "--export", "megatron", "--export", "slurm", "-o", "launch"]
    answer = ask(*asked)
    assert answer.code == 2
    assert "`launch/train.sbatch` is there already" in answer.err
    assert [path.read_text() for path in Path("launch").iterdir()] == ["mine"]
    assert ask(*asked, "--overwrite").code == 0
    assert Path("launch/train.sbatch").read_text().startswith("#!")


def test_a_plan_is_exported_in_the_layout_that_it_names(ask) -> None:
    asked = ["plan", "training", "llama-3-8b", "--tokens", "100B", "--on", "h100-sxm", "--count", "32,64"]
    shown = " ".join(ask(*asked).out.split())
    file = ask(*asked, "--export", "megatron")
    assert (file.code, file.out.count("#!/usr/bin/env bash\n")) == (0, 1)
    layout = next(line for line in file.out.splitlines() if line.startswith("# layout")).split()[2].rstrip(",")
    assert f"in layout {layout};" in shown
    assert ask(*asked, "--under", "1", "--export", "megatron").code == 1
    assert "--format" in ask(*asked, "--export", "megatron", "--format", "json").err


def test_a_plan_keeps_to_what_its_tool_can_run_and_says_what_that_costs(ask) -> None:
    asked = ["plan", "training", "llama-3-8b", "--tokens", "100B", "--on", "h100-sxm", "--count", "64"]
    best = json.loads(ask(*asked, "--format", "json").out)
    file = ask(*asked, "--export", "torchtitan", "-o", "run.toml")
    assert file.code == 0
    note = next(line for line in file.err.splitlines() if "is not one that torchtitan can run" in line)
    assert "zero=1" in note
    layout = next(line for line in Path("run.toml").read_text().splitlines() if line.startswith("# layout"))
    alone = ["cost", *asked[1:6], "h100-sxm:64", "--provider", "hyperstack", "--layout", layout.split()[2].rstrip(",")]
    priced = json.loads(ask(*alone, "--format", "json").out)
    more = priced["total"]["amount"]["likely"] - best["total"]["amount"]["likely"]
    assert more > 0
    assert f"costs ${more:,.2f} more" in note or f"costs ${more:,.0f} more" in note


@pytest.mark.parametrize("tool", ["torchtitan", "fsdp2", "deepspeed", "accelerate", "nemo", "megatron", "slurm"])
@pytest.mark.parametrize("model", ["llama-3-8b", "mixtral-8x7b"])
def test_every_tool_can_start_a_plan_of_its_own(ask, tool: str, model: str) -> None:
    asked = ["plan", "training", model, "--tokens", "100B", "--on", "h100-sxm", "--count", "64"]
    answer = ask(*asked, "--export", tool)
    assert answer.code == 0, answer.err
    assert "note: this is 64 × h100-sxm-80gb" in answer.err


def test_a_training_keeps_to_its_tool_too(ask) -> None:
    answer = ask(*PLAN[:7], "--export", "torchtitan")
    assert answer.code == 0
    assert "note: the fastest layout, dp=64,mbs=1,zero=1, is not one that torchtitan can run" in answer.err


def test_what_no_tool_can_run_is_refused_with_what_would_be(ask) -> None:
    asked = ["plan", "training", "gpt2", "--tokens", "1B", "--on", "h100-sxm", "--count", "8", "--export", "torchtitan"]
    answer = ask(*asked, "--precision", "fp16")
    assert answer.code == 2
    assert "no setting for the precision fp16" in answer.err
    assert "--precision bf16" in answer.err
    answer = ask(*asked, "--under", "0.01")
    assert answer.code == 1
    assert "of what torchtitan can run" in answer.err
    Path("run.csv").write_text("stage,tokens\na,1B\n")
    assert ask(*asked[:3], "--stages", "run.csv", "--export", "megatron").code == 2


def test_one_goes_to_a_file(ask) -> None:
    assert ask(*PLAN, "--export", "megatron", "-o", "run.sh").code == 0
    assert "saved in" not in Path("run.sh").read_text("utf-8")


def test_an_export_prices_like_the_plan_it_came_from(ask) -> None:
    assert ask(*PLAN, *SAID, "--export", "megatron", "-o", "run.sh").code == 0
    before = json.loads(ask(*PLAN, *SAID, "--format", "json").out)
    after = json.loads(ask("cost", "training", "--import", "run.sh", "--on", "h100-sxm", "--format", "json").out)
    assert after["title"] == before["title"]
    # steps are whole: a few tokens more
    assert after["total"]["amount"]["likely"] == pytest.approx(before["total"]["amount"]["likely"], rel=1e-4)
    assert any("Read from run.sh (megatron)" in note for note in after["notes"])


def test_import_prints_a_command_that_works(ask) -> None:
    assert ask(*PLAN, *SAID, "--export", "megatron", "-o", "run.sh").code == 0
    answer = ask("import", "run.sh", "--on", "h100-sxm")
    assert answer.code == 0
    words = answer.out.split()
    assert words[:4] == ["outlay", "cost", "training", "llama-3-8b"]
    assert "tp=2,pp=1,vpp=1,cp=1,dp=32,mbs=2,zero=1,sp=on,recompute=none" in words
    assert ask(*words[1:]).code == 0


def test_import_as_json_and_from_a_pipe(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"zero_optimization": {"stage": 2}}'))
    found = json.loads(ask("import", "-", "--from", "deepspeed", "--format", "json").out)
    assert (found["schema"], found["from"]) == ("outlay/import/1", "deepspeed")
    assert "zero=2" in found["layout"]


def test_flags_go_before_the_file(ask) -> None:
    Path("ds.json").write_text('{"train_micro_batch_size_per_gpu": 2, "zero_optimization": {"stage": 3}}')
    asked = ["cost", "training", "gpt2", "--import", "ds.json", "--on", "h100-sxm:8", "--tokens", "1B"]
    assert json.loads(ask(*asked, "--format", "json").out)["inputs"]["layout"].endswith("mbs=2,zero=3")
    changed = json.loads(ask(*asked, "--layout", "zero=2", "--recompute", "full", "--format", "json").out)
    assert changed["inputs"]["layout"] == "zero=2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*PLAN, "--export", "megatrom"], ["megatrom"]),
        ([*PLAN, "--export", "megatron", "--export", "slurm"], ["folder", "-o launch/"]),
        ([*PLAN, "--export", "megatron", "--format", "json"], ["--format"]),
        ([*PLAN, "--overwrite"], ["--export"]),
        ([*PLAN, "--export", "megatron", "-o", "good.sh"], ["good.sh", "--overwrite"]),
        ([*PLAN, "--export", "megatron", "-o", "there/is/none.sh"], ["no folder"]),
        ([*PLAN, "--export", "torchtitan"], ["ZeRO-1", "zero=3"]),
        (["import", "absent.sh"], ["absent.sh"]),
        (["import"], ["FILE"]),
        (["import", "strange.sh"], ["--foo", "--tensor-model-paralel-size", "--ignore-unknown"]),
        (["import", "strange.sh", "--from", "fsdp"], ["fsdp"]),
        (["cost", "training", "--import", "strange.sh", "--on", "h100-sxm"], ["--foo"]),
        (["cost", "training", "gpt2", "--import", "good.sh", "--tokens", "1B"], ["--on"]),
        (["cost", "training", "--import", "good.sh", "--on", "h100-sxm:8", "--tokens", "1B"], ["does not say what"]),
        (["cost", "training", "gpt2", "--import", "good.sh", "--on", "h100-sxm:8"], ["--tokens"]),
        (["cost", "training", "gpt2", "--import", "good.sh", "--on", "h100-sxm:4", "--tokens", "1B"], ["h100-sxm:8"]),
        (["cost", "training"], ["MODEL"]),
    ],
)
def test_refused(ask, arguments: list[str], words: list[str]) -> None:
    Path("strange.sh").write_text("pretrain.py --tensor-model-paralel-size 8 --foo 3")
    Path("good.sh").write_text("torchrun --nproc-per-node 8 --nnodes 1 pretrain.py --tensor-model-parallel-size 2")
    answer = ask(*arguments)
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert "\nhint: " in answer.err
    for word in words:
        assert word in answer.err, answer.err


def test_a_vocabulary_that_nobody_says(ask) -> None:
    Path("small.sh").write_text(
        "torchrun --nproc-per-node 8 --nnodes 1 pretrain.py --num-layers 7 --hidden-size 640 --num-attention-heads 10 "
        "--seq-length 1024 --global-batch-size 64 --train-iters 100 --micro-batch-size 1 --bf16"
    )
    asked = ["cost", "training", "--import", "small.sh", "--on", "a100-sxm-80gb"]
    assert "vocabulary" in ask(*asked).err
    Path("small.sh").write_text(Path("small.sh").read_text() + " --vocab-size 50304")
    answer = ask(*asked)
    assert answer.code == 0, answer.err


def test_a_plan_that_does_not_fit_is_a_no(ask) -> None:
    answer = ask("cost", "training", "llama-3.1-405b", "--tokens", "1T", "--on", "h100-sxm:8", "--export", "megatron")
    assert (answer.code, answer.out) == (1, "")


@pytest.mark.parametrize(("export", "loaded"), [([], False), (["--export", "slurm"], True)])
def test_launch_files_cost_nothing_until_they_are_asked_for(export: list[str], loaded: bool) -> None:
    code = (
        "import sys; from outlay.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or any(name.startswith('outlay.training.launch') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, *PLAN, *export], capture_output=True, check=False)
    assert done.returncode == int(loaded), done.stderr


def test_a_chip_that_nobody_knows_is_put_into_no_command(ask) -> None:
    Path("run.sh").write_text("pretrain_gpt.py --num-layers 12 --hidden-size 768 --num-attention-heads 12\n")
    answer = ask("import", "run.sh", "--on", "h100-smx")
    assert (answer.code, answer.out) == (2, "")
    assert "did you mean `h100-sxm" in answer.err
