r"""How long a matrix product takes on one accelerator.

A kernel covers the m × n output with tiles. With :math:`\nu = \lceil m/b_m \rceil \lceil n/b_n \rceil\, batch` tiles on
`cores` processors there are :math:`x = \max(\nu / cores, 1)` waves, of which a share `quantisation` waits for the last
one to end; with fewer tiles than processors the k dimension is split over the idle ones, down to pieces of
`split_depth`. The best of three tile sizes counts:

.. math:: t_c = \min_b\; \bigl(x + q(\lceil x\rceil - x)\bigr)
                \Bigl(k u \frac{2 b_m b_n\, cores}{F e_b} + t_{tile}\Bigr) + t_{split}(1 - u)

A chip that is kept busy for a time :math:`t_b` of milliseconds runs into its power limit,
:math:`t_p = t_c\,(1 + h\, t_b/(t_b + \tau))`. Arithmetic overlaps with the traffic :math:`t_m` of both operands and the
result, and a share of writing the result is exposed: :math:`t = (t_p^p + t_m^p)^{1/p} + s\, t_{out} + t_0`.
In 8 and 4 bits the left operand is brought to that type first, which costs traffic that nothing hides. The coefficients
are fitted to measured kernels by ``python -m outlay.machine.fit``; docs/explanation/gemm.md has the errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.sizes import sound

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]

TILES = ((128.0, 256.0), (128.0, 128.0), (64.0, 64.0))
"""Rows × columns of the output that one processor makes at a time: large, middle and small kernels."""
TILE_ROWS, TILE_COLUMNS = np.array(TILES).T


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmCurve:
    """What decides the speed of matrix products on one accelerator in one data type. Seconds, bytes, FLOP/s."""

    flops: float
    """FLOP/s of the whole chip inside the main loop of the largest tile, before any power limit."""
    bandwidth: float
    """Bytes/s that a matrix product draws from device memory."""
    cores: float
    """Processors (SMs, compute units, tensor cores of a TPU) that each take one tile at a time."""
    input_bytes: float
    """Bytes of one element of the operands, scales included."""
    output_bytes: float = 2.0
    """Bytes of one element of the result."""
    tile_efficiency: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Speed of the main loop with each of :data:`TILES`, as a fraction of `flops`."""
    quantisation: float = 0.0
    """0: tiles flow without waves; 1: a begun wave costs a whole one."""
    tile_seconds: float = 0.0
    """Filling and draining the pipeline, per tile."""
    split_depth: float = 500.0
    """Elements of k below which a further split does not pay."""
    split_seconds: float = 0.0
    """Adding up the parts of a fully split product."""
    overlap: float = 2.0
    """Exponent p that joins arithmetic and traffic: 1 adds them, infinity takes the larger."""
    exposed_output: float = 0.0
    """Share of the time to write the result that nothing hides."""
    throttle: float = 0.0
    """Slow-down h of a chip that is kept busy, from its power limit."""
    throttle_seconds: float = 1e-3
    """Time τ in which half of that slow-down has set in."""
    quantise_bytes: float = 0.0
    """Bytes moved per element of the left operand to bring it to this data type first: read, find the scale, write."""
    launch_seconds: float = 0.0
    """Start and end of a kernel inside a captured graph."""
    unpack_rate: float = math.inf
    """Elements/s of weights, stored narrower than they are multiplied, that the whole chip widens."""
    short_rows: float = 64.0
    """Rows to which a tile of fewer than 64 is filled up. A fit has whole tiles behind its weights' traffic; a chip that borrows
    and has less arithmetic for each byte would show them, where its own kernels take one vector at a time."""
    short_saving: float = 0.0
    """Time that a product of few rows starts sooner than one of :data:`SHORT_ROWS`: its operand is brought to 8 or 4 bits by
    a kernel that hardly runs."""
    narrow_fraction: float = 1.0
    """Rate at which such weights are read, over `bandwidth`: their kernels were written for an older generation."""
    basis: str = "assumed"
    """`fitted` to kernels measured on this chip, or `assumed`: carried over from its nearest relative."""
    source: str = ""
    """Where the coefficients come from, in words."""

    @property
    def sustained_flops(self) -> float:
        """FLOP/s of a large product on a chip that has been busy for long."""
        return self.flops / (1.0 + self.throttle)


def gemm_seconds(
    m: Number,
    n: Number,
    k: Number,
    *,
    curve: GemmCurve,
    batch: Number = 1,
    output_bytes: float | None = None,
    weight_bytes: Number | None = None,
    busy: float | None = None,
    quantised: bool = False,
) -> Array:
    """Seconds of the device for `batch` products of an m × k by a k × n matrix; shapes broadcast.

    The three products of a training step are this one with the sizes exchanged: forward (tokens, out, in), gradient of
    the input (tokens, in, out), gradient of the weight (in, out, tokens). An empty product takes no time.

    Parameters
    ----------
    m, n, k, batch
        Whole numbers ≥ 0, or arrays of them.
    output_bytes
        Bytes moved per element of the result where that is not the curve's: 8 for a weight gradient that is added to
        an fp32 buffer.
    weight_bytes
        Bytes of one element of the right operand, scales included, where it is stored narrower than the product runs:
        0.5625 for 4-bit weights with a scale and a zero for each 64. Each tile of rows widens them once.
    busy
        Seconds that the chip has been under load. None: only this kernel, as in a table of kernels; a training step
        passes a large number, and its kernels run at the power limit.
    quantised
        True where the left operand already has the data type; else 8- and 4-bit products bring it there first.

    >>> curve = GemmCurve(flops=8e14, bandwidth=2.8e12, cores=132, input_bytes=2, throttle=0.15)
    >>> round(float(gemm_seconds(8192, 8192, 8192, curve=curve, busy=60.0)) * 1e3, 3)
    1.587
    """
    m, n, k, batch = (np.asarray(size, dtype=np.float64) for size in (m, n, k, batch))
    for name, size in (("m", m), ("n", n), ("k", k), ("batch", batch)):
        if not sound(size):
            raise InputError(
                f"a matrix product has {name} = {np.atleast_1d(size)[0]:g}",
                expected="sizes that are finite and not negative",
                hint="check the layer's dimensions and the layout that divides them",
            )
    short = filled_share(m, curve.short_rows) if curve.short_rows < TILE_ROWS[-1] else 1.0
    compute = tiled_seconds(m, n, k, batch=batch, curve=curve, share=short)
    written = m * n * batch * ((curve.output_bytes if output_bytes is None else output_bytes) / curve.bandwidth)
    if weight_bytes is None:
        traffic = (m + n) * k * batch * (curve.input_bytes / curve.bandwidth) + written
    else:
        stored = stored_bytes(weight_bytes)
        traffic = k * batch * (m * curve.input_bytes + n * narrow_bytes(stored, curve)) / curve.bandwidth + written
        compute = compute * narrow_share(m, stored, curve) + unpack_seconds(n * k * batch, m, stored, curve)
    exposed = written * curve.exposed_output
    if curve.quantise_bytes and not quantised:
        exposed = exposed + m * k * batch * (curve.quantise_bytes / curve.bandwidth)
    if curve.short_saving:
        exposed = exposed - curve.short_saving * np.clip(1.0 - m / SHORT_ROWS, 0.0, 1.0)
    return assembled_seconds(compute, traffic, exposed, empty=m * n * k * batch == 0, curve=curve, busy=busy)


SHORT_ROWS = 256.0
"""Rows up to which a product counts as one of decoding."""


def stored_bytes(weight_bytes: Number) -> Array:
    """Bytes of a stored weight as an array, or an error."""
    stored = np.asarray(weight_bytes, dtype=np.float64)
    if not sound(stored):
        raise InputError(
            f"a weight has {np.atleast_1d(stored)[0]:g} bytes",
            expected="a number that is finite and not negative",
            hint="4-bit weights with a scale for each 32 have 0.5625 bytes",
        )
    return stored


def narrow_bytes(stored: Array, curve: GemmCurve) -> Array:
    """Bytes of a stored weight in the time of as many that are read at the full rate."""
    return np.asarray(np.where(stored < curve.input_bytes, stored / curve.narrow_fraction, stored))


NARROW_ROWS = 16.0
"""Rows to which kernels for narrow weights fill up a short tile: those of one matrix instruction."""


def narrow_share(rows: Array, stored: Array, curve: GemmCurve) -> Array:
    """Arithmetic of a short tile over that of one filled as other products fill it, where weights are narrower.

    Other products have whole tiles inside their fit: there the weights' traffic hides them.
    """
    share = filled_share(rows, min(NARROW_ROWS, curve.short_rows)) / filled_share(rows, curve.short_rows)
    return np.asarray(np.where(stored < curve.input_bytes, share, 1.0))


def filled_share(rows: Array, multiple: float) -> Array:
    """Rows that a short tile computes over those of the smallest whole one.

    >>> float(filled_share(np.array(3.0), 16.0)), float(filled_share(np.array(200.0), 16.0))
    (0.25, 1.0)
    """
    filled = np.ceil(np.maximum(rows, 1.0) / multiple) * (multiple / TILE_ROWS[-1])
    return np.asarray(np.minimum(filled, 1.0))


def unpack_seconds(weights: Array, rows: Array, stored: Array, curve: GemmCurve) -> Array:
    """Widening `weights` elements for each tile of rows; none where they are stored as they are multiplied (seconds)."""
    times = np.maximum(rows / TILE_ROWS[0], 1.0) * (stored < curve.input_bytes)
    return np.asarray(weights * times / curve.unpack_rate)


def tiled_seconds(
    m: Array, n: Array, k: Array, *, batch: Array | float, curve: GemmCurve, share: Array | float = 1.0
) -> Array:
    """Arithmetic alone, without traffic, launch or power limit, by the best of the tile sizes (seconds).

    A short tile computes `share` of a whole one's rows; it is filled, drained and joined all the same.
    """
    unsplit = np.maximum(curve.split_depth / np.maximum(k, 1.0), 1.0 / 32.0)
    # All tiles at once, on an axis in front: few large operations cost less than many small ones.
    front = (len(TILES),) + (1,) * max(m.ndim, n.ndim, k.ndim, np.ndim(batch))
    rows, columns = TILE_ROWS.reshape(front), TILE_COLUMNS.reshape(front)
    round_seconds = 2.0 * rows * columns * curve.cores / (curve.flops * np.reshape(curve.tile_efficiency, front))
    load = np.ceil(m / rows) * np.ceil(n / columns) * batch / curve.cores
    part = np.minimum(np.maximum(load, unsplit), 1.0)
    seconds = waves(load, curve.quantisation) * (k * part * round_seconds * share + curve.tile_seconds)
    seconds -= part * curve.split_seconds
    return np.asarray(seconds.min(axis=0) + curve.split_seconds)


def waves(load: Array, quantisation: float) -> Array:
    """Rounds of tiles when `load` tiles fall to each processor: at least one.

    >>> float(waves(np.array(1.5), 1.0)), float(waves(np.array(1.5), 0.5)), float(waves(np.array(0.2), 0.5))
    (2.0, 1.75, 1.0)
    """
    full = np.maximum(load, 1.0)
    return np.asarray(full * (1.0 - quantisation) + quantisation * np.ceil(full - 1e-9))


def assembled_seconds(
    compute: Array, traffic: Array, exposed: Array, *, empty: Any, curve: GemmCurve, busy: float | None
) -> Array:
    """Arithmetic under the power limit, overlapped with traffic; what nothing hides; the launch (seconds)."""
    under_load = compute if busy is None else np.maximum(compute, busy)
    limited = compute * (1.0 + curve.throttle * under_load / (under_load + curve.throttle_seconds))
    longer = np.maximum(limited, traffic)
    ratio = np.minimum(limited, traffic) / np.maximum(longer, 1e-30)
    seconds = longer * (1.0 + ratio**curve.overlap) ** (1.0 / curve.overlap)
    return np.asarray(np.where(empty, 0.0, seconds + exposed + curve.launch_seconds))
