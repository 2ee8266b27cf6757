"""Families in the line of Llama: pre-norm decoders with rotary positions, told apart by biases, norms, windows and experts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from outlay.workload.architecture import Architecture, Attention, Layer, Mlp
from outlay.workload.families.experts import FeedForward, sparse_feed_forwards
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Dimensions, Keys, decoder, dimensions, runs
from outlay.workload.families.windows import windows

KEYS = Keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one `model_type` differs from Llama. A `str` names the config key that decides."""

    qkv_bias: bool | str = "attention_bias"
    output_bias: bool | str = "attention_bias"
    gated: bool = True
    mlp_bias: bool | str = False
    norms: int = 2
    norm_bias: bool = False
    plain_norms: bool = False
    """Norms have no parameters (OLMo 1)."""
    query_key_norm: Literal["none", "head", "each", "together"] = "none"
    """Norms of queries and keys: of each head, with weights that all share (`head`) or of its own (`each`), or of all heads
    together."""
    query_key_norm_if: str | None = None
    parallel: bool | str = False
    head_bias: bool | str = False
    window: str = "nowhere"
    derived_head_dim: bool = False
    """`head_dim` is always hidden / heads, whatever the config says."""
    sinks: bool = False
    """Each head learns a logit for attending to nothing (gpt-oss)."""
    dropout: str | None = None


STYLES: dict[str, Style] = {
    "llama": Style(mlp_bias="mlp_bias"),
    "mistral": Style(qkv_bias=False, output_bias=False, window="everywhere"),
    "mixtral": Style(qkv_bias=False, output_bias=False, window="everywhere"),
    "qwen2": Style(qkv_bias=True, output_bias=False, window="qwen2"),
    "qwen2_moe": Style(qkv_bias="qkv_bias", output_bias=False, window="qwen2_moe"),
    "qwen3": Style(query_key_norm="head", window="qwen2"),
    "qwen3_moe": Style(query_key_norm="head", window="qwen3_moe"),
    "gemma": Style(),
    "gemma2": Style(norms=4, window="every second full"),
    "gemma3_text": Style(norms=4, query_key_norm="head", window="every sixth full"),
    "phi": Style(
        qkv_bias=True,
        output_bias=True,
        gated=False,
        mlp_bias=True,
        norms=1,
        norm_bias=True,
        parallel=True,
        head_bias=True,
        query_key_norm="head",
        query_key_norm_if="qk_layernorm",
        dropout="resid_pdrop",
    ),
    "phi3": Style(qkv_bias=False, output_bias=False, window="everywhere", dropout="resid_pdrop"),
    "phimoe": Style(norm_bias=True, head_bias="lm_head_bias", window="everywhere"),
    "cohere": Style(norms=1, parallel=True, query_key_norm="each", query_key_norm_if="use_qk_norm"),
    "cohere2": Style(norms=1, parallel=True, window="every fourth full", derived_head_dim=True),
    "granite": Style(mlp_bias="mlp_bias"),
    "granitemoe": Style(),
    "granitemoeshared": Style(),
    "stablelm": Style(
        qkv_bias="use_qkv_bias",
        output_bias=False,
        norm_bias=True,
        parallel="use_parallel_residual",
        query_key_norm="each",
        query_key_norm_if="qk_layernorm",
        derived_head_dim=True,
        dropout="hidden_dropout",
    ),
    "starcoder2": Style(
        qkv_bias="use_bias",
        output_bias="use_bias",
        gated=False,
        mlp_bias="use_bias",
        norm_bias=True,
        window="everywhere",
        dropout="residual_dropout",
    ),
    "olmo": Style(plain_norms=True),
    "olmo2": Style(query_key_norm="together"),
    "olmo3": Style(query_key_norm="together", window="every fourth full"),
    "olmoe": Style(query_key_norm="together"),
    "nemotron": Style(gated=False, mlp_bias="mlp_bias", norm_bias=True),
    "gpt_oss": Style(sinks=True, window="every second full"),
    "llama4_text": Style(window="llama4"),
    "glm": Style(output_bias=False),
    "glm4": Style(output_bias=False, norms=4),
    "glm4_moe": Style(output_bias=False, query_key_norm="head", query_key_norm_if="use_qk_norm"),
    "smollm3": Style(mlp_bias="mlp_bias", window="smollm3"),
    "exaone4": Style(qkv_bias=False, output_bias=False, query_key_norm="head", window="exaone4"),
    "seed_oss": Style(output_bias="attention_out_bias", mlp_bias="mlp_bias"),
    "ernie4_5": Style(qkv_bias="use_bias", output_bias="use_bias", mlp_bias="use_bias"),
    "hunyuan_v1_dense": Style(query_key_norm="head"),
    "minimax_m2": Style(qkv_bias=False, output_bias=False, query_key_norm="together"),
}


def build(read: Reader) -> Architecture:
    """A decoder in the style of its `model_type`."""
    style, size = STYLES[read.model_type], dimensions(read, KEYS)
    parallel = _decide(read, style.parallel)
    norms = 1 if parallel else style.norms
    layers = [
        Layer(
            mixer=attention,
            feed_forward=feed_forward,
            norms=norms,
            norm_bias=style.norm_bias,
            norm_parameters=0 if style.plain_norms else None,
            parallel=parallel,
        )
        for attention, feed_forward in zip(
            _attentions(read, style, size), _feed_forwards(read, style, size.depth), strict=True
        )
    ]
    return decoder(
        read,
        size,
        runs(layers),
        final_norm=0 if style.plain_norms else size.hidden * (2 if style.norm_bias else 1),
        head_bias=_decide(read, style.head_bias),
        max_length=read.optional_count("max_position_embeddings"),
        dropout=read.probability(style.dropout) if style.dropout else 0.0,
        multi_token_prediction=read.optional_count("num_nextn_predict_layers", least=0) or 0,
    )


def _attentions(read: Reader, style: Style, size: Dimensions) -> list[Attention]:
    heads = size.heads
    kv_heads = read.kv_heads(heads)
    head_dim = read.head_dim(
        size.hidden,
        heads,
        width=KEYS.hidden,
        depth_of_heads=KEYS.heads,
        key=None if style.derived_head_dim else "head_dim",
    )
    qkv_bias = _decide(read, style.qkv_bias)
    normed = style.query_key_norm if not style.query_key_norm_if or read.flag(style.query_key_norm_if) else "none"
    norm_width = {"none": 0, "head": 2 * head_dim}.get(normed, (heads + kv_heads) * head_dim)
    facts = Attention(
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        value_dim=head_dim,
        query_bias=qkv_bias,
        kv_bias=qkv_bias,
        output_bias=_decide(read, style.output_bias),
        # Phi norms its queries and keys by LayerNorm with a bias; the other families that do so have none.
        norm_parameters=norm_width * (2 if read.model_type == "phi" else 1),
        normed_together=normed == "together",
        extra_parameters=heads if style.sinks else 0,
    )
    return [_windowed(facts, window, chunked) for window, chunked in windows(read, style.window, size.depth)]


def _windowed(facts: Attention, window: int | None, chunked: bool) -> Attention:
    return facts if window is None else replace(facts, window=window, chunked=chunked)


def _feed_forwards(read: Reader, style: Style, depth: int) -> list[FeedForward]:
    sparse = sparse_feed_forwards(read, depth)
    if sparse is not None:
        return sparse
    return [Mlp(width=read.count("intermediate_size"), gated=style.gated, bias=_decide(read, style.mlp_bias))] * depth


def _decide(read: Reader, rule: bool | str) -> bool:
    return read.flag(rule) if isinstance(rule, str) else rule
