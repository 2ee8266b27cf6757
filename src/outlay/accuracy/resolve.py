"""A record as the question that the predictor answers: recipe, layout and cluster, with everything that was assumed.

Only configuration columns are read; :meth:`Record.configuration` takes away the others first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from outlay import catalog
from outlay.accuracy import words
from outlay.accuracy.benchmarks import BINNED_BERT, FINE_TUNING_LENGTH, MODELS, PACKED_BERT, TARGET_LENGTH
from outlay.accuracy.chips import chip_for, fastest
from outlay.accuracy.degrees import degrees_of
from outlay.accuracy.impossible import refuse_impossible
from outlay.accuracy.records import Record
from outlay.accuracy.shapes import COLUMNS, Known, Shape, is_encoder, is_tuned, shape_of
from outlay.accuracy.tuning_words import tuned_in
from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.layout import Recompute
from outlay.machine import Cluster, cluster_for
from outlay.training import PRECISIONS, Recipe
from outlay.training.recipe import States
from outlay.training.software import WHOLE_NODE as UNKNOWN_COUNT
from outlay.training.software import Software, software_for, usual_framework
from outlay.workload import Architecture, from_config, parameters, transformer

NOT_YET = {
    "vision": "not yet: vision models (convolutional networks and vision transformers)",
    "convnet": "not yet: vision models (convolutional networks and vision transformers)",
    "vit": "not yet: vision models (convolutional networks and vision transformers)",
    "diffusion": "not yet: diffusion models",
    "recommendation": "not yet: recommendation models",
    "speech": "not yet: speech models",
    "graph": "not yet: graph networks",
}
"""Task or family → why such a row has no prediction."""

_PICTURES = re.compile(r"\bflux\b|flux\.|stable[-_ ]?diffusion|\bsdxl\b|\bsd[-_ ]?[123]|pixart|\bdit\b")
"""Names of models that make pictures."""

GIB, GB = 2.0**30, 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One row's configuration in our terms."""

    recipe: Recipe
    fixed: Mapping[str, int]
    """Degrees by the names of :class:`outlay.layout.Layout`; what is in `open` is not among them."""
    open: tuple[str, ...]
    cluster: Cluster
    decode_passes: float
    """Passes of one generated token that the row's time of a step includes."""
    evaluation_passes: float
    """Forward passes of a micro-batch that it includes."""
    memory_unit: float
    """Bytes that the row's software calls a GB."""
    assumed: tuple[str, ...]

    def layout_key(self) -> tuple[object, ...]:
        """Rows with equal keys differ in numbers alone, and can be predicted together."""
        recipe, cluster = self.recipe, self.cluster
        alike: tuple[object, ...] = (
            recipe.sequence_length,
            recipe.precision,
            recipe.optimizer,
            recipe.software,
            recipe.dropout,
        )
        alike += (recipe.tuning, recipe.stored, recipe.states, recipe.lengths, self.decode_passes, recipe.document)
        alike += (recipe.update_in_backward, recipe.paged, self.evaluation_passes)
        return (id(recipe.architecture), *alike, id(cluster), self.open, tuple(sorted(self.fixed)))


def resolve(record: Record) -> Resolved:
    """The question that a row asks.

    Raises `InputError` where it cannot be answered: not a language model, no accelerator, no size.
    """
    row = record.configuration()
    _refuse(row)
    shape = _shape(row)
    architecture = shape.architecture
    accelerator, note = chip_for(row.word("accelerator"))
    said = [*shape.assumed, note]
    submission = any("mlperf" in row.word(column).lower() for column in ("framework", "source", "source_url"))
    year, note = words.year(row.word("date"), row.word("framework"), chip=accelerator.year)
    said.append(note)
    usual = usual_framework(accelerator.category, row.whole("gpus") or UNKNOWN_COUNT)
    software, note = _software(row, usual or "pytorch", year, submission)
    said.append(note)
    asked = tuned_in(row, architecture, software, submission)
    length, note = _length(row, architecture, submission)
    said += [*asked.said, "" if asked.lengths else note]
    refuse_impossible(row, architecture, length)
    narrowest = fastest(accelerator.peaks)
    precision, note = words.precision(
        row.word("precision"),
        year=year,
        fastest=narrowest,
        # Before Hopper nobody entered in 8 bits.
        submission=submission and accelerator.generation != "ada",
        # NVIDIA's containers set TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1 (NGC PyTorch release notes, from 20.06).
        tensor_float="tf32" in accelerator.peaks and re.search(r"\bngc\b", row.word("framework").lower()) is not None,
    )
    said.append(note)
    if not accelerator.has(PRECISIONS[precision]):
        said.append(
            f"{precision} runs as {accelerator.runs_as(PRECISIONS[precision])}: {accelerator.name} has no {precision}"
        )
    usual_optimizer = "adam-8bit" if asked.paged and not row.word("optimizer") else row.word("optimizer")
    optimizer, note = words.optimizer(usual_optimizer, fine_tuning=is_tuned(row), encoder=is_encoder(row))
    said.append(note)
    degrees = degrees_of(
        row,
        architecture=architecture,
        parameters=_size(architecture),
        software=software,
        length=length,
        submission=submission,
    )
    cluster = _cluster(accelerator, degrees.devices, row.whole("gpus_per_node"), row.word("interconnect"))
    said += [*degrees.assumed, *cluster.assumed]
    fixed, unsettled = dict(degrees.fixed), degrees.open
    if asked.recompute and "recompute" in unsettled:
        fixed["recompute"] = int(Recompute.FULL)
        unsettled = tuple(name for name in unsettled if name != "recompute")
    if accelerator.category == "tpu" and fixed.get("zero") == 3 and "tensor" in fixed:
        # MaxText shards weights inside a slice and replicates across slices (MaxText, "Sharding": ici_fsdp, dcn_data).
        inside = int(cluster.domain) // (fixed["tensor"] * fixed["context"])
        if 1 <= inside < fixed["data"] and fixed["data"] % inside == 0:
            fixed["shard"] = inside
            said.append(f"weights sharded over {inside} chips of a slice")
    return Resolved(
        recipe=Recipe(
            architecture=architecture,
            sequence_length=length,
            global_batch=degrees.global_batch,
            precision=precision,
            optimizer=optimizer,
            software=software,
            dropout=architecture.dropout or software.dropout,
            tuning=asked.tuning,
            stored=asked.stored,
            states=_states(row, software, precision),
            lengths=asked.lengths,
            document=asked.document,
            update_in_backward=asked.in_backward,
            paged=asked.paged,
        ),
        decode_passes=row.numbers.get("decode_passes", 0.0),
        evaluation_passes=row.numbers.get("evaluation_passes", 0.0),
        fixed=fixed,
        open=unsettled,
        cluster=cluster,
        # LitGPT divides the bytes that torch reports by 1e9 (litgpt/finetune/lora.py); what devices and most logs print is GiB.
        memory_unit=GB if re.search(r"lit-?gpt|peft", row.word("framework").lower()) else GIB,
        assumed=tuple(dict.fromkeys(filter(None, said))),
    )


def _refuse(record: Record) -> None:
    for column in ("task", "family"):
        for word, reason in NOT_YET.items():
            if word in record.word(column).lower():
                raise InputError(reason, hint="leave the row out")
    if _PICTURES.search(record.word("model").lower()):
        raise InputError(NOT_YET["diffusion"], hint="leave the row out")
    if not record.word("accelerator"):
        raise InputError("`accelerator` is empty", hint="name the chip, as `outlay show accelerators` lists it")


def _states(record: Record, software: Software, precision: str) -> States:
    """How trained weights are kept: a tuning script's own way, or mixed where the row says so."""
    if not is_tuned(record) or not software.pure_states or precision != "bf16":
        return "master"
    return "mixed" if "mixed" in record.word("precision").lower() else "pure"


_shapes: dict[tuple[object, ...], Shape] = {}


def _software(record: Record, usual: str, year: float, submission: bool) -> tuple[Software, str]:
    """The facts of the row's framework, and what was assumed where it names none or its name means nothing."""
    text = record.word("framework")
    facts = software_for(f"{text or usual} mlperf" if submission else text or usual, year)
    if not text:
        return facts, f"framework {facts.name}, a usual one on this accelerator"
    generic = facts.name not in text.lower() and not re.search(
        r"torch|cuda|rocm|megatron|nemo|jax|maxtext", text.lower()
    )
    return facts, f"framework `{text}` taken as {facts.name}" if generic else ""


def _length(record: Record, architecture: Architecture, submission: bool) -> tuple[int, str]:
    """Tokens of a sequence, and what was assumed where none is stated."""
    stated = record.whole("seq_len")
    binned = architecture.family == "encoder" and not is_tuned(record) and stated == 2 * PACKED_BERT
    if binned and re.search(r"\bngc\b", record.word("framework").lower()):
        return BINNED_BERT, f"batches of like length: {BINNED_BERT} tokens of {stated} in the mean"
    if stated is not None:
        return stated, ""
    target = TARGET_LENGTH.get(architecture.name)
    if target is not None:
        length = target
    elif architecture.family == "encoder":
        length = PACKED_BERT if submission else min(architecture.max_length or 512, 512)
    elif is_tuned(record):
        length = FINE_TUNING_LENGTH
    else:
        length = min(architecture.max_length or 2048, 8192)
    return length, f"seq_len {length}"


def _shape(record: Record) -> Shape:
    """The row's architecture; rows that describe one model alike share one."""
    key = (
        record.word("model"),
        record.word("family"),
        is_tuned(record),
        record.whole("seq_len"),
        *(record.numbers.get(column) for column in COLUMNS),
    )
    if key not in _shapes:
        _shapes[key] = shape_of(record, _known())
    return _shapes[key]


@cache
def _known() -> Known:
    published = (name for entry in catalog.models() for name in (entry.name, *entry.aliases))
    return Known(names=(*MODELS, *published), build=_build, parameters=_size)


@cache
def _build(name: str) -> Architecture:
    if name in MODELS:
        return transformer(name=name, **MODELS[name])
    facts = catalog.model_config(name)
    return from_config(dict(facts.config), name=facts.name)


_clusters: dict[tuple[str, int, int | None, str], Cluster] = {}


def _cluster(chip: Accelerator, count: int, gpus_per_node: int | None, interconnect: str) -> Cluster:
    """The row's cluster; rows with the same words share one."""
    key = (f"{chip.name} {chip.memory}", count, gpus_per_node, interconnect)
    if key not in _clusters:
        _clusters[key] = cluster_for(chip, count, gpus_per_node=gpus_per_node, interconnect=interconnect or None)
    return _clusters[key]


def _size(architecture: Architecture) -> float:
    return float(parameters(architecture).total)
