"""What a training row states that cannot be: each with its column, before anything is predicted from it."""

from __future__ import annotations

import re
from typing import Final

from outlay.accuracy.records import Record
from outlay.accuracy.tuning_words import FULL, KINDS
from outlay.errors import InputError
from outlay.workload import Architecture, Experts

TASKS: Final = re.compile(
    r"train|tun|sft|lora|adapter|full|instruct|alignment|dpo|rlhf|\brl\b|distil|classif|squad|\bqa\b|generat|language"
)
"""Words of tasks that are trained for."""
METHODS: Final = re.compile(
    r"lora|oft|low[-_ ]?rank|rank|vera|dora|miss|c3a|deft|peanut|pissa|shira|bone|corda|\beva\b|loft|peft|adapt|xs\b"
)
"""Words of methods that add matrices of low rank, or parts that stand in for them."""
MOST: Final = 10_000_000
"""Devices of which nobody has had so many."""
STRETCH: Final = 1024.0
"""Times a model's context beyond which no run has trained it: the longest rows have 256."""


def refuse_impossible(record: Record, architecture: Architecture, length: int) -> None:
    """Refuse a row of which one column cannot be, or two not together; all of them at once."""
    problems = [*_words(record), *_sizes(record, architecture)]
    if architecture.max_length and length > STRETCH * architecture.max_length:
        problems.append(f"`seq_len` is {length:,}, and {_name(architecture)} takes {architecture.max_length:,} tokens")
    if problems:
        raise InputError("; ".join(problems), hint="correct the row, or leave it out")


def unknown_task(record: Record) -> str:
    """Why the row's task is none that is trained for; empty if it may be one."""
    task = record.word("task").lower()
    if not task or TASKS.search(task):
        return ""
    return f"`task` `{task[:40]}` is none that outlay knows: expected pretrain, sft, lora or qlora"


def _words(record: Record) -> list[str]:
    method = record.word("method").lower()
    found = [said] if (said := unknown_task(record)) else []
    patterns = (rf"^(?:{FULL})", METHODS.pattern, *(pattern for pattern, _ in KINDS))
    known = not method or any(re.search(pattern, method) for pattern in patterns)
    # A count of what is trained says as much as the method's name.
    if not known and record.numbers.get("trainable_params") is None:
        found.append(f"`method` `{method[:40]}` is no way of tuning that outlay knows: expected full, lora, qlora …")
    stage = record.word("zero_stage").strip()
    if re.fullmatch(r"\d+", stage) and int(stage) > 3:
        found.append(f"`zero_stage` is {stage}, and there are stages 0 to 3")
    return found


def _sizes(record: Record, architecture: Architecture) -> list[str]:
    found = []
    rank, pipeline, expert = (record.whole(name) for name in ("rank", "pp", "ep"))
    if rank and rank > architecture.hidden:
        found.append(f"`rank` is {rank:,}, and {_name(architecture)} is {architecture.hidden:,} wide")
    if pipeline and pipeline > architecture.depth:
        found.append(f"`pp` is {pipeline:,}, and {_name(architecture)} has {architecture.depth} layers")
    feeds = [block.layer.feed_forward for block in architecture.blocks]
    experts = max((feed.count for feed in feeds if isinstance(feed, Experts)), default=0)
    if expert and expert > max(experts, 1):
        have = f"{experts} experts" if experts else "no experts"
        found.append(f"`ep` is {expert:,}, and {_name(architecture)} has {have}")
    devices = record.whole("gpus")
    if devices and devices > MOST:
        found.append(f"`gpus` is {devices:,}, more than {MOST:,}")
    micro, batch = record.whole("micro_batch"), record.whole("global_batch")
    if micro and batch and micro > batch:
        found.append(f"`micro_batch` is {micro:,}, more than `global_batch`, {batch:,}")
    return found


def _name(architecture: Architecture) -> str:
    return architecture.name or "the model"
