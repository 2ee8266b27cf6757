"""Encoders in the line of BERT: post-norm layers with biases, learned positions, and a head that depends on the class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from outlay.workload.architecture import Architecture, Attention, Block, Layer, Mlp
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Dimensions, Keys, Top, dimensions, top

BERT = Keys()
ROBERTAS = ("roberta", "xlm-roberta", "camembert")
DISTILBERT = Keys(hidden="dim", depth="n_layers", heads="n_heads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Parameters of a head, and how many of them multiply every token or one token of each sequence."""

    total: int = 0
    transform: int = 0
    pooler: int = 0


def _dense(inputs: int, outputs: int) -> int:
    """Parameters of a projection with a bias."""
    return (inputs + 1) * outputs


def _vocabulary_transform(hidden: int, width: int) -> Extra:
    """What stands before the projection to the vocabulary: a projection to the token width and a LayerNorm."""
    return Extra(total=_dense(hidden, width) + 2 * width, transform=hidden * width)


def _classifier(head: Top, hidden: int) -> Extra:
    """A projection to labels: of every token, or of one token a sequence."""
    weights = hidden * head.labels
    return Extra(
        total=weights + head.labels,
        transform=0 if head.kind == "sequence" else weights,
        pooler=weights if head.kind == "sequence" else 0,
    )


def _pooler(hidden: int) -> Extra:
    return Extra(total=_dense(hidden, hidden), pooler=hidden * hidden)


def _sum(*parts: Extra) -> Extra:
    return Extra(
        total=sum(part.total for part in parts),
        transform=sum(part.transform for part in parts),
        pooler=sum(part.pooler for part in parts),
    )


def _bert_head(head: Top, hidden: int, width: int) -> Extra:
    if head.kind == "pretraining":
        following = Extra(total=_dense(hidden, 2), pooler=2 * hidden)
        return _sum(_vocabulary_transform(hidden, width), _pooler(hidden), following)
    if head.kind in ("masked", "language"):
        return _vocabulary_transform(hidden, width)
    if head.kind == "bare":
        return _pooler(hidden)
    # RoBERTa's classifier of a sequence has a projection of its own in place of the pooler, of the same size.
    return _sum(_pooler(hidden) if head.kind == "sequence" else Extra(), _classifier(head, hidden))


def _distilbert_head(head: Top, hidden: int, width: int) -> Extra:
    return Extra() if head.kind == "bare" else _bert_head(head, hidden, width)


def _electra_head(head: Top, hidden: int, width: int) -> Extra:
    """Pre-training is to tell replaced tokens from real ones: two projections a token, no vocabulary."""
    if head.kind == "pretraining":
        return Extra(total=_dense(hidden, hidden) + _dense(hidden, 1), transform=hidden * hidden + hidden)
    return Extra() if head.kind == "bare" else _bert_head(head, hidden, width)


def _bert(
    read: Reader,
    *,
    keys: Keys = BERT,
    head: Callable[[Top, int, int], Extra] = _bert_head,
    inner: str = "intermediate_size",
    dropout: str = "hidden_dropout_prob",
    vocabulary_for: tuple[str, ...] = ("pretraining", "masked", "language"),
) -> Architecture:
    size = dimensions(read, keys)
    kind = top(read, absent="masked")
    width = (read.optional_count("embedding_size") if "embedding_size" in read.defaults else None) or size.hidden
    narrow = width != size.hidden or read.model_type == "albert"
    length, types = read.count("max_position_embeddings"), read.optional_count("type_vocab_size", least=0) or 0
    projection = width * size.hidden if narrow else 0
    norm = 2 * width + (projection + size.hidden if narrow else 0)
    extra = head(kind, size.hidden, width)
    vocabulary = kind.kind in vocabulary_for
    tied = read.flag("tie_word_embeddings") if vocabulary else False
    # These heads have two biases, which are one while the head is tied to the embedding.
    twice = vocabulary and not tied and read.model_type not in ("distilbert", "electra")
    second_bias = size.vocab if twice else 0
    return Architecture(
        name="",
        hidden=size.hidden,
        vocab=size.vocab,
        blocks=_blocks(read, keys, size, inner),
        family="encoder",
        tied=tied,
        head=vocabulary,
        head_bias=vocabulary,
        max_length=length,
        embedding_extra=(length + types) * width + norm,
        embedding_norm_parameters=norm,
        embedding_projection=projection,
        embedding_width=width if width != size.hidden else None,
        head_extra=extra.total + second_bias,
        head_transform=extra.transform,
        pooler=extra.pooler,
        dropout=read.probability(dropout),
        learned_positions=True,
        rotary=False,
    )


def _blocks(read: Reader, keys: Keys, size: Dimensions, inner: str) -> tuple[Block, ...]:
    width = read.head_dim(size.hidden, size.heads, width=keys.hidden, depth_of_heads=keys.heads, key=None)
    attention = Attention(
        heads=size.heads,
        kv_heads=size.heads,
        head_dim=width,
        value_dim=width,
        causal=read.config.get("is_decoder") is True,
        query_bias=True,
        kv_bias=True,
        output_bias=True,
    )
    layer = Layer(mixer=attention, feed_forward=Mlp(width=read.count(inner), gated=False, bias=True), norm_bias=True)
    if read.model_type != "albert":
        return (Block(layer=layer, count=size.depth),)
    groups, inner_layers = read.count("num_hidden_groups"), read.count("inner_group_num")
    if size.depth % groups or inner_layers != 1:
        read.contradiction(
            f"`num_hidden_groups` is {groups} and `inner_group_num` {inner_layers}: expected a divisor of the depth, and 1",
            "layer",
            "group",
        )
        groups = 1
    return tuple(Block(layer=layer, count=size.depth // groups, shared=True) for _ in range(groups))


BUILDERS: dict[str, tuple[Keys, Callable[[Reader], Architecture]]] = {
    "bert": (BERT, _bert),
    **dict.fromkeys(ROBERTAS, (BERT, _bert)),
    "distilbert": (
        DISTILBERT,
        lambda read: _bert(read, keys=DISTILBERT, head=_distilbert_head, inner="hidden_dim", dropout="dropout"),
    ),
    "electra": (BERT, lambda read: _bert(read, head=_electra_head, vocabulary_for=("masked", "language"))),
    "albert": (BERT, _bert),
}
