"""Which machine this is, and how fast it is at the arithmetic that outlay lives on."""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

RUNS = 9
REFERENCE_SECONDS = 1.95e-3
"""What :func:`kernel_seconds` took on the machine of figures.json, when it had nothing else to do."""


def name() -> str:
    """Processor, processors in use, Python and NumPy.

    >>> "NumPy" in name()
    True
    """
    described = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if described.is_file():
        lines = described.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return f"{model}, {os.cpu_count()} processors, Python {sys.version.split()[0]}, NumPy {np.__version__}"


def kernel_seconds(runs: int = RUNS) -> float:
    """Best time of a fixed piece of array work: divide, round up, choose, gather.

    The arrays are small enough that the allocator never returns them to the system, which would be most of the time.
    """
    numbers = np.linspace(1.0, 4096.0, 1 << 12)
    places = (np.arange(1 << 12) * 7919) % (1 << 10)
    best = float("inf")
    for _ in range(runs):
        begun = time.perf_counter()
        total = np.zeros_like(numbers)
        for divisor in range(1, 129):
            part = np.ceil(numbers / divisor)
            total = total + np.where(part > 64.0, np.minimum(part, total), part * 1.5)[places]
        best = min(best, time.perf_counter() - begun)
    return best


def slowness() -> float:
    """How many times longer array work takes here, now, than on the machine of figures.json; at least 1."""
    return max(1.0, kernel_seconds() / REFERENCE_SECONDS)
