"""Slurm: a batch script with the nodes of the plan and the command of its framework."""

from __future__ import annotations

import re

from outlay.training.launch.plan import Limits, Plan, Written, header
from outlay.training.launch.schedulers import command, limit

VERSION = "Slurm 20.11 and later (sbatch)"


def write(plan: Plan) -> Written:
    """`train.sbatch`.

    :raises InputError: if the devices do not fill whole nodes, or the framework cannot run the plan.
    """
    limits(plan).check()
    lines, remarks = command(plan, address='"$MASTER_ADDR"', rank='"$SLURM_NODEID"')
    remarks.append("account, partition and time limit are left to you: sbatch --account … --partition … --time …")
    comment = [f"# {line}" for line in header(plan, "Slurm", version=VERSION, remarks=tuple(remarks))]
    job = re.sub(r"[^A-Za-z0-9._-]+", "-", plan.model)
    script = [
        "#!/usr/bin/env bash",
        f"#SBATCH --job-name={job}",
        f"#SBATCH --nodes={plan.nodes}",
        "#SBATCH --ntasks-per-node=1",
        f"#SBATCH --gpus-per-node={plan.node_size}",
        "#SBATCH --exclusive",
        "#SBATCH --output=%x-%j.log",
        *comment,
        "set -euo pipefail",
        "",
        'export MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
        # torchrun's rank is that of the task, so the command is read on each node, not here.
        "srun --kill-on-bad-exit=1 bash -c '",
        *(f"  {line}" for line in lines),
        "'",
    ]
    return Written(name="train.sbatch", text="\n".join(script) + "\n", remarks=tuple(remarks))


def limits(plan: Plan) -> Limits:
    """What it cannot start: nodes that are not alike, and what the framework cannot run."""
    found = Limits("Slurm")
    limit(plan, found)
    return found
