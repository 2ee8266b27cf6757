r"""How long the gated delta rule takes over prompts: linear attention in chunks, with a state that goes from chunk to chunk.

Kernels work on chunks of C tokens (arXiv:2412.06464, section 3.3). For each head they make scores of keys with keys, invert that
triangle, and make keys, values, states and outputs from it. One after another (flash-linear-attention, in SGLang) they write each
to memory and read it again: of d_k and d_v numbers in 16 bits, and scores in 32, :math:`14\,d_k + 12\,d_v + 12\,C` bytes a token
and head, and :math:`4\,d_k d_v` a chunk. One kernel for all (flashinfer, in vLLM) reads and writes :math:`4\,(d_k + d_v)`. Either
moves the state twice. The chunks of a head of a sequence follow one another, :math:`\tau` seconds apart, on a processor of their
own while there are enough of them, and in waves of all processors else:

.. math:: t = w_0 t_0 + \sqrt{\Bigl(\frac{B}{\sigma\beta}\Bigr)^2 + (w\,n\,\tau)^2},\qquad w = \max(1, h / cores)

with :math:`\beta` bytes/s of the data sheet, n chunks of the longest sequence, and h heads of all sequences. One kernel has whole
waves, each with its start (:math:`w_0 = w`, rounded up); kernels of their own overlap them (:math:`w_0 = 1`). Coefficients are
fitted by ``python -m outlay.machine.fit``; docs/explanation/decode.md has the errors.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from outlay.machine.attention import Array, Number
from outlay.machine.silicon import silicon

CHUNK = 64.0
"""Tokens of a chunk in every kernel that was timed."""
KERNELS = 8
"""Kernels of a prompt: norms of queries and of keys, sums of gates, scores, their inverse, keys and values of a chunk, states,
outputs (flash-linear-attention, `chunk_gated_delta_rule_fwd`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaCurve:
    """What decides the speed of the delta rule on one accelerator with one engine's kernels. Seconds, bytes/s."""

    bandwidth: float
    """Bytes/s of the data sheet."""
    cores: float = 132.0
    """Processors (SMs, compute units)."""
    start_seconds: float = 2e-5
    """Start and end of all kernels."""
    share: float = 0.4
    """Share of the bandwidth, in the bytes counted above."""
    chunk_seconds: float = 2.5e-6
    """From one chunk of a sequence to the next."""
    fused: bool = False
    """All is one kernel."""
    basis: str = "assumed"
    source: str = ""


def delta_rule_seconds(
    tokens: Number, longest: Number, heads: Number, key_dim: Number, value_dim: Number, *, curve: DeltaCurve
) -> Array:
    """Seconds of the device for one layer's delta rule over `tokens` tokens, of which a sequence has `longest`; everything
    broadcasts. `heads` are the value heads of this device.

    >>> curve = DeltaCurve(bandwidth=8e12)
    >>> [round(float(delta_rule_seconds(8192, longest, 16, 128, 128, curve=curve)) * 1e6) for longest in (128, 8192)]
    [275, 403]
    """
    count, long, number, keys, values = (
        np.asarray(size, dtype=np.float64) for size in (tokens, longest, heads, key_dim, value_dim)
    )
    sequences, chunks = count / np.maximum(long, 1.0), np.ceil(long / CHUNK)
    state = 4.0 * keys * values
    each = 4.0 * (keys + values) if curve.fused else 14.0 * keys + 12.0 * values + 12.0 * CHUNK
    moved = count * each + sequences * state * (2.0 if curve.fused else chunks + 2.0)
    waves = np.maximum(number * sequences / curve.cores, 1.0)
    waves = np.ceil(waves) if curve.fused else waves
    passing = number * moved / (curve.bandwidth * curve.share)
    start = curve.start_seconds * (waves if curve.fused else 1.0)
    seconds = start + np.hypot(passing, waves * chunks * curve.chunk_seconds)
    return np.asarray(np.where(count == 0, 0.0, seconds))


class Device(Protocol):
    """What of an accelerator decides its delta rule."""

    @property
    def name(self) -> str: ...
    @property
    def memory_bandwidth(self) -> float: ...
    @property
    def cores(self) -> int | None: ...


def delta_curve(
    accelerator: Device, coefficients: Mapping[str, Any] | None = None, *, engine: str | None = None
) -> DeltaCurve:
    """The curve of an accelerator: fitted on its chip, or that of the measured chip nearest in bandwidth.

    `coefficients` is the content of the catalog's `delta_rule.json`; None reads it. `engine` is `sglang` (default) or `vllm`.

    >>> from outlay.catalog import accelerator
    >>> delta_curve(accelerator("b200-sxm"), engine="vllm").source
    'vllm on b200-sxm (aiconfigurator-core 0.12.0)'
    """
    content = delta_coefficients() if coefficients is None else coefficients
    own = [record for record in content["curves"] if record["engine"] == (engine or "sglang")]
    chip = silicon(accelerator)
    measured = [record for record in own if chip.name.startswith(record["chip"])]
    nearest = min(own, key=lambda record: abs(np.log(record["memory_bandwidth"] / chip.memory_bandwidth)))
    record = measured[0] if measured else nearest
    where = f"{record['engine']} on {record['chip']}"
    return DeltaCurve(
        bandwidth=accelerator.memory_bandwidth,
        cores=float(accelerator.cores or record["cores"]),
        fused=record["fused"],
        **record["coefficients"],
        basis="fitted" if measured else "assumed",
        source=f"{where} ({content['source']})" if measured else f"carried over from {where}",
    )


@functools.cache
def delta_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "delta_rule.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
