"""The architecture of a serving row: its columns and a known model, as training rows have them, with what serving adds."""

from __future__ import annotations

import dataclasses
import math
import re
from functools import cache

from outlay import catalog
from outlay.accuracy.benchmarks import MODELS
from outlay.accuracy.names import candidates, parameters_in
from outlay.accuracy.records import Record
from outlay.accuracy.shapes import Known, shape_of
from outlay.workload import Architecture, Attention, Block, Layer, from_config, parameters, transformer

_LATENT = re.compile(r"kimi-?k2|glm-?5|deepseek-?v[23]|moonlight|longcat")
"""Models with latent attention, whose columns cannot say so."""
_LATENT_DIMS = {"head_dim": 192, "value_dim": 128, "query_rank": 1536, "kv_rank": 512, "rope_dim": 64}
"""Of DeepSeek-V3 and of those that follow it (arXiv:2412.19437, section 4.2)."""
_OFFSPRING = (
    (r"deepseek[- ]?r1[- :]distill[- ]qwen[- ]", "qwen2.5-"),
    (r"deepseek[- ]?r1[- :](?=(1\.5|7|14|32)b)", "qwen2.5-"),
    (r"deepseek[- ]?r1[- :](distill[- ]llama[- ])?(?=8b)", "llama-3.1-"),
    (r"deepseek[- ]?r1[- :](distill[- ]llama[- ])?(?=70b)", "llama-3.3-"),
    (r"(vicuna|codellama|wizardlm|alpaca|koala|guanaco)[- ](?=(7|13)b)", "llama-2-"),
    (r"\bqwq[- ]", "qwen2.5-"),
    (r"(nous-?)?hermes[- ]3[- ]llama[- ]", "llama-"),
    (r"deepseek-?v3\.[13]", "deepseek-v3"),
)
"""Names of tuned models → the model that was tuned (their cards say which)."""
_NEAR = 0.22
"""ln of the parameters by which a known model may differ from one of which only the size is stated."""
LIKE_SIZE = "which is about as large"
"""Ends what is assumed of a model that nobody lists."""
_MODERN = "2023-06"
"""Since when models share key-value heads: older ones stand in for no model that nobody lists."""
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
    if record.whole("hidden") is None:
        row = _of_its_parent(row, said)
        row = _of_like_size(row, said)
    shape = shape_of(row, _known())
    architecture = shape.architecture
    if _LATENT.search(record.word("model").lower()) and not _has_latent(architecture):
        architecture = _with_latent(architecture)
        said.append("latent attention of DeepSeek-V3's dimensions")
    return merged(architecture), (*shape.assumed, *said)


def _of_its_parent(row: Record, said: list[str]) -> Record:
    name = row.word("model").lower()
    for pattern, parent in _OFFSPRING:
        tuned = re.sub(pattern, parent, name)
        if tuned != name:
            said.append(f"{row.word('model')} as {tuned}")
            return dataclasses.replace(row, words={**row.words, "model": tuned})
    return row


def _of_like_size(row: Record, said: list[str]) -> Record:
    """A model that nobody lists, as the known one with about as many parameters, and as many that a token visits."""
    name = row.word("model")
    if candidates(name, _known().names) or row.whole("layers") is not None:
        return row
    billions = row.numbers.get("params_total_b")
    total = billions * 1e9 if billions is not None else parameters_in(name)
    if total is None:
        return row
    stated = row.numbers.get("params_active_b")
    visited = re.search(r"[-_ ]a(\d+(?:\.\d+)?)b\b", name.lower())
    active = stated * 1e9 if stated is not None else float(visited.group(1)) * 1e9 if visited else total

    def far(sizes: tuple[float, float]) -> float:
        return max(abs(math.log(sizes[0] / total)), abs(math.log(sizes[1] / active)))

    nearest = min(_sizes(), key=lambda known: (far(_sizes()[known]), known))
    reach = _NEAR if active >= 0.9 * total else 3.0 * _NEAR
    if far(_sizes()[nearest]) > reach:
        return row
    said.append(f"{name} as {nearest}, {LIKE_SIZE}")
    sizeless = {key: value for key, value in row.numbers.items() if key not in ("params_total_b", "params_active_b")}
    return dataclasses.replace(row, words={**row.words, "model": nearest}, numbers=sizeless)


@cache
def _sizes() -> dict[str, tuple[float, float]]:
    """Parameters of the decoders of the catalog, and of those what a token visits."""
    found = {}
    for entry in catalog.models():
        architecture = _build(entry.name)
        if architecture.family == "decoder" and entry.receipt.date >= _MODERN:
            count = parameters(architecture)
            found[entry.name] = (float(count.total), float(count.active))
    return found


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
