"""The tables beside the lines: unit costs, the load and its latencies, a step's time, a device's memory, carbon."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from outlay.scenarios.serving.bottleneck import waits_for
from outlay.scenarios.serving.figures import data_sheet, device_receipts, token_joules, unit_costs
from outlay.scenarios.serving.grounds import CARBON, MAKING, MODEL, PRICE, TIME, grounds
from outlay.scenarios.serving.quality import quality_sections
from outlay.scenarios.serving.rates import rate_words
from outlay.scenarios.serving.run import ServingRun
from outlay.scenarios.serving.ways import layout_words
from outlay.serving import Deployment, memory, most_sequences, sequence_bytes
from outlay.statement import Cell, Column, Figure, Interval, Table
from outlay.units import format_quantity

NOTICED = 1.02
"""How much longer than a step a token takes before it is spoken of."""


def sections_of(run: ServingRun) -> tuple[Table, ...]:
    """What it comes to, the load, a step, memory, carbon; what a cheaper format costs in quality."""
    quality = quality_sections(run.question.architecture, run.question.weights.name)
    return (_costs(run), _load(run), *_latency(run), _step(run), _memory(run), _carbon(run), *quality)


def _costs(run: ServingRun) -> Table:
    costs = unit_costs(run)
    rows: list[tuple[Cell, ...]] = [
        (
            cost.name,
            None if cost.dollars is None else Figure(_likely(cost.dollars), unit=cost.unit),
            Figure(_likely(cost.joules), unit="J"),
            Figure(_likely(cost.carbon), unit="kg CO2e"),
        )
        for cost in costs.values()
    ]
    prompts = format_quantity(run.input_share, "%", digits=2)
    notes = [
        f"Input and output are told apart by device time: prompts {prompts}, answers the rest; "
        + ("each has devices of its own." if run.served.prefill is not None else "idle time goes with them."),
        "CO₂e counts what making the devices emitted, which the first line leaves out.",
    ]
    if run.terms.price is None:
        notes.append("The accelerators have no price, so dollars are of the rest alone.")
    return Table(
        "What it comes to",
        columns=("Of", "Dollars", "Energy", "CO₂e"),
        rows=rows,
        notes=notes,
        receipts=run.fitted_on,
        assumed=grounds(run, *TIME, *PRICE, *CARBON, *MAKING),
        key="costs",
    )


def _likely(value: Interval) -> Interval:
    """Without its range, so that columns stay narrow; the lines have it."""
    return Interval.of(value.likely)


def _load(run: ServingRun) -> Table:
    question, served = run.question, run.served
    demand, busiest, wanted = question.demand, served.busiest, question.objectives
    rows: list[tuple[Cell, ...]] = []
    if served.prefill is not None and question.prefill is not None:
        rows.append(("for prompts", _instances(served.prefill_replicas, served.prefill)))
        rows.append(("for answers", _instances(served.replicas, served.deployment)))
    else:
        rows.append(("instances", _instances(served.replicas, served.deployment)))
    if demand.rate is not None:
        whatever = ", however long they wait" if wanted.stated else ""
        most = f"{rate_words(served.most_requests_per_second)} at most in this layout{whatever}"
        if served.overrun:
            rows.append(("requests asked", f"{rate_words(demand.rate)}; {most}"))
            rows.append(("requests answered", f"{rate_words(served.requests_per_second)}, as the trace was played"))
        else:
            rows.append(("requests", f"{rate_words(demand.rate)}; {most}"))
        if demand.peak > 1:
            part = format_quantity(demand.rate * demand.peak / served.most_requests_per_second, "%", digits=2)
            rows.append(("busiest hour", f"{rate_words(demand.rate * demand.peak)}, {part} of that"))
    else:
        rows.append(("requests", f"{demand.words}: {rate_words(served.requests_per_second)}"))
    rows.append(("decoding together", f"{_number(busiest.decoding)} in an instance"))
    if question.draft is not None:
        rows.append(("drafting", question.draft.words))
    for label, seconds, limit in (
        ("first token", busiest.ttft, wanted.ttft),
        ("each further token", busiest.tpot, wanted.tpot),
        ("whole answer", busiest.e2e, np.inf),
    ):
        if label == "each further token" and demand.output <= 1:
            continue
        words = format_quantity(float(seconds), "s")
        if np.isfinite(limit):
            words += f" of {format_quantity(float(limit), 's')} allowed"
        if label == "first token" and float(busiest.queue) > 0.005 * float(seconds):
            words += f", {format_quantity(float(busiest.queue), 's')} of it in the queue"
        rows.append((label, words))
    rows.append(("input tokens", f"{_rate(run.input_tokens / run.requests * served.requests_per_second)}"))
    rows.append(("output tokens", f"{_rate(demand.output * served.requests_per_second)}"))
    metered = f"{format_quantity(run.watts * run.terms.pue.likely, 'W')} at the building's meter"
    if run.machine is None or run.terms.pue.likely > 1:
        rows.append(("power", f"{format_quantity(run.watts, 'W')} at the servers, {metered}, on average"))
    else:
        rows.append(("power", f"{format_quantity(run.watts, 'W')} on average, the whole machine"))
    if run.machine is not None:
        read, written = (format_quantity(joules, "J") for joules in token_joules(run))
        each = f"{written} a token of an answer, {read} of a prompt" if demand.output > 1 else f"{read} a token"
        rows.append(("energy at work", each))
    if question.battery is not None:
        hours = format_quantity(question.battery / run.watts, "s")
        tokens = format_quantity(question.battery / run.watts * demand.output * served.requests_per_second, "tokens")
        rows.append(("battery", f"{hours} of {format_quantity(question.battery, 'J')}: {tokens} of answers"))
    return Table(
        "The load" if demand.peak == 1 else "The load, latencies in its busiest hour",
        columns=("What", "How much"),
        rows=rows,
        assumed=grounds(run, *TIME),
        receipts=run.fitted_on,
        key="load",
    )


def _instances(count: int, deployment: Deployment) -> str:
    devices, name = int(deployment.devices), deployment.cluster.accelerator.name
    return f"{count:,} of {devices:,} × {name}, {layout_words(deployment.layout)}"


def _latency(run: ServingRun) -> Iterator[Table]:
    """What half, nine in ten and 99 in 100 requests wait at most: of a trace, or of a rate."""
    waits, wanted, trace = run.waits, run.question.objectives, run.served.replay
    if waits is None:
        return
    shares = {"Half": 0.5, "9 in 10": 0.9, "99 in 100": 0.99}
    names = {"ttft": "first token", "tpot": "each further token", "e2e": "whole answer"}
    rows: list[tuple[Cell, ...]] = []
    for name, label in names.items():
        if name == "tpot" and run.question.demand.output <= 1:
            continue
        half, nine, slow = (waits.quantile(name, share) for share in shares.values())
        if trace is None:
            slow = max(slow, float(getattr(run.served.busiest, name)))
        rows.append((label, half, nine, slow))
    notes = []
    if wanted.stated:
        kept = waits.good(ttft=float(wanted.ttft), tpot=float(wanted.tpot))
        notes.append(f"{format_quantity(kept, '%')} of requests keep what is allowed.")
    again = int((waits.preempted > 0).sum())
    if again:
        notes.append(f"{again:,} requests were put back because the room for caches ran out, and computed again.")
    if trace is None:
        bursts = run.question.demand.burstiness
        how = "at random" if bursts == 1 else "in bursts" if bursts < 1 else "evenly"
        notes.append(f"They come {how} and are all of the mean length: `--trace` plays requests of your own.")
        title = f"{len(waits):,} requests, played one by one"
    else:
        title = f"{len(waits):,} requests, played one by one in {format_quantity(trace.seconds, 's')}"
    yield Table(
        title,
        columns=("What", *(Column(name, unit="s") for name in shares)),
        rows=rows,
        notes=notes,
        receipts=run.fitted_on,
        assumed=grounds(run, *TIME),
        key="latency",
    )


def _number(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _rate(tokens: float) -> str:
    return format_quantity(tokens, "tokens/s")


def _step(run: ServingRun) -> Table:
    """A decoding step, and a prompt by itself, part by part."""
    decoding, prompt = run.decoding, run.prompt
    whole, alone = float(decoding.seconds), float(prompt.seconds)
    names = [name for name in decoding.breakdown if float(decoding.breakdown[name]) + float(prompt.breakdown[name]) > 0]
    names.sort(key=lambda name: -float(decoding.breakdown[name]))
    rows = [
        (
            name,
            float(decoding.breakdown[name]) or None,
            float(decoding.breakdown[name]) / whole or None,
            float(prompt.breakdown[name]) or None,
            float(prompt.breakdown[name]) / alone or None,
        )
        for name in names
    ]
    share = Column("Share", unit="%", total=True, digits=2)
    return Table(
        "Where the time goes",
        columns=(
            "Part",
            Column("Decoding step", unit="s", total=True),
            share,
            Column("One prompt", unit="s", total=True),
            share,
        ),
        rows=rows,
        notes=(waits_for(run), *_between(run)),
        receipts=(
            *data_sheet(run).values(),
            run.question.model_receipt,
            run.question.weights.receipt,
            *run.fitted_on,
        ),
        assumed=grounds(run, *TIME),
        key="step",
        footer_label="Step",
    )


def _between(run: ServingRun) -> Iterator[str]:
    """Why a token takes longer than a step, where it does."""
    step, token = float(run.decoding.seconds), float(run.served.busiest.tpot)
    if run.question.draft is None and token > step * NOTICED:
        longer = format_quantity(token, "s")
        yield (
            f"From token to token it takes {longer}: some steps between compute prompts of others too, and take longer."
        )


def _memory(run: ServingRun) -> Table:
    question, served = run.question, run.served
    there = float(served.space.capacity)
    parts = [(name, float(size)) for name, size in served.space.parts.items() if float(size) > 0]
    parts.append(("room for caches", float(served.space.cache)))
    return Table(
        "Memory of the fullest device" + (" of those that answer" if served.prefill is not None else ""),
        columns=("Part", Column("Size", unit="B", total=True), Column("Share", unit="%", total=True, digits=2)),
        rows=[(name, size, size / there) for name, size in parts],
        notes=tuple(_room(run)),
        receipts=(*device_receipts(run, "memory"), question.model_receipt, question.weights.receipt),
        assumed=grounds(run, *MODEL),
        key="memory",
        # llama.cpp gives caches as much as its slots take; others fill the device beforehand.
        footer_label="Device" if question.engine.kernels == "ggml" else "Filled",
    )


def _room(run: ServingRun) -> Iterator[str]:
    """The largest batch and the longest context that fit, and what the load takes of them."""
    question, served = run.question, run.served
    tokens = question.demand.input + question.demand.output
    room = float(most_sequences(served.deployment, served.space, tokens))
    engine = question.engine.most_sequences * float(served.deployment.layout.data)
    noun = "The cache of 1 request" if room == 1 else f"Caches of {room:,.0f} requests"
    words = f"{noun} of {tokens:,.0f} tokens {'fits' if room == 1 else 'fit'}"
    words += f"; {question.engine.name} runs {engine:,.0f} together" if engine < room else ""
    yield f"{words}. The load takes {format_quantity(float(served.busiest.cache_share), '%', digits=2)} of the room."
    longest, limit = longest_context(run), question.architecture.max_length
    whose = " (the model's own)" if limit and longest >= limit else ""
    yield f"The longest context that fits is {longest:,} tokens{whose}."
    if served.prefill is not None:
        space = memory(served.prefill, run.coefficients)
        weights, room = float(space.parts["weights"]), float(most_sequences(served.prefill, space, tokens))
        yield f"Those of prompts hold {format_quantity(weights, 'B')} of weights, and have room for {room:,.0f} caches."


def longest_context(run: ServingRun) -> int:
    """Tokens of the longest single request whose cache fits, up to what the model reads."""
    limit = run.question.architecture.max_length or 10**7
    free = float(run.served.space.cache)
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if float(sequence_bytes(run.served.deployment, middle)) <= free:
            low = middle
        else:
            high = middle - 1
    return low


def _carbon(run: ServingRun) -> Table:
    grid = run.terms.grid
    making = f"{run.making.likely:.0f} kg a device over {run.life.likely:g} years"
    return Table(
        "Carbon of a month",
        columns=("Source", Column("CO₂e", digits=2), "How"),
        rows=[
            (
                "Electricity",
                Figure(
                    run.operational,
                    unit="kg CO2e",
                    receipts=(grid.receipts["intensity"], run.terms.pue_receipt, *device_receipts(run, "tdp")),
                ),
                f"{grid.title}: {grid.intensity * 1000:.0f} g/kWh, {grid.intensity_basis}",
            ),
            (
                "Making the devices",
                Figure(run.embodied, unit="kg CO2e", receipts=(run.making.receipt, run.life.receipt)),
                making,
            ),
        ],
        assumed=grounds(run, *CARBON, *MAKING),
        key="carbon",
    )
