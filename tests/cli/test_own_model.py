"""Launch files of a model that no hub has: an engine is given a folder, and told what is to be in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from outlay import catalog

ASKED = ("--rate", "1/s", "--input", 500, "--output", 100, "--on", "h100-sxm", "--count", "1")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "our-llama"
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps(dict(catalog.model_config("llama-3-8b").config)), encoding="utf-8")
    return path


@pytest.mark.parametrize("tool", ["vllm", "sglang", "trtllm"])
def test_a_shell_script_names_the_folder_of_the_config(ask: Any, config: Path, tool: str) -> None:
    answer = ask("plan", "serving", config, *ASKED, "--export", tool)
    command = [line for line in answer.out.splitlines() if not line.startswith("#")]
    assert not any(".json" in line for line in command)
    assert any(str(config.parent) in line.split() for line in command)
    assert f"note: {config.parent} stands for the folder" in answer.out


@pytest.mark.parametrize(
    ("tool", "engine"), [("k8s", "vllm"), ("k8s", "trtllm"), ("k8s", "sglang"), ("dynamo", "vllm")]
)
def test_a_container_has_it_mounted(ask: Any, config: Path, tool: str, engine: str) -> None:
    answer = ask("plan", "serving", config, *ASKED, "--engine", engine, "--export", tool)
    assert str(config.parent) not in answer.out
    assert "/models/our-llama" in answer.out
    assert "note: /models/our-llama stands for the folder" in answer.out and "mount it there" in answer.out
    assert "name: our-llama\n" in answer.out


def test_a_config_of_another_name_stands_in_no_folder_yet(ask: Any, config: Path) -> None:
    other = config.rename(config.with_name("ok.json"))
    answer = ask("plan", "serving", other, *ASKED, "--export", "vllm")
    assert "vllm serve ./ok " in answer.out


@pytest.mark.parametrize("model", ["llama-3-8b", "meta-llama/Meta-Llama-3-8B", "meta-llama/meta-llama-3-8b"])
def test_models_of_a_hub_keep_their_id(ask: Any, model: str) -> None:
    answer = ask("plan", "serving", model, *ASKED, "--export", "vllm")
    assert "vllm serve meta-llama/Meta-Llama-3-8B " in answer.out and "stands for the folder" not in answer.out
