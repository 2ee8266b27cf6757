"""Where the fitted coefficients come from, as receipts."""

from __future__ import annotations

import importlib.resources
import json
from functools import cache

from outlay.statement import Basis, Receipt
from outlay.training import Coefficients, load_coefficients


def receipts_of(coefficients: Coefficients) -> tuple[Receipt, ...]:
    """The sources of kernel times and of whole steps; coefficients that were passed in are the caller's.

    >>> receipts_of(load_coefficients())[0].basis
    'fitted'
    """
    if coefficients != load_coefficients():
        return (Receipt("coefficients", unit="", source="the coefficients that were given", date="", basis="yours"),)
    return _shipped()


@cache
def _shipped() -> tuple[Receipt, ...]:
    folder = importlib.resources.files("outlay.catalog") / "coefficients"
    step = json.loads((folder / "step.json").read_text(encoding="utf-8"))
    basis: Basis = "assumed" if step.get("basis") == "assumed" else "fitted"
    kernels = Receipt(
        "times of kernels",
        unit="",
        source="measured kernels in aiconfigurator-core 0.12.0 (Apache-2.0, NVIDIA), fitted by `make fit`",
        date="",
        basis="fitted",
    )
    steps = Receipt(
        "what only whole steps show",
        unit="",
        source=str(step.get("source")),
        date=str(step.get("date") or ""),
        basis=basis,
    )
    return kernels, steps
