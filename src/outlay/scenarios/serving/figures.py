"""The figures beside the dollars of a month: energy, carbon, latencies, rates, and what a million tokens cost."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.catalog import Server
from outlay.scenarios.serving.grounds import CARBON, ENERGY, PRICE, TIME, grounds
from outlay.scenarios.serving.lines import lines_of
from outlay.scenarios.serving.run import HOURS, SECONDS, ServingRun
from outlay.statement import Figure, Interval, Receipt
from outlay.statement.line import total

MILLION = 1e6
_EACH = ("request", "input", "output", "token")
_KINDS = {"ttft": "first", "tpot": "decode", "e2e": "answers"}
ROUNDING = 1e-3
"""Share of a time between tokens that is not told apart from a step."""
"""Latency → the kind of measurements that says how far off it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCost:
    """What one of something costs: dollars (of what is priced; None where nothing is), joules, kg CO₂e."""

    name: str
    dollars: Interval | None
    joules: Interval
    carbon: Interval
    unit: str = "$"
    """Of its dollars, as they are shown."""


def unit_costs(run: ServingRun) -> dict[str, UnitCost]:
    """An hour, a month, a request, a million tokens of prompts and of answers; the last two make the whole."""
    amount = total(lines_of(run))
    carbon = run.operational + run.embodied
    joules = run.kilowatt_hours * 3.6e6
    inward = run.input_share
    # With clients that wait, a slower deployment answers less for the same money.
    waits = run.question.demand.rate is None and run.terms.price is not None
    slower = run.ranged("answers", 1.0) if waits else Interval.exact(1.0)
    parts = {
        "hour": ("an hour", 1.0 / HOURS, "$/h"),
        "month": ("a month", 1.0, "$"),
        "request": ("1,000 requests", 1e3 / run.requests, "$/1,000"),
        "input": ("a million input tokens", MILLION * inward / run.input_tokens, "$/M"),
        "output": ("a million output tokens", MILLION * (1.0 - inward) / run.output_tokens, "$/M"),
        "token": ("a million tokens, both", MILLION / (run.input_tokens + run.output_tokens), "$/M"),
    }
    return {
        key: UnitCost(
            name=name,
            dollars=None if amount is None else amount * share * (slower if key in _EACH else 1.0),
            joules=joules * share,
            carbon=carbon * share,
            unit=unit,
        )
        for key, (name, share, unit) in parts.items()
    }


def figures_of(run: ServingRun) -> dict[str, Figure]:
    """Energy and carbon in the first sentence, the rest by name."""
    question, served = run.question, run.served
    demand = question.demand
    figures = {"joules": _energy(run), "kg_co2e": _carbon(run), **latencies_of(run)}
    figures["output_tokens_per_second"] = Figure(
        _as_often(run, float(served.mean.output_per_second) * served.working),
        unit="tokens/s",
        label="output",
        note="requests a second × tokens of an answer",
        parts=(
            Figure(Interval.of(served.requests_per_second), unit="requests/s", label="Requests"),
            Figure(Interval.exact(demand.output), unit="tokens", label="Tokens of an answer"),
        ),
        assumed=grounds(run, *TIME),
    )
    if demand.rate is not None:
        figures["utilisation"] = Figure(
            Interval.of(1.0 if served.overrun else demand.rate / served.most_requests_per_second),
            unit="%",
            label="utilisation",
            note="more requests come than can be answered"
            if served.overrun
            else "mean requests a second ÷ the most that can be answered",
            parts=(Figure(Interval.of(served.most_requests_per_second), unit="requests/s", label="The most"),),
            assumed=grounds(run, *TIME),
        )
    if question.battery is not None:
        figures["battery"] = _battery(run, question.battery)
    return figures


def latencies_of(run: ServingRun) -> dict[str, Figure]:
    """What a request waits: for its first token, between tokens, for all of them."""
    demand, busiest = run.question.demand, run.served.busiest
    hour = " in the busiest hour" if demand.peak > 1 else ""
    figures = {}
    latencies = (
        ("ttft", busiest.ttft, "first token", f"mean, waiting included{hour}"),
        ("tpot", busiest.tpot, "each further token", f"mean{hour}"),
        ("e2e", busiest.e2e, "whole answer", f"first token + (tokens − 1) × seconds of each{hour}"),
    )
    for key, seconds, label, note in latencies:
        if key != "ttft" and demand.output <= 1:
            continue
        figures[key] = Figure(
            run.ranged(_KINDS[key], float(seconds)),
            unit="s",
            label=label,
            note=note,
            basis="fitted",
            parts=_first_parts(run) if key == "ttft" else _step_parts(run) if key == "tpot" else (),
            receipts=run.fitted_on,
            assumed=grounds(run, *TIME),
        )
    return figures


def _battery(run: ServingRun, joules: float) -> Figure:
    """How long a battery feeds the machines, and what their power is made of; the building has no part in it."""
    said = next((entry.receipt for entry in run.question.assumed if entry.name == "battery"), None)
    machine = run.machine
    power = Figure(
        Interval.of(run.watts),
        unit="W",
        label="Power",
        note="mean of the day, at rest and at work, of all machines",
        parts=_rack(run) if machine is None else _alone(run, machine),
        receipts=run.fitted_on,
    )
    holds = Figure(
        Interval.exact(joules),
        unit="J",
        label="It holds",
        basis=None if said is not None else "yours",
        note="" if said is not None else "--battery",
        receipts=() if said is None else (said,),
    )
    return Figure(
        Interval.of(joules / run.watts),
        unit="s",
        label="battery lasts",
        note="what it holds ÷ power of the devices and of what stands around them",
        parts=(holds, power),
        assumed=grounds(run, *(name for name in (*ENERGY, "battery") if name != "PUE")),
    )


def _as_often(run: ServingRun, rate: float) -> Interval:
    """A rate of answers: that of the load, or one that falls as clients wait longer."""
    slower = run.relative.get("answers")
    if run.question.demand.rate is not None:
        return Interval.exact(rate)
    if slower is None or not slower.low or not slower.high:
        return Interval.of(rate)
    return Interval.between(rate / slower.high, rate, rate / slower.low)


def cost_figures(run: ServingRun) -> dict[str, Figure]:
    """Dollars of a million tokens; of electricity alone where the accelerators have no price."""
    found = {}
    unpriced = [terms.price is None for _, terms in run.pools]
    alone = " (electricity alone)" if all(unpriced) else " (at least)" if any(unpriced) else ""
    costs = unit_costs(run)
    for key, name in (("input", "dollars_per_million_input"), ("output", "dollars_per_million_output")):
        dollars = costs[key].dollars
        if dollars is None or (key == "output" and run.question.demand.output <= 1):
            continue
        found[name] = Figure(
            dollars,
            unit="$/M tokens",
            label=f"{key}{alone}",
            note="the month's dollars × the share of device time ÷ tokens of a month",
            assumed=grounds(run, *TIME, *PRICE),
        )
    return found


def _energy(run: ServingRun) -> Figure:
    question, machine = run.question, run.machine
    each = "its power at rest, and more at work" if machine else "power of a device + its share of the server"
    return Figure(
        run.kilowatt_hours * 3.6e6,
        unit="J",
        note=f"month × {'machines' if machine else 'devices'} × ({each}) × PUE",
        parts=(
            Figure(Interval.exact(SECONDS), unit="s", label="Month"),
            Figure(Interval.exact(question.all_devices), unit="devices", label="Accelerators"),
            *(_rack(run) if machine is None else _alone(run, machine)),
            Figure(run.terms.pue, unit="", label="PUE", receipts=(run.terms.pue_receipt,)),
        ),
        assumed=grounds(run, *ENERGY),
    )


def _rack(run: ServingRun) -> tuple[Figure, ...]:
    """Power of devices whose server draws on while they idle."""
    return (
        Figure(
            Interval.of(run.device_watts),
            unit="W",
            label="Power of a device",
            note="mean of the day, idle moments included",
            receipts=device_receipts(run, "tdp"),
        ),
        Figure(
            Interval.of(run.host_watts),
            unit="W",
            label="Its share of the server",
            note=run.question.server.name,
            receipts=tuple(r for name, r in run.question.server.receipts.items() if name == "host_watts"),
        ),
    )


def _alone(run: ServingRun, machine: Server) -> tuple[Figure, ...]:
    """Power of a machine that stands by itself: at rest, at work, and how often it works."""
    own, rest = machine.receipts, machine.idle_watts or 0.0
    at_work = (own["work_watts"],) if "work_watts" in own else (*device_receipts(run, "tdp"), own["host_watts"])
    return (
        Figure(Interval.of(rest), unit="W", label="Power at rest", note=machine.name, receipts=(own["idle_watts"],)),
        Figure(Interval.of(run.work_watts), unit="W", label="Power at work", note=machine.name, receipts=at_work),
        Figure(Interval.of(run.busy), unit="%", label="Share of the time at work", basis="fitted"),
    )


def token_joules(run: ServingRun) -> tuple[float, float]:
    """Joules of a token of a prompt and of an answer, while the devices work."""
    demand, watts = run.question.demand, run.work_watts
    each = watts * int(run.served.deployment.devices)
    first = watts * int((run.served.prefill or run.served.deployment).devices)
    computed = max(demand.input * (1.0 - demand.cached), 1.0)
    further = max(demand.output - 1.0, 1.0)
    return float(run.prompt.seconds) * first / computed, run.answer_seconds * each / further


def _carbon(run: ServingRun) -> Figure:
    grid = run.terms.grid
    return Figure(
        run.operational,
        unit="kg CO2e",
        note="energy × carbon of the grid; making the devices is counted in the table Carbon",
        parts=(
            Figure(run.kilowatt_hours * 3.6e6, unit="J", label="Energy"),
            Figure(
                Interval.exact(grid.intensity),
                unit="kg CO2e/kWh",
                label=f"Grid: {grid.title}",
                note=grid.intensity_basis,
                receipts=(grid.receipts["intensity"],),
            ),
        ),
        assumed=grounds(run, *CARBON),
    )


def _first_parts(run: ServingRun) -> tuple[Figure, ...]:
    """Where a request is until its first token."""
    ttft, queue = float(run.served.busiest.ttft), float(run.served.busiest.queue)
    parts = {
        "Front end: connection, tokenizer, queues": run.front_end,
        "Waiting for a place": queue,
        "Its prompt, and those that share its steps": ttft - queue - run.front_end,
    }
    return tuple(
        Figure(Interval.of(seconds), unit="s", label=label) for label, seconds in parts.items() if seconds > 1e-9
    )


def _step_parts(run: ServingRun) -> tuple[Figure, ...]:
    """What the seconds of a token are made of, which sum to them; the model, and the data sheet."""
    question, speculation = run.question, run.question.speculation(run.served.deployment)
    token = float(run.served.busiest.tpot)
    tokens = 1.0 if speculation is None else float(speculation.tokens_per_step)
    spent = {name: float(seconds) / tokens for name, seconds in run.decoding.breakdown.items() if float(seconds) > 0}
    step = sum(spent.values())
    if token > step * (1.0 + ROUNDING):
        others = "Steps between that compute prompts too, and take longer"
        spent[others if speculation is None else f"Drafting, and {others[0].lower()}{others[1:]}"] = token - step
    else:  # a step of the mean number together is a hair longer than the mean step
        spent = {name: seconds * token / step for name, seconds in spent.items()}
    causes = tuple(Figure(Interval.of(seconds), unit="s", label=name) for name, seconds in spent.items())
    size = Figure(
        Interval.exact(question.parameters),
        unit="parameters",
        label=question.architecture.name,
        receipts=(question.model_receipt,),
    )
    form = Figure(
        Interval.exact(question.weights.weight_bits),
        unit="bit",
        label="Bits of a weight",
        receipts=(question.weights.receipt,),
    )
    sheet = tuple(
        Figure(Interval.exact(float(receipt.value)), unit=receipt.unit, label=label, receipts=(receipt,))
        for label, receipt in data_sheet(run).items()
        if isinstance(receipt.value, int | float)
    )
    return (*causes, size, form, *sheet)


def data_sheet(run: ServingRun) -> dict[str, Receipt]:
    """What a step stands on of the accelerator's data sheet, by what it is."""
    chip = run.question.accelerator
    kind = chip.runs_as(run.question.weights.compute)
    facts = {
        "memory_bandwidth": "Memory bandwidth of a device",
        f"peaks.{kind}": f"{kind} peak of a device",
        "memory": "Memory of a device",
    }
    if run.question.devices > 1:
        facts["link_bandwidth"] = "Links to its neighbours"
    return {label: chip.receipts[field] for field, label in facts.items() if field in chip.receipts}


def device_receipts(run: ServingRun, *names: str) -> tuple[Receipt, ...]:
    """Receipts of the accelerator's own figures."""
    own = run.question.accelerator.receipts
    return tuple(own[name] for name in names if name in own)
