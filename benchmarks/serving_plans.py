"""Serving plans: what `outlay plan serving` takes to search the whole catalog on one core, and the memory that it needs."""

from __future__ import annotations

import resource
import sys
import time

from benchmarks import Result
from outlay.scenarios.serving_plan.plan import plan_serving

ROUNDS = 3
WHOLE, MEMORY = 5.0, 1.0
"""Seconds and GiB that are allowed."""


def whole_catalog(quant: str | None = None) -> float:
    """Processor seconds for Llama-3-70B at 5 requests/s on every accelerator that is sold, up to 1,024 of them."""
    begun = time.process_time()
    plan_serving("llama-3-70b", rate=5, input=1024, output=256, ttft="500ms", tpot="50ms", on="any", quant=quant)
    return time.process_time() - begun


def measure() -> list[Result]:
    """Best of three."""
    whole = min(whole_catalog() for _ in range(ROUNDS))
    every = min(whole_catalog("any") for _ in range(ROUNDS))
    # Linux counts in KiB, macOS in bytes.
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0) / 2.0**30
    return [
        Result(name="plan: 70B, whole catalog", value=whole, unit="s", goal=f"≤ {WHOLE:g}", met=whole <= WHOLE),
        Result(name="plan: 70B, whole catalog, every format", value=every, unit="s", goal="", met=None),
        Result(name="memory at most", value=gib, unit="GiB", goal=f"≤ {MEMORY:g}", met=gib <= MEMORY),
    ]
