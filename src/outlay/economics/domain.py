"""Where the formulas of this package hold."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError

Numbers: TypeAlias = float | npt.NDArray[np.float64]
"""A number, or an array of them; a formula broadcasts over its arrays."""


def within(
    name: str, value: Numbers, *, low: float = 0.0, high: float = math.inf, above: bool = False, hint: str
) -> Numbers:
    """`value`, if all of it is finite, at least `low` (more than it if `above`) and at most `high`.

    >>> within("pue", 1.2, low=1, hint="a PUE of 1.2 is `1.2`")
    1.2

    :raises InputError: otherwise, naming the first offender.
    """
    array = np.asarray(value, dtype=float)
    fits = np.isfinite(array) & ((array > low) if above else (array >= low)) & (array <= high)
    if fits.all():
        return value
    offender = float(array[~fits].flat[0]) if array.ndim else float(array)
    lower = f"{'above' if above else 'of at least'} {low:g}"
    upper = f" and at most {high:g}" if math.isfinite(high) else ""
    raise InputError(f"`{name}` is {offender:g}", expected=f"a finite number {lower}{upper}", hint=hint)
