"""Launch: the files that serving engines and schedulers start from, written for a plan.

Each tool has a file of its own; a new one is a module with `write(plan)` and a line in :data:`WRITERS`. Arguments are those
of the engines' own parsers (`keys.csv`, tested).
"""

from __future__ import annotations

from importlib import import_module

from outlay.errors import UnknownName
from outlay.launch import Written
from outlay.serving.launch.plan import Instances, ServingPlan, Slots

WRITERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "trtllm": "trtllm",
    "llamacpp": "llamacpp",
    "dynamo": "dynamo",
    "k8s": "k8s",
}
"""Tool → the module that writes its file."""

__all__ = ["WRITERS", "Instances", "ServingPlan", "Slots", "Written", "write"]


def write(tool: str, plan: ServingPlan) -> Written:
    """The file with which `tool` starts this plan.

    :raises UnknownName: for another tool.
    :raises InputError: for a plan that the tool cannot run, with what would be accepted.
    """
    name = tool.strip().lower()
    if name not in WRITERS:
        raise UnknownName("tool to export to", tool, WRITERS, listing="outlay plan serving --help")
    written = import_module(f"outlay.serving.launch.{WRITERS[name]}").write(plan)
    assert isinstance(written, Written)
    return written
