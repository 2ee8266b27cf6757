"""What a serving row states that cannot be: each with its column, before anything is predicted from it."""

from __future__ import annotations

import re
from typing import Final

from outlay.accuracy.records import Record
from outlay.accuracy.serving.amounts import number
from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.workload import Architecture, Attention, Experts, Layer

STRETCH: Final = 4.0
"""Times a model's context that benchmarks have gone beyond it: Llama 2 with 8,192 tokens in and out, on Trainium."""
MOST_BEAMS: Final = 256
CORES: Final = ("trainium", "tpu")
"""Categories of chips whose degrees may count cores, of which a chip has several."""
MOST: Final = 10_000_000
"""Devices, and open requests, of which nobody has had so many."""
BURSTS = ("inf", "infinite", "infinity", "max", "unlimited")
"""Rates at which all requests come at once."""
_BELOW = re.compile(r"\s*[-−]\s*\d")


def refuse_impossible(
    record: Record, architecture: Architecture, chip: Accelerator, *, tokens: float, beams: int, group: int | None
) -> None:
    """Refuse a row of which one column cannot be, or two not together; all of them at once.

    `tokens` are those of a request, prompt and answer; `group`: devices of one instance where the notes count them.
    """
    problems = [
        *_signs(record),
        *_amounts(record),
        *_degrees(record, architecture, chip, group),
        *_shape(record),
    ]
    if architecture.max_length and tokens > STRETCH * architecture.max_length:
        problems.append(
            f"`input_len` and `output_len` are {tokens:,.0f} tokens, and {architecture.name or 'the model'} takes"
            f" {architecture.max_length:,}"
        )
    if beams > MOST_BEAMS:
        problems.append(f"`notes` keep {beams:,} beams, more than the {MOST_BEAMS} of any engine")
    if problems:
        raise InputError("; ".join(problems), hint="correct the row, or leave it out")


def _signs(record: Record) -> list[str]:
    return [
        f"`{column}` is {record.word(column)[:40]}, below 0"
        for column in ("batch_or_concurrency", "request_rate", "output_len")
        if _BELOW.match(record.word(column))
    ]


def _amounts(record: Record) -> list[str]:
    found = [
        f"`{column}` `{record.word(column)[:40]}` is no number"
        for column in ("request_rate", "output_len")
        if re.search(r"\d", record.word(column)) and number(record.word(column)) is None
    ]
    rate = record.word("request_rate").strip().lower()
    if rate and rate not in BURSTS and not re.search(r"\d", rate):
        found.append(f"`request_rate` `{rate[:40]}` is no number, nor `inf`")
    elif number(rate) == 0:
        found.append("`request_rate` is 0: no request comes")
    counts = {"gpus": record.numbers.get("gpus"), "batch_or_concurrency": number(record.word("batch_or_concurrency"))}
    return found + [
        f"`{column}` is {count:,.0f}, more than {MOST:,}" for column, count in counts.items() if count and count > MOST
    ]


def _degrees(record: Record, architecture: Architecture, chip: Accelerator, group: int | None) -> list[str]:
    tensor, pipeline, expert, count = (record.whole(name) for name in ("tp", "pp", "ep", "gpus"))
    found = []
    used = (tensor or 1) * (pipeline or 1)
    if count is not None and used > count and chip.category not in CORES and not (group and group > count):
        stated = " × ".join(
            f"`{name}` {value}" for name, value in (("tp", tensor), ("pp", pipeline)) if (value or 1) > 1
        )
        found.append(f"{stated} needs {used:,} devices, and `gpus` is {count:,}")
    mixers = [layer.mixer for layer in _layers(architecture)]
    heads = max((mixer.heads for mixer in mixers if isinstance(mixer, Attention)), default=0)
    if tensor and heads and tensor > heads:
        found.append(f"`tp` is {tensor:,}, and {architecture.name or 'the model'} has {heads} heads")
    if pipeline and pipeline > architecture.depth:
        found.append(f"`pp` is {pipeline:,}, and {architecture.name or 'the model'} has {architecture.depth} layers")
    experts = max(
        (layer.feed_forward.count for layer in _layers(architecture) if isinstance(layer.feed_forward, Experts)),
        default=0,
    )
    if expert and expert > 1 and not architecture.is_moe:
        found.append(f"`ep` is {expert:,}, and {architecture.name or 'the model'} has no experts")
    elif expert and count and count % expert and used % expert and chip.category not in CORES:
        found.append(f"`ep` is {expert:,}, which does not divide {max(count, used):,} devices")
    elif expert and expert > experts > 0:
        found.append(f"`ep` is {expert:,}, and {architecture.name or 'the model'} has {experts} experts")
    return found


def _layers(architecture: Architecture) -> list[Layer]:
    return [block.layer for block in architecture.blocks]


def _shape(record: Record) -> list[str]:
    """Of the model's own columns; what makes no architecture is refused where that is built."""
    active, total = record.numbers.get("params_active_b"), record.numbers.get("params_total_b")
    if active and total and active > total:
        return [f"`params_active_b` is {active:g}, more than `params_total_b`, {total:g}"]
    return []
