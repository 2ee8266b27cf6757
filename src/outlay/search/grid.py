"""Grids of choices as arrays: every combination, in chunks that fit a processor's cache. Knows no domain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 15
"""Combinations in one chunk: small enough that a formula's intermediates stay in the cache."""


def size(axes: Mapping[str, Sequence[Any]]) -> int:
    """Number of combinations.

    >>> size({"tensor": [1, 2, 4], "pipeline": [1, 2]})
    6
    """
    return math.prod(len(values) for values in axes.values())


def chunks(axes: Mapping[str, Sequence[Any]], *, chunk: int = CHUNK) -> Iterator[dict[str, NDArray[Any]]]:
    """Every combination once, as arrays of at most `chunk` entries; the last axis changes fastest.

    >>> [part["a"].tolist() for part in chunks({"a": [1, 2, 3], "b": [0, 9]}, chunk=4)]
    [[1, 1, 2, 2], [3, 3]]
    """
    values = {name: np.asarray(entries) for name, entries in axes.items()}
    lengths = tuple(len(entries) for entries in values.values())
    total = math.prod(lengths)
    for start in range(0, total, chunk):
        indices = np.unravel_index(np.arange(start, min(start + chunk, total)), lengths)
        yield {name: entries[index] for (name, entries), index in zip(values.items(), indices, strict=True)}


def divisors(number: int) -> list[int]:
    """All divisors, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [part for part in range(1, math.isqrt(number) + 1) if number % part == 0]
    return sorted({*small, *(number // part for part in small)})
