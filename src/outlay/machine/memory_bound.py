r"""How long a kernel takes that only moves bytes: norms, activations, residuals, softmax, optimizer steps.

.. math:: t = n\,t_0 + \frac{B}{\beta f}

:math:`B` bytes in :math:`n` kernels at bandwidth :math:`\beta`, of which a large kernel draws a fraction :math:`f`. The start
and end :math:`t_0` of a kernel are what a small one consists of: it reaches half its speed at :math:`t_0 \beta f` bytes.
Caches are not modelled: what the kernel before has written may be read faster than this when it is small.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.silicon import silicon
from outlay.machine.sizes import sound

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]


class Memory(Protocol):
    """What of an accelerator decides its memory-bound kernels."""

    @property
    def name(self) -> str: ...
    @property
    def memory_bandwidth(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCurve:
    """What decides the speed of memory-bound kernels on one accelerator. Seconds, bytes, bytes/s."""

    bandwidth: float
    """Bytes/s of the data sheet."""
    fraction: float = 0.85
    """Share of it that a large kernel draws, reads and writes together."""
    kernel_seconds: float = 2.5e-6
    """Start and end of one kernel on the device."""
    basis: str = "assumed"
    source: str = ""


def memory_seconds(bytes: Number, *, kernels: Number = 1, curve: MemoryCurve) -> Array:
    """Seconds to move `bytes` (read and written) by `kernels` kernels of equal size; both broadcast. No bytes, no time.

    >>> curve = MemoryCurve(bandwidth=2e12, fraction=0.8, kernel_seconds=2e-6)
    >>> round(float(memory_seconds(1.6e9, curve=curve)) * 1e3, 4)
    1.002
    """
    size, count = np.asarray(bytes, dtype=np.float64), np.asarray(kernels, dtype=np.float64)
    if not (sound(size) and sound(count)):
        raise InputError(
            "a kernel moves a negative or endless number of bytes",
            expected="bytes and kernels that are finite and not negative",
            hint="check the sizes of the model and the layout",
        )
    seconds = size / (curve.bandwidth * curve.fraction) + count * curve.kernel_seconds
    return np.asarray(np.where(size == 0, 0.0, seconds))


PROCESSOR: Mapping[str, Any] = {
    "fraction": 0.5,
    "kernel_seconds": 4e-6,
    "basis": "assumed",
    "source": "two thirds of STREAM's 0.74 to 0.79 of DDR4's wire rate (Texas Instruments SPRAD45A, 2024-10): a processor reads "
    "a line before it writes it, which STREAM does not count",
}
"""Of processors: reads and writes of large tensors, together."""


def memory_curve(accelerator: Memory, coefficients: Mapping[str, Any] | None = None) -> MemoryCurve:
    """The curve of an accelerator: measured on its chip, by its kind of memory and maker, or the default.

    `coefficients` is the content of the catalog's `memory_bound.json`; None reads it.
    """
    content = memory_coefficients() if coefficients is None else coefficients
    name = silicon(accelerator).name
    chosen = next((entry for entry in content["chips"] if name.startswith(tuple(entry["prefixes"]))), None)
    record = chosen or (PROCESSOR if getattr(accelerator, "category", "") == "cpu" else content["default"])
    return MemoryCurve(
        bandwidth=accelerator.memory_bandwidth,
        fraction=record["fraction"],
        kernel_seconds=record["kernel_seconds"],
        basis=record["basis"],
        source=record["source"],
    )


@functools.cache
def memory_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "memory_bound.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
