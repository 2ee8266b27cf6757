"""Which assumptions each part of a serving statement stands on: said where the part is computed."""

from __future__ import annotations

from outlay.scenarios.serving.run import ServingRun

MODEL = (
    "engine",
    "weights",
    "arithmetic",
    "cache",
    "expert load",
    "cluster",
    "layout",
    "layers",
    "adapters",
    "transfer",
)
"""What decides the seconds and bytes of a step, beside the model."""
LOAD = ("request", "requests", "busiest hour", "prefix cache", "drafted tokens", "acceptance")
TIME = (*MODEL, *LOAD)
PRICE = ("tier", "price", "price of prompts", "tier of prompts", "life of devices", "use of devices")
ENERGY = (*TIME, "PUE", "machine", "battery")
CARBON = (*ENERGY, "grid")
POWER_BILL = (*CARBON, "tier", "electricity")
MAKING = ("carbon of making",)


def grounds(run: ServingRun, *names: str) -> tuple[str, ...]:
    """Of `names` those that were assumed rather than said, in the order of the statement."""
    wanted = {*names, *(run.question.architecture.assumed if set(names) & set(MODEL) else ())}
    return tuple(dict.fromkeys(entry.name for entry in run.assumed if entry.name in wanted))
