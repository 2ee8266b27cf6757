"""A deployment as it was asked for, with every blank filled in: what the rest of the scenario reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from outlay import catalog, units
from outlay.catalog import Accelerator, Server
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.machine import Cluster, cluster_for
from outlay.scenarios.links import EXAMPLE, plain_links
from outlay.scenarios.named import read_chip, read_model, read_on
from outlay.scenarios.problems import Problems
from outlay.scenarios.serving.degrees import read_degrees
from outlay.scenarios.serving.demand import Demand, read_demand
from outlay.scenarios.serving.extras import RANK, Draft, read_adapters, read_draft, read_offload
from outlay.scenarios.serving.runs_on import likewise, refuses, sends_caches
from outlay.scenarios.serving.software import cache_of, engine_of, format_of, read_sequences, told
from outlay.serving import Deployment, Engine, Format, Requests, Speculation
from outlay.serving.adapters import Adapters, adapter_bytes
from outlay.serving.objectives import Objectives
from outlay.statement import Assumption, Receipt
from outlay.workload import Architecture, Number, parameters

LEAST_STEP, MOST_STEP = 16, 1 << 20
"""Tokens of a step that `--step-tokens` takes: a block of a cache, and more than any engine's documentation names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingQuestion:
    """What is served, on what, for which load; and what nobody said."""

    architecture: Architecture
    cluster: Cluster
    server: Server
    engine: Engine
    weights: Format
    cache: str
    demand: Demand
    objectives: Objectives
    fixed: Mapping[str, Number]
    """Degrees of the layout that were asked for."""
    replicas: int | None
    draft: Draft | None
    adapters: int
    host: Accelerator | None
    """The processor that holds the layers for which the device has no room; None where nobody asked for it."""
    battery: float | None
    """Joules that a battery holds; None where nobody said."""
    parameters: int
    active: float
    model_receipt: Receipt
    on: str
    """The accelerator as it was asked for."""
    assumed: tuple[Assumption, ...]
    flags: Mapping[str, str] = field(default_factory=lambda: {"on": "--on", "layout": "--layout"})
    """By which its devices and their layout are asked for."""
    prefill: ServingQuestion | None = None
    """The same on the devices that compute prompts, where those that answer are others; None where each does both."""

    @property
    def pools(self) -> tuple[ServingQuestion, ...]:
        """Those that compute prompts, where they are others, and those that answer."""
        return (self,) if self.prefill is None else (self.prefill, self)

    @property
    def all_devices(self) -> int:
        """Of every pool."""
        return sum(pool.devices for pool in self.pools)

    @property
    def of_any_layout(self) -> ServingQuestion:
        """The same with layouts that nobody fixed."""
        return replace(self, fixed={}, prefill=self.prefill and replace(self.prefill, fixed={}))

    @property
    def any_layout(self) -> str:
        """The flags that ask for that; empty where no layout is fixed."""
        flags = dict.fromkeys(pool.flags["layout"] for pool in reversed(self.pools) if pool.fixed)
        return " ".join(f"{flag} auto" for flag in flags)

    @property
    def accelerator(self) -> Accelerator:
        return self.cluster.accelerator

    @property
    def devices(self) -> int:
        return int(self.cluster.count)

    def deployment(self, layout: Layout) -> Deployment:
        """One instance, or arrays of them."""
        plain = Deployment(
            architecture=self.architecture,
            cluster=self.cluster,
            layout=layout,
            engine=self.engine,
            weights=self.weights,
            cache=self.cache,
        )
        adapters = Adapters(count=self.adapters, rank=int(RANK.value or 0)) if self.adapters else None
        held: Number = 0.0
        if adapters is not None:
            held = adapters.count * adapter_bytes(self.architecture, adapters.rank) / layout.tensor
        if self.draft is not None:
            held = held + self.draft.held(plain)
        return replace(plain, held=held, adapters=adapters)

    def speculation(self, deployment: Deployment) -> Speculation | None:
        """How instances of `deployment` draft."""
        return None if self.draft is None else self.draft.speculation(deployment)


def ask_serving(
    model: str | Mapping[str, object] | Architecture,
    *,
    on: str | None,
    prefill_on: str | None = None,
    decode_on: str | None = None,
    input: str | int | None = None,
    output: str | int | None = None,
    rate: str | float | None = None,
    concurrency: str | int | None = None,
    trace: str | Path | Requests | None = None,
    users: str | int | None = None,
    requests_per_user: str | float | None = None,
    peak: str | float | None = None,
    prefix_hit: str | float | None = None,
    turns: str | int | None = None,
    burstiness: str | float | None = None,
    engine: str | None = None,
    quant: str | None = None,
    kv: str | None = None,
    layout: str | None = None,
    prefill_layout: str | None = None,
    step_tokens: str | int | None = None,
    max_num_seqs: str | int | None = None,
    replicas: str | int | None = None,
    ttft: str | float | None = None,
    tpot: str | float | None = None,
    draft: str | None = None,
    draft_tokens: str | int | None = None,
    acceptance: str | float | None = None,
    adapters: str | int | None = None,
    offload_to: str | None = None,
    battery: str | float | None = None,
    gpus_per_node: str | int | None = None,
    interconnect: str | None = None,
) -> ServingQuestion:
    """Read a question; :class:`InputError` names what cannot be read."""
    assumed: list[Assumption] = []
    architecture, receipt = read_model(model)
    check_served(architecture)
    for name, why in architecture.assumed.items():
        assumed.append(Assumption(name, value=why.partition(" (")[0], why=why.partition(" (")[2].rstrip(")") or why))
    on, prompts_on = _pools(on, prefill_on, decode_on, replicas, offload_to)
    if prompts_on is None and prefill_layout is not None:
        raise InputError(
            f"`--prefill-layout {prefill_layout}` is of devices that compute prompts alone, and there are none",
            expected="`--prefill-on` and `--decode-on`",
            hint=f"write `--layout {prefill_layout}`, or name the devices of prompts with `--prefill-on`",
        )
    name, count = read_on(on, "--on" if prompts_on is None else "--decode-on")
    chip = read_chip(name, count)
    demand = read_demand(
        architecture,
        input=input,
        output=output,
        rate=rate,
        concurrency=concurrency,
        trace=trace,
        users=users,
        requests_per_user=requests_per_user,
        peak=peak,
        prefix_hit=prefix_hit,
        turns=turns,
        burstiness=burstiness,
    )
    problems = Problems()
    degrees = problems.attempt(lambda: read_degrees(layout))
    prompts_degrees = problems.attempt(
        lambda: degrees if prefill_layout is None else read_degrees(prefill_layout, "--prefill-layout")
    )
    copies = problems.attempt(lambda: _replicas(replicas, count))
    chunk = problems.attempt(lambda: _step_tokens(step_tokens))
    most = problems.attempt(lambda: read_sequences(max_num_seqs))
    wanted = problems.attempt(lambda: _objectives(ttft, tpot))
    cluster = problems.attempt(lambda: _cluster(chip, count, gpus_per_node, interconnect, assumed))
    drafting = problems.attempt(lambda: read_draft(draft, draft_tokens, acceptance, architecture, assumed))
    loaded = problems.attempt(lambda: read_adapters(adapters, assumed))
    server = catalog.server_for(chip, count)
    joules = problems.attempt(lambda: _battery(battery, chip, server, count, assumed))
    problems.settle()
    assert cluster is not None and wanted is not None
    software = told(engine_of(engine, quant, chip, assumed), chunk, most, assumed)
    host = read_offload(offload_to, chip, software.kernels, count)
    weights = format_of(quant, architecture, chip, software, model, assumed)
    assumed += demand.assumed
    if architecture.is_moe:
        assumed.append(Assumption("expert load", value="balanced", why="routers are trained towards it"))
    found = parameters(architecture)
    question = ServingQuestion(
        architecture=architecture,
        cluster=cluster,
        server=server,
        engine=software,
        weights=weights,
        cache=cache_of(kv, software, assumed),
        demand=demand,
        objectives=wanted,
        fixed=degrees or {},
        replicas=copies,
        draft=drafting,
        adapters=loaded or 0,
        host=host,
        battery=joules,
        parameters=found.total,
        active=float(found.active),
        model_receipt=receipt,
        on=name,
        assumed=tuple(assumed),
    )
    if prompts_on is None:
        return question
    return _apart(question, prompts_on, prompts_degrees or {}, quant, model, interconnect)


def _apart(
    question: ServingQuestion,
    on: str,
    degrees: Mapping[str, Number],
    quant: str | None,
    model: str | Mapping[str, object] | Architecture,
    interconnect: str | None,
) -> ServingQuestion:
    """The question with prompts on devices of their own; what is assumed of both is said once."""
    name, count = read_on(on, "--prefill-on")
    chip = read_chip(name, count)
    engine = question.engine
    if not sends_caches(engine):
        raise InputError(
            f"{engine.name} does not send caches from devices that compute prompts to others that answer",
            expected="vllm, sglang or trtllm",
            hint="write `--on` alone, or devices that run vllm",
        )
    if why_not := refuses(engine, chip):
        raise InputError(
            f"{engine.name} does not run on {chip.name}: {why_not}", hint="name devices that run one engine"
        )
    if not likewise(chip, question.accelerator):
        raise InputError(
            f"no pool of {engine.name} spans {chip.name} and {question.accelerator.name}",
            expected="chips of servers on both sides",
            hint=f"write `--prefill-on {question.on}:{count} --decode-on {question.on}:{question.devices}`",
        )
    more: list[Assumption] = []
    cluster = _cluster(chip, count, None, interconnect, more)
    weights = format_of(quant, question.architecture, chip, question.engine, model, more)
    rate = min(cluster.network_bandwidth, question.cluster.network_bandwidth) * 8 / 1e9
    way = Assumption(
        "transfer",
        value=f"{rate:g} Gb/s a device",
        why="caches of prompts travel by the network's cards to those that answer",
    )
    said = (*question.assumed, *(entry for entry in more if entry not in question.assumed), way)
    server = catalog.server_for(chip, count)
    flags = {"on": "--prefill-on", "layout": "--layout" if degrees is question.fixed else "--prefill-layout"}
    prompts = replace(question, cluster=cluster, server=server, weights=weights, on=name, fixed=degrees, flags=flags)
    return replace(question, prefill=prompts, assumed=said, flags={**question.flags, "on": "--decode-on"})


def _pools(
    on: str | None,
    prefill_on: str | None,
    decode_on: str | None,
    replicas: str | int | None,
    offload_to: str | None,
) -> tuple[str, str | None]:
    """The devices that answer, and those that compute prompts where they are others."""
    if prefill_on is None and decode_on is None:
        if on is None:
            raise InputError(
                "`--on` is missing", expected="accelerators and their count", hint="write `--on h100-sxm:8`"
            )
        return on, None
    if prefill_on is None or decode_on is None:
        there, missing = ("--prefill-on", "--decode-on") if decode_on is None else ("--decode-on", "--prefill-on")
        raise InputError(
            f"`{there}` goes with `{missing}`", hint=f"add `{missing} {prefill_on or decode_on}`, or write `--on` alone"
        )
    for flag, value in (("--on", on), ("--replicas", replicas), ("--offload-to", offload_to)):
        if value is not None:
            raise InputError(
                f"`{flag} {value}` and `--prefill-on {prefill_on}` do not go together",
                expected="devices for prompts and devices for answers",
                hint=f"leave `{flag}` out",
            )
    return decode_on, prefill_on


def check_served(architecture: Architecture) -> None:
    """Only what answers token by token is served so."""
    if architecture.family != "decoder":
        raise InputError(
            f"{architecture.name} does not answer token by token ({architecture.family})",
            expected="a decoder",
            hint="`outlay show models` lists decoders, such as llama-3-8b; encoders are not served yet",
        )


def _replicas(text: str | int | None, count: int) -> int | None:
    if text is None:
        return None
    found = int(units.parse(text, "count", name="--replicas", example="2"))
    if found > count:
        raise InputError(
            f"`--replicas {found}` on {count:,} accelerator{'' if count == 1 else 's'}",
            expected="at least one accelerator for each",
            hint=f"write `--replicas {count}`, or more accelerators",
        )
    return found


def _step_tokens(text: str | int | None) -> int | None:
    if text is None:
        return None
    found = int(units.parse(text, "tokens", name="--step-tokens", example="2048"))
    if not LEAST_STEP <= found <= MOST_STEP:
        raise InputError(
            f"`--step-tokens` is {text}",
            expected=f"from {LEAST_STEP} to {MOST_STEP:,} tokens",
            hint="write `--step-tokens 2048`, or leave it out",
        )
    return found


def _objectives(ttft: str | float | None, tpot: str | float | None) -> Objectives:
    def seconds(text: str | float | None, flag: str, example: str) -> float:
        return np.inf if text is None else float(units.parse(text, "s", name=flag, example=example))

    return Objectives(ttft=seconds(ttft, "--ttft", "500ms"), tpot=seconds(tpot, "--tpot", "50ms"))


def _battery(
    text: str | float | None, chip: Accelerator, server: Server, count: int, assumed: list[Assumption]
) -> float | None:
    """Joules: as asked, or of the one machine whose battery is known; what that machine is, is said."""
    if server.idle_watts is not None:
        rest = f"{units.format_quantity(server.idle_watts, 'W')} at rest"
        work = "" if server.work_watts is None else f", {units.format_quantity(server.work_watts, 'W')} at work"
        why = "the machine around such a chip"
        assumed.append(
            Assumption("machine", value=f"{server.name}, {rest}{work}", why=why, receipt=server.receipts["idle_watts"])
        )
        if chip.category == "apple":
            why = "the most that this chip is sold with; less is a chip of your own in `--catalog`"
            value = units.format_quantity(chip.memory, "B")
            assumed.append(Assumption("memory", value=value, why=why, receipt=chip.receipts["memory"]))
    if text is None:
        if server.battery is None or count > 1:
            return None
        value = units.format_quantity(server.battery, "J")
        why = f"that of the {server.name} (`--battery` says another)"
        assumed.append(Assumption("battery", value=value, why=why, receipt=server.receipts["battery"]))
        return server.battery
    found = units.parse(text, "J", name="--battery", example="99.6Wh")
    if found > 3.6e12:
        raise InputError(f"`--battery` is {text}", expected="at most 1 GWh", hint="write `--battery 99.6Wh`")
    return found


def _cluster(
    chip: Accelerator,
    count: int,
    gpus_per_node: str | int | None,
    interconnect: str | None,
    assumed: list[Assumption],
) -> Cluster:
    size = (
        None if gpus_per_node is None else int(units.parse(gpus_per_node, "count", name="--gpus-per-node", example="8"))
    )
    if interconnect is not None and not interconnect.strip():
        raise InputError("`--interconnect` is empty", hint=EXAMPLE)
    links, notes = (None, ()) if interconnect is None else plain_links(interconnect)
    cluster = cluster_for(chip, count, gpus_per_node=size, interconnect=links)
    if any(note.startswith("the usual links: nothing could be read") for note in cluster.assumed):
        raise InputError(
            f"`--interconnect {interconnect}` cannot be read", expected="links with their rates", hint=EXAMPLE
        )
    for text in cluster.assumed if count > 1 else ():
        value, bracket, source = text.partition(" (")
        why = source.removesuffix(")") if bracket else "nothing better could be read"
        assumed.append(Assumption("cluster", value=value, why=why))
    assumed += notes if count > 1 else ()
    return cluster
