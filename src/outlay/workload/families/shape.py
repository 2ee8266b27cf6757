"""What all families share: the four dimensions, runs of layers, and what the class in `architectures` puts on top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from outlay.workload.architecture import Architecture, Block, Layer
from outlay.workload.families.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a family calls its four dimensions."""

    hidden: str = "hidden_size"
    depth: str = "num_hidden_layers"
    heads: str = "num_attention_heads"
    vocab: str = "vocab_size"

    def all(self) -> tuple[str, str, str, str]:
        return self.hidden, self.depth, self.heads, self.vocab


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """Width, depth, heads and vocabulary."""

    hidden: int
    depth: int
    heads: int
    vocab: int


def dimensions(read: Reader, keys: Keys) -> Dimensions:
    """The four numbers that a config must state itself."""
    hidden, depth, heads, vocab = (read.count(key) for key in keys.all())
    return Dimensions(hidden=hidden, depth=depth, heads=heads, vocab=vocab)


def runs(layers: Iterable[Layer]) -> tuple[Block, ...]:
    """Layers in order, with equal neighbours joined.

    >>> layer = Layer(mixer=None, feed_forward=None)
    >>> [block.count for block in runs([layer, layer, Layer(mixer=None, feed_forward=None, norms=1), layer])]
    [2, 1, 1]
    """
    return tuple(Block(layer=layer, count=sum(1 for _ in same)) for layer, same in groupby(layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """What stands on the stack: a projection to the vocabulary, or a classifier of `labels`."""

    kind: str
    labels: int = 0


CLASSES = {
    "ForCausalLM": "language",
    "LMHeadModel": "language",
    "ForConditionalGeneration": "language",
    "ForMaskedLM": "masked",
    "ForPreTraining": "pretraining",
    "ForSequenceClassification": "sequence",
    "ForTokenClassification": "token",
    "ForQuestionAnswering": "question",
    "Model": "bare",
}


def top(read: Reader, *, absent: str) -> Top:
    """What the class in `architectures` puts on top; a class that nobody knows counts as `absent`, and is said."""
    stated = read.config.get("architectures")
    name = stated[0] if isinstance(stated, list | tuple) and stated and isinstance(stated[0], str) else None
    for ending, kind in CLASSES.items():
        if name is not None and name.endswith(ending):
            return Top(kind=kind, labels=_labels(read) if kind in ("sequence", "token") else 2 * (kind == "question"))
    ending = next(end for end, kind in CLASSES.items() if kind == absent)
    why = f"`{name}` is no class that outlay knows" if name else "the config names no class"
    read.assume("architectures", f"…{ending}", why)
    return Top(kind=absent)


def _labels(read: Reader) -> int:
    named: Any = read.config.get("id2label")
    if isinstance(named, dict) and named:
        return len(named)
    if read.stated("num_labels"):
        return read.count("num_labels")
    read.assume("num_labels", 2)
    return 2


def decoder(
    read: Reader,
    size: Dimensions,
    blocks: tuple[Block, ...],
    *,
    final_norm: int,
    head_bias: bool = False,
    positions: int = 0,
    embedding_norm: int = 0,
    embedding_width: int | None = None,
    projection: int = 0,
    head_projection: int = 0,
    max_length: int | None = None,
    dropout: float = 0.0,
    rotary: bool = True,
    multi_token_prediction: int = 0,
) -> Architecture:
    """A decoder with the head that its class has: language model, classifier, or none."""
    head = top(read, absent="language")
    language = head.kind in ("language", "pretraining", "masked")
    width = embedding_width or size.hidden
    classifier = head.labels * width
    bias = head.labels if head.kind in ("token", "question") else 0
    return Architecture(
        name="",
        hidden=size.hidden,
        vocab=size.vocab,
        blocks=blocks,
        tied=read.flag("tie_word_embeddings") if language else False,
        head=language,
        head_bias=head_bias and language,
        max_length=max_length,
        final_norm_parameters=final_norm,
        embedding_extra=positions * size.hidden + embedding_norm + projection,
        embedding_norm_parameters=embedding_norm + projection,
        embedding_projection=projection,
        embedding_width=embedding_width,
        head_extra=head_projection + classifier + bias,
        head_transform=head_projection + classifier,
        dropout=dropout,
        learned_positions=positions > 0,
        rotary=rotary,
        multi_token_prediction=multi_token_prediction,
    )
