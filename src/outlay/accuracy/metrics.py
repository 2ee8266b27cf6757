"""The metrics of serving runs: in what unit they are printed, which count as one, and of which more is better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from outlay.accuracy.validate import Comparison

Kind = Literal["decode", "prefill", "answers", "first", "energy"]
KINDS: Final[dict[str, Kind]] = {
    "tpot_ms": "decode",
    "decode_tokens_per_s": "decode",
    "prefill_tokens_per_s": "prefill",
    "output_tokens_per_s": "answers",
    "total_tokens_per_s": "answers",
    "e2e_latency_ms": "answers",
    "requests_per_s": "answers",
    "ttft_ms": "first",
    "joules_per_token": "energy",
}
"""Metric → the kind of which it is one measurement, the first of a kind before those that repeat it in another unit."""

TITLES: Final[dict[Kind, str]] = {
    "decode": "Between tokens, as time",
    "prefill": "Prompts, as time",
    "answers": "Whole answers, as time",
    "first": "Time to first token",
    "energy": "Energy of a token",
}
UNITS: Final = {
    "tpot_ms": "ms/tok",
    "decode_tokens_per_s": "dec tok/s",
    "prefill_tokens_per_s": "pre tok/s",
    "output_tokens_per_s": "out tok/s",
    "total_tokens_per_s": "all tok/s",
    "e2e_latency_ms": "ms",
    "requests_per_s": "req/s",
    "ttft_ms": "ttft ms",
    "joules_per_token": "J/tok",
}
RATES: Final = tuple(metric for metric in KINDS if metric.endswith("_per_s"))
"""Of these more is better."""


def kind_of(metric: str) -> Kind:
    """The kind of a metric of serving.

    >>> kind_of("tpot_ms"), kind_of("ttft_ms")
    ('decode', 'first')
    """
    return KINDS[metric]


def once_a_kind(comparisons: Iterable[Comparison]) -> dict[Kind, list[Comparison]]:
    """Of each kind one comparison a row; flagged rows are left out.

    Where a row states the rate of decoding, its rate of output tokens is the same number again.
    """
    kept = [one for one in comparisons if one.metric in KINDS and not one.flagged]
    alone = {one.row for one in kept if one.metric == "decode_tokens_per_s"}
    order = list(KINDS)
    found: dict[Kind, dict[int, Comparison]] = {}
    for one in sorted(kept, key=lambda one: order.index(one.metric)):
        if one.metric == "output_tokens_per_s" and one.row in alone:
            continue
        found.setdefault(kind_of(one.metric), {}).setdefault(one.row, one)
    return {kind: [rows[row] for row in sorted(rows)] for kind, rows in found.items()}
