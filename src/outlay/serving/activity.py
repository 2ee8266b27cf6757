"""What a device does during a step, of which its power follows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from outlay.serving.deployment import Deployment, Work
from outlay.workload import Experts, Number


def activity(deployment: Deployment, work: Work, causes: Mapping[str, Number], total: Number) -> dict[str, Number]:
    """Shares of a step by what the device does: arithmetic, streaming weights, moving memory, communicating, waiting.

    A product of few rows streams its weights while the arithmetic units wait: they are busy for the share of the rows at
    which the product would be bound by them.
    """
    chip = deployment.cluster.accelerator
    peak = chip.peak(deployment.compute_type) if chip.has(deployment.compute_type) else chip.peak("fp16")
    stored = deployment.weights.weight_bytes
    ridge = peak / chip.memory_bandwidth * stored / 2.0
    rows = work.tokens / deployment.layout.data
    products = causes["projections"] * np.minimum(rows / ridge, 1.0)
    if deployment.architecture.is_moe:
        spread = max(
            block.layer.feed_forward.count / block.layer.feed_forward.active
            for block in deployment.architecture.kinds
            if isinstance(block.layer.feed_forward, Experts)
        )
        products = products + causes["experts"] * np.minimum(work.tokens / spread / ridge, 1.0)
    streaming = causes["projections"] + causes["experts"] - products
    memory = causes["memory-bound"] + causes["head and sampling"]
    sending = sum(seconds for name, seconds in causes.items() if name.endswith("communication"))
    return {
        "attention": causes["decode attention"] / total,
        "host": (causes["launches"] + causes["engine"]) / total,
        "arithmetic": (products + causes["prompt attention"]) / total,
        "streaming": streaming / total,
        "memory": memory / total,
        "communication": sending / total,
    }
