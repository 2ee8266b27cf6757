"""What a scheduler starts on each node: the command of the framework that the cost was counted for."""

from __future__ import annotations

import numpy as np

from outlay.training.launch.deepspeed import limits as deepspeed_limits
from outlay.training.launch.megatron import arguments, environment
from outlay.training.launch.megatron import limits as megatron_limits
from outlay.training.launch.plan import Limits, Plan
from outlay.training.launch.torchtitan import limits as torchtitan_limits

_TORCHTITAN = ("torchtitan",)
_DEEPSPEED = ("deepspeed", "zero")


def limit(plan: Plan, found: Limits) -> None:
    """Note what nodes that are alike cannot run, and what the framework of the plan cannot."""
    devices = int(np.max(plan.layout.devices))
    found.refuse(
        devices % plan.node_size, f"{devices} devices do not fill nodes of {plan.node_size}: its nodes are alike"
    )
    name = plan.recipe.software.name
    limits = (
        torchtitan_limits
        if name.startswith(_TORCHTITAN)
        else deepspeed_limits
        if name.startswith(_DEEPSPEED)
        else megatron_limits
    )
    started = limits(plan)
    found.refused = np.logical_or(found.refused, started.refused)
    found.problems += started.problems
    found.changes += started.changes
    found.flags += started.flags
    found.fixed |= started.fixed


def command(plan: Plan, *, address: str, rank: str) -> tuple[list[str], list[str]]:
    """Lines of a shell command, continued with backslashes, and remarks; `address` and `rank` are the scheduler's words.

    Megatron's arguments stand in the command itself; torchtitan and DeepSpeed read a file beside it.
    """
    launch = ["torchrun", f"  --nnodes {plan.nodes}", f"  --nproc-per-node {plan.node_size}"]
    if plan.nodes > 1:
        launch += [f"  --node-rank {rank}", f"  --master-addr {address}", "  --master-port 29500"]
    name = plan.recipe.software.name
    if name.startswith(_TORCHTITAN):
        run = ["  -m torchtitan.train", "  --job.config_file torchtitan.toml"]
        remarks = ["it reads torchtitan.toml: `--export torchtitan` writes it"]
    elif name.startswith(_DEEPSPEED):
        run = ["  train.py", "  --deepspeed_config deepspeed.json"]
        remarks = ["it reads deepspeed.json: `--export deepspeed` writes it; train.py is yours"]
    else:
        lines, notes = arguments(plan)
        launch[0] = " ".join([*environment(plan), launch[0]])
        run = ["  pretrain_gpt.py", *(f"  {line}" for line in lines)]
        remarks = list(notes)
    return [f"{line} \\" for line in [*launch, *run][:-1]] + [([*launch, *run])[-1]], remarks
