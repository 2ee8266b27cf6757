"""Which degrees a search for a layout tries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from outlay.layout import Recompute
from outlay.machine import Cluster
from outlay.search import divisors
from outlay.training.recipe import Recipe
from outlay.workload import Attention, Experts, Number

QUARTERS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the layers that are recomputed, and of the optimizer's state that the host holds, where a search may choose."""
SHORTEST = 2048
"""Tokens of a sequence that a context-parallel rank keeps at least: below, its attention is mostly overhead."""
TRIED = "zero 1 and 3, recomputation and offload by quarters"
"""What is tried, in words."""


def axes_of(recipe: Recipe, cluster: Cluster, fixed: Mapping[str, Number]) -> dict[str, list[Number]]:
    """What is worth trying: degrees that divide the devices and the batch, powers of two where frameworks want them."""
    architecture, count = recipe.architecture, int(cluster.count)
    experts = [
        block.layer.feed_forward.count for block in architecture.blocks if isinstance(block.layer.feed_forward, Experts)
    ]
    heads = [block.layer.mixer.heads for block in architecture.blocks if isinstance(block.layer.mixer, Attention)]
    together = max(int(cluster.node_size), int(cluster.domain))
    inside = [degree for degree in divisors(count) if degree <= min(together, max(heads, default=1), 16)]
    per_replica = int(np.max(recipe.global_batch))
    axes: dict[str, list[Number]] = {
        "tensor": list(inside),
        "pipeline": [degree for degree in divisors(count) if degree <= architecture.depth],
        "virtual": [chunk for chunk in (1, 2, 4, 8) if chunk <= architecture.depth] if count > 1 else [1],
        "context": [
            degree for degree in (1, 2, 4, 8, 16) if count % degree == 0 and recipe.sequence_length >= SHORTEST * degree
        ]
        or [1],
        "expert": [degree for degree in divisors(experts[0]) if degree <= count] if experts else [1],
        "micro_batch": [size for size in divisors(per_replica) if size <= 64],
        "zero": [1, 3] if count > 1 else [0],
        "recompute": list(Recompute),
        "sequence_parallel": [recipe.software.sequence_parallel],
    }
    for name, value in fixed.items():
        axes[name] = [value]
    return axes
