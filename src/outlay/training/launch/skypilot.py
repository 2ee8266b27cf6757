"""SkyPilot: a task with the accelerators of the plan and the command of its framework."""

from __future__ import annotations

import re

from outlay.training.launch import yaml
from outlay.training.launch.plan import Limits, Plan, Written, header
from outlay.training.launch.schedulers import command

VERSION = "SkyPilot 0.14"
ACCELERATORS = {
    "h100-sxm-80gb": "H100",
    "h100-pcie-80gb": "H100",
    "h100-nvl-94gb": "H100-NVL",
    "h200-sxm-141gb": "H200",
    "b200-sxm-180gb": "B200",
    "b300-sxm-288gb": "B300",
    "gb200-192gb": "GB200",
    "gb300-288gb": "GB300",
    "gh200-96gb": "GH200",
    "a100-sxm-80gb": "A100-80GB",
    "a100-pcie-80gb": "A100-80GB",
    "a100-sxm-40gb": "A100",
    "a100-pcie-40gb": "A100",
    "v100-sxm-16gb": "V100",
    "v100-sxm-32gb": "V100-32GB",
    "p100-pcie-16gb": "P100",
    "t4-16gb": "T4",
    "l4-24gb": "L4",
    "l40-48gb": "L40",
    "l40s-48gb": "L40S",
    "a10-24gb": "A10",
    "a10g-24gb": "A10G",
    "a40-48gb": "A40",
    "rtx-a6000": "RTXA6000",
    "rtx-6000-ada": "RTX6000-Ada",
    "rtx-3090": "RTX3090",
    "rtx-4090": "RTX4090",
    "rtx-5090": "RTX5090",
    "mi300x-192gb": "MI300X",
    "trainium1": "Trainium",
    "trainium2": "Trainium2",
}
"""Catalog name → SkyPilot's (its catalog's `AcceleratorName` column, `sky show-gpus --all`, SkyPilot 0.14, 2026-10)."""


def write(plan: Plan) -> Written:
    """`skypilot.yaml`, for `sky launch`.

    :raises InputError: for an accelerator that SkyPilot does not name, and devices that do not fill whole nodes.
    """
    limits = Limits("SkyPilot")
    chip = plan.cluster.accelerator.name
    limits.refuse(chip not in ACCELERATORS, f"outlay knows no name that SkyPilot has for {chip}")
    limits.refuse(
        plan.devices % plan.node_size,
        f"{plan.devices} devices do not fill nodes of {plan.node_size}: its nodes are alike",
    )
    lines, remarks = command(
        plan,
        limits=limits,
        address='"$(echo "$SKYPILOT_NODE_IPS" | head -n 1)"',
        rank='"$SKYPILOT_NODE_RANK"',
    )
    remarks.append("cloud, image and setup are left to you")
    task: dict[str, object] = {
        "name": re.sub(r"[^a-z0-9-]+", "-", plan.model.lower()).strip("-") or "training",
        "num_nodes": plan.nodes,
        "resources": {"accelerators": f"{ACCELERATORS[chip]}:{plan.node_size}"},
        "run": "\n".join(lines) + "\n",
    }
    comment = [f"# {line}" for line in header(plan, "SkyPilot", version=VERSION, remarks=tuple(remarks))]
    return Written(name="skypilot.yaml", text="\n".join(comment) + "\n" + yaml.dump(task), remarks=tuple(remarks))
