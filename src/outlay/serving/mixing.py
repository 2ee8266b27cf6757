"""Seconds of what mixes tokens in a layer, beside its products: attention of prompts and of decoding sequences, and states."""

from __future__ import annotations

import numpy as np

from outlay.machine import (
    Curves,
    attention_seconds,
    decode_attention_seconds,
    delta_rule_seconds,
    gemm_seconds,
    memory_seconds,
    mla_decode_seconds,
)
from outlay.machine.collective_curve import ranks_of
from outlay.machine.delta_rule import KERNELS
from outlay.serving.choice import choosing, choosing_for_prompts, sparse
from outlay.serving.deployment import Deployment, Work
from outlay.serving.kv_cache import copied_bytes, heads_held, state_bytes
from outlay.workload import Attention, GatedDelta, Layer, Number, StateSpace
from outlay.workload.recurrence import scan_products


def mixing(layer: Layer, deployment: Deployment, work: Work, curves: Curves) -> dict[str, Number]:
    """Seconds of one layer by cause."""
    if isinstance(layer.mixer, Attention):
        return attention(layer.mixer, deployment, work, curves)
    return {
        "prompt attention": _scans(layer, deployment, work, curves),
        "decode attention": _states(layer, deployment, work, curves),
    }


def attention(mixer: Attention, deployment: Deployment, work: Work, curves: Curves) -> dict[str, Number]:
    """Seconds of an attention by cause."""
    return {
        "prompt attention": _prompts(mixer, deployment, work, curves),
        "decode attention": _decoding(mixer, deployment, work, curves),
    }


def kernels(layer: Layer, work: Work) -> Number:
    """How many kernels that is: one for prompts and one for decoding, two more that choose keys, and those of the delta rule."""
    if isinstance(layer.mixer, Attention):
        return 2 if layer.mixer.index is None else 4
    return 2 + (KERNELS - 1) * np.greater(work.prefill, 0) if isinstance(layer.mixer, GatedDelta) else 2


def each_prompt(work: Work) -> Number:
    """Tokens of each prompt of a step."""
    return np.where(np.greater(work.prefill, 0), work.prefill / np.maximum(work.prompts, 1e-9), 0.0)


def _prompts(mixer: Attention, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Attention of prompt tokens to themselves and to what their sequence has in the cache."""
    if np.ndim(work.prefill) == 0 and work.prefill == 0:
        return 0.0
    layout = deployment.layout
    each = each_prompt(work)
    heads = mixer.heads / layout.tensor
    kv_heads = heads if mixer.kv_rank is not None else np.maximum(mixer.kv_heads / layout.tensor, 1.0)
    sizes = (work.prompts / layout.data, heads, kv_heads)
    dims = (mixer.head_dim, mixer.value_dim)
    # A causal square of the new tokens, and a full rectangle of new tokens by those in the cache.
    own = attention_seconds(*sizes, each, each, *dims, causal=mixer.causal, window=mixer.window, curve=curves.attention)
    reach = work.past if mixer.window is None else np.minimum(work.past, mixer.window)
    before: Number = 0.0
    if np.any(reach):
        before = attention_seconds(*sizes, each, reach, *dims, causal=False, window=None, curve=curves.attention)
    latent = curves.latent_prefill if mixer.kv_rank is not None else 1.0
    seconds = np.where(np.greater(each, 0), (own + before) * latent, 0.0)
    chosen = sparse(mixer, work)
    if mixer.kv_rank is None or mixer.chosen is None or not np.any(chosen):
        return seconds
    # Each query meets keys of its own, as one that decodes does.
    apart = _latent(mixer, work.prefill / layout.data, mixer.chosen, 1.0, deployment, curves)
    return np.where(chosen, apart + choosing_for_prompts(mixer, deployment, work, curves), seconds)


def _decoding(mixer: Attention, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Attention of decoding sequences over their caches."""
    if not mixer.causal or (np.ndim(work.decoding) == 0 and work.decoding == 0):
        return 0.0
    layout = deployment.layout
    sequences, queries = work.decoding / layout.data, 1.0 + work.drafted
    if mixer.kv_rank is not None:
        seen = work.context if mixer.chosen is None else np.minimum(work.context, mixer.chosen)
        return _latent(mixer, sequences, seen, queries, deployment, curves) + choosing(mixer, deployment, work, curves)
    heads = mixer.heads / layout.tensor
    held = heads_held(mixer, layout.tensor, ranks_of(deployment.cluster.accelerator))
    read = decode_attention_seconds(
        sequences,
        np.maximum(heads, held),
        heads if reads_apart(deployment) else held,
        work.context,
        mixer.head_dim,
        mixer.value_dim,
        queries=queries,
        kv_bytes=deployment.cache_bytes,
        window=mixer.window,
        curve=curves.decode,
    )
    if deployment.engine.family != "transformers":
        return read
    return read + memory_seconds(copied_bytes(mixer, deployment, work), kernels=2, curve=curves.memory)


SHARING = 2024.73
"""Since when vLLM's kernel for AMD reads a key-value head once for all of its query heads (release 0.6.2, pull request 8310:
Llama 2 70B answers 1.2 to 1.5 times as fast)."""


def reads_apart(deployment: Deployment) -> bool:
    """Whether the decoding kernel reads a key-value head anew for each of its query heads, as one block of threads takes one
    query head: DeepSpeed-FastGen's, and vLLM's first (csrc/attention, paged_attention_v1) on chips whose caches are small."""
    engine, chip = deployment.engine, deployment.cluster.accelerator
    early = engine.family == "vllm-0" and engine.year < SHARING and chip.vendor == "amd"
    return early or engine.family == "deepspeed"


def _latent(
    mixer: Attention, sequences: Number, context: Number, queries: Number, deployment: Deployment, curves: Curves
) -> Number:
    assert mixer.kv_rank is not None
    return mla_decode_seconds(
        sequences,
        mixer.heads / deployment.layout.tensor,
        context,
        kv_rank=mixer.kv_rank,
        rope_dim=mixer.rope_dim,
        queries=queries,
        kv_bytes=deployment.cache_bytes,
        curve=curves.latent_decode,
    )


def _states(layer: Layer, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Layers with a state read and write that of every decoding sequence."""
    if layer.mixer is None or isinstance(layer.mixer, Attention):
        return 0.0
    each = state_bytes(layer.mixer, deployment) * work.decoding / deployment.layout.data
    return np.where(np.greater(work.decoding, 0), memory_seconds(2.0 * each, curve=curves.memory), 0.0)


def _scans(layer: Layer, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Prompts through layers with a state, in chunks: the scan of a state space as products, the delta rule by its kernels."""
    mixer, split = layer.mixer, deployment.layout.tensor
    if (np.ndim(work.prefill) == 0 and work.prefill == 0) or mixer is None or isinstance(mixer, Attention):
        return 0.0
    tokens = work.prefill / deployment.layout.data
    if isinstance(mixer, StateSpace):
        products = scan_products(mixer, tokens, split)
        return sum(gemm_seconds(op.rows, op.columns, op.depth, curve=curves.gemm_base) for op in products)
    curve = curves.delta("vllm" if deployment.engine.name == "vllm" else "sglang")
    heads = mixer.value_heads / split
    return delta_rule_seconds(tokens, each_prompt(work), heads, mixer.key_dim, mixer.value_dim, curve=curve)
