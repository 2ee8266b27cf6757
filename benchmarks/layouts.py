"""Layouts a second: Llama-3.1-405B on 16,384 H100s, a fixed grid of legal layouts, one core, through the array API.

The same `estimate` answers the whole grid in chunks (arrays) and a sample of it one at a time (plain numbers). Finding which
layouts are legal is timed apart: it is not counted as answering.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import Result
from outlay.catalog import accelerator, model_config
from outlay.layout import Layout, Problem, legal
from outlay.machine import Cluster, cluster_for
from outlay.search import chunks, size
from outlay.training import Coefficients, Recipe, estimate, load_coefficients, software_for
from outlay.workload import from_config

DEVICES = 16_384
SEQUENCE = 8_192
BATCH = 2_048
"""Sequences of a step: 16.8 M tokens, as the model was trained (A. Dubey et al., arXiv:2407.21783, section 3.4.1)."""

AXES: dict[str, list[Any]] = {
    "micro_batch": [1, 2, 4, 8],
    "tensor": [1, 2, 4, 8, 16, 32, 64, 128],
    "context": [1, 2, 4, 8, 16],
    "pipeline": [1, 2, 4, 8, 16, 32, 64],
    "virtual": [1, 2, 3, 4, 6, 8],
    "sequence_parallel": [False, True],
    "recompute": [0, 1, 2],
    "recompute_layers": [0.25, 0.5, 0.75, 1.0],
    "zero": [0, 1, 2, 3],
    "shard": [0, 8, 32],
    "offload": [0.0, 0.5, 1.0],
}
CHUNK = 1 << 16
ROUNDS = 5
SINGLES = 60
LEAST = 1_000_000.0
AIM = 2_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Legal layouts and what they are layouts of; `layouts` holds one array of all of them for each degree."""

    recipe: Recipe
    cluster: Cluster
    coefficients: Coefficients
    layouts: Layout
    count: int
    combinations: int
    seconds: float
    """Time to enumerate the combinations and to keep the legal ones."""

    def pieces(self, chunk: int = CHUNK) -> Iterator[Layout]:
        """The layouts in arrays of at most `chunk`."""
        for start in range(0, self.count, chunk):
            yield self.layouts.at(slice(start, start + chunk))


def _differs(layout: Layout) -> Any:
    """False for a layout that only spells another one differently, so that none counts twice."""
    return (
        ((layout.recompute > 0) | (layout.recompute_layers == 1.0))
        & ((layout.tensor > 1) | np.logical_not(layout.sequence_parallel))
        & ((layout.shard == 0) | ((layout.zero > 0) & (layout.shard < layout.data)))
    )


def grid() -> Grid:
    """Every legal combination of :data:`AXES`; data parallelism takes the devices that are left."""
    architecture = from_config(model_config("llama-3.1-405b").config)
    cluster = cluster_for(accelerator("h100-sxm-80gb"), DEVICES)
    recipe = Recipe(
        architecture=architecture,
        sequence_length=SEQUENCE,
        global_batch=BATCH,
        software=software_for("megatron-core", 2025),
    )
    problem = Problem(architecture=architecture, sequence_length=SEQUENCE, global_batch=BATCH, devices=DEVICES)
    begun = time.perf_counter()
    kept: list[dict[str, Any]] = []
    for part in chunks(AXES):
        inner = part["tensor"] * part["pipeline"] * part["context"]
        layout = Layout(data=np.maximum(DEVICES // inner, 1), **part)
        index = np.flatnonzero(legal(layout, problem) & _differs(layout))
        kept.append({name: getattr(layout, name)[index] for name in (*AXES, "data")})
    layouts = Layout(**{name: np.concatenate([part[name] for part in kept]) for name in kept[0]})
    seconds = time.perf_counter() - begun
    return Grid(
        recipe=recipe,
        cluster=cluster,
        coefficients=load_coefficients(),
        layouts=layouts,
        count=np.size(layouts.data),
        combinations=size(AXES),
        seconds=seconds,
    )


def answer(of: Grid, chunk: int = CHUNK) -> float:
    """Seconds to judge every layout of the grid for time and memory, in arrays."""
    begun = time.perf_counter()
    answered = 0
    for layout in of.pieces(chunk):
        found = estimate(of.recipe, layout, of.cluster, of.coefficients)
        answered += np.size(found.step_seconds)
        np.count_nonzero(found.fits)
    taken = time.perf_counter() - begun
    assert answered == of.count, "every layout gets a time of its own"
    return taken


def answer_singly(of: Grid) -> float:
    """Seconds a layout when a sample, spread over the grid, is asked for one by one."""
    sample = [of.layouts.at(index) for index in range(0, of.count, of.count // SINGLES)]
    begun = time.perf_counter()
    for layout in sample:
        _ = estimate(of.recipe, layout, of.cluster, of.coefficients).fits
    return (time.perf_counter() - begun) / len(sample)


def shuffled(of: Grid) -> Grid:
    """The same layouts in a random order (always the same): neighbours no longer share their degrees."""
    order = np.random.default_rng(0).permutation(of.count)
    return replace(of, layouts=of.layouts.at(order))


def measure() -> list[Result]:
    """Best of five: layouts a second in arrays, in order and shuffled; the ratio to single calls; what enumerating takes."""
    grids = [grid() for _ in range(ROUNDS)]
    whole = grids[0]
    least_singly = min(answer_singly(whole) for _ in range(ROUNDS))
    in_order = whole.count / min(answer(whole) for _ in range(ROUNDS))
    mixed = shuffled(whole)
    in_disorder = whole.count / min(answer(mixed) for _ in range(ROUNDS))
    enumerated = whole.combinations / min(each.seconds for each in grids)
    return [
        Result(name="legal layouts of the grid", value=whole.count, unit=""),
        Result(
            name="layouts judged, in arrays",
            value=in_order,
            unit="a second",
            goal=f"≥ {LEAST:,.0f} (aim {AIM:,.0f})",
            met=in_order >= LEAST,
        ),
        Result(name="the same in random order", value=in_disorder, unit="a second"),
        Result(name="layouts judged one at a time", value=1.0 / least_singly, unit="a second"),
        Result(name="arrays ÷ one at a time", value=in_order * least_singly, unit="×"),
        Result(name="combinations tried for legality (not counted)", value=enumerated, unit="a second"),
    ]
