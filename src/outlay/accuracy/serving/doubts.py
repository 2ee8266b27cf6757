"""What there is to doubt in the prediction of a row."""

from __future__ import annotations

from typing import Final

from outlay.accuracy.serving.pools import UNCOUNTED
from outlay.accuracy.serving.ranges import ported
from outlay.accuracy.serving.resolve import ENTERED, Question
from outlay.machine.gemm_curve import gemm_curve

DOUBTS: Final = ("kernels", "ported", "stands in", "experts", "lengths", "layout", "loaded", "apart", "drafting")
"""Reasons for a wider range: no kernels were measured on the chip; the engine was brought to it from another maker's; it is
none that is listed; the model has experts; lengths are not stated; nor is the layout; requests wait for each other; prompts
have devices of their own; how often drafted tokens are right is not stated, or whether any are drafted."""


def doubts(question: Question) -> tuple[str, ...]:
    """The reasons to doubt a prediction, in the order of :data:`DOUBTS`."""
    one = question.deployment
    reasons = (
        gemm_curve(one.cluster.accelerator, "bf16", None).basis != "fitted",
        ported(one.engine, one.cluster.accelerator) and not one.engine.family.endswith(ENTERED),
        one.engine.name == "transformers",
        one.architecture.is_moe,
        any(said.startswith(("prompts of", "answers of")) for said in question.assumed),
        any(said.startswith("tp ") or "instances for" in said for said in question.assumed),
        question.protocol != "batch",
        question.apart is not None,
        any("drafted token" in said or said == UNCOUNTED for said in question.assumed),
    )
    return tuple(name for name, holds in zip(DOUBTS, reasons, strict=True) if holds)
