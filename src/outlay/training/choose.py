"""The layout for somebody who has not chosen one: a small exhaustive search by the same formulas."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Layout, Problem, Recompute, legal
from outlay.machine import Cluster
from outlay.search import size
from outlay.training.axes import QUARTERS, axes_of, layouts_of
from outlay.training.coefficients import Coefficients
from outlay.training.recipe import Recipe
from outlay.training.step import Estimate, estimate
from outlay.workload import Number

TIE = 1.01
"""Times within this factor count as equal: far less than any prediction's error."""

Allowed: TypeAlias = Callable[[Layout, Recipe, Cluster], NDArray[np.bool_]]
"""Which of an array of layouts may be chosen, beside what is legal: those that a tool can run."""
_Places: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The fastest layout that fits, or the one nearest to fitting, and how many were looked at."""

    layout: Layout
    estimate: Estimate
    looked_at: int
    legal: int
    fitting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """Layouts and what decides between them, all of one length."""

    layouts: Layout
    fits: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    memory: NDArray[np.float64]
    optimizer: NDArray[np.float64]
    """Bytes of the optimizer's state, all of which the host may hold instead."""

    def __len__(self) -> int:
        return len(self.seconds)

    def best(self) -> float:
        """Seconds of the fastest that fits, infinite where none does."""
        return float(self.seconds[self.fits].min(initial=np.inf))

    def first(self) -> Layout:
        """The simplest of the fastest that fit; where none fits, the smallest."""
        if self.fits.any():
            near = np.flatnonzero(self.fits & (self.seconds <= TIE * self.best()))
            steps = np.asarray(complexity(self.layouts.at(near)), dtype=np.float64)
            return self.layouts.at(int(near[np.lexsort((self.seconds[near], steps))[0]]))
        return self.layouts.at(int(np.argmin(self.memory)))


_Relief: TypeAlias = Callable[[_Scored, _Places], Iterator[Layout]]


def choose_layout(
    recipe: Recipe,
    cluster: Cluster,
    coefficients: Coefficients,
    fixed: Mapping[str, Number] | None = None,
    *,
    wide: bool = True,
    allowed: Allowed | None = None,
) -> Chosen | None:
    """The fastest legal layout that fits in memory, with the degrees in `fixed` kept.

    If none fits, the one that needs the least memory; None if no combination is legal. Of layouts whose times the model
    cannot tell apart (:data:`TIE`), the simplest. What saves memory only in part (recomputing some layers, holding some of
    the optimizer's state on the host) is tried where the whole layout would be the fastest if it fitted. `wide` is that of
    :func:`outlay.training.axes.axes_of`; what is not `allowed` counts as illegal.
    """
    fixed = dict(fixed or {})
    axes = axes_of(recipe, cluster, fixed, wide=wide)
    problem = Problem(
        architecture=recipe.architecture,
        sequence_length=recipe.sequence_length,
        global_batch=recipe.global_batch,
        devices=cluster.count,
    )

    def may_be(layouts: Layout) -> _Places:
        kept = legal(layouts, problem)
        return np.flatnonzero(kept if allowed is None else kept & allowed(layouts, recipe, cluster))

    found = [
        _scored(recipe, layouts.at(kept) if allowed else layouts, cluster, coefficients)
        for layouts in layouts_of(axes, problem)
        if allowed is None or (kept := may_be(layouts)).size
    ]
    if not found:
        return None
    scored = _joined(found)
    plain = len(scored)
    for relief in _reliefs(cluster, fixed):
        # What is relieved is never faster than what is not: only those can win that are faster than the fastest that fits.
        tight = np.flatnonzero(~scored.fits & (scored.seconds < scored.best()))
        layouts = _in_one(list(relief(scored, tight))) if tight.size else None
        if layouts is not None:
            kept = may_be(layouts)
            if kept.size:
                scored = _joined([scored, _scored(recipe, layouts.at(kept), cluster, coefficients)])
    chosen = scored.first()
    return Chosen(
        layout=chosen,
        estimate=estimate(recipe, chosen, cluster, coefficients),
        looked_at=size(axes) + len(scored) - plain,
        legal=len(scored),
        fitting=int(scored.fits.sum()),
    )


def _scored(recipe: Recipe, layouts: Layout, cluster: Cluster, coefficients: Coefficients) -> _Scored:
    judged = estimate(recipe, layouts, cluster, coefficients)
    count = len(layouts.tensor)  # type: ignore[arg-type]  # spelled out by whoever calls
    figures = (judged.fits, judged.step_seconds, judged.memory_bytes, judged.memory["optimizer"])
    fits, seconds, memory, state = (np.broadcast_to(np.asarray(figure), (count,)) for figure in figures)
    return _Scored(layouts=layouts, fits=fits, seconds=seconds, memory=memory, optimizer=state)


def _in_one(parts: list[Layout]) -> Layout | None:
    """Layouts end to end; None without any."""
    parts = [part for part in parts if np.size(part.tensor)]
    if not parts:
        return None
    names = [field.name for field in dataclasses.fields(Layout)]
    return Layout(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _joined(parts: list[_Scored]) -> _Scored:
    """Scores end to end."""
    if len(parts) == 1:
        return parts[0]
    layouts = _in_one([part.layouts for part in parts])
    assert layouts is not None
    return _Scored(
        layouts=layouts,
        fits=np.concatenate([part.fits for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        memory=np.concatenate([part.memory for part in parts]),
        optimizer=np.concatenate([part.optimizer for part in parts]),
    )


def _reliefs(cluster: Cluster, fixed: Mapping[str, Number]) -> Iterator[_Relief]:
    """Ways to make layouts smaller that cost a part of what the grid's own ways do, for degrees that nobody fixed."""

    def recomputed(part: _Scored, index: _Places) -> Iterator[Layout]:
        whole = part.layouts.at(index[np.equal(part.layouts.recompute, Recompute.NONE)[index]])
        for kind in (Recompute.SELECTIVE, Recompute.FULL):
            for share in QUARTERS[:-1]:
                yield _changed(whole, recompute=int(kind), recompute_layers=share)

    def offloaded(part: _Scored, index: _Places) -> Iterator[Layout]:
        """As much of the optimizer's state to the host as makes room; all of it where nothing fits at all."""
        over = (part.memory[index] - cluster.accelerator.memory) / np.maximum(part.optimizer[index], 1.0)
        if not (part.fits.any() or (over <= 1.0).any()):
            over = np.minimum(over, 1.0)
        enough = over <= 1.0
        share = np.asarray(QUARTERS)[np.searchsorted(QUARTERS, over[enough])]
        yield _changed(part.layouts.at(index[enough]), offload=share)

    if not {"recompute", "recompute_layers"} & set(fixed):
        yield recomputed
    if "offload" not in fixed and cluster.accelerator.category != "apple":  # whose host has no memory of its own
        yield offloaded


def _changed(layouts: Layout, **degrees: Any) -> Layout:
    """The layouts with other degrees, spelled out."""
    return dataclasses.replace(layouts, **degrees).broadcast()


def complexity(layout: Layout) -> Number:
    """How much a layout asks of whoever runs it: doublings of its degrees, context parallelism twice, and each switch.

    >>> float(complexity(Layout(data=64))), float(complexity(Layout(tensor=2, context=2, data=16)))
    (0.0, 3.0)
    """
    doublings = np.log2(layout.tensor * layout.pipeline * layout.virtual * layout.expert) + 2 * np.log2(layout.context)
    switches = (
        np.greater(layout.recompute, 0) + 1.0 * np.less(layout.recompute_layers, 1) + np.greater(layout.offload, 0)
    )
    total: Number = (
        doublings + switches + np.greater(layout.zero, 1) + np.less(layout.zero, 1) * np.greater(layout.data, 1)
    )
    return total
