"""The metrics of serving runs: in what unit they are printed, which count as one, and of which more is better."""

from __future__ import annotations

from typing import Final, Literal

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
