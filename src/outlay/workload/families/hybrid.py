"""Hybrids of Mamba-2, attention, and feed-forward layers in a stated order (Nemotron-H, Nemotron 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from outlay.workload.architecture import Architecture, Attention, Layer, Mlp, StateSpace
from outlay.workload.families.experts import experts
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Dimensions, Keys, decoder, dimensions, runs

KEYS = Keys()
LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
EARLIER = {"linear_attention": "mamba", "full_attention": "attention"}


def with_pattern(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with its pattern of layers as a list, and the depth that follows from it."""
    own = dict(config)
    own["tie_word_embeddings"] = False  # the class never ties them, whatever the config says
    pattern = own.get("hybrid_override_pattern")
    stated = own.get("layers_block_type", own.get("layer_types"))
    if stated is None and isinstance(pattern, str):
        stated = [LETTERS.get(letter, letter) for letter in pattern]
    if isinstance(stated, list) and stated:
        own["layers_block_type"] = [EARLIER.get(kind, kind) if isinstance(kind, str) else kind for kind in stated]
        own["num_hidden_layers"] = len(stated)
    return own


def build(read: Reader) -> Architecture:
    """One part a layer: a mixer or a feed-forward, each after one norm."""
    size = dimensions(read, KEYS)
    pattern = read.config.get("layers_block_type")
    if not isinstance(pattern, list) or not pattern:
        read.problems.append("`hybrid_override_pattern` is missing")
        pattern = ["mlp"]
    unknown = sorted({str(kind) for kind in pattern if not isinstance(kind, str) or kind not in LETTERS.values()})
    if unknown:
        read.problems.append(f"`hybrid_override_pattern` has {', '.join(unknown[:3])}: expected {', '.join(LETTERS)}")
        pattern = ["mlp"]
    parts = {kind: PARTS[kind](read, size) for kind in dict.fromkeys(pattern)}
    return decoder(
        read,
        size,
        runs(parts[kind] for kind in pattern),
        final_norm=size.hidden,
        max_length=read.optional_count("max_position_embeddings"),
        multi_token_prediction=read.optional_count("num_nextn_predict_layers", least=0) or 0,
        rotary=False,
    )


def _mamba(read: Reader, size: Dimensions) -> Layer:
    heads = read.count("mamba_num_heads")
    mixer = StateSpace(
        inner=heads * read.count("mamba_head_dim"),
        state=read.count("ssm_state_size"),
        heads=heads,
        groups=read.count("n_groups"),
        kernel=read.count("conv_kernel"),
        chunk=read.count("chunk_size"),
        bias=read.flag("use_bias"),
        convolution_bias=read.flag("use_conv_bias"),
    )
    return Layer(mixer=mixer, feed_forward=None, norms=1)


def _attention(read: Reader, size: Dimensions) -> Layer:
    width = read.head_dim(size.hidden, size.heads, width=KEYS.hidden, depth_of_heads=KEYS.heads)
    kv_heads = read.kv_heads(size.heads)
    mixer = Attention(heads=size.heads, kv_heads=kv_heads, head_dim=width, value_dim=width)
    return Layer(mixer=mixer, feed_forward=None, norms=1)


def _mlp(read: Reader, size: Dimensions) -> Layer:
    mlp = Mlp(width=read.count("intermediate_size"), gated=False, bias=read.flag("mlp_bias"))
    return Layer(mixer=None, feed_forward=mlp, norms=1)


def _moe(read: Reader, size: Dimensions) -> Layer:
    sparse = replace(
        experts(read, ("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size")),
        gated=False,
        shared_bias=read.flag("mlp_bias"),
        shared_width=read.count("moe_shared_expert_intermediate_size"),
        latent=read.optional_count("moe_latent_size"),
    )
    return Layer(mixer=None, feed_forward=sparse, norms=1)


PARTS: dict[str, Callable[[Reader, Dimensions], Layer]] = {
    "mamba": _mamba,
    "attention": _attention,
    "mlp": _mlp,
    "moe": _moe,
}

BUILDERS: dict[str, tuple[Keys, Callable[[Reader], Architecture]]] = {"nemotron_h": (KEYS, build)}
