"""Why a load cannot be served on what there is, and what would serve it: each hint is tried by the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.machine import cluster_for
from outlay.scenarios.named import MOST_DEVICES
from outlay.scenarios.serving import apart
from outlay.scenarios.serving.fit import serve, try_layouts
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.rates import rate_words
from outlay.scenarios.serving.ways import Served, Tried, instances, layout_words
from outlay.serving import Format, ServingCoefficients, engine_for, engine_on, format_for, memory
from outlay.serving.objectives import Objectives
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


def words_on(question: ServingQuestion) -> str:
    """The flags that ask for the devices of a question."""
    if question.prefill is None:
        return f"--on {question.on}:{question.devices}"
    return f"--prefill-on {question.prefill.on}:{question.prefill.devices} --decode-on {question.on}:{question.devices}"


def devices_of(question: ServingQuestion) -> str:
    """The devices in words."""
    words = [f"{pool.devices:,} × {pool.accelerator.name}" for pool in question.pools]
    return words[0] if len(words) == 1 else f"{words[0]} for prompts and {words[1]} for answers"


def carried_by(question: ServingQuestion, coefficients: ServingCoefficients) -> ServingQuestion | None:
    """The question on the fewest accelerators that carry the load; None where no number that is tried does."""
    low, high = question.devices, question.devices
    for _ in range(ROUNDS):
        low, high = high, high * 2
        if high > MOST_DEVICES:
            return None
        if carries(question, high, coefficients):
            return fewest(question, low, high, coefficients)
    return None


def fewest(question: ServingQuestion, low: int, high: int, coefficients: ServingCoefficients) -> ServingQuestion:
    """The question on the fewest accelerators that carry the load, where `low` do not and `high` do. Pools grow in proportion,
    and then each is left without what it can spare."""
    found = on_count(question, _least(low, high, lambda count: carries(question, count, coefficients)))
    if (prompts := found.prefill) is None:
        return found

    def computed_by(count: int) -> ServingQuestion:
        return replace(found, prefill=on_count(prompts, count))

    def answered_by(count: int) -> ServingQuestion:
        return replace(on_count(found, count), prefill=found.prefill)

    found = computed_by(_least(0, prompts.devices, lambda count: _serves(computed_by(count), coefficients)))
    return answered_by(_least(0, found.devices, lambda count: _serves(answered_by(count), coefficients)))


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The least number of which something holds, where it does not of `low` and does of `high`.

    >>> _least(0, 100, lambda count: count >= 37)
    37
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def carries(question: ServingQuestion, count: int, coefficients: ServingCoefficients) -> bool:
    """Whether so many accelerators carry the load within its objectives."""
    return _serves(on_count(question, count), coefficients)


def _serves(question: ServingQuestion, coefficients: ServingCoefficients) -> bool:
    """Whether the load is carried within its objectives; a trace by its means, which are quicker than playing it."""
    try:
        if question.prefill is not None:
            return apart.carried(question, question.prefill, coefficients)
        return bool(try_layouts(question, coefficients).carries.any())
    except (DoesNotFit, InputError):
        return False


def _too_small(question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients) -> DoesNotFit:
    layouts, deployment, whose = tried.layouts, instances(question, tried.layouts, coefficients), ""
    if question.prefill is not None and tried.prefill_layouts is not None:
        prompts = question.prefill.deployment(tried.prefill_layouts)
        whose = " for answers"
        if not np.any(np.greater(memory(prompts, coefficients).cache, 0.0)):
            layouts, deployment, whose = tried.prefill_layouts, prompts, " for prompts"
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
        f"  the fullest device{whose} needs {format_quantity(least, 'B')} {room}\n"
        f"  {parts}\n"
        f"  even the layout that comes closest, {layout_words(layouts.at(place))}, needs that much"
    )
    helps = list(_what_fits(question, coefficients))
    hint = "; or ".join(helps) if helps else "serve a smaller model, or on larger accelerators"
    return DoesNotFit(message, hint=hint, need=least / there)


def _what_fits(question: ServingQuestion, coefficients: ServingCoefficients) -> Iterator[str]:
    """Changes after which it fits, each tried."""
    names = NARROWER_GGUF if question.engine.kernels == "ggml" else NARROWER
    narrowest = ""
    for name in names:
        form = format_for(name)
        lacks = not form.dequantized and not all(pool.accelerator.has(form.compute) for pool in question.pools)
        if form.weight_bits >= question.weights.weight_bits or lacks:
            continue
        if _serves(_stored(question, form), coefficients):
            yield f"write `--quant {name}`"
            break
        narrowest = name
    else:
        if narrowest and not question.any_layout:
            small = _stored(question, format_for(narrowest))
            count = next((count for count in _doubled(question.devices) if carries(small, count, coefficients)), None)
            if count is not None:
                yield f"write `--quant {narrowest} {words_on(fewest(small, count // 2, count, coefficients))}`"
    if _offloads(question) and _serves(replace(question, host=catalog.accelerator(PROCESSOR)), coefficients):
        yield f"write `--offload-to {PROCESSOR}` for the layers that do not fit (or the processor that you have)"
    free_of, free = question.of_any_layout, question.any_layout
    if free and _serves(free_of, coefficients):
        yield f"write `{free}`"
        return
    for count in _doubled(question.devices):
        if carries(free_of, count, coefficients):
            yield f"write `{free and free + ' '}{words_on(fewest(free_of, count // 2, count, coefficients))}`"
            return


def _doubled(count: int) -> Iterator[int]:
    """The count twice, four times and so on, as far as accelerators are counted."""
    for times in range(1, 11):
        if count << times > MOST_DEVICES:
            return
        yield count << times


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
    ways = f"{tried.replicas[place]:,} × {layout_words(tried.layouts.at(place))}"
    if tried.prefill_layouts is not None and tried.prefill_replicas is not None:
        prompts = f"{tried.prefill_replicas[place]:,} × {layout_words(tried.prefill_layouts.at(place))}"
        ways = f"{prompts} for prompts and {ways} for answers"
    message = (
        f"{devices_of(question)} answer {rate_words(float(most[place]), beside=demand.rate * demand.peak)} at most, "
        f"not the {asked}{busiest}\n"
        f"  that is {ways}, as full as they get"
    )
    helps = [_more_together(question, coefficients), _more_of_them(question, "carry", coefficients)]
    return DoesNotFit(
        message, hint="; or ".join(filter(None, helps)) or "shorten prompts and answers, or spread the load"
    )


def _more_together(question: ServingQuestion, coefficients: ServingCoefficients) -> str:
    """That a limit on the requests that run together binds, where the engine's own carries the load."""
    own = engine_on(engine_for(question.engine.name), question.accelerator).most_sequences
    if question.engine.most_sequences >= own:
        return ""
    engine = replace(question.engine, most_sequences=own)
    prompts = question.prefill and replace(question.prefill, engine=engine)
    if not _serves(replace(question, engine=engine, prefill=prompts), coefficients):
        return ""
    return f"leave `--max-num-seqs` out: {own:,} together, as {question.engine.name} has it, carry it"


def _more_of_them(question: ServingQuestion, verb: str, coefficients: ServingCoefficients) -> str:
    """The fewest accelerators that carry the load, and the objectives that they have where they cannot keep those asked for;
    empty where no number carries it."""
    more, loose = carried_by(question, coefficients), ""
    if more is None and question.objectives.stated:
        more = carried_by(replace(question, objectives=Objectives()), coefficients)
        if more is not None:
            more = replace(more, objectives=question.objectives)
            _, loose = _nearest(more, try_layouts(more, coefficients))
    if more is None or (verb == "keep" and loose):
        return ""
    decided = question.demand.requests is not None and question.objectives.stated  # by playing: means are a guess
    if decided and not isinstance(serve(more, coefficients), Served):
        return ""
    return f"{more.all_devices:,} {verb} it: write `{words_on(more)}{loose and ' '}{loose}`"


def _too_slow(question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients) -> DoesNotFit:
    """Objectives that no layout keeps: the nearest that there is."""
    place, loose = _nearest(question, tried)
    ttft, tpot = (_seconds(tried, name, place) for name in ("ttft", "tpot"))
    message = (
        f"no layout of {devices_of(question)} has {_limits(question)}\n"
        f"  the nearest, {tried.replicas[place]:,} × {layout_words(tried.layouts.at(place))}, has its first token after "
        f"{format_quantity(ttft, 's')} and a further one every {format_quantity(tpot, 's')}"
    )
    more = "" if question.demand.rate is None else _more_of_them(question, "keep", coefficients)
    helps = [more, f"write `{loose}`" if np.isfinite(ttft) else ""]
    return DoesNotFit(message, hint="; or ".join(filter(None, helps)) or "send fewer requests")


def _nearest(question: ServingQuestion, tried: Tried) -> tuple[int, str]:
    """The layout that exceeds its objectives by the least, and flags with which it keeps them."""
    wanted = question.objectives
    over = np.zeros(tried.fits.shape)
    for name in wanted.stated:
        over = np.maximum(over, _all_seconds(tried, name) / float(getattr(wanted, name)))
    place = int(np.argmin(np.where(tried.fits, over, np.inf)))
    # What is kept already stays as it was asked for.
    flags = [
        f"--{name} {_typed(max(ROUNDED * _seconds(tried, name, place), float(getattr(wanted, name))))}"
        for name in wanted.stated
    ]
    return place, " ".join(flags)


def _all_seconds(tried: Tried, name: str) -> NDArray[np.float64]:
    return np.broadcast_to(np.asarray(getattr(tried.performance, name), dtype=float), tried.fits.shape)


def _seconds(tried: Tried, name: str, place: int) -> float:
    return float(_all_seconds(tried, name)[place])


def _limits(question: ServingQuestion) -> str:
    wanted = question.objectives
    words = {"ttft": "its first token within", "tpot": "a further one every"}
    return " and ".join(f"{words[name]} {format_quantity(float(getattr(wanted, name)), 's')}" for name in wanted.stated)


def _typed(seconds: float) -> str:
    """Rounded up to a millisecond, or to a tenth of a second, so that what is offered is kept.

    >>> _typed(0.0931), _typed(4.4491), _typed(196.3)
    ('94ms', '4.5s', '196.3s')
    """
    if seconds < 1.0:
        return f"{int(np.ceil(seconds * 1000 - 1e-6))}ms"
    return f"{np.ceil(seconds * 10 - 1e-6) / 10:g}s"
