"""Which layouts an instance may have: degrees that are tried, and the rules that engines hold them to.

Rules that training has too (heads, widths, depth, experts) are those of :mod:`outlay.layout`; here are those of serving:
what splits attention by sequences, and what an engine without tensor parallelism can do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Layout, Problem, Rule
from outlay.layout import legal as holds_in_training
from outlay.search import chunks, size
from outlay.serving.engines import Engine
from outlay.workload import Architecture

DEGREES = (1, 2, 4, 8, 16, 32, 64)
"""Degrees that are tried: doublings, as engines' own tuning guides have them."""
PIPELINES = (1, 2, 4, 8, 16)
"""Stages that are tried."""

RULES: tuple[Rule, ...] = (
    Rule(
        "dp splits the attention of a model with experts (of a dense one, replicas do the same)",
        lambda lay, p: np.equal(lay.data, 1) | p.architecture.is_moe,
    ),
    Rule(
        "ep × etp must be tp × dp: every device of a stage holds experts",
        lambda lay, p: (
            np.equal(lay.expert * lay.expert_tensor, lay.tensor * lay.data) | np.logical_not(p.architecture.is_moe)
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """Legal layouts of an instance as arrays, and how many were looked at to find them."""

    layouts: Layout
    looked_at: int

    @property
    def count(self) -> int:
        return int(np.size(self.layouts.tensor))


def legal(layouts: Layout, architecture: Architecture) -> NDArray[np.bool_]:
    """For each layout, whether an engine could run the model so.

    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True)
    >>> legal(Layout(tensor=np.array([1, 8, 16, 3]), sequence_parallel=False), llama).tolist()
    [True, True, True, False]
    """
    problem = Problem(architecture=architecture, sequence_length=1, global_batch=layouts.data, devices=layouts.devices)
    holds: NDArray[np.bool_] = holds_in_training(layouts, problem)
    for rule in RULES:
        holds = holds & np.asarray(rule.holds(layouts, problem), dtype=bool)
    return holds


def layouts_of(architecture: Architecture, engine: Engine, *, most: int, domain: int) -> Layouts:
    """Every legal layout of at most `most` devices.

    Tensor parallelism stays within the `domain` that fast links join (beyond it an all-reduce a layer costs more than it
    saves); an engine that splits layers alone has no tensor parallelism. Experts are split by columns or among devices.

    >>> from outlay.serving.engines import engine_for
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True)
    >>> found = layouts_of(llama, engine_for("vllm"), most=8, domain=8)
    >>> found.count, int(np.max(found.layouts.devices))
    (10, 8)
    """
    key = (id(architecture), engine.sequential_layers, most, domain)
    if key not in _KNOWN:
        if len(_KNOWN) >= KEPT:
            _KNOWN.clear()
        # The model is kept beside its layouts, so that nothing else can get its identity.
        _KNOWN[key] = (_layouts_of(architecture, engine, most, domain), architecture)
    return _KNOWN[key][0]


KEPT = 64
"""Questions that are remembered: a search asks the same one for each format and mode."""
_KNOWN: dict[tuple[int, bool, int, int], tuple[Layouts, Architecture]] = {}


def _layouts_of(architecture: Architecture, engine: Engine, most: int, domain: int) -> Layouts:
    tensor = [1] if engine.sequential_layers else [degree for degree in DEGREES if degree <= max(domain, 1)]
    spread = architecture.is_moe and not engine.sequential_layers
    axes = {
        "tensor": [degree for degree in tensor if degree <= most],
        "pipeline": [stages for stages in PIPELINES if stages <= most],
        "data": [degree for degree in DEGREES if degree <= most] if spread else [1],
        "split": [0, 1] if spread else [0],
    }
    found: list[Layout] = []
    for part in chunks(axes):
        devices = part["tensor"] * part["data"]
        # Experts are divided among all devices of a stage, or each of them among all by columns.
        expert = np.where(part["split"] > 0, devices, 1) if architecture.is_moe else np.ones_like(devices)
        columns = devices // expert if architecture.is_moe else np.ones_like(devices)
        layouts = Layout(
            tensor=part["tensor"],
            pipeline=part["pipeline"],
            data=part["data"],
            expert=expert,
            expert_tensor=columns,
            sequence_parallel=np.zeros_like(devices, dtype=bool),
        ).broadcast()
        once = (part["split"] == 0) | (devices > 1)  # on one device both ways to split experts are none
        kept = np.flatnonzero(legal(layouts, architecture) & once & (layouts.devices <= most))
        if kept.size:
            found.append(layouts.at(kept))
    assert found, "one device, undivided, is always legal"
    names = ("tensor", "pipeline", "data", "expert", "expert_tensor")
    joined = Layout(
        **{name: np.concatenate([np.asarray(getattr(part, name)) for part in found]) for name in names},
        sequence_parallel=False,
    )
    return Layouts(layouts=joined, looked_at=size(axes))
