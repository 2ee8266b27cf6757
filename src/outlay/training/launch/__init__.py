"""Launch: the files that training tools start from, written for a plan and read back into a layout.

Each tool has a file of its own; a new one is a module with `write(plan)`, `limits(plan)` and a line in
:data:`WRITERS`, and one with `read(text, source=, ignore_unknown=)` in :data:`READERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError, UnknownName
from outlay.training.launch.plan import Imported, Plan, Written

WRITERS = {
    "torchtitan": "torchtitan",
    "megatron": "megatron",
    "deepspeed": "deepspeed",
    "accelerate": "accelerate",
    "fsdp2": "fsdp2",
    "nemo": "nemo",
    "slurm": "slurm",
    "skypilot": "skypilot",
}
"""Tool → the module that writes its file."""

READERS = {
    "megatron": "megatron_read",
    "torchtitan": "torchtitan_read",
    "deepspeed": "deepspeed_read",
    "accelerate": "accelerate_read",
}
"""Tool → the module that reads its file."""

__all__ = ["READERS", "WRITERS", "Imported", "Plan", "Written", "able", "read", "recognise", "write"]


def write(tool: str, plan: Plan) -> Written:
    """The file with which `tool` starts this plan.

    :raises UnknownName: for another tool.
    :raises InputError: for a plan that the tool cannot run, with what would be accepted.
    """
    written = _module(tool).write(plan)
    assert isinstance(written, Written)
    return written


def able(tool: str, plan: Plan) -> NDArray[np.bool_]:
    """Which layouts of a plan, that has an array of them, `tool` can run: those that :func:`write` would not refuse.

    :raises UnknownName: for another tool.
    """
    limits = _module(tool).limits(plan)
    return np.broadcast_to(np.logical_not(limits.refused), np.shape(plan.layout.data))


def _module(tool: str) -> Any:
    name = tool.strip().lower()
    if name not in WRITERS:
        raise UnknownName("tool to export to", tool, WRITERS, listing="outlay cost training --help")
    return import_module(f"outlay.training.launch.{WRITERS[name]}")


def read(text: str, *, source: str, tool: str | None = None, ignore_unknown: bool = False) -> Imported:
    """What the file `source` with this `text` says of a run; `tool` is found from the file where it is not given.

    :raises UnknownName: for a tool whose files are not read.
    :raises InputError: for a text that is none of them, unknown keys, and values that cannot be used.
    """
    if not text.strip():
        raise InputError(f"`{source}` is empty", expected="a launch file", hint="name another file")
    name = recognise(text, source=source) if tool is None else tool.strip().lower()
    if name not in READERS:
        raise UnknownName("tool to import from", name, READERS, listing="outlay import --help")
    reader = import_module(f"outlay.training.launch.{READERS[name]}")
    imported = reader.read(text, source=source, ignore_unknown=ignore_unknown)
    assert isinstance(imported, Imported)
    return imported


def recognise(text: str, *, source: str) -> str:
    """Which tool a file belongs to: by its suffix, then by what stands in it.

    >>> recognise("#!/bin/bash\\ntorchrun pretrain_gpt.py --tensor-model-parallel-size 8", source="run.sh")
    'megatron'

    :raises InputError: if it looks like none of them.
    """
    suffix = source.rpartition(".")[2].lower() if "." in source else ""
    if suffix == "toml":
        return "torchtitan"
    if suffix == "json":
        return "deepspeed"
    if suffix in ("yaml", "yml"):
        return "accelerate"
    if text.lstrip().startswith("{"):
        return "deepspeed"
    if "distributed_type:" in text:
        return "accelerate"
    if "[parallelism]" in text or "[training]" in text:
        return "torchtitan"
    if any(word.startswith("--") and len(word) > 2 for word in text.split()):
        return "megatron"
    raise InputError(
        f"`{source}` looks like no launch file",
        expected="Megatron's arguments, a torchtitan TOML, a DeepSpeed JSON or an accelerate YAML",
        hint="say what it is: `--from megatron`",
    )
