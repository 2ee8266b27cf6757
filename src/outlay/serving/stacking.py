"""Numbers of several things that one formula is asked for at once: they stand on an axis in front.

A formula over short arrays takes as long as over numbers, so asking once for all products of a layer is several times
quicker than asking for each; over long arrays the arithmetic counts, and each by itself stays in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outlay.workload import Number

SHORT = 1 << 12
"""Numbers up to which asking takes longer than the arithmetic."""


def stacked(values: Sequence[Number], axes: int) -> NDArray[np.float64]:
    """Numbers, or arrays of at most `axes` axes that broadcast, one behind the other on an axis in front of those.

    >>> stacked([1.0, np.array([2.0, 3.0])], 2).shape, stacked([4, 5], 1).tolist()
    ((2, 1, 2), [[4.0], [5.0]])
    """
    shape = _together(values)
    rows = np.empty((len(values), *(1,) * (axes - len(shape)), *shape))
    for place, value in enumerate(values):
        rows[place] = value
    return rows


def short(*values: Number, times: int = 1) -> int | None:
    """How many axes numbers have together, where so many `times` what they spell out is no more than :data:`SHORT`; else None.

    >>> short(np.ones((30, 1)), np.ones(40)), short(np.ones((300, 1)), np.ones(40)), short(np.ones(2000), times=3)
    (2, None, None)
    """
    shape = _together(values)
    return len(shape) if math.prod(shape) * times <= SHORT else None


def _together(values: Sequence[Number]) -> tuple[int, ...]:
    """The shape of all of them."""
    if 1 < len(values) <= MOST:
        return np.broadcast(*values).shape
    return np.broadcast_shapes(*(np.shape(value) for value in values))


MOST = 30
"""Numbers that NumPy broadcasts in its quicker way."""
