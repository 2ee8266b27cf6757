"""Where the fitted coefficients of serving come from, as receipts."""

from __future__ import annotations

import importlib.resources
import json
from functools import cache

from outlay.scenarios.provenance import receipts_of
from outlay.serving import ServingCoefficients, load_serving
from outlay.statement import Basis, Receipt
from outlay.training import load_coefficients


def serving_receipts(coefficients: ServingCoefficients) -> tuple[Receipt, ...]:
    """The sources of kernel times and of whole serving steps; coefficients that were passed in are the caller's.

    >>> len(serving_receipts(load_serving()))
    2
    """
    if coefficients != load_serving():
        return (Receipt("coefficients", unit="", source="the coefficients that were given", date="", basis="yours"),)
    return _shipped()


@cache
def _shipped() -> tuple[Receipt, ...]:
    folder = importlib.resources.files("outlay.catalog") / "coefficients"
    step = json.loads((folder / "serving.json").read_text(encoding="utf-8"))
    basis: Basis = "assumed" if step.get("basis") == "assumed" else "fitted"
    steps = Receipt(
        "what only whole serving steps show",
        unit="",
        source=str(step.get("source")),
        date=str(step.get("date") or ""),
        basis=basis,
    )
    return receipts_of(load_coefficients())[0], steps
