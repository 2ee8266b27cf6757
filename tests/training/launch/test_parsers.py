"""What outlay writes, read by the tools' own parsers. Where a tool is not installed, its keys stand in `keys.csv`."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from tests.training.launch.plans import plan, plans

from outlay.errors import InputError
from outlay.training.launch import Plan, write
from outlay.training.launch.keys import flatten, known
from outlay.training.launch.megatron import arguments, environment, words

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def text(tool: str, plan: Plan) -> str | None:
    """The file, or None where the tool cannot run the plan."""
    try:
        return write(tool, plan).text
    except InputError:
        return None


@some
@given(plan=plans())
def test_every_key_is_one_of_the_tool(plan: Plan) -> None:
    if found := text("torchtitan", plan):
        assert flatten("torchtitan", tomllib.loads(found)).keys() <= known("torchtitan").keys()
    if found := text("deepspeed", plan):
        assert flatten("deepspeed", json.loads(found)).keys() <= known("deepspeed").keys()
    if found := text("accelerate", plan):
        assert flatten("accelerate", yaml.safe_load(found)).keys() <= known("accelerate").keys()
    if text("megatron", plan):
        for line in arguments(plan)[0]:
            name, *values = words([line])
            takes = known("megatron")[name.removeprefix("--")][1]
            assert {"flag": not values, "value": len(values) == 1, "many": bool(values)}[takes], line


@some
@given(plan=plans())
def test_python_is_python_and_shell_is_shell(plan: Plan) -> None:
    for tool in ("fsdp2", "nemo"):
        if found := text(tool, plan):
            ast.parse(found)
    if found := text("skypilot", plan):
        task = yaml.safe_load(found)
        assert task.keys() <= {"name", "num_nodes", "resources", "run"}  # SkyPilot 0.14, sky/utils/schemas.py
        chip, _, count = task["resources"]["accelerators"].partition(":")
        assert chip == "H100"
        assert task["num_nodes"] * int(count) == plan.devices


@pytest.mark.parametrize("tool", ["megatron", "slurm"])
def test_bash_takes_the_script(tool: str, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text(write(tool, plan("deepseek-v3", data=64, pipeline=8, expert=32, recompute=1)).text, "utf-8")
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_sbatch_options_are_documented_ones() -> None:
    found = re.findall(r"^#SBATCH --([a-z-]+)", write("slurm", plan(data=64)).text, flags=re.MULTILINE)
    # https://slurm.schedmd.com/sbatch.html, read 2026-11-24
    assert set(found) <= {"job-name", "nodes", "ntasks-per-node", "gpus-per-node", "exclusive", "output"}
    assert "--nodes=8\n" in write("slurm", plan(data=64)).text


@pytest.mark.torch
@some
@given(plan=plans())
def test_accelerate_takes_its_yaml(plan: Plan) -> None:
    config_args = pytest.importorskip("accelerate.commands.config.config_args")
    launch = pytest.importorskip("accelerate.commands.launch")
    found = text("accelerate", plan)
    if found is None:
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "accelerate.yaml"
        path.write_text(found, "utf-8")
        config = config_args.load_config_from_file(str(path))
        given = launch.launch_command_parser().parse_args(
            ["--config_file", str(path), "--main_process_ip", "127.0.0.1", "--main_process_port", "29500", "train.py"]
        )
        given, _, _ = launch._validate_launch_command(given)
    assert config.num_processes == given.num_processes == plan.devices
    if config.parallelism_config:
        assert given.parallelism_config_tp_size == plan.layout.tensor
    if config.megatron_lm_config:
        assert given.megatron_lm_pp_degree == plan.layout.pipeline


@pytest.mark.torch
@some
@given(plan=plans())
def test_skypilot_takes_its_task(plan: Plan) -> None:
    schemas = pytest.importorskip("sky.utils.schemas")
    jsonschema = pytest.importorskip("jsonschema")
    if found := text("skypilot", plan):
        jsonschema.validate(yaml.safe_load(found), schemas.get_task_schema())


@pytest.mark.torch
@some
@given(plan=plans())
def test_deepspeed_takes_its_json(plan: Plan) -> None:
    zero = pytest.importorskip("deepspeed.runtime.zero.config")
    if found := text("deepspeed", plan):
        config = zero.DeepSpeedZeroConfig(**json.loads(found)["zero_optimization"])
        assert config.stage == plan.layout.zero


@pytest.mark.torch
@some
@given(plan=plans())
def test_torchtitan_takes_its_toml(plan: Plan) -> None:
    manager = pytest.importorskip("torchtitan.config.manager")
    if not hasattr(pytest.importorskip("torchtitan.config"), "JobConfig"):
        pytest.skip("torchtitan 0.3 takes no TOML")
    found = text("torchtitan", plan)
    if found is None:
        return
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(found)
        file.flush()
        config = manager.ConfigManager().parse_args(["--job.config_file", file.name])
    assert config.parallelism.pipeline_parallel_degree == plan.layout.pipeline


@pytest.mark.torch
@some
@given(plan=plans())
def test_megatron_takes_its_arguments(plan: Plan) -> None:
    import argparse

    module = pytest.importorskip("megatron.training.arguments", exc_type=ImportError)
    if text("megatron", plan):
        parser = module.add_megatron_arguments(argparse.ArgumentParser(allow_abbrev=False))
        yours = ["--lr", "1e-4", "--min-lr", "1e-5", "--tokenizer-type", "NullTokenizer", "--mock-data"]
        given = parser.parse_args([*words(arguments(plan)[0]), *yours])
        assert given.tensor_model_parallel_size == plan.layout.tensor
        given.rank, given.local_rank, given.world_size = 0, 0, plan.devices
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("CUDA_DEVICE_MAX_CONNECTIONS", raising=False)
            for setting in environment(plan):
                patch.setenv(*setting.split("="))
            torch = pytest.importorskip("torch")
            patch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
            patch.setattr(torch.cuda, "get_device_properties", lambda *_: SimpleNamespace(major=9, minor=0))
            module.validate_args(given)
        assert given.data_parallel_size == plan.layout.data
