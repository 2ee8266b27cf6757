r"""How long attention takes where each sequence adds a token or a few to a long cache: the decode step of serving.

All queries that share a head of the cache form the rows of one tile, :math:`\tau = \lceil q\,h/(h_{kv} R)\rceil` tiles of
:math:`R` rows. With :math:`W = batch\cdot h_{kv}\,\tau` tiles on `cores` processors, idle processors take pieces of the
same tile (split-KV), :math:`s = \min(cores/W, \kappa/\kappa_s)` of them, for the price :math:`t_s` of joining what they
found. A piece visits :math:`\kappa/s` keys and pays :math:`t_{tile}` for its start and its end:

.. math:: t_c = \max\Bigl(\frac{W s}{cores}, 1\Bigr)\Bigl(\frac{\kappa}{s}\,\frac{2 R (d_k + d_v)\,cores}{F e} + t_{tile}\Bigr)
                + t_s\Bigl(1 - \frac1s\Bigr), \qquad
          t = t_0 + (t_c^p + t_m^p)^{1/p}

Arithmetic overlaps with reading the cache. The bytes :math:`B` are those of the keys that are seen; a long read takes up to
:math:`t_r` more than its bytes at the bandwidth, :math:`t_m = B/\beta + t_r B/(B + B_r)`: kernels reach their full rate
only in reads of gigabytes. Coefficients are fitted to measured kernels by ``python -m outlay.machine.fit``;
docs/explanation/decode.md has the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.sizes import sound

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]

QUERY_BYTES = 2.0
"""Queries and results stay in 16 bits, however narrow the cache is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCurve:
    """What decides the speed of decode attention on one accelerator with one type of cache. Seconds, bytes, FLOP/s."""

    flops: float
    """Dense FLOP/s of the data sheet that `efficiency` is a fraction of."""
    bandwidth: float
    """Bytes/s that a long kernel draws from device memory."""
    cores: float
    """Processors (SMs, compute units) that each take one tile at a time."""
    efficiency: float = 0.3
    """Share of `flops` inside the loop over the keys, empty rows of the tile counted as work."""
    tile_rows: float = 64.0
    """Queries, over all heads that share a head of the cache, that one tile holds."""
    tile_seconds: float = 1e-6
    """Time that each tile costs besides its keys."""
    split_keys: float = 256.0
    """Keys below which a further split does not pay."""
    split_seconds: float = 2e-6
    """Joining the pieces of a tile."""
    window_splits: bool = True
    """Whether kernels with a window split their tiles too: flash-attention 2 does not."""
    skipped_share: float = 0.0
    """Time of a key outside the window over that of one inside."""
    overlap: float = 2.0
    """Exponent p that joins arithmetic and reading: 1 adds them, infinity takes the larger."""
    ramp_seconds: float = 0.0
    """What a long read takes beyond its bytes."""
    ramp_bytes: float = 1e8
    """Bytes at which half of that has set in."""
    launch_seconds: float = 6e-6
    """Start and end of the kernels of one layer inside a captured graph."""
    kv_bytes: float = 2.0
    """Bytes of one element of the cache."""
    basis: str = "assumed"
    """`fitted` to kernels measured on this chip, or `assumed`: carried over from a relative, or published figures."""
    source: str = ""


def decode_attention_seconds(
    batch: Number,
    heads: Number,
    kv_heads: Number,
    context: Number,
    head_dim: Number,
    value_dim: Number,
    *,
    queries: Number = 1,
    kv_bytes: Number | None = None,
    window: Number | None = None,
    curve: DecodeCurve,
) -> Array:
    """Seconds of the device for one layer's attention of `batch` sequences over their caches; everything broadcasts.

    Parameters
    ----------
    batch, heads, kv_heads
        Sequences on the device, and the heads of queries and of the cache that this device holds.
    context
        Tokens in the cache of a sequence, the new ones included; of sequences of different lengths, their mean.
    head_dim, value_dim
        Width of a query/key head and of a value head.
    queries
        New tokens of each sequence: 1, or what a speculative step verifies at once.
    kv_bytes
        Bytes of one element of the cache where not the curve's.
    window
        Keys that a query sees at most; None is all.

    >>> curve = DecodeCurve(flops=989.4e12, bandwidth=4.3e12, cores=132)
    >>> round(float(decode_attention_seconds(64, 32, 8, 8192, 128, 128, curve=curve)) * 1e6)
    690
    """
    sizes = _sizes(
        batch=batch,
        heads=heads,
        kv_heads=kv_heads,
        context=context,
        head_dim=head_dim,
        value_dim=value_dim,
        queries=queries,
    )
    batch, heads, kv_heads, context, head_dim, value_dim, queries = sizes
    seen, skipped = _seen(context, queries, window)
    width = head_dim + value_dim
    element = curve.kv_bytes if kv_bytes is None else np.asarray(kv_bytes, dtype=np.float64)
    read = batch * kv_heads * seen * width * element + batch * heads * queries * width * QUERY_BYTES
    rows = heads / np.maximum(kv_heads, 1.0) * queries
    visited = seen + curve.skipped_share * skipped if window is not None else seen
    whole = (skipped > 0.0) | np.isfinite(window) if window is not None and not curve.window_splits else None
    return _seconds(batch * kv_heads, rows, visited, width, read, whole=whole, curve=curve)


def mla_decode_seconds(
    batch: Number,
    heads: Number,
    context: Number,
    *,
    kv_rank: Number = 512,
    rope_dim: Number = 64,
    queries: Number = 1,
    kv_bytes: Number | None = None,
    curve: DecodeCurve,
) -> Array:
    """Seconds of the device for one layer of multi-head latent attention in its absorbed form; everything broadcasts.

    All `heads` of this device read the same cache of `kv_rank` + `rope_dim` elements a token, whose first `kv_rank` are the
    values too: one head of the cache, and heads × queries rows. The products that absorb the up-projections are products of
    their own.

    >>> curve = DecodeCurve(flops=989.4e12, bandwidth=4.3e12, cores=132, efficiency=0.5)
    >>> round(float(mla_decode_seconds(64, 128, 8192, curve=curve)) * 1e6)
    336
    """
    sizes = _sizes(batch=batch, heads=heads, context=context, kv_rank=kv_rank, rope_dim=rope_dim, queries=queries)
    batch, heads, context, kv_rank, rope_dim, queries = sizes
    keys = kv_rank + rope_dim
    element = curve.kv_bytes if kv_bytes is None else np.asarray(kv_bytes, dtype=np.float64)
    read = batch * context * keys * element + batch * heads * queries * (keys + kv_rank) * QUERY_BYTES
    return _seconds(batch, heads * queries, context, keys + kv_rank, read, curve=curve)


def _sizes(**named: Number) -> tuple[Array, ...]:
    """Every size as an array, or one error for the first that is none."""
    arrays = tuple(np.asarray(size, dtype=np.float64) for size in named.values())
    for name, size in zip(named, arrays, strict=True):
        if not sound(size):
            raise InputError(
                f"decode attention has {name} = {np.atleast_1d(size)[0]:g}",
                expected="sizes that are finite and not negative",
                hint="check the model's dimensions and the layout that divides them",
            )
    return arrays


def _seen(context: Array, queries: Array, window: Number | None) -> tuple[Array, Array]:
    """Keys that the queries of a sequence see together, and those before them."""
    if window is None:
        return context, np.zeros_like(context)
    limit = np.asarray(window, dtype=np.float64)
    if not (limit > 0).all():
        raise InputError("the attention window is not positive", hint="leave the window out to see all keys")
    seen = np.minimum(context, limit + queries - 1.0)
    return np.asarray(seen), np.asarray(context - seen)


def _seconds(
    caches: Array, rows: Array, keys: Array, width: Array, read: Array, *, whole: Any = None, curve: DecodeCurve
) -> Array:
    """Time of `rows` queries against each of `caches` streams of `keys` keys, of which `read` bytes move.

    Where `whole` is true tiles stay in one piece.
    """
    load = caches * np.ceil(rows / curve.tile_rows) / curve.cores
    pieces = np.clip(1.0 / np.maximum(load, 1e-9), 1.0, np.maximum(keys / curve.split_keys, 1.0))
    if whole is not None:
        pieces = np.where(whole, 1.0, pieces)
    key_seconds = width * (2.0 * curve.tile_rows * curve.cores / (curve.flops * curve.efficiency))
    compute = np.maximum(load * pieces, 1.0) * (keys / pieces * key_seconds + curve.tile_seconds)
    compute = compute + curve.split_seconds * (1.0 - 1.0 / pieces)
    traffic = read / curve.bandwidth + curve.ramp_seconds * read / (read + curve.ramp_bytes)
    longer = np.maximum(compute, traffic)
    ratio = np.minimum(compute, traffic) / np.maximum(longer, 1e-30)
    seconds = longer * (1.0 + ratio**curve.overlap) ** (1.0 / curve.overlap) + curve.launch_seconds
    return np.asarray(np.where(caches * rows * keys == 0, 0.0, seconds))
