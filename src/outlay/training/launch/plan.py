"""What a launch file is written from, what it is read into, and how a tool says that it cannot do a thing."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from outlay.errors import InputError
from outlay.launch import Written as Written
from outlay.layout import Layout
from outlay.machine import Cluster
from outlay.machine.cluster import nodes_of
from outlay.training.recipe import Recipe
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One training as it is to be started: numbers; or an array of layouts, to be asked which of them a tool can run."""

    recipe: Recipe
    layout: Layout
    cluster: Cluster
    steps: int
    """Optimizer steps."""

    @property
    def model(self) -> str:
        return self.recipe.architecture.name

    @property
    def devices(self) -> int:
        return int(self.layout.devices)

    @property
    def nodes(self) -> int:
        return nodes_of(self.cluster)

    @property
    def node_size(self) -> int:
        """Devices of one node that run."""
        return min(int(self.cluster.node_size), int(np.max(self.layout.devices)))

    @property
    def global_batch(self) -> int:
        return int(self.recipe.global_batch)

    @property
    def micro_batches(self) -> int:
        """Micro-batches that one replica goes through in a step."""
        return max(self.global_batch // int(self.layout.data * self.layout.micro_batch), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a launch file says of a run; what it leaves open is None or missing."""

    tool: str
    layout: Mapping[str, Number]
    """Degrees that are stated or follow, by the names of :class:`~outlay.layout.Layout`."""
    devices: int | None = None
    model: str | Mapping[str, object] | None = None
    """A catalog name, or the numbers of a closed-form config."""
    sequence_length: int | None = None
    global_batch: int | None = None
    precision: str | None = None
    optimizer: str | None = None
    steps: int | None = None
    framework: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class Limits:
    """What a tool cannot do with a plan, all of it at once; or with which of an array of layouts it cannot do it."""

    tool: str
    problems: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    """Degrees that would be accepted, as `--layout` has them."""
    flags: list[str] = field(default_factory=list)
    """Flags that would be accepted in place of others."""
    fixed: bool = False
    """Something is refused that neither a degree nor a flag changes."""
    refused: Any = False
    """Whether the plan is; an array of layouts has one entry each."""

    def refuse(self, when: Any, why: str, instead: str = "", *, flag: str = "") -> None:
        """Note `why` if `when` holds, for a number or some of an array; `instead` of a degree, or a `flag` would be accepted."""
        self.refused = np.logical_or(self.refused, when)
        if np.any(when):
            self.problems.append(why)
            self.fixed |= not (instead or flag)
            if flag and flag not in self.flags:
                self.flags.append(flag)
            if instead and instead not in self.changes:
                self.changes.append(instead)

    def whole(self, layout: Layout, *, offload: bool = True, recompute: bool = True) -> None:
        """Refuse a share of the optimizer offloaded, or of the layers recomputed, by a tool that does all or nothing."""
        part, share = layout.offload, layout.recompute_layers
        if offload:
            whole = f"it offloads the whole, not {share_of(part)}"
            self.refuse(np.greater(part, 0) & np.less(part, 1), whole, "offload=1")
        if recompute:
            again = np.greater(layout.recompute, 0) & np.greater(share, 0) & np.less(share, 1)
            self.refuse(again, f"it recomputes all layers, not {share_of(share)}", "recompute-layers=1")

    def all_ranks(self, layout: Layout) -> None:
        """Refuse partial sharding (HSDP)."""
        partial = np.greater(layout.zero, 0) & np.less(layout.shards, layout.data)
        self.refuse(partial, "it shards among all data ranks, not among some", "shard=0")

    def named(self, recipe: Recipe, *, precisions: Container[str], optimizers: Container[str] | None = None) -> None:
        """Refuse a precision or an optimizer that the tool has no word for."""
        unnamed = recipe.precision not in precisions
        self.refuse(unnamed, f"no setting for the precision {recipe.precision}", flag="--precision bf16")
        unnamed = optimizers is not None and recipe.optimizer not in optimizers
        self.refuse(unnamed, f"no setting for the optimizer {recipe.optimizer}", flag="--optimizer adamw")

    def check(self) -> None:
        """:raises InputError: if anything was noted."""
        if not self.problems:
            return
        words = [f"`{flag}`" for flag in self.flags]
        words += [f"`{','.join(self.changes)}` in `--layout`"] if self.changes else []
        change = f"write {' and '.join(words)}" if words and not self.fixed else "change the plan"
        other = "" if self.tool in _MEGATRONS else ", or `--export megatron`"
        raise InputError(f"{self.tool} cannot run this plan", details=self.problems, hint=change + other)


_MEGATRONS = ("Megatron-LM", "Slurm", "SkyPilot")
"""Tools whose refusals are Megatron's own, or are of the machines."""


def share_of(layers: Number) -> str:
    """A share of layers as a sentence has it.

    >>> share_of(0.25)
    '25 %'
    """
    if np.ndim(layers):
        return "a part"
    return f"{float(layers):.3g}" if float(layers) < 0.01 else f"{float(layers):.0%}".replace("%", " %")


def header(plan: Plan, tool: str, *, version: str, remarks: tuple[str, ...] = ()) -> list[str]:
    """The first lines of a file, without the sign that makes them comments."""
    from outlay.layout import describe

    lines = [
        f"{tool}: {plan.model} on {plan.devices:,} × {plan.cluster.accelerator.name}, written by outlay",
        f"layout {describe(plan.layout)}, batch {plan.global_batch:,}, sequence {plan.recipe.sequence_length:,}",
        f"for {version}",
    ]
    return lines + [f"note: {remark}" for remark in remarks]
