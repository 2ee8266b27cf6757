"""The architecture of a record: what its columns state, a known model for what columns cannot say, else assumed.

The columns are believed over the name: a "llama-3-70b" of 12 layers has 12 layers, and a name whose known width differs
from the stated one is not used at all.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass

from outlay.accuracy.names import candidates, parameters_in
from outlay.accuracy.records import Record
from outlay.errors import InputError
from outlay.workload import Architecture, Attention, Block, Experts, Layer, Mlp, transformer

COLUMNS = (
    "layers",
    "hidden",
    "ffn_hidden",
    "heads",
    "kv_heads",
    "head_dim",
    "vocab",
    "gated_mlp",
    "experts",
    "experts_per_token",
    "expert_ffn_hidden",
    "shared_experts",
    "params_total_b",
)
"""Columns that describe the model."""

_PLAIN = re.compile(
    r"gpt|bert|\bopt\b|bloom|mpt|pythia|neox|falcon|\bglm-?130|transformer-xl|turing|chinchilla|gopher|t5"
)
_ENCODER = re.compile(r"bert|electra|encoder-only|\broberta|deberta|modernbert")
_MASKED = 0.15
"""Share of words that BERT's training masks and predicts (Devlin et al., 2019, section 3.1); trainers of large batches
gather their positions before the projection to the vocabulary."""
_ADAPTIVE = 0.11
"""Share of the logits that an adaptive softmax computes (Grave et al., 2017) with WikiText-103's usual cut-offs: the
20,000 commonest of 267,735 words for each token, the next 20,000 and the rest for the few tokens that need them."""
_SIZE_UNSTATED = re.compile(r"size not stated")
_ASPECT = 128
"""Hidden width per layer of a model known by its size alone: GPT-3 and Llama lie between 100 and 150."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The models that a name may mean."""

    names: tuple[str, ...]
    build: Callable[[str], Architecture]

    parameters: Callable[[Architecture], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An architecture, and what was assumed of it."""

    architecture: Architecture
    assumed: tuple[str, ...] = ()


def is_encoder(record: Record) -> bool:
    return _ENCODER.search(record.word("model").lower()) is not None


def is_tuned(record: Record) -> bool:
    """Whether the run tunes a trained model; a row that names no task trains one."""
    return record.word("task").lower() not in ("", "pretrain", "pretraining", "train", "training")


def shape_of(record: Record, known: Known) -> Shape:
    """The architecture of a row.

    Raises `InputError` where neither columns, name nor parameter count say what the model is.
    """
    unsized = _SIZE_UNSTATED.search(record.word("model")) is not None
    for name in () if unsized else candidates(record.word("model"), known.names):
        architecture = known.build(name)
        if _agrees(record, architecture) and _as_large(record, architecture, known):
            return _adapted(record, architecture, name)
    return _from_columns(record)


def _agrees(record: Record, architecture: Architecture) -> bool:
    """Whether no column that fixes a model's width contradicts the known one."""
    hidden, heads, experts = record.whole("hidden"), record.whole("heads"), record.whole("experts")
    attention = next((b.layer.mixer for b in architecture.blocks if isinstance(b.layer.mixer, Attention)), None)
    feed_forward = [b.layer.feed_forward for b in architecture.blocks]
    counts = {part.count for part in feed_forward if isinstance(part, Experts)} or {0}
    widths = {part.width for part in feed_forward if isinstance(part, (Mlp, Experts))}
    ffn = {record.whole("ffn_hidden"), record.whole("expert_ffn_hidden")} - {None}
    return (
        hidden in (None, architecture.hidden)
        and (heads is None or attention is None or heads == attention.heads)
        and (experts is None or (experts if experts > 1 else 0) in counts)
        and (not ffn or not widths or bool(ffn & widths))
    )


def _as_large(record: Record, architecture: Architecture, known: Known) -> bool:
    """Whether a model taken by its name alone has about as many parameters as the row or the name states."""
    if record.whole("hidden") is not None and record.whole("layers") is not None:
        return True
    billions = record.numbers.get("params_total_b")
    stated = billions * 1e9 if billions is not None else parameters_in(record.word("model"))
    return stated is None or 0.75 < known.parameters(architecture) / stated < 1.33


def _adapted(record: Record, architecture: Architecture, name: str) -> Shape:
    """A known model with the layers, vocabulary and extras that the row states."""
    assumed = []
    layers, vocab = record.whole("layers"), record.whole("vocab")
    if record.whole("hidden") is None or layers is None:
        assumed.append(f"dimensions of {name}")
    if layers is not None and layers != architecture.depth:
        architecture = with_layers(architecture, layers)
        assumed.append(f"{name} cut to {layers} layers")
    if vocab is not None and vocab != architecture.vocab:
        architecture = dataclasses.replace(architecture, vocab=vocab)
    if architecture.multi_token_prediction and re.search(
        r"w/?o mtp|without mtp|no[- ]mtp", record.word("model").lower()
    ):
        architecture = dataclasses.replace(architecture, multi_token_prediction=0)
    if architecture.family == "encoder" and is_tuned(record) and architecture.head:
        # Fine-tuning an encoder replaces the projection to the vocabulary by a few outputs.
        architecture = dataclasses.replace(architecture, head=False, head_extra=0)
    return _with_logits(record, architecture, assumed)


def with_layers(architecture: Architecture, count: int) -> Architecture:
    """The same model with `count` layers: leading dense layers shrink in proportion (one stays), patterns go on.

    >>> with_layers(transformer(layers=80, hidden=8192, heads=64, vocab=32000), 12).depth
    12
    """
    first, *rest = architecture.blocks
    leads = bool(rest) and isinstance(first.layer.feed_forward, Mlp) and architecture.is_moe and first.count < 8
    lead = min(first.count, max(1, round(first.count * count / architecture.depth)), count) if leads else 0
    pattern = [layer for block in (rest if leads else architecture.blocks) for layer in [block.layer] * block.count]
    layers = [first.layer] * lead + [pattern[index % len(pattern)] for index in range(count - lead)]
    runs: list[tuple[Layer, int]] = []
    for layer in layers:
        if runs and runs[-1][0] == layer:
            runs[-1] = (layer, runs[-1][1] + 1)
        else:
            runs.append((layer, 1))
    cut = 0 if count < architecture.depth else architecture.multi_token_prediction
    blocks = tuple(Block(layer=layer, count=length) for layer, length in runs)
    return dataclasses.replace(architecture, blocks=blocks, multi_token_prediction=cut)


def _from_columns(record: Record) -> Shape:
    """A transformer from the numbers of the row; what they leave out follows from those they give."""
    assumed: list[str] = []
    text = f"{record.word('model')} {record.word('family')}".lower()
    stated = record.numbers.get("gated_mlp")
    gated = bool(stated) if stated is not None else not _PLAIN.search(text)
    if stated is None:
        assumed.append("gated feed-forward" if gated else "plain feed-forward")
    layers, hidden, vocab = record.whole("layers"), record.whole("hidden"), record.whole("vocab")
    if vocab is None:
        vocab = 32000 if gated else 50304
        assumed.append(f"vocab {vocab}")
    if layers is None or hidden is None:
        layers, hidden = _sized(record, layers, hidden, vocab, gated)
        assumed.append(f"{layers} layers of width {hidden}")
    heads = record.whole("heads")
    if heads is None:
        heads = _heads(hidden, record.whole("head_dim"))
        assumed.append(f"{heads} heads")
    elif hidden % heads and record.whole("head_dim") is None:
        if record.whole("hidden") is None:
            raise InputError(
                f"`heads` is {heads}: no usual width for the model's size divides into as many",
                hint="give `hidden`, or correct `heads`",
            )
        raise InputError(
            f"`hidden` is {hidden}: expected a multiple of `heads`, which is {heads}",
            hint="write the width of a head under `head_dim`",
        )
    shared = record.whole("kv_heads")
    if shared is not None and heads % shared:
        raise InputError(
            f"`heads` is {heads}: expected a multiple of `kv_heads`, which is {shared}",
            hint="each key-value head serves as many heads as the others",
        )
    experts = record.whole("experts") or 0
    visited = record.whole("experts_per_token") or 0
    if experts > 1 and visited > experts:
        raise InputError(
            f"`experts_per_token` is {visited}: expected at most `experts`, which is {experts}",
            hint="state the experts that a token visits",
        )
    if experts > 1 and not record.whole("experts_per_token"):
        assumed.append("2 experts a token")
    if record.whole("kv_heads") is None:
        assumed.append("as many key-value heads as heads")
    if record.whole("ffn_hidden") is None and not (experts > 1 and record.whole("expert_ffn_hidden")):
        assumed.append("usual feed-forward width")
    architecture = transformer(
        name=record.word("model") or "transformer",
        layers=layers,
        hidden=hidden,
        heads=heads,
        vocab=vocab,
        ffn_hidden=record.whole("ffn_hidden"),
        kv_heads=record.whole("kv_heads"),
        head_dim=record.whole("head_dim") or max(1, hidden // heads),
        gated=gated,
        causal=not is_encoder(record),
        experts=experts if experts > 1 else None,
        experts_per_token=record.whole("experts_per_token") or None,
        expert_ffn_hidden=record.whole("expert_ffn_hidden") or None,
        shared_experts=record.whole("shared_experts") or 0,
        max_length=record.whole("seq_len"),
    )
    return _with_logits(record, architecture, assumed)


def _with_logits(record: Record, architecture: Architecture, assumed: list[str]) -> Shape:
    """The architecture with the logits that its training computes, where these are not one row for each token."""
    if re.search(r"transformer-?xl", record.word("model").lower()):
        assumed.append(f"adaptive softmax: {_ADAPTIVE:.0%} of logits")
        architecture = dataclasses.replace(architecture, predicted_share=_ADAPTIVE)
    elif is_encoder(record) and architecture.head and not is_tuned(record):
        assumed.append(f"logits of the masked {_MASKED:.0%} of words")
        architecture = dataclasses.replace(architecture, predicted_share=_MASKED)
    return Shape(architecture=architecture, assumed=tuple(assumed))


def _heads(hidden: int, head_dim: int | None) -> int:
    """A count of heads that divides the width, each about 128 wide (64 in narrow models)."""
    wanted = head_dim or (128 if hidden >= 2048 else 64)
    return min(
        (count for count in range(1, hidden + 1) if hidden % count == 0), key=lambda count: abs(hidden / count - wanted)
    )


def _sized(record: Record, layers: int | None, hidden: int | None, vocab: int, gated: bool) -> tuple[int, int]:
    """Depth and width from the parameter count, `12 · layers · hidden² + vocab · hidden`, where columns omit them."""
    stated = record.numbers.get("params_total_b")
    name = record.word("model")
    total = stated * 1e9 if stated is not None else None if _SIZE_UNSTATED.search(name) else parameters_in(name)
    if total is None:
        empty = [column for column, value in (("layers", layers), ("hidden", hidden)) if value is None]
        raise InputError(
            f"{' and '.join(f'`{column}`' for column in empty)} empty, and "
            + (f"`{name}` is no model of known size" if name else "`model` names none either"),
            hint="fill in the columns, or name a model that `outlay show models` lists",
        )
    tables = vocab * (2 if gated else 1)
    if hidden is not None:
        return max(1, round((total - tables * hidden) / (12 * hidden**2))), hidden
    if layers is not None:
        # The positive root of 12·layers·h² + tables·h = total.
        width = (-tables + (tables**2 + 48 * layers * total) ** 0.5) / (24 * layers)
        return layers, max(64, 64 * round(width / 64))
    width = max(64, 128 * round((total * _ASPECT / 12) ** (1 / 3) / 128))
    return max(1, round((total - tables * width) / (12 * width**2))), width
