"""What of a processor works: its vector lanes on weights that it widens itself, as many cores as there are threads, and the
memory that it was given."""

from __future__ import annotations

import re
from dataclasses import replace

from outlay.catalog import Accelerator

HALF = 2.0
"""16-bit products of vector lanes over 32-bit ones (AVX-512 BF16: two products a lane and instruction)."""

_known: dict[int, tuple[Accelerator, Accelerator]] = {}


def on_lanes(chip: Accelerator) -> Accelerator:
    """The chip with no more 16-bit arithmetic than its vector lanes have; asked again, the same object returns.

    Matrix units take tiles that lie in memory; weights that are unpacked in registers would go there and back.

    >>> from outlay.catalog import accelerator
    >>> chip = accelerator("xeon-spr-48c")
    >>> [round(one.peak("bf16") / 1e12) for one in (chip, on_lanes(chip))]
    [206, 13]
    """
    if id(chip) not in _known:
        most = HALF * chip.peak("fp32")
        peaks = {name: min(peak, most) if name in ("bf16", "fp16") else peak for name, peak in chip.peaks.items()}
        _known[id(chip)] = (chip, replace(chip, peaks=peaks))
    return _known[id(chip)][1]


HYBRID = 0.7
"""Power of the share of a processor's cores with which its arithmetic grows: the first threads get the faster cores, at a higher
clock. Basis: assumed."""


def on_threads(chip: Accelerator, threads: int | None) -> Accelerator:
    """A processor of which no more than so many threads work; other chips as they are.

    >>> from outlay.catalog import accelerator
    >>> chip = accelerator("core-i9-13900k")
    >>> on_threads(chip, 12).cores, round(on_threads(chip, 12).peak("fp32") / chip.peak("fp32"), 2), on_threads(chip, 32) is chip
    (12, 0.62, True)
    """
    if threads is None or chip.category != "cpu" or not chip.cores or threads >= chip.cores:
        return chip
    share = (threads / chip.cores) ** HYBRID
    return replace(chip, cores=threads, peaks={name: peak * share for name, peak in chip.peaks.items()})


CHANNEL = 8e6
"""Bytes a second of a channel of 64 bits for each million transfers a second."""


def with_memory(chip: Accelerator, text: str) -> Accelerator:
    """A processor with memory as fast as words state (`ddr5-6400`), on as many channels as it had; other chips as they are.

    >>> from outlay.catalog import accelerator
    >>> chip = accelerator("core-i9-13900k")
    >>> [with_memory(chip, text).memory_bandwidth / 1e9 for text in ("core-i9-13900k-ddr5-6400", "core-i9-13900k")]
    [102.4, 89.6]
    """
    stated = re.search(r"\bl?p?ddr[345]x?[- ]?(\d{4,5})\b", text.lower())
    if stated is None or chip.category != "cpu":
        return chip
    each = int(stated.group(1)) * CHANNEL
    return replace(chip, memory_bandwidth=max(round(chip.memory_bandwidth / each), 1) * each)
