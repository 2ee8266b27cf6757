"""Kernels' times that are asked for again: by a fit, of the same steps with other coefficients of steps; by layers of one
step that are alike."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np

from outlay.serving.deployment import DEGREES, Deployment, Work
from outlay.workload import Attention, Layer, Number

Parts: TypeAlias = dict[str, Number]
Seen: TypeAlias = dict[Layer, tuple[Parts, Number]]
"""Seconds by cause and number of the kernels of one step's layers, by the layer without its window."""

T = TypeVar("T")
_WORK = ("decoding", "context", "prefill", "prompts", "past", "drafted", "absent")
_kept: contextvars.ContextVar[dict[tuple[Any, ...], Any] | None] = contextvars.ContextVar("kept", default=None)


@contextlib.contextmanager
def remembering() -> Iterator[None]:
    """While this is open, kernels are timed once for each layer, deployment and work."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def remembered(make: Callable[[], T], what: object, deployment: Deployment, work: Work, machine: object) -> T:
    """What `make` gives, or what it gave for the same; `what` None is never kept."""
    kept = _kept.get()
    if kept is None or what is None:
        return make()
    key = (
        what if isinstance(what, str) else id(what),
        id(deployment.architecture),
        id(deployment.cluster),
        deployment.engine.name,
        deployment.engine.family,
        deployment.engine.year,
        deployment.weights.name,
        deployment.cache,
        deployment.engine.expert_kernels,
        deployment.imbalance,
        deployment.skew,
        deployment.truncated,
        deployment.adapters,
        id(machine),
        *(np.asarray(getattr(deployment.layout, name), dtype=float).tobytes() for name in DEGREES),
        *(np.asarray(getattr(work, name), dtype=float).tobytes() for name in _WORK),
    )
    if key not in kept:
        kept[key] = make()
    found: T = kept[key]
    return found


def but_for_windows(
    seen: Seen, layer: Layer, kernels: Callable[[], tuple[Parts, Number]], attention: Callable[[Attention], Parts]
) -> tuple[Parts, Number]:
    """What `kernels` gives of a layer; of one that differs in its window alone from one that was `seen`, no more than its
    `attention` is timed."""
    if not isinstance(layer.mixer, Attention):
        return kernels()
    like = dataclasses.replace(layer, mixer=dataclasses.replace(layer.mixer, window=None, chunked=False))
    if like in seen:
        parts, count = seen[like]
        return parts | attention(layer.mixer), count
    seen[like] = kernels()
    return seen[like]
