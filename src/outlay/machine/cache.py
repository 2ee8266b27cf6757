"""What of a kernel's traffic its chip's last cache takes off the memory: small tensors are read where they were just written."""

from __future__ import annotations

import numpy as np

from outlay.workload import Number

LEAST_CACHE = 4.0 * 2.0**20
"""Bytes of the last cache of a chip whose data sheet says none."""


def from_memory(bytes: Number, cache: float | None, faster: float) -> Number:
    """Bytes of a kernel's traffic that count as the memory's, where a cache `faster` than it holds a part of them.

    >>> float(from_memory(6.0, 6.0, 4.0)), float(from_memory(100.0, 6.0, 1.0)), float(from_memory(16.0, 8.0, 2.0))
    (1.5, 100.0, 12.0)
    """
    held = np.minimum(LEAST_CACHE if cache is None else cache, bytes)
    return bytes - held * (1.0 - 1.0 / faster)
