"""A serving row as the question that the predictor answers: a deployment, what was asked of it, and how it was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from outlay.accuracy.chips import chip_for
from outlay.accuracy.records import Record
from outlay.accuracy.serving import amounts, words
from outlay.accuracy.serving.columns import configuration
from outlay.accuracy.serving.drafts import drafting_bytes, speculation_of
from outlay.accuracy.serving.elsewhere import at_its_site, of_whole, published, software
from outlay.accuracy.serving.impossible import refuse_impossible
from outlay.accuracy.serving.inferencemax import NOMINAL, as_set, cache_of
from outlay.accuracy.serving.layouts import divide
from outlay.accuracy.serving.manner import SENT, Manner, Protocol, manner_of
from outlay.accuracy.serving.models import architecture_of
from outlay.accuracy.serving.pools import layout_of, pools_of, settled
from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.machine import Cluster, cluster_for
from outlay.machine.expert_layers import kernel_age
from outlay.serving import (
    Deployment,
    Speculation,
    engine_for,
    engine_on,
    load_serving,
    memory,
    sequence_bytes,
)
from outlay.serving.ggml import era
from outlay.serving.lanes import on_threads, with_memory
from outlay.serving.mixing import reads_apart
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

ENTERED: Final = "-entered"
"""Marks the family of an engine that a chip's maker has tuned for an entry in a benchmark: how slow a release of the engine
was on such chips says nothing of it."""

PIPELINED: Final = 2024.2
"""Since when llama.cpp lets the devices that hold its layers work on chunks of a prompt at the same time (pull request 6017)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """The pool that computes prompts, of a row that has one."""

    prefill: Deployment
    """One instance."""
    instances: int | None
    """None where the row does not say: as many as keep up with those that decode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One row in our terms."""

    deployment: Deployment
    """One instance; where prompts are computed apart, of those that answer."""
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
    unprompted: bool
    """An answer begins without the prompt before it."""
    sent: float
    """Requests of the whole run, where they come at a rate."""
    answer_alone: bool
    scattered: bool
    """Lengths are those of a data set, not all alike."""
    random_lengths: bool
    alike: bool
    """All prompts and answers are of one length."""
    assumed: tuple[str, ...]
    slots: float = 0.0
    """Tokens of a cache of one length, all of which is held and read; 0 where caches grow."""
    apart: Apart | None = None
    """Where prompts are computed, if on devices of their own."""
    speculation: Speculation | None = None
    """How tokens are drafted, of one instance's devices."""
    of_whole: bool = False
    """The rate of decoding that the row states counts the time to the first token."""
    pace: float | None = None
    """Seconds between tokens that 99 of 100 answers keep, by the benchmark's rules."""

    @property
    def key(self) -> tuple[object, ...]:
        """Questions with equal keys differ in numbers alone, and can be answered together."""
        one = self.deployment
        year = one.engine.year
        kind = era(year) + 0.5 * (year >= PIPELINED) if one.engine.kernels == "ggml" else kernel_age(year)
        engine = replace(one.engine, year=float(kind))
        other = id(self.apart.prefill.cluster) if self.apart else None
        drafts = self.speculation
        drafting = drafts and (
            drafts.drafted,
            drafts.acceptance,
            drafts.draft_share,
            drafts.draft and id(drafts.draft.architecture),
        )
        return (
            drafting,
            float(one.held),
            id(one.architecture),
            id(one.cluster),
            other,
            engine,
            one.weights.name,
            one.cache,
            one.eager,
            one.truncated,
            reads_apart(one),
        )


def resolve(record: Record) -> Question:
    """The question that a row asks.

    Raises `InputError` where it cannot be answered: no language model, no accelerator, no size, or a run that the notes
    say is to be left out.
    """
    manner = manner_of(record)
    row = configuration(record)
    _refuse(row)
    architecture, assumed = architecture_of(row)
    chip, note = chip_for(at_its_site(row))
    chip = with_memory(on_threads(chip, manner.threads), row.word("accelerator"))
    said = [*assumed, note]
    year, note = words.year(published(row), row.word("engine_version") or software(row), row.word("engine"))
    said.append(note)
    engine = engine_on(engine_for(_engine_words(row, chip, manner), year), chip)
    if manner.submission and engine.name == "transformers" and chip.vendor == "nvidia":
        engine = engine_on(
            engine_for("tensorrt-llm", year), chip
        )  # what entries on NVIDIA's chips run, whatever the summary lists
    if manner.submission:
        # Entries run more requests than whole answers leave room for: 896 of Llama 2 70B on two H100s (NVIDIA's
        # configs/llama2-70b/Offline, v4.1, 2024-08), whose caches have room for some 830 of the mean length.
        engine = replace(engine, evicts=True)
    if manner.submission and chip.vendor != "nvidia" and engine.batching == "continuous":
        engine = replace(engine, family=engine.family + ENTERED)
    if manner.served and not engine.front_end:
        engine = replace(engine, front_end=True)
    if manner.chunk is not None and engine.kernels == "ggml":
        engine = replace(engine, chunk_tokens=min(manner.chunk, engine.chunk_tokens))
    if not row.word("engine"):
        said.append(f"engine {engine.name}")
    elif engine.name == "transformers" and not re.search(
        r"transformer|torch|hugging|\bhf\b", row.word("engine").lower()
    ):
        raise InputError(
            f"`engine` is `{row.word('engine')[:40]}`: no engine that outlay knows",
            hint="name one of `outlay show engines`, or leave the cell empty",
        )
    weights, note = words.weights(
        row.word("weight_precision") or _precision_in(row),
        chip,
        model=row.word("model"),
        engine=engine.name,
        submission=manner.submission,
    )
    said.append(note)
    cache, note = words.cache(row.word("kv_precision"), weights, engine.name, submission=manner.submission)
    said.append(note)
    batch, note = amounts.batch(row)
    said.append(note)
    pools = pools_of(record)
    if manner.apart and pools is None:
        raise InputError(
            "`notes` say that prompts and answers have devices of their own, and not how each divides",
            expected="`prefill: workers=5/tp=1/adp=8 decode: workers=1/tp=8`",
            hint="state the pools, or leave the row out",
        )
    alike = Deployment(
        architecture=architecture,
        cluster=_cluster(chip, 1),
        engine=engine,
        weights=weights,
        cache=cache,
        eager=manner.eager,
        truncated=manner.truncated,
    )
    apart: Apart | None = None
    count = row.whole("gpus")
    if pools is not None and count is not None and pools.devices > count:
        raise InputError(
            f"`notes` name pools of {pools.devices:,} devices, and `gpus` is {count:,}",
            hint="correct the row, or leave it out",
        )
    if pools is not None:
        pools, notes = settled(pools, architecture, clients=batch)
        said += notes
        if batch is None and pools.clients is not None:
            batch = pools.clients
            said.append(f"{batch:g} open requests, the batches of all that answer")
        apart = Apart(
            prefill=_placed(alike, layout_of(pools.prefill, architecture, engine.name), chip),
            instances=pools.prefill.instances,
        )
        layout, instances = layout_of(pools.decode, architecture, engine.name), pools.decode.instances or 1
    else:
        division = divide(
            row,
            manner,
            architecture=architecture,
            engine=engine,
            chip=chip,
            weight_bytes=float(parameters(architecture).total) * weights.weight_bytes,
        )
        said += division.assumed
        layout, instances = division.layout, division.instances
        if batch and manner.local and manner.attention_data == 1 and not architecture.is_moe:
            # A dense model shares no attention: its requests are those of so many instances, whatever `gpus` counts.
            instances = max(instances, round(batch / manner.local))
    deployment = _placed(alike, layout, chip)
    prompt, answer, notes = amounts.lengths(row, manner)
    longest = architecture.max_length
    if longest and prompt + answer > longest:
        said.append(f"{prompt + answer:,.0f} tokens in and out, beyond the model's {longest:,}")
    if manner.inferencemax and apart is None:
        share = (batch or 1.0) / instances
        own = as_set(engine, model=row.word("model"), weights=weights, chip=chip, prompt=prompt, batch=share)
        deployment = replace(deployment, engine=own, cache=cache_of(engine, chip, weights) or cache)
    if manner.random_lengths:
        prompt, answer = NOMINAL * prompt, NOMINAL * answer
    if engine.name == "jetstream":
        # Prompts are computed one by one, and put into slots of the batch (AI-Hypercomputer/JetStream, docs, 2024-05).
        deployment = replace(deployment, engine=replace(engine, chunk_tokens=max(round(prompt), 1)))
    refuse_impossible(row, architecture, chip, tokens=prompt + answer, beams=manner.beams, group=manner.expert_group)
    deployment = _fitting(deployment, prompt + answer)
    speculation, guessed = speculation_of(manner.drafting, deployment)
    said += guessed
    if speculation is not None:
        deployment = replace(deployment, held=drafting_bytes(deployment, speculation))
    protocol = "client" if apart else manner.protocol or _usual(record, deployment, batch)
    if protocol == "burst":
        batch = manner.sent or SENT
    if protocol in ("burst", "rate") and manner.sent is None:
        said.append(f"{'a burst' if protocol == 'burst' else 'a run'} of {SENT:,.0f} requests")
    return Question(
        deployment=deployment,
        instances=instances,
        protocol=protocol,
        input=prompt,
        output=answer,
        batch=None if protocol in ("most", "rate") else batch or 1.0,
        rate=amounts.number(row.word("request_rate")),
        beams=manner.beams,
        rounds=1.0 if protocol == "burst" else manner.rounds,
        sent=manner.sent or SENT,
        cold=manner.cold,
        unprompted=manner.unprompted,
        answer_alone=manner.answer_alone,
        scattered=manner.lengths is not None,
        random_lengths=manner.random_lengths,
        alike=manner.alike and manner.lengths is None,
        pace=manner.pace,
        of_whole=of_whole(record),
        assumed=tuple(dict.fromkeys(filter(None, (*said, *notes)))),
        slots=prompt + answer if engine.name == "neuronx" else float(max(manner.slots or 0, 0)),
        apart=apart,
        speculation=speculation,
    )


def _placed(alike: Deployment, layout: Layout, chip: Accelerator) -> Deployment:
    """The deployment in a layout, on the usual cluster of its devices."""
    devices = int(layout.tensor * layout.pipeline * layout.data)
    return replace(alike, layout=layout, cluster=_cluster(chip, devices))


FULLEST: Final = 0.95
"""Share of a device's memory that an engine is told to fill where its own leaves no room for what was measured."""


def _fitting(deployment: Deployment, tokens: float) -> Deployment:
    """A deployment that has run: where the engine's usual share has no room for one request, it was told to fill more."""
    held = memory(deployment, load_serving())
    share = deployment.engine.memory_share
    if (
        deployment.engine.kernels == "ggml"
        or share >= FULLEST
        or float(held.cache) >= float(sequence_bytes(deployment, tokens))
    ):
        return deployment
    return replace(deployment, engine=replace(deployment.engine, memory_share=FULLEST))


def _refuse(record: Record) -> None:
    family = record.word("family").lower()
    for word, reason in NOT_YET.items():
        if word in family:
            raise InputError(reason, hint="leave the row out")
    if re.search(r"bert|resnet|unet|whisper|stable[- ]diffusion|\bvit\b|dlrm|sdxl|flux", record.word("model").lower()):
        raise InputError("not yet: models that answer without tokens", hint="leave the row out")
    if not record.word("accelerator"):
        raise InputError("`accelerator` is empty", hint="name the chip, as `outlay show accelerators` lists it")


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


def _usual(record: Record, deployment: Deployment, batch: float | None) -> Protocol:
    """How a row was measured where its notes do not say: serving latencies under a load come from a client."""
    # llama.cpp's own programs measure one batch after another; its server is rarely measured.
    served = deployment.engine.batching == "continuous" and deployment.engine.kernels != "ggml"
    if batch is None:
        return "most" if served else "batch"
    latencies = "ttft_ms" in record.numbers and "tpot_ms" in record.numbers
    if record.word("request_rate").lower() in ("inf", "infinite", "infinity"):
        return "client"
    if served and latencies and batch > 1:
        return "client"
    return "batch"


_clusters: dict[tuple[str, int], Cluster] = {}


def _cluster(chip: Accelerator, count: int) -> Cluster:
    """The usual cluster of that many chips; rows share one."""
    key = (f"{chip.name} {chip.memory} {chip.memory_bandwidth} {chip.cores}", count)
    if key not in _clusters:
        _clusters[key] = cluster_for(chip, count)
    return _clusters[key]
