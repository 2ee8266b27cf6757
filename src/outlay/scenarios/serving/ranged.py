"""How sure the times and the energy of a deployment are, for a question that was asked rather than measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, get_args

from outlay.accuracy.metrics import Kind
from outlay.accuracy.serving.ranges import load_serving_ranges, ported
from outlay.catalog import Accelerator
from outlay.machine.gemm_curve import gemm_curve
from outlay.scenarios.serving.demand import REQUEST
from outlay.scenarios.serving.question import ServingQuestion
from outlay.serving import Engine
from outlay.statement import Assumption, Interval
from outlay.workload import Architecture

WHAT: Final[tuple[Kind, ...]] = get_args(Kind)


def relative_ranges(question: ServingQuestion, level: float) -> Mapping[str, Interval]:
    """Measured over predicted, as time or as joules, by kind of figure: `decode`, `first`, `answers`, `prefill`, `energy`.

    The layout is asked for or chosen, so it is no doubt.
    """
    reasons = reasons_to_doubt(
        question.architecture,
        question.engine,
        [pool.accelerator for pool in question.pools],
        assumed=question.assumed,
        loaded=question.demand.concurrency != 1,
    )
    return ranges_for(reasons, level)


def ranges_for(reasons: Collection[str], level: float) -> Mapping[str, Interval]:
    """The same, by the names of what there is to doubt."""
    found = load_serving_ranges()
    ranges: dict[str, Interval] = {}
    for kind in WHAT:
        low, high = found.of(kind).factors(reasons, level)
        ranges[kind] = Interval.between(low, 1.0, high)
    return ranges


def share_within(kind: Kind, factor: float, reasons: Collection[str]) -> float:
    """The share of deployments whose time, or energy, is at most `factor` times the one predicted.

    >>> share_within("decode", 1.0, ()) < share_within("decode", 2.0, ())
    True
    """
    return load_serving_ranges().of(kind).share_below(factor, reasons)


def reasons_to_doubt(
    architecture: Architecture,
    engine: Engine,
    accelerators: Iterable[Accelerator],
    *,
    assumed: Iterable[Assumption],
    loaded: bool,
) -> tuple[str, ...]:
    """By the names of :data:`outlay.accuracy.serving.doubts.DOUBTS`."""
    chips = tuple(accelerators)
    reasons = {
        "kernels": any(gemm_curve(chip, "bf16", None).basis != "fitted" for chip in chips),
        "ported": any(ported(engine, chip) for chip in chips),
        "stands in": engine.name == "transformers",
        "experts": architecture.is_moe,
        "lengths": any(entry.receipt is REQUEST for entry in assumed),
        "loaded": loaded,
    }
    return tuple(name for name, holds in reasons.items() if holds)
