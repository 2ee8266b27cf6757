"""How many parameters a model has: a closed form that equals the model classes of `transformers` to the last one."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.workload.architecture import Architecture, Attention, Experts, GatedDelta, Layer, Mlp, Recurrent


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParameters:
    """Parameters of one layer by part."""

    mixer: int
    """Attention (cross-attention too) or state space, with its projections, biases and inner norms."""
    feed_forward: int
    norms: int
    idle: int = 0
    """Of `feed_forward`: experts that a token does not visit."""

    @property
    def total(self) -> int:
        return self.mixer + self.feed_forward + self.norms


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCount:
    """Parameters of a model by part; tied weights count once, in `embedding`."""

    total: int
    active: int
    """What one token's forward pass uses: all but the experts that it does not visit. Embedding and head are included."""
    embedding: int
    """Tables that are looked up: tokens, learned positions, token types."""
    embedding_other: int
    """Norms of the embedding and projections from it."""
    layers: tuple[tuple[int, LayerParameters], ...]
    """For each kind of layer, how many sets of weights there are, and the parameters of one."""
    final_norm: int
    head: int
    """Projection to the vocabulary (0 when tied), its bias, transform, pooler or classifier."""
    multi_token_prediction: int = 0
    """Parameters of the extra prediction layers, which are not in `total`: they are dropped after training."""

    @property
    def non_embedding(self) -> int:
        """`total` without the tables; a tied head goes with its table."""
        return self.total - self.embedding


def parameters(architecture: Architecture) -> ParameterCount:
    """Count the parameters of a model.

    >>> from outlay.workload.config import from_config
    >>> llama_3_8b = from_config({"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 128256,
    ...     "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336})
    >>> count = parameters(llama_3_8b)
    >>> count.total, count.embedding
    (8030261248, 525336576)
    """
    hidden, width = architecture.hidden, architecture.token_width
    tables = architecture.vocab * width + architecture.embedding_extra - architecture.embedding_norm_parameters
    layers = tuple(
        (1 if block.shared else block.count, layer_parameters(block.layer, hidden)) for block in architecture.kinds
    )
    head = architecture.head_extra
    if architecture.head:
        head += (0 if architecture.tied else architecture.vocab * width) + architecture.head_bias * architecture.vocab
    stack = sum(count * layer.total for count, layer in layers)
    idle = sum(count * layer.idle for count, layer in layers)
    total = tables + architecture.embedding_norm_parameters + stack + architecture.final_norm_parameters + head
    return ParameterCount(
        total=total,
        active=total - idle,
        embedding=tables,
        embedding_other=architecture.embedding_norm_parameters,
        layers=layers,
        final_norm=architecture.final_norm_parameters,
        head=head,
        multi_token_prediction=_multi_token_prediction(architecture),
    )


def layer_parameters(layer: Layer, hidden: int) -> LayerParameters:
    """Parameters of one layer of a model `hidden` wide."""
    mixer = sum(_mixer(part, hidden) for part in (layer.mixer, layer.cross_attention))
    norms = layer.norm_parameters
    if norms is None:
        norms = layer.norms * hidden * (2 if layer.norm_bias else 1)
    feed_forward, idle = _feed_forward(layer.feed_forward, hidden)
    return LayerParameters(mixer=mixer, feed_forward=feed_forward, norms=norms, idle=idle)


def _mixer(mixer: Attention | Recurrent | None, hidden: int) -> int:
    if mixer is None:
        return 0
    if isinstance(mixer, GatedDelta):
        # Each value head has a decay and a time-step bias; the gated norm's weight is shared by all heads.
        return (
            hidden * (mixer.projected + mixer.inner)
            + mixer.convolved * mixer.kernel
            + 2 * mixer.value_heads
            + mixer.value_dim
        )
    if not isinstance(mixer, Attention):
        biases = mixer.bias * (mixer.projected + hidden) + mixer.convolution_bias * mixer.convolved
        # Each head has a decay, a time-step bias and a skip; the gated norm has a weight for each inner channel.
        return (
            hidden * (mixer.projected + mixer.inner)
            + mixer.convolved * mixer.kernel
            + biases
            + 3 * mixer.heads
            + mixer.inner
        )
    queries, keys, values = attention_widths(mixer)
    biases = mixer.query_bias * queries + mixer.kv_bias * (keys + values) + mixer.output_bias * hidden
    positions = hidden * queries if mixer.relative else 0
    if mixer.index is not None:
        positions += 2 * mixer.index.head_dim  # a LayerNorm of the index's keys
    return attention_weights(mixer, hidden) + positions + biases + mixer.norm_parameters + mixer.extra_parameters


def attention_widths(attention: Attention) -> tuple[int, int, int]:
    """Summed widths of query, key and value heads."""
    return (
        attention.heads * attention.head_dim,
        attention.kv_heads * attention.head_dim,
        attention.kv_heads * attention.value_dim,
    )


def attention_weights(attention: Attention, hidden: int) -> int:
    """Weights of the projections of an attention: each multiplies every token once.

    Of MLA: DeepSeek-AI, "DeepSeek-V2", arXiv:2405.04434, eq. 9–19.

    >>> attention_weights(Attention(heads=32, kv_heads=8, head_dim=128, value_dim=128), 4096)
    41943040
    """
    queries, keys, values = attention_widths(attention)
    output = attention.heads * attention.value_dim * hidden
    if attention.kv_rank is None:
        return hidden * (queries * (2 if attention.gated else 1) + keys + values) + output
    rank = attention.query_rank
    if attention.index is not None:
        index = attention.index
        output += (rank or hidden) * index.heads * index.head_dim + hidden * (index.head_dim + index.heads)
    query = hidden * queries if rank is None else rank * (hidden + queries)
    up = attention.heads * (attention.head_dim - attention.rope_dim + attention.value_dim)
    return query + hidden * (attention.kv_rank + attention.rope_dim) + attention.kv_rank * up + output


def _feed_forward(feed_forward: Mlp | Experts | None, hidden: int) -> tuple[int, int]:
    """Parameters of a feed-forward, and how many of them a token leaves idle."""
    if feed_forward is None:
        return 0, 0
    if isinstance(feed_forward, Mlp):
        return _mlp(hidden, feed_forward.width, feed_forward.gated, feed_forward.bias), 0
    experts = feed_forward
    one = _mlp(experts.latent or hidden, experts.width, experts.gated, experts.bias)
    router = hidden * experts.count + experts.router_parameters_extra
    shared = _mlp(hidden, experts.shared_width, experts.gated, experts.shared_bias) + experts.shared_gate * hidden
    latent = 2 * hidden * experts.latent + experts.shared_bias * (hidden + experts.latent) if experts.latent else 0
    return experts.count * one + router + shared + latent, (experts.count - experts.active) * one


def _mlp(hidden: int, width: int, gated: bool, bias: bool) -> int:
    ups = 2 if gated else 1
    return hidden * width * (ups + 1) + bias * (ups * width + hidden)


def _multi_token_prediction(architecture: Architecture) -> int:
    """Extra depths as DeepSeek-V3 has them: a layer like the last, a projection of two hidden vectors to one, three norms.

    Embedding and head are shared with the model (arXiv:2412.19437, §2.2).
    """
    depths, hidden = architecture.multi_token_prediction, architecture.hidden
    if not depths:
        return 0
    last = layer_parameters(architecture.blocks[-1].layer, hidden).total
    return depths * (last + 2 * hidden * hidden + 3 * hidden)
