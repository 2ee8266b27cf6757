"""Serving rows judged as the catalog ships coefficients and ranges; with sources left out if asked."""

from __future__ import annotations

from dataclasses import replace

from outlay.accuracy.cross import note
from outlay.accuracy.records import Records
from outlay.accuracy.serving.cross import load_serving_unseen, predictors
from outlay.accuracy.serving.predict import predictor
from outlay.accuracy.serving.ranges import load_serving_ranges
from outlay.accuracy.serving.validate import validate_serving
from outlay.accuracy.validate import Validation
from outlay.serving import load_serving
from outlay.training.ranges import LEVEL


def judged(records: Records, *, cross: bool = False, level: float = LEVEL) -> Validation:
    """Every row as the shipped coefficients predict it, or (with `cross`) as a fit without its source does."""
    unseen = predictors(load_serving_unseen()) if cross else {}
    found = validate_serving(
        records, predictor(load_serving()), unseen=unseen, ranges=load_serving_ranges(), level=level
    )
    if not cross:
        return found
    crossed = note({one.row: one.source for one in found.comparisons}.values(), unseen)
    return replace(found, notes=(crossed, *found.notes))
