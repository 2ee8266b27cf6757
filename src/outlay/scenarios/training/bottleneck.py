"""What a step waits for most, in plain words."""

from __future__ import annotations

import numpy as np

from outlay.scenarios.training.run import Run

_OF = {
    "matmul": "compute",
    "attention": "compute",
    "head and loss": "compute",
    "recompute": "compute",
    "scoring": "compute",
    "generation": "generation",
    "memory-bound": "memory bandwidth",
    "optimizer": "memory bandwidth",
    "bubble": "bubble",
    "host": "host",
    "fixed": "host",
    "stragglers": "stragglers",
}
_INSIDE = {"tensor communication": ("tensor",), "context communication": ("tensor", "context")}
"""Degrees whose product is the group that communicates, side by side in a node."""


def bottleneck(run: Run) -> tuple[str, float]:
    """The resource that takes the most of a step, and its share: compute, memory bandwidth, links, bubble, host …"""
    shares: dict[str, float] = {}
    for cause, seconds in run.estimate.breakdown.items():
        name = _OF.get(cause) or _links(run, cause)
        shares[name] = shares.get(name, 0.0) + float(np.asarray(seconds)) / run.step_seconds
    name = max(shares, key=lambda entry: shares[entry])
    return name, shares[name]


def _links(run: Run, cause: str) -> str:
    """Whether what is sent stays in a node."""
    layout, cluster = run.fitted.chosen.layout, run.question.cluster
    degrees = _INSIDE.get(cause, ())
    group = np.prod([int(np.asarray(getattr(layout, name))) for name in degrees]) if degrees else run.question.working
    return "links inside the node" if group <= int(cluster.node_size) else "network"
