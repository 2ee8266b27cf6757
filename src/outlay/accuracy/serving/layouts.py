"""How a row divides its model: degrees of one instance, and how many instances share the row's devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outlay.accuracy.records import Record
from outlay.accuracy.serving.manner import Manner
from outlay.catalog import Accelerator
from outlay.layout import Layout
from outlay.serving import Engine
from outlay.workload import Architecture

ROOM: Final = 0.75
"""Share of the devices' memory that weights may take, where the degrees are not stated and people leave room for caches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A layout of one instance, and how many instances there are."""

    layout: Layout
    instances: int
    assumed: tuple[str, ...] = ()


def divide(
    record: Record,
    manner: Manner,
    *,
    architecture: Architecture,
    engine: Engine,
    chip: Accelerator,
    weight_bytes: float,
) -> Division:
    """The division of a row. Degrees that count cores rather than devices (NeuronCores, TensorCores) are brought down.

    Where no degree is stated, an engine that splits layers has one stage a device, others the fewest devices that hold
    the model, and as many instances as then fit.
    """
    said: list[str] = []
    tensor, pipeline, expert = (record.whole(name) for name in ("tp", "pp", "ep"))
    count = record.whole("gpus")
    twice = manner.twice > 1
    if twice and weight_bytes / max(1, (count or manner.twice**2) // manner.twice) > chip.memory:
        twice = False  # so few devices do not hold the model: the row counts each once
    if twice:
        count, tensor, expert = _once(record, manner)
        said.append(f"{count} devices, which the row counts {manner.twice} times")
    group = manner.expert_group
    if count and group and group > count and weight_bytes / count > chip.memory:
        count, tensor = group, group
        said.append(f"{group} devices, over which the notes divide experts")
    if count is None:
        count = (tensor or 1) * (pipeline or 1)
    if engine.sequential_layers and tensor is None:
        return Division(layout=Layout(pipeline=count), instances=1)
    stages = max(1, min(pipeline or 1, count))
    most = max(1, count // stages)
    if tensor is None:
        fits = next((n for n in (1, 2, 4, 8, 16, 32) if weight_bytes / n <= ROOM * chip.memory and n <= most), most)
        tensor = fits if pipeline is None else most
        said.append(f"tp {tensor}")
    tensor = min(tensor, most)
    data = _data(manner, architecture, tensor=tensor, most=most, expert=expert, twice=twice)
    if data is None:
        tensor, data = most, 1
    elif tensor * data > most:
        tensor = max(1, tensor // data)
    if manner.attention_data == 0 and data > 1:
        tensor = most // data
    group = tensor * data
    whole = expert if expert and group % expert == 0 else group if data > 1 else 1
    if not architecture.is_moe:
        whole = 1
    layout = Layout(
        tensor=tensor,
        pipeline=stages,
        data=data,
        expert=whole,
        expert_tensor=group // whole if architecture.is_moe else 1,
    )
    instances = max(1, count // (group * stages))
    return Division(layout=layout, instances=instances, assumed=tuple(said))


def _once(record: Record, manner: Manner) -> tuple[int, int, int]:
    """Devices, and degrees of tensor and expert parallelism, of a row that counts each device several times."""
    count = max(1, (record.whole("gpus") or manner.twice**2) // manner.twice)
    tensor = 1 if (manner.attention_data or 0) >= manner.twice**2 else manner.twice
    return count, tensor, manner.twice


def _data(
    manner: Manner, architecture: Architecture, *, tensor: int, most: int, expert: int | None, twice: bool
) -> int | None:
    """The degree of data-parallel attention; None where attention is divided over all devices though `tp` says 1."""
    stated = manner.attention_data
    if twice:
        return max(1, manner.twice // tensor)
    if not architecture.is_moe:
        return 1
    if stated == 0:
        return most
    if stated is not None and stated > 1:
        return min(stated, most)
    if expert is not None and expert > tensor:
        # Experts over more devices than attention: with a stated degree above 1 the rest is data-parallel (vLLM), else
        # the engine divides attention over all of them.
        return max(1, min(expert, most) // tensor) if tensor > 1 else None
    return 1
