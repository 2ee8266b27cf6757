"""A layout: how a model and a batch are divided among devices; degrees are numbers or arrays of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from outlay.errors import InputError
from outlay.workload import Number


class Recompute(IntEnum):
    """What the backward pass computes again instead of having kept it."""

    NONE = 0
    SELECTIVE = 1
    """The core of attention (scores, softmax, dropout), as in Korthikanti et al. 2022."""
    FULL = 2
    """Every layer, from its input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Degrees of parallelism and what goes with them.

    Ranks are placed tensor innermost, then context, data, and pipeline outermost; experts are divided among the
    tensor × context × data ranks of a stage.

    >>> Layout(tensor=8, pipeline=16, data=8).devices
    1024
    """

    tensor: Number = 1
    pipeline: Number = 1
    virtual: Number = 1
    """Model chunks a pipeline rank holds; more than 1 is the interleaved schedule."""
    context: Number = 1
    expert: Number = 1
    expert_tensor: Number = 1
    data: Number = 1
    micro_batch: Number = 1
    """Sequences a device's replica processes at once."""
    zero: Number = 1
    """ZeRO stage: 0 nothing is sharded over data, 1 optimizer, 2 gradients too, 3 weights too (FSDP)."""
    shard: Number = 0
    """Data ranks among which ZeRO shards (HSDP replicates beyond them); 0 is all of them."""
    sequence_parallel: Number = True
    recompute: Number = Recompute.NONE
    recompute_layers: Number = 1.0
    """Share of the layers to which `recompute` applies."""
    offload: Number = 0.0
    """Share of the optimizer state held and updated on the host."""

    @property
    def devices(self) -> Number:
        return self.tensor * self.pipeline * self.context * self.data

    @property
    def shards(self) -> Number:
        """Data ranks among which states are sharded."""
        return np.where(np.equal(self.shard, 0), self.data, self.shard)[()]

    def at(self, index: Any) -> Layout:
        """One layout (or some) of an array of them."""
        picked = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            picked[field.name] = value[index] if isinstance(value, np.ndarray) and value.ndim else value
        return Layout(
            **{name: value.item() if isinstance(value, np.generic) else value for name, value in picked.items()}
        )

    def broadcast(self) -> Layout:
        """The same layout with every degree spelled out to one common shape."""
        names = [field.name for field in dataclasses.fields(self)]
        arrays = np.broadcast_arrays(*(getattr(self, name) for name in names))
        return Layout(**dict(zip(names, arrays, strict=True)))


SHORT = {
    "tp": "tensor",
    "pp": "pipeline",
    "vpp": "virtual",
    "cp": "context",
    "ep": "expert",
    "etp": "expert_tensor",
    "dp": "data",
    "mbs": "micro_batch",
    "zero": "zero",
    "shard": "shard",
    "sp": "sequence_parallel",
    "recompute": "recompute",
    "recompute-layers": "recompute_layers",
    "offload": "offload",
}
"""The short names that users write, and the degrees they stand for."""

_WORDS: Mapping[str, Mapping[str, Number]] = {
    "zero": {"fsdp": 3, "ddp": 0},
    "sequence_parallel": {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False},
    "recompute": {"none": Recompute.NONE, "selective": Recompute.SELECTIVE, "full": Recompute.FULL},
}
_FRACTIONS = frozenset({"recompute_layers", "offload"})


def parse(text: str, *, name: str = "--layout") -> dict[str, Number]:
    """The degrees that a user fixed, from `tp=8,pp=4,recompute=full`; the rest is left to choose.

    >>> parse("tp=8,pp=4,zero=fsdp")
    {'tensor': 8, 'pipeline': 4, 'zero': 3}
    """
    fixed: dict[str, Number] = {}
    problems: list[str] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, separator, value = part.partition("=")
        key, value = key.strip().lower(), value.strip().lower()
        field = SHORT.get(key) or (key.replace("-", "_") if key.replace("-", "_") in SHORT.values() else None)
        if field is None or not separator:
            problems.append(f"`{part}` is not one of {', '.join(f'{short}=' for short in SHORT)}")
            continue
        if field in fixed:
            problems.append(f"`{key}` is given twice")
            continue
        try:
            fixed[field] = _value(field, value)
        except ValueError as error:
            problems.append(f"`{part}`: {error}")
    if problems:
        raise InputError(
            f"`{name} {text}` cannot be read", details=problems, hint=f"write `{name} tp=8,pp=4,dp=16` or `{name} auto`"
        )
    return fixed


def _value(field: str, value: str) -> Number:
    words = _WORDS.get(field, {})
    if value in words:
        return words[value]
    if field in ("sequence_parallel", "recompute"):
        raise ValueError(f"expected one of {', '.join(words)}")
    if field in _FRACTIONS:
        try:
            share = float(value.rstrip("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise ValueError("expected a share from 0 to 1")
        return share
    least = 0 if field in ("zero", "shard") else 1
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= 10**7:
        raise ValueError(f"expected a whole number from {least}")
    if field == "zero" and int(value) > 3:
        raise ValueError("expected 0, 1, 2, 3 or fsdp")
    return int(value)


def describe(layout: Layout) -> str:
    """A layout as a user would write it, leaving out degrees of 1.

    >>> describe(Layout(tensor=8, pipeline=4, data=2, recompute=Recompute.FULL))
    'tp=8,pp=4,dp=2,mbs=1,zero=1,sp=on,recompute=full'
    """
    parts = []
    for short, field in SHORT.items():
        value = getattr(layout, field)
        if field == "recompute":
            if value:
                parts.append(f"{short}={Recompute(int(value)).name.lower()}")
        elif field == "sequence_parallel":
            if layout.tensor > 1:
                parts.append(f"{short}={'on' if value else 'off'}")
        elif field in ("micro_batch", "zero", "data") or (
            field not in ("recompute_layers",) and value > (0 if field in ("shard", "offload") else 1)
        ):
            parts.append(f"{short}={value:g}" if isinstance(value, float) else f"{short}={int(value)}")
        elif field == "recompute_layers" and value < 1 and layout.recompute:
            parts.append(f"{short}={value:g}")
    return ",".join(parts)
