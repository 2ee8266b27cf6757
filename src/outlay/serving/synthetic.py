"""Made-up requests: when they come (Poisson, bursts, the curve of a day) and how long they are; the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.serving.requests import Requests

Array = npt.NDArray[Any]

HOURS = 24
"""Points of a day's curve."""


def poisson(
    rate: float,
    count: int,
    *,
    input: float,
    output: float,
    variation: float = 0.0,
    burstiness: float = 1.0,
    seed: int = 0,
) -> Requests:
    """`count` requests at a mean rate, independent of each other, or in bursts.

    Parameters
    ----------
    rate
        Requests a second.
    input, output
        Mean tokens of prompts and answers.
    variation
        Standard deviation of both lengths over their means (gamma-distributed); 0: all alike.
    burstiness
        Shape of the gamma distribution of the times between requests, as in vLLM's benchmark: 1 is Poisson, less comes in
        bursts (their squared coefficient of variation is 1 / burstiness), more is evener.

    >>> found = poisson(2.0, 10_000, input=500, output=100, variation=1.0, seed=1)
    >>> bool(abs(found.rate / 2.0 - 1) < 0.03), bool(abs(found.input.mean() / 500 - 1) < 0.03)
    (True, True)
    """
    _positive(rate=rate, count=count, input=input, output=output, burstiness=burstiness)
    random = np.random.default_rng(seed)
    arrival = np.cumsum(random.gamma(burstiness, 1.0 / (rate * burstiness), int(count)))
    return Requests(
        arrival - arrival[0],
        lengths(input, variation, int(count), random),
        lengths(output, variation, int(count), random),
    )


def diurnal(
    rates: Sequence[float],
    *,
    input: float,
    output: float,
    variation: float = 0.0,
    hour: float = 3600.0,
    seed: int = 0,
) -> Requests:
    """A day of requests whose rate follows a curve: `rates` a second, one an hour (any number of them, evenly apart).

    Between two points the rate goes in a straight line, and after the last one back to the first. `hour`: seconds from one
    point to the next; fewer play a day in a shorter time.

    >>> day = diurnal([0.1, 0.2, 1.0, 0.2], input=500, output=100)
    >>> bool(5000 < len(day) < 5800), bool(day.arrival[-1] < 4 * 3600)
    (True, True)
    """
    curve = np.asarray(rates, dtype=float)
    _positive(hour=hour, input=input, output=output)
    if curve.ndim != 1 or len(curve) == 0 or not np.isfinite(curve).all() or (curve < 0).any() or curve.max() <= 0:
        raise InputError(
            "the curve of a day has no rates, or negative ones", hint="give requests a second, one an hour"
        )
    random = np.random.default_rng(seed)
    span, peak = hour * len(curve), float(curve.max())
    # Thinning (Lewis and Shedler 1979): requests at the highest rate, of which the curve's share is kept.
    tried = np.sort(random.uniform(0.0, span, random.poisson(peak * span)))
    around = np.append(curve, curve[0])
    kept = tried[random.uniform(0.0, peak, len(tried)) < np.interp(tried, hour * np.arange(len(around)), around)]
    return Requests(kept, lengths(input, variation, len(kept), random), lengths(output, variation, len(kept), random))


def lengths(mean: float, variation: float, count: int, random: np.random.Generator) -> Array:
    """Whole tokens, at least one, gamma-distributed around a mean.

    >>> lengths(100.0, 0.0, 3, np.random.default_rng(0)).tolist()
    [100, 100, 100]
    """
    if variation <= 0:
        return np.full(count, max(round(mean), 1), dtype=np.int64)
    shape = 1.0 / variation**2
    return np.maximum(np.round(random.gamma(shape, mean / shape, count)), 1.0).astype(np.int64)


def _positive(**values: float) -> None:
    wrong = [f"`{name}` is {value:g}" for name, value in values.items() if not (np.isfinite(value) and value > 0)]
    if wrong:
        raise InputError(
            " and ".join(wrong), expected="a positive number", hint="write `rate=2.0`, `input=1024`, `output=256`"
        )
