"""The key-value cache: how many bytes a sequence takes on one device, in blocks, by kind of layer.

A layer with a window keeps no more than its window, one with a state keeps that, of fixed size, whatever the length. Latent
attention keeps one vector a token that every tensor-parallel device holds whole, and so does an index of its keys. Key-value
heads are split over tensor-parallel devices as far as there are heads, and repeated beyond.
"""

from __future__ import annotations

import numpy as np

from outlay.machine.collective_curve import ranks_of
from outlay.serving.deployment import Deployment, Work
from outlay.workload import Attention, Index, Number, Recurrent


def sequence_bytes(deployment: Deployment, tokens: Number) -> Number:
    """Bytes on the fullest device for one sequence of `tokens` tokens, in whole blocks.

    With a pipeline, of the share of layers that one device holds; with data-parallel attention, of a sequence that
    this device serves.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True)
    >>> h100 = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> float(sequence_bytes(h100, 1000)) / 2**20  # 63 blocks of 16 tokens, 128 KiB a token
    126.0
    """
    blocks = np.ceil(np.asarray(tokens, dtype=float) / deployment.engine.block_tokens)
    held = blocks * deployment.engine.block_tokens
    total: Number = 0.0
    for block in deployment.architecture.kinds:
        mixer = block.layer.mixer
        if isinstance(mixer, Recurrent):
            total = total + block.count * state_bytes(mixer, deployment)
        elif isinstance(mixer, Attention) and mixer.causal:
            kept = held if mixer.window is None else np.minimum(held, _window(mixer.window, deployment))
            numbers = token_numbers(mixer, deployment.layout.tensor, ranks=ranks_of(deployment.cluster.accelerator))
            total = total + block.count * kept * numbers * deployment.cache_bytes
            if mixer.index is not None:
                total = total + block.count * held * index_bytes(mixer.index, deployment)
    return total / deployment.layout.pipeline


def token_numbers(attention: Attention, tensor: Number, *, ranks: float = 1.0) -> Number:
    """Numbers that one device keeps of one token in one layer; `ranks` are the members of a group on a device.

    >>> gqa = Attention(heads=32, kv_heads=8, head_dim=128, value_dim=128)
    >>> [float(token_numbers(gqa, degree)) for degree in (1, 8, 16)]
    [2048.0, 256.0, 256.0]
    """
    if attention.kv_rank is not None:
        return float(attention.kv_rank + attention.rope_dim) * np.ones_like(tensor, dtype=float)
    return heads_held(attention, tensor, ranks) * float(attention.head_dim + attention.value_dim)


def heads_held(attention: Attention, tensor: Number, ranks: float = 1.0) -> Number:
    """Key-value heads that one device holds: each of its `ranks` holds one of its own at least.

    >>> gqa = Attention(heads=32, kv_heads=8, head_dim=128, value_dim=128)
    >>> [float(heads_held(gqa, 12, ranks)) for ranks in (1, 2)]
    [1.0, 2.0]
    """
    return ranks * np.maximum(attention.kv_heads / (ranks * np.asarray(tensor, dtype=float)), 1.0)


def copied_bytes(attention: Attention, deployment: Deployment, work: Work) -> Number:
    """Bytes that a library moves for a step beside reading the cache of one layer.

    Each new token is joined to the cache by copying it all, and keys that heads share are written once for each head before
    attention reads them (transformers: `DynamicCache.update`, `repeat_kv`).
    """
    layout = deployment.layout
    kept = token_numbers(attention, layout.tensor)
    shared = np.maximum(attention.kv_heads / layout.tensor, 1.0)
    widened = kept * (attention.heads / layout.tensor) / shared
    joined = 2.0 * kept + np.where(widened > kept, 2.0 * widened, 0.0)
    copied: Number = work.decoding / layout.data * work.context * joined * deployment.cache_bytes
    return copied


def _window(window: int, deployment: Deployment) -> int:
    """Tokens that a window keeps, in whole blocks."""
    size = deployment.engine.block_tokens
    return -(-window // size) * size


def index_bytes(index: Index, deployment: Deployment) -> float:
    """Bytes of one token's key in the index of one layer, which every device keeps: 8 bits a number and a 32-bit scale where the
    chip multiplies in that type (132 of 128 numbers: SGLang's nsa_indexer.py, read 2026-11), else 16 bits.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.workload import transformer
    >>> tiny = transformer(layers=1, hidden=512, heads=4, vocab=1000)
    >>> one = Deployment(architecture=tiny, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> index_bytes(Index(heads=64, head_dim=128), one)
    132.0
    """
    return index.head_dim + 4.0 if deployment.cluster.accelerator.has("fp8") else 2.0 * index.head_dim


def state_bytes(mixer: Recurrent, deployment: Deployment) -> Number:
    """State (in fp32) and the last inputs of the short convolution."""
    state = mixer.state_numbers * 4.0 + mixer.convolved * (mixer.kernel - 1) * 2.0
    return state / deployment.layout.tensor
