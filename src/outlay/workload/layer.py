"""A transformer layer as operators on one device, for given degrees of parallelism.

Degrees are numbers or arrays. Tensor parallelism splits heads and feed-forward columns, sequence parallelism what lies
between them [1]_, context parallelism the sequence, expert parallelism the experts. Bytes of activations follow the
accounting of [1]_ (§4.1), operator by operator.

.. [1] V. Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", MLSys 2023,
arXiv:2205.05198.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.workload.architecture import Architecture, Attention, Experts, Layer, Mlp, StateSpace
from outlay.workload.operators import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator

STORED = 2.0
"""Bytes of a saved 16-bit activation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One device's part of a micro-batch: `micro_batch` sequences of `sequence_length` tokens, divided by the
    degrees."""

    micro_batch: Number
    sequence_length: Number
    tensor: Number = 1
    context: Number = 1
    expert: Number = 1
    expert_tensor: Number = 1
    sequence_parallel: Number = False
    stored: float = STORED
    """Bytes of an activation in memory: 2, or 4 where nothing is done in 16 bits."""
    stored_linear: float = STORED
    """Bytes of a saved input of a projection: 1 where an fp8 recipe keeps the quantized copy."""
    fused_norms: bool = True
    """Whether norm, residual, dropout and bias run as fused kernels rather than one kernel an operation."""

    @property
    def tokens(self) -> Number:
        """Tokens of a micro-batch on this device inside tensor-parallel regions."""
        return self.micro_batch * self.sequence_length / self.context

    @property
    def tokens_between(self) -> Number:
        """Tokens between tensor-parallel regions: all of them, or one part each with sequence parallelism."""
        return self.tokens / np.where(self.sequence_parallel, self.tensor, 1)


def layer_operators(
    layer: Layer, hidden: int, shard: Shard, *, dropout: float = 0.0, rotary: bool = True
) -> list[Operator]:
    """The operators of one layer, in order of execution.

    >>> from outlay.workload.architecture import transformer
    >>> gpt = transformer(layers=1, hidden=1024, heads=16, vocab=50257)
    >>> work = layer_operators(gpt.blocks[0].layer, 1024, Shard(micro_batch=1, sequence_length=1024))
    >>> bool(sum(op.flop_forward for op in work if isinstance(op, Matmul)) == 24 * 1024 * 1024**2)
    True
    """
    operators: list[Operator] = []
    if isinstance(layer.mixer, Attention):
        operators += _norm("input norm", hidden, shard, layer.norm_bias)
        operators += attention_operators(layer.mixer, hidden, shard, rotary=rotary)
        if not layer.parallel:
            operators += _residual("attention residual", hidden, shard, dropout)
    elif isinstance(layer.mixer, StateSpace):
        operators += _norm("input norm", hidden, shard, layer.norm_bias)
        operators += state_space_operators(layer.mixer, hidden, shard)
        operators += _residual("mixer residual", hidden, shard, dropout)
    if layer.cross_attention is not None:
        operators += _norm("cross norm", hidden, shard, layer.norm_bias)
        operators += attention_operators(layer.cross_attention, hidden, shard, rotary=False)
        operators += _residual("cross residual", hidden, shard, dropout)
    if layer.feed_forward is not None:
        if not layer.parallel:
            operators += _norm("feed-forward norm", hidden, shard, layer.norm_bias)
        if isinstance(layer.feed_forward, Experts):
            operators += expert_operators(layer.feed_forward, hidden, shard)
        else:
            operators += mlp_operators(layer.feed_forward, hidden, shard)
        operators += _residual("feed-forward residual", hidden, shard, dropout)
    # Sandwich norms (Gemma 2 and 3, OLMo 2 after instead of before) are norms beyond the one in front of each part.
    parts = sum(part is not None for part in (layer.mixer, layer.feed_forward, layer.cross_attention))
    for extra in range(max(0, layer.norms - parts)):
        operators += _norm(f"post norm {extra + 1}", hidden, shard, layer.norm_bias)
    return operators


def attention_operators(attention: Attention, hidden: int, shard: Shard, *, rotary: bool = True) -> list[Operator]:
    """Projections and core of softmax attention (MHA, GQA, MQA or MLA)."""
    tokens, split = shard.tokens, shard.tensor
    heads = attention.heads / split
    kv_heads = np.maximum(attention.kv_heads / split, 1.0)
    value_width = heads * attention.value_dim
    operators: list[Operator] = []
    kept = shard.stored_linear * shard.tokens_between * hidden
    if attention.kv_rank is None:
        width = heads * attention.head_dim + kv_heads * (attention.head_dim + attention.value_dim)
        operators.append(
            Matmul(name="query-key-value projection", rows=tokens, columns=width, depth=hidden, saved=kept)
        )
        rotated = heads * attention.head_dim + kv_heads * attention.head_dim
    else:
        # The latent projections are not split: every tensor-parallel rank holds the whole latent vector.
        query_in = attention.query_rank or hidden
        nope = attention.head_dim - attention.rope_dim
        between = shard.tokens_between
        down = (attention.query_rank or 0) + attention.kv_rank + attention.rope_dim
        operators.append(Matmul(name="latent down-projection", rows=between, columns=down, depth=hidden, saved=kept))
        operators.append(
            _touch("latent norms", between * down, reads=1, writes=1, shard=shard, saved=shard.stored * between * down)
        )
        operators.append(
            Matmul(name="query up-projection", rows=tokens, columns=heads * attention.head_dim, depth=query_in)
        )
        operators.append(
            Matmul(
                name="key-value up-projection",
                rows=tokens,
                columns=heads * (nope + attention.value_dim),
                depth=attention.kv_rank,
                saved=shard.stored_linear * tokens * (attention.kv_rank + (attention.query_rank or 0)),
            )
        )
        kv_heads = heads
        rotated = heads * attention.head_dim * 2.0
    if rotary:
        operators.append(_touch("rotary embedding", tokens * rotated, reads=1, writes=1, shard=shard))
    saved_qkv = (
        shard.stored * tokens * (heads * attention.head_dim + kv_heads * (attention.head_dim + attention.value_dim))
    )
    length = shard.sequence_length
    scores = shard.micro_batch * heads * length * length / shard.context
    operators.append(
        AttentionCore(
            name="attention",
            batch=shard.micro_batch,
            heads=heads,
            kv_heads=kv_heads,
            queries=length,
            keys=length,
            head_dim=attention.head_dim,
            value_dim=attention.value_dim,
            causal=attention.causal,
            window=attention.window if attention.window else None,
            shards=shard.context,
            saved=saved_qkv + 4.0 * tokens * heads,
            # Softmax output and its dropped-out copy in 16 bits, and a mask byte (Korthikanti's 5 a s² b).
            saved_unfused=(2.0 * shard.stored + 1.0) * scores,
        )
    )
    operators.append(
        Matmul(
            name="attention output projection",
            rows=tokens,
            columns=hidden,
            depth=value_width,
            saved=shard.stored * tokens * value_width,
        )
    )
    return operators


def mlp_operators(mlp: Mlp, hidden: int, shard: Shard) -> list[Operator]:
    """A plain or gated feed-forward."""
    return _feed_forward("feed-forward", mlp.width, mlp.gated, hidden, shard, tokens=shard.tokens)


def _feed_forward(name: str, width: int, gated: bool, hidden: int, shard: Shard, *, tokens: Number) -> list[Operator]:
    columns = width / shard.tensor
    ups = 2 if gated else 1
    return [
        Matmul(
            name=f"{name} up-projection",
            rows=tokens,
            columns=ups * columns,
            depth=hidden,
            saved=shard.stored_linear * shard.tokens_between * hidden,
        ),
        _touch(
            f"{name} activation",
            tokens * columns,
            reads=ups,
            writes=1,
            shard=shard,
            saved=shard.stored * tokens * columns * ups,
        ),
        Matmul(
            name=f"{name} down-projection",
            rows=tokens,
            columns=hidden,
            depth=columns,
            saved=shard.stored_linear * tokens * columns,
        ),
    ]


def expert_operators(experts: Experts, hidden: int, shard: Shard) -> list[Operator]:
    """Router, dispatch, experts, combine, and the shared expert.

    A device holds `count / expert` experts and, with balanced routing, receives as many token copies as it sends:
    `active` copies of its own tokens, times the expert-tensor degree, whose ranks see each other's tokens.
    """
    between = shard.tokens / shard.tensor
    rows = between * experts.active * shard.expert_tensor
    local = experts.count / shard.expert
    columns = experts.width / shard.expert_tensor
    ups = 2 if experts.gated else 1
    width = experts.latent or hidden
    operators: list[Operator] = [
        Matmul(
            name="router",
            rows=between,
            columns=experts.count,
            depth=hidden,
            low_precision=False,
            saved=4.0 * between * experts.count,
        ),
        _touch("router choice", between * experts.count, reads=4, writes=4, shard=shard, kernels=6, routing=True),
        _touch("dispatch permutation", rows * width, reads=1, writes=1, shard=shard, kernels=3, routing=True),
        GroupedMatmul(
            name="expert up-projection",
            rows=rows,
            columns=ups * columns,
            depth=width,
            groups=local,
            saved=shard.stored_linear * rows * width,
        ),
        _touch(
            "expert activation",
            rows * columns,
            reads=ups,
            writes=1,
            shard=shard,
            saved=shard.stored * rows * columns * ups,
        ),
        GroupedMatmul(
            name="expert down-projection",
            rows=rows,
            columns=width,
            depth=columns,
            groups=local,
            saved=shard.stored_linear * rows * columns,
        ),
        _touch(
            "combine permutation",
            rows * width,
            reads=1,
            writes=1,
            shard=shard,
            kernels=3,
            routing=True,
            saved=shard.stored * rows * width,
        ),
    ]
    if experts.latent:
        # Tokens are projected to a narrower space before they are routed, and back after (Nemotron 3).
        operators.append(Matmul(name="latent expert in-projection", rows=between, columns=width, depth=hidden))
        operators.append(Matmul(name="latent expert out-projection", rows=between, columns=hidden, depth=width))
    if experts.shared_width:
        operators += _feed_forward(
            "shared expert", experts.shared_width, experts.gated, hidden, shard, tokens=shard.tokens
        )
    return operators


def state_space_operators(mixer: StateSpace, hidden: int, shard: Shard) -> list[Operator]:
    """A Mamba-2 mixer: the scan runs as chunked products (state-space duality), so it counts as matmul work."""
    tokens, split = shard.tokens, shard.tensor
    inner, groups, heads = mixer.inner / split, np.maximum(mixer.groups / split, 1.0), mixer.heads / split
    width = 2 * inner + 2 * groups * mixer.state + heads
    convolved = inner + 2 * groups * mixer.state
    chunk = mixer.chunk
    return [
        Matmul(
            name="mixer in-projection",
            rows=tokens,
            columns=width,
            depth=hidden,
            saved=shard.stored_linear * shard.tokens_between * hidden,
        ),
        _touch(
            "short convolution", tokens * convolved, reads=1, writes=1, shard=shard, saved=shard.stored * tokens * width
        ),
        # Within a chunk: scores (chunk × state) and their product with the inputs; across chunks: state in and out.
        Matmul(
            name="scan within chunks",
            rows=tokens,
            columns=chunk,
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
        _touch("gated norm", tokens * inner, reads=2, writes=1, shard=shard, saved=shard.stored * tokens * inner * 2),
        Matmul(
            name="mixer out-projection",
            rows=tokens,
            columns=hidden,
            depth=inner,
            saved=shard.stored_linear * tokens * inner,
        ),
    ]


def embedding_operators(architecture: Architecture, shard: Shard) -> list[Operator]:
    """Token look-up, learned positions, dropout: memory traffic only."""
    numbers = shard.tokens_between * architecture.hidden
    return [
        _touch(
            "embedding",
            numbers,
            reads=1,
            writes=1,
            shard=shard,
            kernels=2,
            saved=shard.stored * numbers * bool(architecture.dropout),
        )
    ]


def head_operators(architecture: Architecture, shard: Shard) -> list[Operator]:
    """Final norm, projection to the vocabulary, and cross-entropy in fp32 over vocabulary-parallel logits."""
    if not architecture.head:
        return _norm("final norm", architecture.hidden, shard, False)
    tokens, columns = shard.tokens, architecture.vocab / shard.tensor
    logits = tokens * columns
    return [
        *_norm("final norm", architecture.hidden, shard, architecture.learned_positions),
        Matmul(
            name="head",
            rows=tokens,
            columns=columns,
            depth=architecture.hidden,
            low_precision=False,
            saved=shard.stored * shard.tokens_between * architecture.hidden,
        ),
        # 16-bit logits are read, written as fp32, then maximum, exponential and sum pass over them; backward writes
        # fp32 and 16-bit gradients.
        MemoryBound(
            name="cross-entropy",
            bytes_forward=(shard.stored + 4.0 * 5) * logits,
            bytes_backward=(4.0 * 2 + shard.stored) * logits,
            kernels_forward=8,
            kernels_backward=4,
            saved=(shard.stored + 4.0) * logits,
        ),
    ]


def _touch(
    name: str,
    numbers: Number,
    *,
    reads: int,
    writes: int,
    shard: Shard,
    kernels: int = 1,
    routing: bool = False,
    saved: Number = 0.0,
) -> MemoryBound:
    """A pass over `numbers` activations; backward reads what forward read and the gradient, and writes a gradient
    for each read."""
    return MemoryBound(
        name=name,
        bytes_forward=shard.stored * numbers * (reads + writes),
        bytes_backward=shard.stored * numbers * (2 * reads + writes),
        kernels_forward=kernels,
        kernels_backward=kernels,
        saved=saved,
        routing=routing,
    )


def _norm(name: str, hidden: int, shard: Shard, bias: bool) -> list[Operator]:
    numbers = shard.tokens_between * hidden
    return [
        MemoryBound(
            name=name,
            bytes_forward=shard.stored * 2 * numbers,
            bytes_backward=shard.stored * 3 * numbers,
            kernels_forward=1,
            kernels_backward=2,
            saved=shard.stored * numbers,
            parameters=hidden * (2 if bias else 1),
        )
    ]


def _residual(name: str, hidden: int, shard: Shard, dropout: float) -> list[Operator]:
    """Add (and drop out): reads two, writes one; backward passes the gradient on, through the mask where there is
    one."""
    numbers = shard.tokens_between * hidden
    mask = 1.0 if dropout else 0.0
    return [
        MemoryBound(
            name=name,
            bytes_forward=numbers * (3 * shard.stored + mask),
            bytes_backward=numbers * (2 * shard.stored + mask) if dropout else numbers * shard.stored,
            saved=numbers * mask,
        )
    ]
