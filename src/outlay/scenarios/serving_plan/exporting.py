"""From a question about serving to the files that start the best plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from outlay import catalog
from outlay.errors import InputError
from outlay.scenarios.serving.runs_on import refuses
from outlay.scenarios.serving_plan.block import Pool, replicas_by_part
from outlay.scenarios.serving_plan.offered import Plan
from outlay.scenarios.serving_plan.question import ENGINES, ServingWanted
from outlay.scenarios.serving_plan.search import ServingFound, search_serving
from outlay.scenarios.serving_plan.sections import batch_limit
from outlay.scenarios.training_plan.exporting import Exported
from outlay.serving import Deployment, engine_for, load_serving, memory, sequence_bytes
from outlay.serving.launch import Instances, ServingPlan, Slots, write
from outlay.workload import Architecture

STEP = 256
"""Tokens in whose multiples the context of a slot is cut."""
LONG = 8
"""Times a request of the load beyond which a slot holds no memory for one."""
SPARE = 4
"""Slots over the requests that are inside at a load's rate: for a burst of them."""
ROOMY = 2
"""Times a request of the load for which a slot has room where memory allows: nobody said how long the longest is."""


def export_serving_plan(
    model: str | Mapping[str, object] | Architecture,
    tools: tuple[str, ...],
    *,
    progress: Callable[[int, int], None] | None = None,
    **asked: Any,
) -> Exported:
    """The files with which `tools` start the best plan; a tool that is an engine is the engine that is planned with.

    The parameters are those of :func:`~outlay.scenarios.serving_plan.plan.plan_serving`.

    >>> found = export_serving_plan("llama-3-8b", ("vllm",), rate=2, input=1024, output=256, on="h100-sxm", ttft="1s")
    >>> "--max-num-seqs" in found.files[0].text
    True

    :raises InputError: for what cannot be read, and for a best plan that a tool cannot run.
    :raises DoesNotFit: if no plan is within the limits.
    """
    asked = {**asked, "engine": _engine(tools, asked.get("engine"))}
    if asked.get("mode") is None and not set(tools) <= {"dynamo"}:
        asked["mode"] = "aggregated"  # of these tools only Dynamo starts pools that need a router
    asked["one_machine"] = bool({"dynamo", "k8s"} & set(tools))  # a pod is on one machine
    found = search_serving(model, asked, progress=progress)
    plan = launch_plan(model, found)
    return Exported(files=tuple(write(tool, plan) for tool in dict.fromkeys(tools)), notes=())


def started_by(
    model: str | Mapping[str, object] | Architecture, found: ServingFound, tools: tuple[str, ...]
) -> Iterator[str]:
    """Those of `tools` that can run the best plan."""
    plan = launch_plan(model, found)
    for tool in tools:
        try:
            write(tool, plan)
        except InputError:
            continue
        yield tool


def launch_plan(model: str | Mapping[str, object] | Architecture, found: ServingFound) -> ServingPlan:
    """The best plan as launch files are written from it."""
    best, wanted = found.best, found.wanted
    block, place = best.block, best.place
    rates = np.array([wanted.rate])
    if wanted.day is not None:
        rates = wanted.rate * np.asarray(wanted.day.share) / wanted.day.peak
    least = replicas_by_part(block.decode.at(np.array([place])), rates).min()
    running, longest = batch_limit(best, wanted.most_sequences), _longest(best.decode, wanted)
    request = int(np.ceil(wanted.demand.longest))
    hub = _hub_name(model)
    return ServingPlan(
        model=_folder(model, wanted.architecture.name) if hub is None else hub,
        folder=hub is None,
        published=wanted.published,
        decode=Instances(deployment=best.decode, replicas=best.replicas, running=running),
        prefill=None
        if block.prefill is None or best.prefill is None
        else Instances(deployment=best.prefill, replicas=best.prefill_replicas, running=_inside(block.prefill, place)),
        longest=longest,
        request=request,
        slots=_slots(best, wanted, running, request=request, most=longest),
        least=best.replicas if wanted.day is None else int(least),
        start_up=300.0 if wanted.day is None else wanted.day.start_up,
        engines=tuple(name for name in ENGINES if not refuses(engine_for(name), block.chip)),
    )


def _inside(pool: Pool, place: int) -> int:
    """Requests inside an instance of a pool when it carries the most that it may."""
    return int(np.ceil(pool.ways.inside[pool.way[place]])) + 1


def _longest(deployment: Deployment, wanted: ServingWanted) -> int:
    """Tokens of the longest request that an instance is to take: what the model reads, as far as its cache fits."""
    most, least = wanted.architecture.max_length or 2**20, int(np.ceil(wanted.demand.longest))
    free = float(memory(deployment, load_serving()).cache)
    while most > least and float(sequence_bytes(deployment, most)) > free:
        most = max(most // 2, least)
    return max(most, least)


def _slots(best: Plan, wanted: ServingWanted, running: int, *, request: int, most: int) -> Slots:
    """Slots of which each has its room from the start, all of them at once: :data:`SPARE` times those that are inside at the
    load's rate, unless fewer leave each room for :data:`ROOMY` requests of the load and still hold those."""
    deployment = best.decode
    free = float(memory(deployment, load_serving()).cache)

    def fit(tokens: float) -> int:
        return int(free / float(sequence_bytes(deployment, tokens)))

    inside = int(np.ceil(wanted.rate / best.replicas * best.e2e)) + 1
    told = wanted.most_sequences is not None
    fewest = running if told else min(inside, running)
    most_slots = running if told else min(SPARE * fewest, running)
    count = max(min(max(fit(ROOMY * request), fewest), most_slots, fit(request)), 1)
    tokens = np.arange(STEP, min(most, max(LONG * request, STEP)) + 1, STEP)
    fits = tokens[count * sequence_bytes(deployment, tokens) <= free]
    return Slots(count=count, tokens=max(request, min(int(fits.max(initial=0)), most)))


def _engine(tools: tuple[str, ...], asked: str | None) -> str | None:
    engines = [tool for tool in dict.fromkeys(tools) if tool in ENGINES]
    if len(engines) > 1:
        raise InputError(
            f"`--export {engines[0]}` and `--export {engines[1]}` are two engines, and a plan has one",
            expected="one of them",
            hint=f"write `--export {engines[0]}`, and ask again for the other",
        )
    if engines and asked is not None and asked.strip().lower() != engines[0]:
        raise InputError(
            f"`--export {engines[0]}` starts {engines[0]}, and `--engine {asked}` plans with another",
            expected="the same engine",
            hint=f"leave `--engine` out, or write `--engine {engines[0]}`",
        )
    return engines[0] if engines else asked


def _hub_name(model: object) -> str | None:
    """The id on a hub by which engines find the model; None where it is on none that is known."""
    try:
        aliases = catalog.model_config(model).aliases if isinstance(model, str) else ()
    except InputError:
        return None
    found = next((alias for alias in aliases if alias.lower() == str(model).lower()), None)
    return found or next((alias for alias in aliases if "/" in alias), None)


def _folder(model: object, name: str) -> str:
    """The folder in which an engine looks for a model of one's own: that of its config.json, else one of its name."""
    if isinstance(model, str) and Path(model).name == "config.json":
        return str(Path(model).parent)
    return f"./{name.rpartition('/')[2]}"
