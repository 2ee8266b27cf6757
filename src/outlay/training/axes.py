"""Which degrees a search for a layout tries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Layout, Problem, Recompute, legal
from outlay.machine import Cluster
from outlay.search import chunks, divisors
from outlay.training.recipe import Recipe
from outlay.workload import Attention, Experts, Number

QUARTERS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the layers that are recomputed, and of the optimizer's state that the host holds, where a search may choose."""
VIRTUAL = (1, 2, 3, 4, 5, 6, 7, 8, 10, 16)
"""Chunks of layers that a pipeline stage may hold."""
SHORTEST = 2048
"""Tokens of a sequence that a context-parallel rank keeps at least: below, its attention is mostly overhead."""
_SWITCHES = frozenset({"zero", "shard", "sequence_parallel", "recompute", "recompute_layers", "offload"})
TRIED = "zero 1 to 3, recomputation and offload by quarters"
"""What is tried, in words."""


def axes_of(
    recipe: Recipe, cluster: Cluster, fixed: Mapping[str, Number], *, wide: bool = True
) -> dict[str, list[Number]]:
    """What is worth trying: degrees that divide the devices and the batch, powers of two where frameworks want them.

    Without `wide`, only what is fastest nearly always, in a quarter of the time: ZeRO 1 and 3 over all data ranks, the
    framework's own way with sequences, and chunks of a pipeline stage in powers of two.
    """
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
        "virtual": [chunk for chunk in (VIRTUAL if wide else (1, 2, 4, 8)) if chunk <= architecture.depth]
        if count > 1
        else [1],
        "context": [
            degree for degree in (1, 2, 4, 8, 16) if count % degree == 0 and recipe.sequence_length >= SHORTEST * degree
        ]
        or [1],
        "expert": [degree for degree in divisors(experts[0]) if degree <= count] if experts else [1],
        "micro_batch": [size for size in divisors(per_replica) if size <= 64],
        "zero": ([1, 2, 3] if wide else [1, 3]) if count > 1 else [0],
        "shard": [0, together] if wide and together < count else [0],
        "recompute": list(Recompute),
        "sequence_parallel": sorted(
            {recipe.software.sequence_parallel, recipe.software.sequence_parallel and not wide}
        ),
    }
    for name, value in fixed.items():
        axes[name] = [value]
    if "shard" not in fixed and fixed.get("zero", 3) != 3:
        axes["shard"] = [0]
    return axes


def layouts_of(axes: Mapping[str, Sequence[Number]], problem: Problem) -> Iterator[Layout]:
    """The legal ones of all combinations, data parallelism taking the devices that are left; each spelled in one way only.

    Degrees are combined first, and only the legal ones with what else there is to choose: most combinations fail there.
    """
    switches = [name for name in axes if name in _SWITCHES]
    degrees = {name: values for name, values in axes.items() if name not in _SWITCHES}
    harmless = {"zero": 1, "sequence_parallel": False}
    for combined in chunks(degrees):
        data = problem.devices // (combined["tensor"] * combined["pipeline"] * combined["context"])
        part = {"data": data, **combined}
        index = np.flatnonzero(legal(Layout(**part, **harmless), problem))
        if not index.size:
            continue
        few = {name: values[index] for name, values in part.items()}
        for chosen in chunks({"place": range(index.size), **{name: axes[name] for name in switches}}):
            place = chosen.pop("place")
            layout = Layout(**{name: values[place] for name, values in few.items()}, **chosen)
            keep = np.flatnonzero(legal(layout, problem) & _differs(layout, axes))
            if keep.size:
                yield layout.broadcast().at(keep)


def _differs(layout: Layout, axes: Mapping[str, Sequence[Number]]) -> NDArray[np.bool_]:
    """False for a layout that only spells another one differently, or that nobody runs: sequences divided among one, and
    shards of a part of the data ranks where the optimizer's state alone is divided."""
    keep = np.ones(np.shape(layout.data), dtype=bool)
    if len(axes["sequence_parallel"]) > 1:
        keep &= np.greater(layout.tensor, 1) | np.logical_not(layout.sequence_parallel)
    if len(axes.get("shard", ())) > 1:
        keep &= np.equal(layout.shard, 0) | (np.equal(layout.zero, 3) & np.less(layout.shard, layout.data))
    return keep
