"""Kernels' times that are asked for again and again: a fit asks for the same steps with other coefficients of steps."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from outlay.serving.deployment import Deployment, Work

T = TypeVar("T")
_DEGREES = ("tensor", "pipeline", "data", "expert", "expert_tensor")
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
        deployment.weights.name,
        deployment.cache,
        deployment.imbalance,
        deployment.adapters,
        id(machine),
        *(np.asarray(getattr(deployment.layout, name), dtype=float).tobytes() for name in _DEGREES),
        *(np.asarray(getattr(work, name), dtype=float).tobytes() for name in _WORK),
    )
    if key not in kept:
        kept[key] = make()
    found: T = kept[key]
    return found
