"""Whether sizes can be computed with: asked before every formula, so it must cost little."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


def sound(number: npt.NDArray[Any], least: float = 0.0) -> bool:
    """Whether every number is finite and at least `least`; an empty array is.

    >>> import numpy as np
    >>> sound(np.array([0.0, 3.0])), sound(np.array(0.5), 1.0), sound(np.array([1.0, np.nan])), sound(np.array(np.inf))
    (True, False, False, False)
    """
    if number.ndim == 0:
        return bool(least <= number.item() < math.inf)
    # A comparison with NaN is false, and the least of an array with a NaN is NaN.
    return bool(number.size == 0 or (_LEAST(number, axis=None) >= least and _MOST(number, axis=None) < math.inf))


_LEAST, _MOST = np.minimum.reduce, np.maximum.reduce
"""What `min` and `max` come to, without their way there."""
