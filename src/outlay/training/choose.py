"""The layout for somebody who has not chosen one: a small exhaustive search by the same formulas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Layout, Problem, Recompute, legal
from outlay.machine import Cluster
from outlay.search import chunks, divisors, size
from outlay.training.coefficients import Coefficients
from outlay.training.recipe import Recipe
from outlay.training.step import Estimate, estimate
from outlay.workload import Attention, Experts, Number

TIE = 1.01
"""Times within this factor count as equal: far less than any prediction's error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The fastest layout that fits, or the one nearest to fitting, and how many were looked at."""

    layout: Layout
    estimate: Estimate
    looked_at: int
    legal: int
    fitting: int


def choose_layout(
    recipe: Recipe, cluster: Cluster, coefficients: Coefficients, fixed: Mapping[str, Number] | None = None
) -> Chosen | None:
    """The fastest legal layout that fits in memory, with the degrees in `fixed` kept.

    If none fits, the one that needs the least memory; None if no combination is legal. Of layouts whose times the model
    cannot tell apart (:data:`TIE`), the simplest.
    """
    fixed = dict(fixed or {})
    axes = _axes(recipe, cluster, fixed)
    problem = Problem(
        architecture=recipe.architecture,
        sequence_length=recipe.sequence_length,
        global_batch=recipe.global_batch,
        devices=cluster.count,
    )
    layouts: list[Layout] = []
    scores: list[NDArray[np.float64]] = []
    for part in chunks(axes):
        data = cluster.count // (part["tensor"] * part["pipeline"] * part["context"])
        layout = Layout(**{"data": data, **part})
        keep = legal(layout, problem)
        if not keep.any():
            continue
        layout = layout.broadcast().at(np.flatnonzero(keep))
        found = estimate(recipe, layout, cluster, coefficients)
        figures = (found.fits, found.step_seconds, found.memory_bytes, complexity(layout))
        layouts.append(layout)
        scores.append(np.stack(np.broadcast_arrays(*figures)).astype(np.float64))
    if not layouts:
        return None
    fits, seconds, memory, steps = np.concatenate(scores, axis=1)
    if fits.any():
        near = (fits > 0) & (seconds <= TIE * seconds[fits > 0].min())
        order = np.lexsort((seconds, steps, ~near))
    else:
        order = np.argsort(memory, kind="stable")
    best = _picked(layouts, int(order[0]))
    return Chosen(
        layout=best,
        estimate=estimate(recipe, best, cluster, coefficients),
        looked_at=size(axes),
        legal=len(fits),
        fitting=int(fits.sum()),
    )


def complexity(layout: Layout) -> Number:
    """How much a layout asks of whoever runs it: doublings of its degrees, context parallelism twice, and each switch.

    >>> float(complexity(Layout(data=64))), float(complexity(Layout(tensor=2, context=2, data=16)))
    (0.0, 3.0)
    """
    doublings = np.log2(layout.tensor * layout.pipeline * layout.virtual * layout.expert) + 2 * np.log2(layout.context)
    total: Number = doublings + np.greater(layout.zero, 1) + np.greater(layout.recompute, 0)
    return total


def _picked(layouts: list[Layout], index: int) -> Layout:
    """The layout at a place in the chunks laid end to end."""
    for layout in layouts:
        count = len(np.atleast_1d(layout.tensor))
        if index < count:
            return layout.at(index)
        index -= count
    raise IndexError(index)


def _axes(recipe: Recipe, cluster: Cluster, fixed: Mapping[str, Number]) -> dict[str, list[Number]]:
    """What is worth trying: degrees that divide the devices, powers of two where frameworks want them."""
    architecture, count = recipe.architecture, int(cluster.count)
    experts = [
        block.layer.feed_forward.count for block in architecture.blocks if isinstance(block.layer.feed_forward, Experts)
    ]
    heads = [block.layer.mixer.heads for block in architecture.blocks if isinstance(block.layer.mixer, Attention)]
    inside = [degree for degree in divisors(count) if degree <= min(int(cluster.node_size), max(heads, default=1), 16)]
    per_replica = int(np.max(recipe.global_batch))
    axes: dict[str, list[Number]] = {
        "tensor": list(inside),
        "pipeline": [degree for degree in divisors(count) if degree <= architecture.depth],
        "virtual": [chunk for chunk in (1, 2, 4, 8) if chunk <= architecture.depth],
        "context": [
            degree for degree in (1, 2, 4, 8, 16) if count % degree == 0 and recipe.sequence_length // degree >= 4096
        ]
        or [1],
        "expert": [degree for degree in divisors(experts[0]) if degree <= count] if experts else [1],
        "micro_batch": [size for size in (1, 2, 4, 8, 16, 32, 64) if size <= per_replica],
        "zero": [1, 3],
        "recompute": list(Recompute),
        "sequence_parallel": [recipe.software.sequence_parallel],
    }
    if "tensor" not in fixed and "pipeline" not in fixed:
        # Sharded weights and pipelines are two answers to one question; frameworks rarely join them.
        axes["zero"] = [1, 3] if count > 1 else [0]
    for name, value in fixed.items():
        axes[name] = [value]
    return axes
