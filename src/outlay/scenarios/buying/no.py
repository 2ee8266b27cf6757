"""When nothing that is rented out serves the load: what came nearest, and the limits with which it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.serving.question import ServingQuestion
from outlay.serving import Load, ServingCoefficients
from outlay.serving.batching import perform
from outlay.serving.layouts import layouts_of
from outlay.units import format_quantity

LEAST_RATE = 1e-6
"""Requests a second at which nobody waits for others."""
_SAID = 3
_WORDS = {"ttft": "to the first token", "tpot": "a token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The quickest instance of one accelerator when it has a single request: its devices and seconds."""

    chip: str
    devices: int
    seconds: dict[str, float]
    """By the objective that limits them."""
    excess: float
    """The worse of them over what is allowed."""


def quickest(question: ServingQuestion, coefficients: ServingCoefficients, *, domain: int, most: int) -> Quick | None:
    """The instance of at most `most` devices that comes nearest to the objectives; None where the model does not fit."""
    demand, objectives = question.demand, question.objectives
    layouts = layouts_of(question.architecture, question.engine, most=most, domain=domain).layouts
    load = Load(input=demand.input, output=demand.output, rate=LEAST_RATE, cached=demand.cached)
    found = perform(question.deployment(layouts), load, coefficients)
    count = np.shape(layouts.tensor)
    taken = {name: np.broadcast_to(np.asarray(getattr(found, name)), count) for name in objectives.stated}
    over = np.max([seconds / float(getattr(objectives, name)) for name, seconds in taken.items()], axis=0)
    place = int(np.argmin(over))
    if not np.isfinite(over[place]):
        return None
    return Quick(
        chip=question.accelerator.name,
        devices=int(np.broadcast_to(layouts.devices, count)[place]),
        seconds={name: float(seconds[place]) for name, seconds in taken.items()},
        excess=float(over[place]),
    )


def nobody_lists(money: Mapping[str, Any]) -> DoesNotFit:
    """No accelerator for servers has a price of the tier and the seller asked for."""
    seller, tier = money.get("provider"), str(money.get("tier") or "on-demand").strip().lower()
    return DoesNotFit(
        f"{seller or 'nobody'} lists {'no ' if seller else ''}accelerators for servers as {tier}",
        hint="leave `--provider` out"
        if seller
        else "write `--tier on-demand`, or your own price: `--on h100-sxm:8 --price 2`",
    )


def nothing(
    model: str, asked: Sequence[Quick], limits: dict[str, float], refused: Sequence[InputError]
) -> InputError | DoesNotFit:
    """The answer: it is refused everywhere, fits nowhere, or nowhere within the objectives."""
    errors = {error.message: error for error in refused}
    if not asked and errors:
        often, times = Counter(error.message for error in refused).most_common(1)[0]
        if times > 1 or len(errors) == 1:  # it is not about one accelerator
            return errors[often]
        return InputError(
            f"nothing that somebody rents out serves {model} as asked",
            details=[*errors][:_SAID],
            hint="name machines: `--on h100-sxm:8`",
        )
    if not asked:
        return DoesNotFit(
            f"nothing that somebody rents out holds {model}, or links as many as an instance takes",
            hint="name machines: `--on h100-sxm:64`, a narrower format: `--quant fp8`, or a smaller model",
        )
    near = min(asked, key=lambda entry: entry.excess)
    allowed = " and ".join(f"`--{name} {_typed(limits[name])}`" for name in near.seconds)
    relief = [f"--{name} {_typed(_above(took))}" for name, took in near.seconds.items() if took > limits[name]]
    said = " and ".join(f"{format_quantity(took, 's')} {_WORDS[name]}" for name, took in near.seconds.items())
    return DoesNotFit(
        f"nothing that somebody rents out answers within {allowed}, not even one request at a time\n"
        f"  nearest: {near.devices:,} × {near.chip} {'takes' if near.devices == 1 else 'take'} {said}",
        hint=f"it is there with `{' '.join(relief)}`" if relief else "ask for more time, or for a smaller model",
    )


def _above(seconds: float) -> float:
    """A little more, in two digits."""
    step = 10.0 ** (np.floor(np.log10(seconds)) - 1)
    return float(np.ceil(seconds / step * 1.02) * step)


def _typed(seconds: float) -> str:
    """A time after its flag.

    >>> _typed(0.5), _typed(2.0), _typed(1e-9)
    ('500ms', '2s', '1ns')
    """
    return format_quantity(seconds, "s").replace(" ", "")
