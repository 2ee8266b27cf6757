"""What a transformer is made of: the few facts from which parameters, operators and caches follow.

An :class:`Architecture` is a stack of :class:`Block` runs between an embedding and a head. It is plain data: the config
door (`workload.config`) and the closed-form door (:func:`transformer`) both build one, and behind it all models are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What chooses the keys of sparse attention (DeepSeek-V3.2's lightning indexer): small heads that score all keys.

    Queries come from the latent queries, one key a token from the hidden state, and a weight a head as well.
    """

    heads: int
    head_dim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Softmax attention of one layer; `kv_heads == heads` is MHA, 1 is MQA, between is GQA.

    With `kv_rank` it is multi-head latent attention (MLA): keys and values are projected from one latent vector of
    `kv_rank` numbers, `rope_dim` of each query's and key's `head_dim` are rotary and come from the hidden state direct.
    """

    heads: int
    kv_heads: int
    head_dim: int
    """Width of a query and key head, rotary part included."""
    value_dim: int
    """Width of a value head."""
    causal: bool = True
    window: int | None = None
    """Keys that a query sees; None is all of them."""
    chunked: bool = False
    """The window is a fixed chunk of the sequence (Llama 4), not one that slides along with the query."""
    query_bias: bool = False
    kv_bias: bool = False
    output_bias: bool = False
    norm_parameters: int = 0
    """Parameters of norms inside the attention (query-key norms, MLA latent norms)."""
    normed_together: bool = False
    """Queries and keys are normed over all their heads at once (MiniMax-M2, OLMo-2): devices that divide heads add up squares."""
    query_rank: int | None = None
    kv_rank: int | None = None
    rope_dim: int = 0
    gated: bool = False
    """The result is multiplied by a sigmoid of a projection as wide as the queries (Qwen3-Next)."""
    chosen: int | None = None
    """Keys that a query attends to at most, chosen among all that it sees by an index; None is all."""
    index: Index | None = None
    """The layer's own index. One with `chosen` and no index takes what a layer before it chose (GLM-5.2)."""
    memory: int = 0
    """Keys of earlier segments that each query sees beside its own sequence's: cached states, projected again and not
    trained through (Transformer-XL)."""
    relative: bool = False
    """Scores gain a product of queries with projected relative positions, shifted into place (Transformer-XL)."""
    extra_parameters: int = 0
    """Learned sinks, relative-position tables and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mlp:
    """A feed-forward block: two matrices, or three when gated (SwiGLU, GeGLU)."""

    width: int
    gated: bool
    bias: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts: a router sends each token to `active` of `count` experts, and past `shared` ones always."""

    count: int
    active: int
    width: int
    gated: bool = True
    bias: bool = False
    shared_width: int = 0
    """Summed width of the experts that every token visits."""
    shared_gate: bool = False
    shared_bias: bool = False
    router_parameters_extra: int = 0
    """Router biases beyond `hidden × count` weights."""
    latent: int | None = None
    """Experts read and write a vector of this width, with a projection in and one out, instead of the hidden width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSpace:
    """A Mamba-2 mixer (structured state-space duality): in-projection, short convolution, scan, gated norm, out-projection."""

    inner: int
    state: int
    heads: int
    groups: int
    kernel: int = 4
    chunk: int = 256
    bias: bool = False
    """In- and out-projection have biases."""
    convolution_bias: bool = True

    @property
    def projected(self) -> int:
        """Width of the in-projection: gate and input, B and C of each group, a time step a head."""
        return 2 * self.inner + 2 * self.groups * self.state + self.heads

    @property
    def convolved(self) -> int:
        """Channels of the short convolution."""
        return self.inner + 2 * self.groups * self.state

    @property
    def state_numbers(self) -> int:
        """Numbers of the state of one sequence."""
        return self.inner * self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedDelta:
    """Gated DeltaNet (arXiv:2412.06464) as Qwen3-Next has it: in-projection, short convolution, delta rule, gated norm,
    out-projection. Each value head keeps a matrix of `key_dim` × `value_dim`; `value_heads / key_heads` of them share a key.

    >>> mixer = GatedDelta(key_heads=16, value_heads=64, key_dim=128, value_dim=128)
    >>> mixer.projected, mixer.convolved, mixer.state_numbers
    (20608, 12288, 1048576)
    """

    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    kernel: int = 4
    chunk: int = 64
    """Tokens that kernels for prompts and for training work on at once (flash-linear-attention)."""

    @property
    def inner(self) -> int:
        """Summed width of the value heads."""
        return self.value_heads * self.value_dim

    @property
    def projected(self) -> int:
        """Width of the in-projection: queries, keys, values and their gate, and two numbers a value head."""
        return self.convolved + self.inner + 2 * self.value_heads

    @property
    def convolved(self) -> int:
        """Channels of the short convolution: queries, keys and values."""
        return 2 * self.key_heads * self.key_dim + self.inner

    @property
    def heads(self) -> int:
        """Heads that devices can divide among them."""
        return self.key_heads

    @property
    def state_numbers(self) -> int:
        """Numbers of the state of one sequence."""
        return self.inner * self.key_dim


Recurrent: TypeAlias = StateSpace | GatedDelta
"""Mixers that keep a state of fixed size instead of a cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: a mixer (attention, or one with a state), then a feed-forward; either may be missing in a hybrid."""

    mixer: Attention | Recurrent | None
    feed_forward: Mlp | Experts | None
    norms: int = 2
    norm_bias: bool = False
    """LayerNorm has weight and bias, RMSNorm a weight; `norms` counts modules of the hidden width."""
    norm_parameters: int | None = None
    """Parameters of those norms when they follow neither rule (OLMo-1 has none)."""
    parallel: bool = False
    """Attention and feed-forward read the same input (GPT-J, Falcon, PaLM)."""
    cross_attention: Attention | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`count` identical layers."""

    layer: Layer
    count: int
    shared: bool = False
    """The layers use one set of weights (ALBERT): parameters count once, work counts each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A transformer as a stack of layer runs between an embedding and a head."""

    name: str
    hidden: int
    vocab: int
    blocks: tuple[Block, ...]
    family: Literal["decoder", "encoder", "encoder-decoder"] = "decoder"
    tied: bool = False
    """The head shares the embedding's weights."""
    head: bool = True
    """There is a projection to the vocabulary."""
    predicted_share: float = 1.0
    """Share of the logits that are computed: training on masked words may gather their positions first, and an adaptive
    softmax leaves out rare words for most tokens."""
    head_bias: bool = False
    max_length: int | None = None
    final_norm_parameters: int = 0
    embedding_extra: int = 0
    """Learned positions, token types, embedding norms and projections, in parameters."""
    embedding_width: int | None = None
    """Width of the token table, and of the head that reads it, where that is not `hidden` (ELECTRA, ALBERT, OPT-350M)."""
    embedding_norm_parameters: int = 0
    """Of `embedding_extra`: parameters that are norms or projections, not tables that are looked up."""
    embedding_projection: int = 0
    """Of `embedding_extra`: weights that multiply every token."""
    head_extra: int = 0
    """Parameters of a head's transform (BERT), pooler or classifier."""
    head_transform: int = 0
    """Of `head_extra`: weights that multiply every token."""
    pooler: int = 0
    """Of `head_extra`: weights that multiply one token of each sequence."""
    dropout: float = 0.0
    learned_positions: bool = False
    rotary: bool = True
    multi_token_prediction: int = 0
    """Extra prediction depths (DeepSeek-V3 has 1); their layers are like the last."""
    assumed: Mapping[str, str] = field(default_factory=dict)
    """Facts that the source leaves out: name → value taken and why."""
    _kinds: tuple[Block, ...] = field(default=(), init=False, repr=False, compare=False)

    @property
    def kinds(self) -> tuple[Block, ...]:
        """`blocks` in any order: layers that are equal are one block, wherever they stand. Where windows alternate (gpt-oss,
        Gemma) dozens of blocks are two kinds."""
        if len(self.blocks) < 2:
            return self.blocks
        if not self._kinds:
            object.__setattr__(self, "_kinds", _alike(self.blocks))
        return self._kinds

    @property
    def depth(self) -> int:
        """Number of layers."""
        return sum(block.count for block in self.blocks)

    @property
    def token_width(self) -> int:
        """Width of the token table."""
        return self.embedding_width or self.hidden

    @property
    def is_moe(self) -> bool:
        return any(isinstance(block.layer.feed_forward, Experts) for block in self.blocks)


def _alike(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Equal layers together, in the order in which they are met first; those that use one set of weights stay apart."""
    counts: dict[tuple[Layer, int], int] = {}
    shared: dict[tuple[Layer, int], bool] = {}
    for place, block in enumerate(blocks):
        key = (block.layer, place if block.shared else -1)
        counts[key] = counts.get(key, 0) + block.count
        shared[key] = block.shared
    return tuple(Block(layer=key[0], count=count, shared=shared[key]) for key, count in counts.items())


def transformer(
    *,
    layers: int,
    hidden: int,
    heads: int,
    vocab: int,
    name: str = "transformer",
    ffn_hidden: int | None = None,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    gated: bool = False,
    bias: bool | None = None,
    causal: bool = True,
    tied: bool | None = None,
    experts: int | None = None,
    experts_per_token: int | None = None,
    expert_ffn_hidden: int | None = None,
    shared_experts: int = 0,
    max_length: int | None = None,
    parallel: bool = False,
    memory: int = 0,
) -> Architecture:
    """A transformer from a few numbers, as tables of runs give them.

    What is not given follows the model that the other facts point to: a plain feed-forward is a GPT (biases, LayerNorm,
    learned positions, tied head, width 4·hidden), a gated one a Llama (no biases, RMSNorm, rotary, untied). `memory` keys
    of earlier segments make it a Transformer-XL, with relative positions.

    >>> gpt = transformer(layers=96, hidden=12288, heads=96, vocab=51200)
    >>> gpt.blocks[0].layer.feed_forward
    Mlp(width=49152, gated=False, bias=True)
    """
    bias = (not gated) if bias is None else bias
    tied = (not gated) if tied is None else tied
    head_dim = head_dim or hidden // heads
    width = ffn_hidden or (4 * hidden if not gated else -(-8 * hidden // 3 // 256) * 256)
    attention = Attention(
        heads=heads,
        kv_heads=kv_heads or heads,
        head_dim=head_dim,
        value_dim=head_dim,
        causal=causal,
        memory=memory,
        relative=memory > 0,
        query_bias=bias,
        kv_bias=bias,
        output_bias=bias,
    )
    feed_forward: Mlp | Experts = Mlp(width=width, gated=gated, bias=bias)
    if experts:
        expert_width = expert_ffn_hidden or width
        feed_forward = Experts(
            count=experts,
            active=experts_per_token or 2,
            width=expert_width,
            gated=gated,
            bias=bias,
            shared_width=shared_experts * expert_width,
        )
    plain = not gated
    layer = Layer(
        mixer=attention, feed_forward=feed_forward, norms=1 if parallel else 2, norm_bias=plain, parallel=parallel
    )
    return Architecture(
        name=name,
        hidden=hidden,
        vocab=vocab,
        blocks=(Block(layer=layer, count=layers),),
        family="decoder" if causal else "encoder",
        tied=tied,
        max_length=max_length,
        final_norm_parameters=hidden * (2 if plain else 1),
        embedding_extra=(max_length or 0) * hidden if plain else 0,
        learned_positions=plain and not memory,
        rotary=gated,
    )
