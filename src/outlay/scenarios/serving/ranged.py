"""How sure the times and the energy of a deployment are, for a question that was asked rather than measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from outlay.accuracy.metrics import Kind
from outlay.accuracy.serving.ranges import load_serving_ranges
from outlay.machine.gemm_curve import gemm_curve
from outlay.scenarios.serving.demand import REQUEST
from outlay.scenarios.serving.question import ServingQuestion
from outlay.statement import Interval

WHAT: Final[tuple[Kind, ...]] = get_args(Kind)


def relative_ranges(question: ServingQuestion, level: float) -> Mapping[str, Interval]:
    """Measured over predicted, as time or as joules, by kind of figure: `decode`, `first`, `answers`, `prefill`, `energy`.

    The layout is asked for or chosen, so it is no doubt.
    """
    found, reasons = load_serving_ranges(), _doubts(question)
    ranges: dict[str, Interval] = {}
    for kind in WHAT:
        low, high = found.of(kind).factors(reasons, level)
        ranges[kind] = Interval.between(low, 1.0, high)
    return ranges


def _doubts(question: ServingQuestion) -> tuple[str, ...]:
    """Reasons to doubt, by the names of :data:`outlay.accuracy.serving.ranges.DOUBTS`."""
    reasons = {
        "kernels": any(gemm_curve(pool.accelerator, "bf16", None).basis != "fitted" for pool in question.pools),
        "stands in": question.engine.name == "transformers",
        "experts": question.architecture.is_moe,
        "lengths": any(entry.receipt is REQUEST for entry in question.assumed),
        "loaded": question.demand.concurrency != 1,
    }
    return tuple(name for name, holds in reasons.items() if holds)
