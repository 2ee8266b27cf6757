"""Machines that compute prompts apart from answers, where they carry the load for less than those that do both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.buying.own import Own
from outlay.scenarios.serving_plan.question import ask_serving_plan
from outlay.scenarios.serving_plan.search import search_wanted
from outlay.scenarios.serving_plan.words import instances, machines
from outlay.serving import ServingCoefficients
from outlay.units import format_money

LESS = 0.999
"""Share of the dollars from which on it is worth a sentence."""
_TERMS = ("provider", "tier", "discount", "pue", "grid")


def cheaper_apart(
    owns: Sequence[Own],
    model: object,
    *,
    asked: Mapping[str, Any],
    money: Mapping[str, Any],
    batch: float,
    coefficients: ServingCoefficients,
) -> Iterator[str]:
    """What a plan would take of the same accelerators with prompts apart, where that costs less. How many such machines take
    is two numbers that hang on the load together, so no crossing is theirs."""
    own = owns[0]
    if own.dollars is None or not own.offers or own.sizes.counted:
        return
    said = {name: value for name, value in asked.items() if value is not None}
    if batch:
        said["peak"] = own.unit.peak
    chips = ",".join(dict.fromkeys(each.unit.chip for each in owns))
    terms = {name: money[name] for name in _TERMS if money.get(name) is not None}
    try:
        wanted = ask_serving_plan(model, {**said, **terms, "on": chips, "mode": "disaggregated"})  # type: ignore[arg-type]
        best = search_wanted(wanted, coefficients).best
    except (DoesNotFit, InputError):
        return
    if best.dollars < LESS * own.dollars.likely:
        yield (
            f"With prompts computed apart {machines(best)} of {best.offer.provider} ({instances(best)}) carry the load for "
            f"{format_money(best.dollars)}: `outlay plan serving` has them. The bills here are of machines that do both."
        )
