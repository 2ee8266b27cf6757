"""Layouts that publishers chose, beside the plan's: by how much the plan is faster by our own model, and how many layouts are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from outlay.accuracy.records import Record
from outlay.accuracy.resolve import resolve
from outlay.errors import InputError
from outlay.layout import Layout, Problem, describe, legal
from outlay.training import Coefficients, choose_layout, estimate
from outlay.training.axes import axes_of, layouts_of
from outlay.training.choose import TIE

SOURCES = ("korthikanti_2022", "papers", "nvidia_megatron_bridge", "nvidia_dgxc_benchmarking")
"""Sources that state layouts of tuned runs."""
DEGREES = ("tensor", "pipeline", "context", "data")
PARTLY = {"https://arxiv.org/abs/2407.21783": DEGREES}
"""Papers whose runs are taken though they state these degrees alone: Llama 3, table 4."""
BEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A published layout and the plan's for the same model, batch and machines."""

    source: str
    id: str
    model: str
    published: str
    planned: str
    published_seconds: float
    planned_seconds: float
    faster: int
    """Layouts that fit and are faster than the published one by more than cannot be told apart."""

    @property
    def gain(self) -> float:
        """Time of the published layout over the plan's, minus 1; both predicted."""
        return self.published_seconds / self.planned_seconds - 1.0


def compare(records: Sequence[Record], coefficients: Coefficients) -> Iterator[Beside]:
    """Rows that say their whole layout, each beside the plan's; and those of :data:`PARTLY`, whose publisher is credited with
    the best choice of what he does not say."""
    for record in records:
        partly = PARTLY.get(record.word("source_url"), ())
        if record.source not in SOURCES or record.flagged or (record.source == "papers" and not partly):
            continue
        try:
            question = resolve(record)
        except InputError:
            continue
        if set(question.open) - {"recompute"} and not partly:
            continue
        recipe, cluster = question.recipe, question.cluster
        if question.fixed["sequence_parallel"]:  # a row that has it shows that its framework could
            recipe = replace(recipe, software=replace(recipe.software, sequence_parallel=True))
        layout = Layout(**question.fixed)
        if partly:
            best = choose_layout(recipe, cluster, coefficients, {name: question.fixed[name] for name in partly})
            if best is None:
                continue
            layout = best.layout
        problem = Problem(
            architecture=recipe.architecture,
            sequence_length=recipe.sequence_length,
            global_batch=recipe.global_batch,
            devices=cluster.count,
        )
        if not legal(layout, problem).all():
            continue
        own = estimate(recipe, layout, cluster, coefficients)
        chosen = choose_layout(recipe, cluster, coefficients)
        if chosen is None or not (bool(own.fits) and bool(chosen.estimate.fits)):
            continue
        seconds = float(own.step_seconds)
        faster = 0
        for layouts in layouts_of(axes_of(recipe, cluster, {}), problem):
            found = estimate(recipe, layouts, cluster, coefficients)
            faster += int(np.count_nonzero(np.asarray(found.fits) & (np.asarray(found.step_seconds) * TIE < seconds)))
        yield Beside(
            source=record.source,
            id=record.id,
            model=record.word("model"),
            published=describe(layout),
            planned=describe(chosen.layout),
            published_seconds=seconds,
            planned_seconds=float(chosen.estimate.step_seconds),
            faster=faster,
        )


def summary(found: Sequence[Beside]) -> dict[str, Any]:
    """By source: rows, the median and largest gain, and the share of published layouts among our best five, as plain data."""
    return {
        source: {
            "rows": len(own),
            "median": median(one.gain for one in own),
            "most": max(one.gain for one in own),
            "among_best": sum(one.faster < BEST for one in own) / len(own),
        }
        for source in sorted({one.source for one in found})
        if (own := [one for one in found if one.source == source])
    }
