"""The pools of a row that computes prompts on some devices and answers on others: how many instances, and how each divides.

Where a row does not say how many instances there are, so many prefill as keep up with those that decode (:mod:`.apart`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from outlay.accuracy.records import Record
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.workload import Architecture, Attention, Experts

APART: Final = re.compile(r"\bdisagg")
"""What says in the notes that prompts and answers have devices of their own."""

TOGETHER: Final = 16
"""Devices up to which one instance splits heads: beyond, and where heads do not divide, each device has sequences of its own."""
CROWD: Final = 32
"""Open requests a device from which attention is divided by sequences, where the row leaves the division open."""
UNCOUNTED: Final = "as many instances for prompts as keep up"
"""What is assumed of a row that does not count its instances. Half of such rows are of runs that draft tokens; none says so."""
SEVERAL: Final = 4
"""Instances for answers where the row does not count them and each splits heads, which few requests share: the median of the
rows that do (aiconfigurator's silicon_sample.csv, 2026). Instances that divide attention by sequences are large: one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One of the two pools, as the row states it; None and 0 are not stated."""

    instances: int | None
    tensor: int
    pipeline: int
    data: int
    expert: int
    batch: int | None = None
    """Sequences of one data-parallel device."""

    @property
    def devices(self) -> int:
        """Of one instance."""
        return self.tensor * self.pipeline * self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """Both."""

    prefill: Pool
    decode: Pool

    @property
    def stated(self) -> bool:
        """Whether the row says how many instances there are."""
        return self.prefill.instances is not None and self.decode.instances is not None

    @property
    def devices(self) -> int:
        """Of all instances that are counted."""
        return sum(pool.devices * (pool.instances or 1) for pool in (self.prefill, self.decode))

    @property
    def clients(self) -> float | None:
        """Requests that fill the batches of the pool that answers; None where the row does not state them."""
        one = self.decode
        return None if one.batch is None or one.instances is None else float(one.batch * one.instances * one.data)


def pools_of(record: Record) -> Pools | None:
    """What the notes say of the pools; None where they name none.

    >>> notes = "DISAGG prefill: workers=5/tp=1/pp=1/adp=8/moe_ep=8/bs=1 decode: workers=1/tp=4/pp=1/adp=1/moe_ep=1/bs=32; x"
    >>> found = pools_of(Record(id="a", source="s", line=2, words={"notes": notes}, numbers={}))
    >>> found.prefill.instances, found.prefill.devices, found.decode.devices
    (5, 8, 4)
    """
    text = record.word("notes").lower()
    if not APART.search(text):
        return None
    counts = re.search(r"\b(\d+)p[ +]?(\d+)d\b", text)
    if counts:
        return _alike(record, int(counts.group(1)), int(counts.group(2)))
    found = re.search(r"prefill\b[^a-z0-9]*(.*?)\bdecode\b[^a-z0-9]*([^;]*)", text)
    if not found:
        return None
    prefill, decode = (_short(part) or _pool(part) for part in found.groups())
    return None if prefill is None or decode is None else Pools(prefill=prefill, decode=decode)


def _alike(record: Record, prefill: int, decode: int) -> Pools | None:
    """Pools whose instances are alike: the row's degrees, or an even share of its devices.

    >>> record = Record(id="a", source="s", line=2, words={"notes": "disagg 2P1D"}, numbers={"gpus": 24.0})
    >>> found = pools_of(record)
    >>> found.prefill.instances, found.decode.instances, found.decode.tensor
    (2, 1, 8)
    """
    count = record.whole("gpus")
    tensor = record.whole("tp") or (count // (prefill + decode) if count else None)
    if not tensor or not prefill or not decode:
        return None
    one = Pool(
        instances=prefill, tensor=tensor, pipeline=record.whole("pp") or 1, data=1, expert=record.whole("ep") or 0
    )
    return Pools(prefill=one, decode=replace(one, instances=decode))


def _short(text: str) -> Pool | None:
    """A pool in short: its instances, and how one divides: heads (TP), heads and experts (TEP), sequences and experts (DEP).

    >>> found = _short("2x dep16, ")
    >>> found.instances, found.tensor, found.data, found.expert
    (2, 1, 16, 16)
    """
    found = re.search(r"(\d+)\s*[x×]\s*(tp|tep|dep)[- ]?(\d+)\b", text)
    if not found:
        return None
    instances, kind, devices = int(found.group(1)), found.group(2), int(found.group(3))
    if not instances or not devices:
        return None
    data = devices if kind == "dep" else 1
    expert = 1 if kind == "tp" else devices
    return Pool(instances=instances, tensor=devices // data, pipeline=1, data=data, expert=expert)


def _pool(text: str) -> Pool | None:
    """
    >>> _pool("workers=/tp=4/pp=1/adp=1/moe_ep=4/bs=")
    Pool(instances=None, tensor=4, pipeline=1, data=1, expert=4, batch=None)
    """

    def number(*names: str) -> int | None:
        found = re.search(rf"(?<![a-z_])(?:{'|'.join(names)})\s*[=:]\s*(\d+)", text)
        return int(found.group(1)) if found else None

    tensor, data = number("tp"), number("adp", "attention_dp", "dp")
    if tensor is None and data is None:
        return None
    instances = number("workers", "instances", "replicas")
    if instances == 0:
        raise InputError("`notes` count 0 instances of a pool", hint="correct the row, or leave it out")
    return Pool(
        instances=instances,
        tensor=max(tensor or 1, 1),
        pipeline=max(number("pp") or 1, 1),
        data=max(data or 1, 1),
        expert=number("moe_ep", "ep") or 0,
        batch=number("bs", "batch"),
    )


TILE: Final = 128
"""Columns of an expert that one device multiplies at least: a block of scales, and a tile of every engine's kernels."""


def layout_of(pool: Pool, architecture: Architecture, engine: str) -> Layout:
    """The layout of one instance. With attention divided by sequences, experts are divided over all devices.

    SGLang leaves experts whole on all of them unless told (`--ep-size`, 1 by default), and splits their columns.
    """
    group = pool.tensor * pool.data
    expert = pool.expert if pool.expert > 1 and group % pool.expert == 0 else group if pool.data > 1 else 1
    widths = [
        block.layer.feed_forward.width for block in architecture.blocks if isinstance(block.layer.feed_forward, Experts)
    ]
    if engine == "sglang" and pool.expert == 1 and all(width % (group * TILE) == 0 for width in widths):
        expert = 1
    if not architecture.is_moe:
        expert = 1
    return Layout(
        tensor=pool.tensor,
        pipeline=pool.pipeline,
        data=pool.data,
        expert=expert,
        expert_tensor=group // expert if architecture.is_moe else 1,
    )


def settled(pools: Pools, architecture: Architecture, *, clients: float | None) -> tuple[Pools, list[str]]:
    """The pools with what a row leaves open decided, and what was assumed.

    A row that does not count its instances gives the devices of one as its tensor parallelism, and the experts of the pool
    of prompts for both pools. Where experts are divided over all devices of a pool, attention is divided by sequences.
    """
    if pools.stated:
        return pools, []
    prefill, decode = pools.prefill, pools.decode
    said = []
    if prefill.instances is None:
        said.append(UNCOUNTED)
        if prefill.data == 1 and prefill.expert == prefill.tensor > 1 and architecture.is_moe:
            prefill = replace(prefill, tensor=1, data=prefill.tensor)
    if decode.instances is None:
        devices = decode.tensor
        crowded = clients is not None and clients / devices > CROWD
        if decode.data == 1 and architecture.is_moe and (crowded or not _splits_heads(devices, architecture)):
            decode = replace(decode, tensor=1, data=devices)
        decode = replace(decode, instances=1 if decode.data > 1 else SEVERAL, expert=0)
        said.append(f"{decode.instances} instance{'s' if decode.instances != 1 else ''} for answers")
    return Pools(prefill=prefill, decode=decode), said


def _splits_heads(devices: int, architecture: Architecture) -> bool:
    heads = [block.layer.mixer.heads for block in architecture.blocks if isinstance(block.layer.mixer, Attention)]
    return devices <= TOGETHER and all(count % devices == 0 for count in heads)
