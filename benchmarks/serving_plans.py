"""Serving plans: what `outlay plan serving` and `outlay compare` take for the whole catalog on one core, and their memory.

A dense model, and every kind of other one that the catalog knows: few and many experts, latent attention, windows that
alternate, state-space layers.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

from benchmarks import Result
from outlay.scenarios.buying.compare import compare
from outlay.scenarios.serving_plan.plan import plan_serving

ROUNDS = 3
WHOLE, MIXTURE, AIM, MEMORY = 5.0, 8.0, 3.0, 1.0
"""Seconds that are allowed, those of a model with experts, whose layouts are seven times as many, seconds that are aimed at,
and GiB that are allowed."""
ANYTHING, ANYTHING_WITHIN, ANYTHING_AIM = 14.0, 18.0, 10.0
"""Seconds that are allowed for every format in every engine (1,700 pools of instances), with no latency asked for and within
latencies, and seconds that are aimed at."""
MIXTURES = ("mixtral-8x7b", "qwen3-235b-a22b", "deepseek-v3", "gpt-oss-120b")
MODELS = (
    "llama-3-70b",
    "mixtral-8x7b",
    "qwen3-235b-a22b",
    "deepseek-v3",
    "gpt-oss-120b",
    "gemma-3-27b",
    "nemotron-h-56b",
)
LOAD: dict[str, Any] = {"rate": 5, "input": 1024, "output": 256, "ttft": "500ms", "tpot": "50ms"}


def processor_seconds() -> float:
    """Of this process, and of those that it has started and that have ended: long searches run in several."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def whole_catalog(quant: str | None = None, model: str = MODELS[0], engine: str | None = None) -> float:
    """Processor seconds for a model at 5 requests/s on every accelerator that is sold, up to 1,024 of them."""
    begun = processor_seconds()
    plan_serving(model, **LOAD, on="any", quant=quant, engine=engine)
    return processor_seconds() - begun


def anything() -> float:
    """The same in every format and engine, with no latency asked for."""
    begun = processor_seconds()
    plan_serving(MODELS[0], rate=5, quant="any", engine="any")
    return processor_seconds() - begun


def allowed(model: str) -> float:
    """Seconds that a plan for a model may take."""
    return MIXTURE if model in MIXTURES else WHOLE


def comparing(model: str) -> float:
    """Processor seconds of own machines against every seller of answers."""
    begun = processor_seconds()
    compare(model, **LOAD)
    return processor_seconds() - begun


def measure() -> list[Result]:
    """Best of three; of the comparisons and of every format, the best of two."""
    found = []
    for model in MODELS:
        seconds = min(whole_catalog(model=model) for _ in range(ROUNDS))
        most = allowed(model)
        goal = f"≤ {most:g} (aim {AIM:g})"
        found.append(
            Result(name=f"plan: {model}, whole catalog", value=seconds, unit="s", goal=goal, met=seconds <= most)
        )
    every = min(whole_catalog("any") for _ in range(2))
    found.append(Result(name=f"plan: {MODELS[0]}, whole catalog, every format", value=every, unit="s"))
    for name, seconds, most in (
        ("every format and engine", min(anything() for _ in range(2)), ANYTHING),
        ("the same within latencies", min(whole_catalog("any", engine="any") for _ in range(2)), ANYTHING_WITHIN),
    ):
        goal = f"≤ {most:g} (aim {ANYTHING_AIM:g})"
        found.append(Result(name=f"plan: {MODELS[0]}, {name}", value=seconds, unit="s", goal=goal, met=seconds <= most))
    for model in ("llama-3-70b", "gpt-oss-120b"):
        seconds = min(comparing(model) for _ in range(2))
        found.append(
            Result(name=f"compare: {model}", value=seconds, unit="s", goal=f"≤ {WHOLE:g}", met=seconds <= WHOLE)
        )
    # Linux counts in KiB, macOS in bytes.
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0) / 2.0**30
    found.append(Result(name="memory at most", value=gib, unit="GiB", goal=f"≤ {MEMORY:g}", met=gib <= MEMORY))
    return found
