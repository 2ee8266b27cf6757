"""A serving row as the question that the predictor answers: a deployment, what was asked of it, and how it was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from outlay.accuracy.chips import chip_for
from outlay.accuracy.records import Record
from outlay.accuracy.serving import words
from outlay.accuracy.serving.columns import configuration
from outlay.accuracy.serving.layouts import divide
from outlay.accuracy.serving.manner import Manner, Protocol, manner_of
from outlay.accuracy.serving.models import architecture_of
from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.machine import Cluster, cluster_for
from outlay.serving import Deployment, engine_for, engine_on
from outlay.serving.ggml import era
from outlay.workload import parameters

NOT_YET: Final = {
    "vision": "not yet: vision models (convolutional networks and vision transformers)",
    "diffusion": "not yet: diffusion models",
    "encoder": "not yet: encoders (an answer without tokens)",
    "recommendation": "not yet: recommendation models",
    "speech": "not yet: speech models",
    "audio": "not yet: speech models",
}
"""Family → why such a row has no prediction."""

PIPELINED: Final = 2024.2
"""Since when llama.cpp lets the devices that hold its layers work on chunks of a prompt at the same time (pull request 6017)."""

SITES: Final = {("argonne-lcf", "a100-sxm"): "a100-sxm-40gb"}
"""A source and a chip's words → the chip of its machine: Polaris has A100s of 40 GB (https://docs.alcf.anl.gov/polaris/)."""

INPUT, OUTPUT = 512, 256
"""Tokens of a prompt and of an answer where nothing says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One row in our terms."""

    deployment: Deployment
    """One instance."""
    instances: int
    """Instances that share the row's requests."""
    protocol: Protocol
    input: float
    output: float
    batch: float | None
    """Requests that run, or are open, on all instances together; None is as many as fit."""
    rate: float | None
    beams: int
    rounds: float
    """Requests that a client sends one after another."""
    cold: bool
    """The first call of a process is timed."""
    apart: bool
    """An answer begins without the prompt before it."""
    answer_alone: bool
    scattered: bool
    random_lengths: bool
    """Lengths are those of a data set, not all alike."""
    assumed: tuple[str, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Questions with equal keys differ in numbers alone, and can be answered together."""
        one = self.deployment
        kind = era(one.engine.year) + 0.5 * (one.engine.year >= PIPELINED) if one.engine.kernels == "ggml" else 0.0
        engine = replace(one.engine, year=float(kind))
        return (id(one.architecture), id(one.cluster), engine, one.weights.name, one.cache, one.eager)


def resolve(record: Record) -> Question:
    """The question that a row asks.

    Raises `InputError` where it cannot be answered: no language model, no accelerator, no size, or a run that the notes
    say is to be left out.
    """
    manner = manner_of(record)
    row = configuration(record)
    _refuse(row)
    architecture, assumed = architecture_of(row)
    chip, note = chip_for(_at_its_site(row))
    chip = on_threads(chip, manner.threads)
    said = [*assumed, note]
    year, note = words.year(row.word("date"), row.word("engine_version"), row.word("engine"), chip=chip.year)
    said.append(note)
    engine = engine_on(engine_for(_engine_words(row, chip, manner), year), chip)
    if manner.submission and engine.name == "transformers" and chip.vendor == "nvidia":
        engine = engine_on(
            engine_for("tensorrt-llm", year), chip
        )  # what entries on NVIDIA's chips run, whatever the summary lists
    if manner.chunk is not None and engine.kernels == "ggml":
        engine = replace(engine, chunk_tokens=min(manner.chunk, engine.chunk_tokens))
    if not row.word("engine"):
        said.append(f"engine {engine.name}")
    weights, note = words.weights(
        row.word("weight_precision") or _precision_in(row),
        chip,
        model=row.word("model"),
        engine=engine.name,
        submission=manner.submission,
    )
    said.append(note)
    cache, note = words.cache(row.word("kv_precision"), weights, engine.name)
    said.append(note)
    division = divide(
        row,
        manner,
        architecture=architecture,
        engine=engine,
        chip=chip,
        weight_bytes=float(parameters(architecture).total) * weights.weight_bytes,
    )
    said += division.assumed
    devices = int(division.layout.tensor * division.layout.pipeline * division.layout.data)
    deployment = Deployment(
        architecture=architecture,
        cluster=_cluster(chip, devices),
        layout=division.layout,
        engine=engine,
        weights=weights,
        cache=cache,
        eager=manner.eager,
    )
    prompt, answer, notes = _lengths(row, manner)
    batch, note = _batch(row)
    protocol = manner.protocol or _usual(record, deployment, batch)
    return Question(
        deployment=deployment,
        instances=division.instances,
        protocol=protocol,
        input=prompt,
        output=answer,
        batch=None if protocol in ("most", "rate") else batch or 1.0,
        rate=_number(row.word("request_rate")),
        beams=manner.beams,
        rounds=manner.rounds,
        cold=manner.cold,
        apart=manner.apart,
        answer_alone=manner.answer_alone,
        scattered=manner.lengths is not None,
        random_lengths=manner.random_lengths,
        assumed=tuple(dict.fromkeys(filter(None, (*said, *notes, note)))),
    )


def _refuse(record: Record) -> None:
    family = record.word("family").lower()
    for word, reason in NOT_YET.items():
        if word in family:
            raise InputError(reason, hint="leave the row out")
    if re.search(r"bert|resnet|unet|whisper|stable[- ]diffusion|\bvit\b|dlrm|sdxl|flux", record.word("model").lower()):
        raise InputError("not yet: models that answer without tokens", hint="leave the row out")
    if not record.word("accelerator"):
        raise InputError("`accelerator` is empty", hint="name the chip, as `outlay show accelerators` lists it")


HYBRID: Final = 0.7
"""Power of the share of a processor's cores with which its arithmetic grows: the first threads get the faster cores, at a higher
clock. Basis: assumed."""


def on_threads(chip: Accelerator, threads: int | None) -> Accelerator:
    """A processor of which no more than so many threads work; other chips as they are.

    >>> from outlay.catalog import accelerator
    >>> chip = accelerator("core-i9-13900k")
    >>> on_threads(chip, 12).cores, round(on_threads(chip, 12).peak("fp32") / chip.peak("fp32"), 2), on_threads(chip, 32) is chip
    (12, 0.62, True)
    """
    if threads is None or chip.category != "cpu" or not chip.cores or threads >= chip.cores:
        return chip
    share = (threads / chip.cores) ** HYBRID
    return replace(chip, cores=threads, peaks={name: peak * share for name, peak in chip.peaks.items()})


def _at_its_site(record: Record) -> str:
    """The chip's words; of a site whose machine is known, with the memory that they leave open."""
    text = record.word("accelerator")
    named = f"{record.word('source')} {record.word('source_url')}".lower()
    return next((SITES[key] for key in SITES if key[0] in named and key[1] == text.lower()), text)


def _engine_words(record: Record, chip: Accelerator, manner: Manner) -> str | None:
    """The engine's words; on a machine that is none of a data centre's, llama.cpp is meant where none is named."""
    text = record.word("engine")
    if manner.library:
        return "transformers"
    if text:
        return f"{text} {manner.kernel}".strip() if manner.kernel == "gemv" else text
    return "llama.cpp" if chip.category in ("consumer-gpu", "apple", "cpu", "edge") else None


def _precision_in(record: Record) -> str:
    """A number format that the engine's or the model's name states where the column is empty."""
    found = re.search(
        r"(?i)\b(nvfp4|mxfp4|fp8|int8|int4|awq|gptq|q\d_[k0-9]\w*|bf16|fp16|[48][- ]?bit)\b",
        f"{record.word('model')} {record.word('engine')}".replace("-", " "),
    )
    return found.group(1) if found else ""


def _lengths(record: Record, manner: Manner) -> tuple[float, float, list[str]]:
    prompt, answer = record.numbers.get("input_len"), _number(record.word("output_len"))
    said = []
    usual = manner.lengths or (INPUT, OUTPUT)
    if prompt is None and manner.prompt is not None:
        prompt = float(manner.prompt)
    if prompt is None:
        prompt = float(usual[0])
        said.append(f"prompts of {usual[0]} tokens")
    if answer is None:
        answer = float(usual[1])
        said.append(f"answers of {usual[1]} tokens")
    return prompt, answer, said


def _batch(record: Record) -> tuple[float | None, str]:
    text = record.word("batch_or_concurrency")
    if re.search(r"max|inf|unlimit|saturat", text.lower()) or not text:
        return None, ""
    value = _number(text)
    if value is None or value <= 0:
        raise InputError(
            f"batch_or_concurrency `{text[:40]}` is no number",
            expected="a number above 0, or `max`",
            hint="correct the cell",
        )
    return value, ""


def _number(text: str) -> float | None:
    """A number that a cell states, the middle of a span; None where it states none.

    >>> _number("381.72"), _number("1,024"), _number("inf"), _number("max")
    (381.72, 1024.0, None, None)
    >>> _number("~200"), _number("128-512"), _number("64 (concurrency)"), _number("2.5 req/s")
    (200.0, 320.0, 64.0, 2.5)
    """
    number = r"(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?"
    found = re.fullmatch(rf"\D{{0,12}}?{number}\s*(?:(?:-|–|to)\s*{number})?[^\d]*", text.strip())
    if not found:
        return None
    low = float(found.group(1).replace(",", "") + (found.group(2) or ""))
    high = float(found.group(3).replace(",", "") + (found.group(4) or "")) if found.group(3) else low
    return (low + high) / 2.0


def _usual(record: Record, deployment: Deployment, batch: float | None) -> Protocol:
    """How a row was measured where its notes do not say: serving latencies under a load come from a client."""
    if batch is None:
        return "most" if deployment.engine.batching == "continuous" else "batch"
    latencies = "ttft_ms" in record.numbers and "tpot_ms" in record.numbers
    if record.word("request_rate").lower() in ("inf", "infinite", "infinity"):
        return "client"
    if deployment.engine.batching == "continuous" and latencies and batch > 1:
        return "client"
    return "batch"


_clusters: dict[tuple[str, int], Cluster] = {}


def _cluster(chip: Accelerator, count: int) -> Cluster:
    """The usual cluster of that many chips; rows share one."""
    key = (f"{chip.name} {chip.memory} {chip.cores}", count)
    if key not in _clusters:
        _clusters[key] = cluster_for(chip, count)
    return _clusters[key]
