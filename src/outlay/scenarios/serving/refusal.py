"""Why a load cannot be served on what there is, and what would serve it: each hint is tried by the same model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.machine import cluster_for
from outlay.scenarios.named import MOST_DEVICES
from outlay.scenarios.serving.demand import rate_words
from outlay.scenarios.serving.fit import try_layouts
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.ways import Tried, instances, layout_words
from outlay.serving import Format, ServingCoefficients, format_for, memory
from outlay.units import format_quantity

NARROWER = ("fp8", "w8a16", "w4a16")
NARROWER_GGUF = ("q8_0", "q4_k_m")
PROCESSOR = "ryzen-9-7950x"
"""A usual processor beside a card, for a hint."""
ROUNDS = 12
ROUNDED = 1.01
"""By how much an objective that is offered is wider than what is kept."""


def refusal(question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients) -> DoesNotFit:
    """The answer *no*: no room, too much load, or objectives that nothing keeps."""
    if not tried.fits.any():
        return _too_small(question, tried, coefficients)
    if question.demand.rate is not None and np.all(np.asarray(tried.performance.utilisation)[tried.fits] >= 1):
        return _too_much(question, tried, coefficients)
    return _too_slow(question, tried, coefficients)


def on_count(question: ServingQuestion, count: int) -> ServingQuestion:
    """The same load on another number of the same accelerators; links are those of the usual server."""
    cluster = cluster_for(question.accelerator, count)
    old = question.cluster
    prompts = question.prefill
    if prompts is not None:
        prompts = on_count(prompts, max(round(prompts.devices * count / question.devices), 1))
    return replace(question, cluster=replace(cluster, network_bandwidth=old.network_bandwidth), prefill=prompts)


def words_on(question: ServingQuestion, count: int) -> str:
    """The flags that ask for another number of devices, in the same proportion."""
    if question.prefill is None:
        return f"--on {question.on}:{count}"
    other = on_count(question, count)
    assert other.prefill is not None
    return f"--prefill-on {other.prefill.on}:{other.prefill.devices} --decode-on {question.on}:{count}"


def devices_of(question: ServingQuestion) -> str:
    """The devices in words."""
    words = [f"{pool.devices:,} × {pool.accelerator.name}" for pool in question.pools]
    return words[0] if len(words) == 1 else f"{words[0]} for prompts and {words[1]} for answers"


def carried_by(question: ServingQuestion, coefficients: ServingCoefficients) -> int | None:
    """The fewest accelerators, to one part in eight, that carry the load; None where no number that is tried does."""
    low, high = question.devices, question.devices
    for _ in range(ROUNDS):
        low, high = high, high * 2
        if high > MOST_DEVICES:
            return None
        if _carries(question, high, coefficients):
            break
    else:
        return None
    step = max(low // 8, 1)
    node = int(on_count(question, high).cluster.node_size)
    step = step if node <= 1 or low < node else max(step // node * node, node)
    for count in range(low + step, high, step):
        if _carries(question, count, coefficients):
            return count
    return high


def _carries(question: ServingQuestion, count: int, coefficients: ServingCoefficients) -> bool:
    return _serves(on_count(question, count), coefficients)


def _serves(question: ServingQuestion, coefficients: ServingCoefficients) -> bool:
    """Whether the load is carried within its objectives; a trace by its means, which are quicker than playing it."""
    try:
        return bool(try_layouts(question, coefficients).carries.any())
    except InputError:
        return False


def _too_small(question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients) -> DoesNotFit:
    deployment = instances(question, tried.layouts, coefficients)
    space = memory(deployment, coefficients)
    need = sum(np.broadcast_to(np.asarray(size, dtype=float), tried.fits.shape) for size in space.parts.values())
    place = int(np.argmin(need))
    there = float(np.asarray(space.capacity).reshape(-1)[0])
    parts = ", ".join(
        f"{name} {format_quantity(float(np.broadcast_to(size, tried.fits.shape)[place]), 'B')}"
        for name, size in space.parts.items()
    )
    least = float(np.asarray(need)[place])
    room = (
        "and nothing is left for the cache of a request" if least < there else f"and has {format_quantity(there, 'B')}"
    )
    message = (
        f"{question.architecture.name} in {question.weights.name} does not fit on {devices_of(question)}\n"
        f"  the fullest device needs {format_quantity(least, 'B')} {room}\n"
        f"  {parts}\n"
        f"  even the layout that comes closest, {layout_words(tried.layouts.at(place))}, needs that much"
    )
    helps = list(_what_fits(question, coefficients))
    hint = "; or ".join(helps) if helps else "serve a smaller model, or on larger accelerators"
    return DoesNotFit(message, hint=hint, need=least / there)


def _what_fits(question: ServingQuestion, coefficients: ServingCoefficients) -> Iterator[str]:
    """Changes after which it fits, each tried."""
    names = NARROWER_GGUF if question.engine.kernels == "ggml" else NARROWER
    for name in names:
        form = format_for(name)
        lacks = not form.dequantized and not all(pool.accelerator.has(form.compute) for pool in question.pools)
        if form.weight_bits >= question.weights.weight_bits or lacks:
            continue
        if _serves(_stored(question, form), coefficients):
            yield f"write `--quant {name}`"
            break
    if _offloads(question) and _serves(replace(question, host=catalog.accelerator(PROCESSOR)), coefficients):
        yield f"write `--offload-to {PROCESSOR}` for the layers that do not fit (or the processor that you have)"
    if question.fixed and _serves(replace(question, fixed={}), coefficients):
        yield "write `--layout auto`"
    count = question.devices
    for _ in range(10):
        count *= 2
        if count > MOST_DEVICES:
            return
        if _carries(replace(question, fixed={}), count, coefficients):
            yield f"write `{words_on(question, count)}`"
            return


def _stored(question: ServingQuestion, form: Format) -> ServingQuestion:
    """The question with its weights in another format, widened where a chip does not multiply in it."""

    def on(pool: ServingQuestion) -> ServingQuestion:
        own = form
        if not pool.accelerator.has(form.compute):
            own = replace(form, compute=pool.weights.compute, dequantized=True)
        return replace(pool, weights=own)

    changed = on(question)
    return changed if question.prefill is None else replace(changed, prefill=on(question.prefill))


def _offloads(question: ServingQuestion) -> bool:
    """Whether a processor with memory of its own stands beside the device, and llama.cpp could use it."""
    alone = question.devices == 1 and question.host is None and question.engine.kernels == "ggml"
    return alone and question.accelerator.category in ("consumer-gpu", "workstation-gpu", "datacenter-gpu")


def _too_much(question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients) -> DoesNotFit:
    demand = question.demand
    assert demand.rate is not None
    share = np.asarray(tried.performance.utilisation, dtype=float)
    most = np.where(tried.fits, demand.rate * demand.peak / np.maximum(share, 1e-12), 0.0)
    place = int(np.argmax(most))
    asked = rate_words(demand.rate * demand.peak)
    busiest = " of the busiest hour" if demand.peak > 1 else ""
    message = (
        f"{devices_of(question)} answer {rate_words(float(most[place]), beside=demand.rate * demand.peak)} at most, "
        f"not the {asked}{busiest}\n"
        f"  that is {tried.replicas[place]:,} × {layout_words(tried.layouts.at(place))}, as full as they get"
    )
    count = carried_by(question, coefficients)
    hint = (
        "shorten prompts and answers, or spread the load"
        if count is None
        else f"{count:,} carry it: write `{words_on(question, count)}`"
    )
    return DoesNotFit(message, hint=hint)


def _too_slow(question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients) -> DoesNotFit:
    """Objectives that no layout keeps: the nearest that there is."""
    wanted, performance = question.objectives, tried.performance
    shape = tried.fits.shape
    over = np.full(shape, 0.0)
    for name in wanted.stated:
        seconds = np.broadcast_to(np.asarray(getattr(performance, name), dtype=float), shape)
        over = np.maximum(over, seconds / float(getattr(wanted, name)))
    place = int(np.argmin(np.where(tried.fits, over, np.inf)))
    ttft, tpot = (
        float(np.broadcast_to(np.asarray(getattr(performance, name), dtype=float), shape)[place])
        for name in ("ttft", "tpot")
    )
    message = (
        f"no layout of {devices_of(question)} has {_limits(question)}\n"
        f"  the nearest, {tried.replicas[place]:,} × {layout_words(tried.layouts.at(place))}, has its first token after "
        f"{format_quantity(ttft, 's')} and a further one every {format_quantity(tpot, 's')}"
    )
    count = carried_by(question, coefficients) if question.demand.rate is not None else None
    helps = [] if count is None else [f"{count:,} keep it: write `{words_on(question, count)}`"]
    # What is kept already stays as it was asked for.
    loose = [
        f"--{name} {_milliseconds(max(value, float(getattr(wanted, name)) / ROUNDED))}"
        for name, value in (("ttft", ttft), ("tpot", tpot))
        if name in wanted.stated
    ]
    if np.isfinite(ttft):
        helps.append(f"write `{' '.join(loose)}`")
    return DoesNotFit(message, hint="; or ".join(helps) if helps else "send fewer requests")


def _limits(question: ServingQuestion) -> str:
    wanted = question.objectives
    words = {"ttft": "its first token within", "tpot": "a further one every"}
    return " and ".join(f"{words[name]} {format_quantity(float(getattr(wanted, name)), 's')}" for name in wanted.stated)


def _milliseconds(seconds: float) -> str:
    """Rounded up, so that what is offered is kept."""
    return f"{int(np.ceil(seconds * 1000 * ROUNDED - 1e-6))}ms"
