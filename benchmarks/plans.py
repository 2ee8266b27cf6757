"""Plans: what `outlay plan training` takes to search the whole catalog, and one large cluster, on one core."""

from __future__ import annotations

import resource
import sys
import time

from benchmarks import Result
from outlay.scenarios.training_plan.plan import plan_training

ROUNDS = 3
WHOLE, LARGE, MEMORY = 5.0, 2.0, 2.0
"""Seconds, seconds and GiB that are allowed."""


def whole_catalog() -> float:
    """Seconds for an 8B model on every accelerator that is sold, in 8 to 4,096 of them."""
    return _seconds("llama-3-8b", on="any", count="8..4096")


def large_cluster() -> float:
    """Seconds for Llama-3.1-405B on 16,384 H100s."""
    return _seconds("llama-3.1-405b", on="h100-sxm", count=16_384, price=2.0)


def _seconds(model: str, *, on: str, count: str | int, price: float | None = None) -> float:
    begun = time.perf_counter()
    plan_training(model, tokens="1T", on=on, count=count, price=price)
    return time.perf_counter() - begun


def measure() -> list[Result]:
    """Best of three."""
    whole = min(whole_catalog() for _ in range(ROUNDS))
    large = min(large_cluster() for _ in range(ROUNDS))
    # Linux counts in KiB, macOS in bytes.
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0) / 2.0**30
    return [
        Result(name="plan: 8B, whole catalog, 8..4096", value=whole, unit="s", goal=f"≤ {WHOLE:g}", met=whole <= WHOLE),
        Result(name="plan: 405B on 16,384 H100s", value=large, unit="s", goal=f"≤ {LARGE:g}", met=large <= LARGE),
        Result(name="memory at most", value=gib, unit="GiB", goal=f"≤ {MEMORY:g}", met=gib <= MEMORY),
    ]
