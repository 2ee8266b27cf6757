"""What of a kernel's traffic its chip's last cache takes off the memory: small tensors are read where they were just written."""

from __future__ import annotations

import csv
import functools
import importlib.resources

import numpy as np

from outlay.workload import Number

USUAL = 6.0
"""MiB of a chip that the table does not have: the least of the last ten years."""


@functools.cache
def cache_bytes(chip: str) -> float:
    """Bytes of the last-level cache of a chip, by the longest name in the table that its own begins with.

    >>> cache_bytes("l40s-48gb") / 2**20, cache_bytes("a10g-24gb") / 2**20, cache_bytes("unheard-of") / 2**20
    (96.0, 6.0, 6.0)
    """
    text = (importlib.resources.files("outlay.catalog") / "caches.csv").read_text(encoding="utf-8")
    sizes = {row["chip"]: float(row["mib"]) for row in csv.DictReader(text.splitlines())}
    found = max((name for name in sizes if chip.startswith(name)), key=len, default="")
    return sizes.get(found, USUAL) * 2.0**20


def from_memory(bytes_moved: Number, chip: str, faster: float) -> Number:
    """Bytes of a kernel's traffic that count as the memory's, where a cache `faster` than it holds a part of them.

    >>> round(float(from_memory(6 * 2.0**20, "a10g-24gb", 4.0)) / 2**20, 2), float(from_memory(2.0**30, "a10g-24gb", 1.0)) / 2**30
    (1.5, 1.0)
    """
    held = np.minimum(cache_bytes(chip), bytes_moved)
    return bytes_moved - held * (1.0 - 1.0 / faster)
