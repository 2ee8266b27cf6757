"""Pareto fronts: what nothing else beats in every respect. Knows no domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front(*figures: ArrayLike) -> NDArray[np.intp]:
    """Places of the candidates that no other is at least as low as in every figure and lower in one, by the first figure.

    Of equal ones the first stays. Infinite figures are no candidates.

    >>> front([1.0, 2.0, 3.0, 3.0], [9.0, 5.0, 5.0, 1.0]).tolist()
    [0, 1, 3]
    """
    columns = np.stack([np.asarray(values, dtype=np.float64) for values in figures], axis=1)
    order = np.lexsort(columns.T[::-1])
    order = order[np.isfinite(columns[order]).all(axis=1)]
    left = columns[order]
    kept: list[int] = []
    while order.size:  # whoever beats a candidate comes before it, so the first is beaten by none
        kept.append(int(order[0]))
        unbeaten = (left < left[0]).any(axis=1)
        order, left = order[unbeaten], left[unbeaten]
    return np.asarray(kept, dtype=np.intp)
