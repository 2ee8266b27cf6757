"""The architecture of a serving row: its columns and a known model, as training rows have them, with what serving adds."""

from __future__ import annotations

import dataclasses
import re
from functools import cache

from outlay import catalog
from outlay.accuracy.benchmarks import MODELS
from outlay.accuracy.records import Record
from outlay.accuracy.shapes import Known, shape_of
from outlay.workload import Architecture, Attention, Block, Layer, from_config, parameters, transformer

_LATENT = re.compile(r"kimi-?k2|glm-?5|deepseek-?v[23]|moonlight|longcat")
"""Models with latent attention, whose columns cannot say so."""
_LATENT_DIMS = {"head_dim": 192, "value_dim": 128, "query_rank": 1536, "kv_rank": 512, "rope_dim": 64}
"""Of DeepSeek-V3 and of those that follow it (arXiv:2412.19437, section 4.2)."""
_SIGHTED = re.compile(r"(?i)[-_ ]?\b(vl|omni|vision|audio)\b")
"""Marks of a model that also sees or hears: a language model of the same name answers."""
_COLUMNS = ("layers", "hidden", "ffn_hidden", "heads", "kv_heads", "vocab", "experts", "experts_per_token")

_shapes: dict[tuple[object, ...], tuple[Architecture, tuple[str, ...]]] = {}


def architecture_of(record: Record) -> tuple[Architecture, tuple[str, ...]]:
    """The architecture that a row's columns and name mean, equal layers put together, and what was assumed.

    Raises `InputError` where neither says what the model is.
    """
    key = (
        record.word("model"),
        record.word("family"),
        *(record.numbers.get(name) for name in (*_COLUMNS, "params_total_b", "params_active_b")),
    )
    if key not in _shapes:
        _shapes[key] = _architecture(record)
    return _shapes[key]


def _architecture(record: Record) -> tuple[Architecture, tuple[str, ...]]:
    row = _as_training(record)
    said: list[str] = []
    name = record.word("model")
    plain = _SIGHTED.sub("", name)
    if plain != name and record.whole("hidden") is None:
        row = dataclasses.replace(row, words={**row.words, "model": plain})
        said.append(f"the language model of {name}")
    shape = shape_of(row, _known())
    architecture = shape.architecture
    if _LATENT.search(record.word("model").lower()) and not _has_latent(architecture):
        architecture = _with_latent(architecture)
        said.append("latent attention of DeepSeek-V3's dimensions")
    return merged(architecture), (*shape.assumed, *said)


def _as_training(record: Record) -> Record:
    """The row as a training record: of a mixture of experts the feed-forward width is that of one expert."""
    numbers = dict(record.numbers)
    if numbers.get("experts", 0) > 1 and "ffn_hidden" in numbers:
        numbers["expert_ffn_hidden"] = numbers["ffn_hidden"]
    # A serving record names no task; the default would be a tuned model's. Counts of totals by name are rounded.
    return dataclasses.replace(record, numbers=numbers, words={**record.words, "task": "pretrain"})


def _has_latent(architecture: Architecture) -> bool:
    return any(
        isinstance(block.layer.mixer, Attention) and block.layer.mixer.kv_rank is not None
        for block in architecture.blocks
    )


def _with_latent(architecture: Architecture) -> Architecture:
    blocks = []
    for block in architecture.blocks:
        layer = block.layer
        if isinstance(layer.mixer, Attention):
            mixer = dataclasses.replace(layer.mixer, kv_heads=layer.mixer.heads, **_LATENT_DIMS)  # type: ignore[arg-type]
            layer = dataclasses.replace(layer, mixer=mixer)
        blocks.append(dataclasses.replace(block, layer=layer))
    return dataclasses.replace(architecture, blocks=tuple(blocks))


def merged(architecture: Architecture) -> Architecture:
    """The same model with equal layers in one run: a step's time does not depend on their order."""
    counts: dict[tuple[Layer, bool], int] = {}
    for block in architecture.blocks:
        counts[block.layer, block.shared] = counts.get((block.layer, block.shared), 0) + block.count
    blocks = tuple(Block(layer=layer, count=count, shared=shared) for (layer, shared), count in counts.items())
    # Prediction depths beyond the next token are for training and for speculation.
    return dataclasses.replace(architecture, blocks=blocks, multi_token_prediction=0)


@cache
def _known() -> Known:
    published = (name for entry in catalog.models() for name in (entry.name, *entry.aliases))
    return Known(
        names=tuple(name for name in (*MODELS, *published) if "bert" not in name),
        build=_build,
        parameters=lambda architecture: float(parameters(architecture).total),
    )


@cache
def _build(name: str) -> Architecture:
    if name in MODELS:
        return transformer(name=name, **MODELS[name])
    facts = catalog.model_config(name)
    return from_config(dict(facts.config), name=facts.name)
