"""SkyPilot: a task with the accelerators of the plan and the command of its framework."""

from __future__ import annotations

import re

from outlay.training.launch import keys, yaml
from outlay.training.launch.plan import Limits, Plan, Written, header
from outlay.training.launch.schedulers import command, limit

VERSION = "SkyPilot 0.14"


def write(plan: Plan) -> Written:
    """`skypilot.yaml`, for `sky launch`.

    :raises InputError: for an accelerator that SkyPilot does not name, and devices that do not fill whole nodes.
    """
    limits(plan).check()
    theirs = keys.names("skypilot")[plan.cluster.accelerator.name]
    lines, remarks = command(
        plan,
        address='"$(echo "$SKYPILOT_NODE_IPS" | head -n 1)"',
        rank='"$SKYPILOT_NODE_RANK"',
    )
    remarks.append("cloud, image and setup are left to you")
    task: dict[str, object] = {
        "name": re.sub(r"[^a-z0-9-]+", "-", plan.model.lower()).strip("-") or "training",
        "num_nodes": plan.nodes,
        "resources": {"accelerators": f"{theirs}:{plan.node_size}"},
        "run": "\n".join(lines) + "\n",
    }
    comment = [f"# {line}" for line in header(plan, "SkyPilot", version=VERSION, remarks=tuple(remarks))]
    return Written(name="skypilot.yaml", text="\n".join(comment) + "\n" + yaml.dump(task), remarks=tuple(remarks))


def limits(plan: Plan) -> Limits:
    """What it cannot start: accelerators without a name, nodes that are not alike, and what the framework cannot run."""
    found, chip = Limits("SkyPilot"), plan.cluster.accelerator.name
    found.refuse(chip not in keys.names("skypilot"), f"outlay knows no name that SkyPilot has for {chip}")
    limit(plan, found)
    return found
