"""What a launch file is written from: equal instances of an engine, once or in two pools, and how many of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from outlay.serving.deployment import Deployment

MOUNTED = "/models"
"""Where a container looks for models that no hub has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Equal instances: numbers, no arrays."""

    deployment: Deployment
    replicas: int
    running: int
    """Requests that run together at most in one instance."""

    @property
    def devices(self) -> int:
        """Of one instance."""
        return int(self.deployment.devices)

    def degree(self, name: str) -> int:
        """A degree of the layout."""
        return int(getattr(self.deployment.layout, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Where an engine gives each request that runs its room beforehand: how many, and tokens of each, answer included."""

    count: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlan:
    """One serving as it is to be started."""

    model: str
    """The model's id on a hub, else the folder that holds it."""
    published: str
    """Number format of its checkpoint."""
    decode: Instances
    prefill: Instances | None
    """Instances that compute prompts alone, where there are any."""
    longest: int
    """Tokens of the longest request that an instance takes, answer included."""
    request: int
    """Tokens of a request of the load, answer included: of all alike, or of the last turn of a conversation."""
    slots: Slots
    least: int
    """Instances that decode in the quietest part of a day."""
    start_up: float
    """Seconds until an instance answers."""
    engines: tuple[str, ...]
    """Those that run on the accelerator."""
    port: int = 8000
    folder: bool = False
    """The model is on no hub that outlay knows: `model` is the folder of its config.json, weights and tokenizer."""

    @property
    def engine(self) -> str:
        return self.decode.deployment.engine.name

    def with_engine(self, *names: str) -> str:
        """What to write for an engine that a tool starts, of those that run on the accelerator; else the engine's own tool."""
        able = [f"`--engine {name}`" for name in names if name in self.engines]
        return " or ".join(able) or f"`--export {self.engine}`"

    @property
    def name(self) -> str:
        """The model in letters that file and object names take.

        >>> "".join(letter if letter.isalnum() else "-" for letter in "deepseek-ai/DeepSeek-V3".rpartition("/")[2].lower())
        'deepseek-v3'
        """
        last = self.model.rpartition("/")[2].lower()
        return "".join(letter if letter.isalnum() else "-" for letter in last).strip("-")[:40] or "model"

    @property
    def contained(self) -> ServingPlan:
        """The same inside a container, where folders of this machine are not."""
        return replace(self, model=f"{MOUNTED}/{self.name}") if self.folder else self

    @property
    def node(self) -> int:
        """Devices of one machine, or of the rack that fast links join."""
        return int(self.decode.deployment.cluster.node_size)


def header(plan: ServingPlan, tool: str, *, version: str, remarks: Sequence[str]) -> list[str]:
    """The first lines of a file, without the sign that makes them comments."""
    chip = plan.decode.deployment.cluster.accelerator.name
    pools = [_pool(plan.decode, chip)]
    if plan.prefill is not None:
        pools = [f"prompts: {_pool(plan.prefill, chip)}", f"decoding: {pools[0]}"]
    return [
        f"{tool}: {plan.model} on {', '.join(pools)}, written by outlay",
        f"for {version}",
        *(f"note: {remark}" for remark in remarks),
    ]


def _pool(instances: Instances, chip: str) -> str:
    """`8 × h100-sxm-80gb`, or `2 instances of 8 × h100-sxm-80gb`."""
    each = f"{instances.devices} × {chip}"
    return each if instances.replicas == 1 else f"{instances.replicas:,} instances of {each}"


def script(plan: ServingPlan, tool: str, *, version: str, remarks: Sequence[str], command: Sequence[str]) -> str:
    """A shell script that runs one command, an argument with its value on each line; more arguments follow as `"$@"`."""
    lines = ["#!/usr/bin/env bash", *(f"# {line}" for line in header(plan, tool, version=version, remarks=remarks))]
    words = [" ".join(shlex.quote(word) for word in line.split("\t")) for line in command]
    lines += ["set -euo pipefail", "", f"{words[0]} \\", *(f"  {line} \\" for line in words[1:]), '  "$@"']
    return "\n".join(lines) + "\n"


def argument(name: str, value: object = None) -> str:
    """An option and its value as one line of a command: separated by a tab, so that values may have spaces."""
    return name if value is None else f"{name}\t{value}"


def words_of(lines: Sequence[str]) -> list[str]:
    """Lines of arguments as the words of a command."""
    return [word for line in lines for word in line.split("\t")]


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"


def model_remark(plan: ServingPlan) -> list[str]:
    """What stands where an engine looks for a model that no hub has."""
    if not plan.folder:
        return []
    mount = ": mount it there" if plan.model.startswith(f"{MOUNTED}/") else ""
    return [f"{plan.model} stands for the folder that holds config.json, weights and tokenizer of your model{mount}"]


def replicas_remark(plan: ServingPlan) -> list[str]:
    """How many there are, where the file starts one."""
    if plan.decode.replicas == 1:
        return []
    return [
        f"start it {plan.decode.replicas} times, each on {_devices(plan.decode.devices)} of its own, behind a load balancer"
    ]
