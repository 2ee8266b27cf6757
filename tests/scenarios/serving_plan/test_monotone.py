"""Whoever allows more is never asked for more: machines, seconds, and fewer requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from outlay.errors import DoesNotFit
from outlay.scenarios.serving_plan.search import search_serving

Q: list[tuple[str, dict[str, Any]]] = [
    ("gemma-2-9b", {"rate": 10, "input": 128, "output": 800, "ttft": 1.0, "tpot": 0.05, "on": "a10g"}),
    (
        "qwen2.5-32b",
        {"rate": 1, "input": 4000, "output": 50, "ttft": 5.0, "tpot": 0.1, "on": "a10g", "engine": "any"},
    ),
    (
        "llama-3-8b",
        {"rate": 80, "input": 1000, "output": 50, "ttft": 2.0, "tpot": 0.05, "on": "a10g", "mode": "aggregated"},
    ),
    ("mixtral-8x7b", {"rate": 5, "input": 1000, "output": 200, "ttft": 1.0, "tpot": 0.03, "on": "h100-sxm,l40s"}),
    ("qwen3-30b-a3b", {"rate": 20, "input": 4000, "output": 200, "ttft": 2.0, "tpot": 0.03, "on": "mi300x"}),
    ("llama-3-8b", {"rate": 0.05, "input": 500, "output": 800, "ttft": 0.5, "tpot": 0.03, "on": "l4,l40s"}),
]
ASKED = pytest.mark.parametrize(("model", "asked"), Q, ids=[f"{model} {asked['on']}" for model, asked in Q])


def bill(model: str, asked: Mapping[str, Any], **other: Any) -> float:
    """Dollars of a month; infinite where the answer is no."""
    try:
        return search_serving(model, {"count": 64, **asked, **other}).best.dollars
    except DoesNotFit:
        return np.inf


@ASKED
@pytest.mark.parametrize("limit", ["count", "ttft", "tpot", "rate"])
def test_more_allowed_is_never_dearer(model: str, asked: dict[str, Any], limit: str) -> None:
    looser = {"count": (16, 64, 300, 1024), "rate": (1.0, 0.9, 0.5)}.get(limit, (1.0, 1.1, 1.5, 3.0))
    values = looser if limit == "count" else [asked[limit] * times for times in looser]
    bills = [bill(model, asked, **{limit: value}) for value in values]
    assert np.isfinite(bills[-1])
    assert bills == sorted(bills, reverse=True)
