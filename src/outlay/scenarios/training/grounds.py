"""Which assumptions each part of a statement stands on: said where the part is computed, never guessed from words."""

from __future__ import annotations

from outlay.scenarios.training.losses import SHORTFALL, STOPS
from outlay.scenarios.training.run import Run

STEP = (
    "cluster",
    "node",
    "links inside a node",
    "idle devices",
    "sequence length",
    "batch",
    "micro-batch",
    "examples",
    "lengths",
    "adapters",
    "base",
    "gradients",
    "framework",
    "precision",
    "optimizer",
    "expert load",
    "layout",
)
"""What decides the seconds and the bytes of one step, beside the model."""
TIME = (*STEP, "steps", "lost work", STOPS, SHORTFALL)
"""The seconds of the whole run."""
PRICE = ("tier", "price")
ENERGY = (*TIME, "PUE")
CARBON = (*ENERGY, "grid")
POWER_BILL = (*CARBON, "tier", "electricity")
STORAGE = (*TIME, "checkpoints", "storage")
TRANSFER = ("network", "egress")
MAKING = (*TIME, "carbon of making")


def grounds(run: Run, *names: str) -> tuple[str, ...]:
    """Of `names` those that were assumed rather than said, in the order of the statement.

    What a model's config leaves out goes with every name of a step, because it decides what is computed.
    """
    wanted = {*names, *(run.question.architecture.assumed if set(names) & set(STEP) else ())}
    return tuple(dict.fromkeys(entry.name for entry in run.assumed if entry.name in wanted))
