"""Cross-validation by source: every serving row predicted by coefficients whose fit never saw its source or its kin."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

from outlay.accuracy.cross import families
from outlay.accuracy.serving.predict import ServingPredictor, predictor
from outlay.accuracy.serving.solve import Fit, refit
from outlay.serving import ServingCoefficients, load_serving
from outlay.serving.coefficients import StepCoefficients


def refits(found: Fit) -> dict[tuple[str, ...], StepCoefficients]:
    """Coefficients without each family of sources that the fit used."""
    return {family: refit(found, family) for family in families(row.source for row in found.rows)}


def predictors(fits: Mapping[tuple[str, ...], StepCoefficients]) -> dict[str, ServingPredictor]:
    """For each source of the fit a predictor that has not seen it."""
    machine = load_serving().machine
    found: dict[str, ServingPredictor] = {}
    for family, step in fits.items():
        own = predictor(ServingCoefficients(machine=machine, step=step))
        found |= dict.fromkeys(family, own)
    return found


def document(fits: Mapping[tuple[str, ...], StepCoefficients], *, date: str) -> dict[str, Any]:
    """The refits as the catalog stores them, each coefficient to four figures."""
    return {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.serving.fit, on validation/serving, without the sources named",
        "refits": [{"without": list(family), "coefficients": plain(step)} for family, step in fits.items()],
    }


def plain(step: StepCoefficients) -> dict[str, Any]:
    """Coefficients as plain data, to four figures."""
    return {name: _short(getattr(step, name)) for name in StepCoefficients.__dataclass_fields__}


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _short(entry) for name, entry in sorted(value.items())}
    return float(f"{value:.4g}") if isinstance(value, int | float) else value


@functools.cache
def load_serving_unseen() -> Mapping[tuple[str, ...], StepCoefficients]:
    """The refits that the catalog ships, by the sources that they have not seen.

    A magnitude that the model has got since the last fit is as shipped.
    """
    shipped = load_serving().step
    known = set(StepCoefficients.__dataclass_fields__)
    return {
        tuple(entry["without"]): shipped.replace(**{k: v for k, v in entry["coefficients"].items() if k in known})
        for entry in stored()["refits"]
    }


def stored() -> Any:
    """The catalog's file as it stands."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "serving-unseen.json"
    return json.loads(resource.read_text(encoding="utf-8"))
