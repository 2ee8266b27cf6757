"""What share of its peak an accelerator uses when it serves a model at full batch, by our model of serving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.catalog import rows
from outlay.errors import InputError
from outlay.scenarios.serving.demand import REQUEST
from outlay.scenarios.serving.provenance import serving_receipts
from outlay.scenarios.serving.question import ServingQuestion, ask_serving
from outlay.scenarios.serving.ranged import relative_ranges
from outlay.serving import load_serving, maximum
from outlay.serving.layouts import layouts_of
from outlay.statement import Interval, Receipt

_COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""Devices that are tried: on the fewest that hold a model, its cache may have no room."""
_MORE = 3
"""Counts that are tried beyond the fewest that hold it."""
_TIE = 0.98
"""Of the best count, what a smaller one must reach to be taken."""
_ANY_RATE = 1.0
"""Requests a second; a question of serving has to have a load, and at full batch it does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedShare:
    """A share of the dense peak, by 2 FLOP an active parameter and token, input and output alike."""

    value: Interval
    devices: int
    request: str
    """Tokens of a request that were assumed."""
    receipts: tuple[Receipt, ...]


@rows.cached
def served_share(name: str, chip: str, kind: str, active: float, level: float) -> ServedShare | None:
    """That of a model of the catalog; None where it fits on no number of devices that is tried, or cannot be served there.

    >>> share = served_share("llama-3-8b", "h100-sxm", "bf16", 8.03e9, 0.8)
    >>> share.devices <= 2, 0.05 < share.value.low < share.value.likely < share.value.high < 1
    (True, True)
    """
    found: list[tuple[ServingQuestion, int, float]] = []
    for count in _COUNTS:
        try:
            question = ask_serving(name, on=f"{chip}:{count}", rate=_ANY_RATE)
        except InputError:
            return None
        tokens = _tokens_per_second(question, count)
        if tokens:
            found.append((question, count, 2.0 * active * tokens / (count * question.accelerator.peak(kind))))
        if len(found) > _MORE:
            break
    if not found:
        return None
    best = max(share for _, _, share in found)
    question, count, likely = next(entry for entry in found if entry[2] >= _TIE * best)
    slow = relative_ranges(question, level)["answers"]
    value = Interval.of(likely)
    if slow.low is not None and slow.high is not None:
        value = Interval.between(likely / slow.high, likely, min(likely / slow.low, max(likely, 1.0)))
    receipts = (REQUEST, *serving_receipts(load_serving()))
    return ServedShare(value=value, devices=count, request=str(REQUEST.value), receipts=receipts)


def _tokens_per_second(question: ServingQuestion, count: int) -> float:
    """Of `count` devices in the layout that answers most, input and output, when requests never run out; 0 if none fits."""
    domain = int(question.cluster.domain) if int(question.cluster.domain) > 1 else int(question.cluster.node_size)
    layouts = layouts_of(question.architecture, question.engine, most=count, domain=max(domain, 1)).layouts
    demand = question.demand
    found = maximum(question.deployment(layouts), input=demand.input, output=demand.output, coefficients=load_serving())
    each = np.broadcast_to(np.asarray(found.total_per_second, dtype=float), np.shape(layouts.tensor))
    replicas = count // np.asarray(layouts.devices, dtype=np.int64)
    return float(np.max(np.where(np.isfinite(each), each, 0.0) * replicas))
