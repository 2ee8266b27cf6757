"""Mixers that keep a state instead of a cache, as operators on one device: Mamba-2 and Gated DeltaNet."""

from __future__ import annotations

import numpy as np

from outlay.workload.architecture import GatedDelta, Recurrent, StateSpace
from outlay.workload.operators import Matmul, Number, Operator
from outlay.workload.shard import Shard, touch


def recurrent_operators(mixer: Recurrent, hidden: int, shard: Shard) -> list[Operator]:
    """The operators of either kind, in order of execution."""
    if isinstance(mixer, StateSpace):
        return state_space_operators(mixer, hidden, shard)
    return gated_delta_operators(mixer, hidden, shard)


def state_space_operators(mixer: StateSpace, hidden: int, shard: Shard) -> list[Operator]:
    """A Mamba-2 mixer: the scan runs as chunked products (state-space duality), so it counts as matmul work. A forward shard
    leaves it out: serving times that of prompts by itself, and decoding sequences move their states."""
    tokens, split = shard.tokens, shard.tensor
    inner, groups, heads = mixer.inner / split, np.maximum(mixer.groups / split, 1.0), mixer.heads / split
    width = 2 * inner + 2 * groups * mixer.state + heads
    convolved = inner + 2 * groups * mixer.state
    return [
        _into(width, hidden, shard),
        touch("short convolution", tokens * convolved, reads=1, writes=1, shard=shard, saved=shard.kept * width),
        *([] if shard.forward else scan_products(mixer, tokens, split)),
        *_out_of(inner, hidden, shard),
    ]


def _into(columns: Number, hidden: int, shard: Shard) -> Matmul:
    return Matmul(
        name="mixer in-projection",
        rows=shard.tokens,
        columns=columns,
        depth=hidden,
        saved=shard.kept_between * hidden,
    )


def _out_of(inner: Number, hidden: int, shard: Shard) -> list[Operator]:
    return [
        touch("gated norm", shard.tokens * inner, reads=2, writes=1, shard=shard, saved=shard.kept * inner * 2),
        Matmul(
            name="mixer out-projection",
            rows=shard.tokens,
            columns=hidden,
            depth=inner,
            saved=shard.kept_linear * inner,
        ),
    ]


def scan_products(mixer: StateSpace, tokens: Number, split: Number) -> list[Matmul]:
    """The scan of a Mamba-2 mixer over `tokens`, on one of `split` devices: within a chunk scores (chunk × state) and their
    product with the inputs; across chunks the state in and out."""
    inner, groups = mixer.inner / split, np.maximum(mixer.groups / split, 1.0)
    return [
        Matmul(
            name="scan within chunks",
            rows=tokens,
            columns=mixer.chunk,
            depth=groups * mixer.state + inner,
            weights=False,
            low_precision=False,
        ),
        Matmul(
            name="scan across chunks",
            rows=tokens,
            columns=2 * mixer.state,
            depth=inner,
            weights=False,
            low_precision=False,
        ),
    ]


def gated_delta_operators(mixer: GatedDelta, hidden: int, shard: Shard) -> list[Operator]:
    """A Gated DeltaNet mixer. What it multiplies for training in chunks is matmul work; a forward shard leaves the delta rule
    out, which serving times by itself: of decoding sequences as a recurrence, of prompts in chunks.

    Engines split the projected vector by a kernel of its own, and multiply the two numbers a head beside the rest
    (https://github.com/sgl-project/sglang, python/sglang/srt/models/qwen3_5.py, read 2026-11).
    """
    tokens, split = shard.tokens, shard.tensor
    inner, projected, convolved = mixer.inner / split, mixer.projected / split, mixer.convolved / split
    heads = mixer.value_heads / split
    work: list[Operator] = [
        _into(projected, hidden, shard),
        touch("projected parts", tokens * projected, reads=1, writes=1, shard=shard),
        touch("short convolution", tokens * convolved, reads=1, writes=1, shard=shard, saved=shard.kept * projected),
    ]
    if not shard.forward:
        work += [
            Matmul(
                name="delta rule within chunks",
                rows=tokens,
                columns=mixer.chunk,
                depth=heads * (3 * mixer.key_dim + 2 * mixer.value_dim),
                weights=False,
                low_precision=False,
            ),
            Matmul(
                name="delta rule across chunks",
                rows=tokens,
                columns=3 * mixer.key_dim,
                depth=inner,
                weights=False,
                low_precision=False,
                saved=shard.kept * convolved,
            ),
        ]
    return [
        *work,
        *_out_of(inner, hidden, shard),
    ]
