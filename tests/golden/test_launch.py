"""Two launch files as they are written: a change in either is read before it is committed (`UPDATE_GOLDEN=1`)."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from outlay.cli import main

FILES = Path(__file__).parent / "launch"
EXPORTS = {
    "llama-3.1-405b.megatron.sh": [
        *("llama-3.1-405b", "--tokens", "15.6T", "--on", "h100-sxm:16384", "--seq", "8192", "--batch", "2048"),
        *("--layout", "tp=8,pp=16,vpp=4,mbs=1,zero=1,recompute=selective", "--export", "megatron"),
    ],
    "deepseek-v3.megatron.sh": [
        *("deepseek-v3", "--tokens", "14.8T", "--on", "h100-sxm:1024", "--seq", "4096", "--batch", "15360"),
        *("--layout", "tp=4,pp=8,ep=32,mbs=1,zero=1,recompute=selective", "--export", "megatron"),
    ],
    "llama-3-70b.torchtitan.toml": [
        *("llama-3-70b", "--tokens", "2T", "--on", "h100-sxm:256", "--seq", "8192", "--batch", "512"),
        *("--layout", "tp=8,zero=fsdp,shard=16,mbs=1,sp=on,recompute=full", "--export", "torchtitan"),
    ],
}


@pytest.mark.parametrize("name", EXPORTS)
def test_file(name, tmp_path, capsys, update, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["cost", "training", *EXPORTS[name]]) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    file = FILES / name
    if update:
        FILES.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    kept = file.read_text(encoding="utf-8")
    assert text == kept, "\n".join(difflib.unified_diff(kept.splitlines(), text.splitlines(), lineterm=""))
