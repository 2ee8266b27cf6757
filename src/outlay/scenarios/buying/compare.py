"""Build or buy: a month of own machines against hosted APIs, where the bills cross, and what is on neither."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import __version__, catalog
from outlay.accuracy.serving.ranges import UNTRIED
from outlay.economics.api import machines
from outlay.errors import InputError
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.buying import sections as tables
from outlay.scenarios.buying.apart import cheaper_apart
from outlay.scenarios.buying.bills import (
    DAYS,
    Bill,
    Crossing,
    bill_of,
    crossing,
    dearer_anyway,
    one_each,
    reference,
    spread,
)
from outlay.scenarios.buying.hints import hints_of
from outlay.scenarios.buying.lines import api_lines, own_lines
from outlay.scenarios.buying.own import Own, cheapest, own_on
from outlay.scenarios.buying.question import Beside, read_apis, read_beside, read_share, read_weights
from outlay.scenarios.named import check_texts
from outlay.scenarios.problems import Problems
from outlay.scenarios.serving.demand import Demand, read_demand, sizes_of
from outlay.scenarios.serving.figures import latencies_of
from outlay.scenarios.serving.quality import published_of, quality_note, quality_sections
from outlay.scenarios.terms import price_notes
from outlay.scenarios.today import today as day
from outlay.serving import ServingCoefficients, load_serving
from outlay.statement import Assumption, Figure, Interval, Statement, Table
from outlay.training.ranges import parse_level, percent
from outlay.units import format_money, format_number, format_quantity

assert _render.FORMATS


def compare(
    model: str,
    *,
    api: str | None = None,
    on: str | None = None,
    input: str | int | None = None,
    output: str | int | None = None,
    rate: str | float | None = None,
    users: str | int | None = None,
    requests_per_user: str | float | None = None,
    peak: str | float | None = None,
    turns: str | int | None = None,
    cached: str | float | None = None,
    batch_share: str | float | None = None,
    engine: str | None = None,
    quant: str | None = None,
    kv: str | None = None,
    ttft: str | float | None = None,
    tpot: str | float | None = None,
    provider: str | None = None,
    tier: str | None = None,
    price: str | float | None = None,
    discount: str | float | None = None,
    grid: str | None = None,
    pue: str | float | None = None,
    electricity: str | float | None = None,
    hardware: str | float | None = None,
    life: str | float | None = None,
    use: str | float | None = None,
    people: str | float | None = None,
    quality_difference: str | float | None = None,
    lock_in: str | float | None = None,
    data_leaving: str | float | None = None,
    interval: str | float | None = None,
    notes: tuple[str, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    coefficients: ServingCoefficients | None = None,
    today: datetime.date | None = None,
) -> Statement:
    """A month of `model` for a load: own machines (`on`: `l4`, `l4:2`, `any`) against hosted APIs (`api`: `any`, names).

    The lines are those of the cheaper of the two. Texts are read as on the command line; numbers are in base units.

    >>> answer = compare("llama-3.1-8b", api="mine=0.10/0.40", on="l4:2", input=1000, output=250, rate="86400/day", price=1)
    >>> round(answer.answer["api"].value.likely, 2)  # 2,628,000 requests of 1,000 tokens at $0.10 and 250 at $0.40 a million
    525.6
    >>> round(answer.answer["own"].value.likely)
    1460

    :raises InputError: for anything that cannot be read, for unknown names, and where no host has the model.
    :raises DoesNotFit: if the machines do not carry the load.
    """
    asked = {
        name: value for name, value in locals().items() if name not in ("notes", "progress", "coefficients", "today")
    }
    check_texts(asked, "api", "on", "engine", "quant", "kv", "provider", "tier", "grid")
    date, coefficients, level = today or day(), coefficients or load_serving(), parse_level(interval, since=UNTRIED)
    problems = Problems()
    share = problems.attempt(lambda: read_share(cached, "--cached", below_one=True))
    batch = problems.attempt(lambda: read_share(batch_share, "--batch-share")) or 0.0
    beside = read_beside(people, quality_difference, lock_in, data_leaving, problems)
    if rate is None and users is None:
        problems.add("the load is missing", hint="add `--rate 5/s`, `--rate 100k/day`, or `--users 10000`")
    problems.settle()
    architecture = read_weights(model, users=users, rate=rate)
    load: dict[str, Any] = {
        "input": input,
        "output": output,
        "rate": rate,
        "users": users,
        "requests_per_user": requests_per_user,
        "peak": peak,
        "prefix_hit": share,
        "turns": turns,
    }
    demand = read_demand(architecture, concurrency=None, **load)
    prices = read_apis(api, architecture.name, tokens=demand.input, day=date)
    words = {**load, "engine": engine, "quant": quant, "kv": kv, "ttft": ttft, "tpot": tpot}
    money = {
        "provider": provider,
        "tier": tier,
        "price": price,
        "discount": discount,
        "grid": grid,
        "pue": pue,
        "electricity": electricity,
        "hardware": hardware,
        "life": life,
        "use": 1.0 if use is None and hardware is not None else use,  # a month of serving pays for every hour
    }
    terms = {"asked": words, "money": money, "batch": batch, "coefficients": coefficients, "level": level}
    owns = _owns(model, on, progress, **terms)
    apart = cheaper_apart(owns, model, asked=words, money=money, batch=batch, coefficients=coefficients)
    bills = one_each(tuple(bill_of(entry, architecture.name, demand, batch=batch) for entry in prices))
    return _statement(
        owns, bills, demand, beside, batch=batch, date=date, level=level, asked=inputs_of(asked), notes=(*apart, *notes)
    )


def _owns(model: str, on: str | None, progress: Callable[[int, int], None] | None, **terms: Any) -> tuple[Own, ...]:
    if on is not None and not on.strip():
        raise InputError("`--on` is empty", hint="write `--on l4`, `--on l4:2`, or leave it out for any")
    if on is not None and on.strip().lower() != "any":
        return (own_on(model, on, **terms),)
    given = [name for name in ("price", "hardware") if terms["money"][name] is not None]
    if given or terms["money"]["tier"] == "owned":
        flag = f"`--{given[0]}`" if given else "`--tier owned`"
        raise InputError(f"{flag} is of one accelerator, and none is named", hint="add `--on l4`")
    return cheapest(model, progress=progress, **terms)


def _statement(
    owns: tuple[Own, ...],
    bills: tuple[Bill, ...],
    demand: Demand,
    beside: Beside,
    *,
    batch: float,
    date: datetime.date,
    level: float,
    asked: Mapping[str, str | int | float],
    notes: tuple[str, ...],
) -> Statement:
    own, bill = owns[0], reference(bills)
    question = own.run.question
    note = quality_note(question.architecture, question.weights.name, published=published_of(question.architecture))
    mine = own_lines(own, beside, note)
    theirs = api_lines(bill, beside, input=demand.input, output=demand.output, cached=demand.cached, batch=batch)
    building = own.dollars is not None and own.dollars.likely + beside.of_own <= bill.month.likely + beside.of_api
    crossed = crossing(own, bill, beside)
    several = tables.machines(owns, bill, beside) if len(owns) > 1 else None
    sections: tuple[Table | None, ...] = (
        tables.two_bills(mine, theirs, bill.called),
        tables.apis(bills, own, beside),
        tables.asked(bills, date),
        several,
        tables.sellers(own, bill, beside),
        tables.how_full(own, bill, beside),
        *quality_sections(question.architecture, question.weights.name),
    )
    return Statement(
        _title(own, bill, demand, beside, building=building),
        lines=mine if building else theirs,
        answer=_figures(own, bill, crossed, beside),
        sections=tuple(section for section in sections if section is not None),
        assumed=(*own.run.assumed, *_assumed(own, demand, batch)),
        notes=(
            *_verdict(own, bill, crossed, beside),
            *_kind(own, crossed),
            "Latencies are those of own machines; those of APIs are not known here.",
            *_sure(own, bill, beside, level),
            *_prices(bills, date),
            *price_notes(own.run.terms, date),
            *_sellers(own, asked),
            *_energy(own),
            *notes,
        ),
        hints=tuple(hints_of(own, beside, asked)),
        inputs=asked,
        coverage=level if own.relative.has_range else None,
        version=__version__,
    )


def _title(own: Own, bill: Bill, demand: Demand, beside: Beside, *, building: bool) -> str:
    question = own.run.question
    machines = f"{question.devices:,} × {question.accelerator.name}"
    load = f"{demand.words}, {sizes_of(demand)}"
    said = f"own machines ({machines})" if building else bill.price.name
    against = bill.price.name if building else f"own machines ({machines})"
    if own.dollars is None and not dearer_anyway(own, bill, beside):
        verb = "has" if question.devices == 1 else "have"
        return f"{question.architecture.name} for {load}: {bill.price.name}; {machines} {verb} no price"
    word, what = "Build" if building else "Buy", f"a month of {question.architecture.name} for {load}"
    return f"{word}: {what} is cheaper with {said} than with {against}"


def _figures(own: Own, bill: Bill, crossed: Crossing, beside: Beside) -> dict[str, Figure]:
    made: dict[str, Figure] = {}
    if own.dollars is not None:
        people = "without people" if beside.people is None else "with people"
        made["own"] = Figure(
            own.dollars + Interval.exact(beside.of_own),
            unit="$/month",
            label="own machines",
            note=f"as they are, {people}",
        )
    elif own.at_least is not None:
        made["own_at_least"] = Figure(
            own.at_least + Interval.exact(beside.of_own),
            unit="$/month",
            label="own machines at least",
            note="what of them has a price, without the machines themselves",
        )
    extra = ", and what was said to come with it" if beside.of_api else ""
    made["api"] = Figure(
        bill.month + Interval.exact(beside.of_api),
        unit="$/month",
        label=bill.called,
        note=f"tokens × prices{extra}",
        receipts=bill.price.receipts,
    )
    demand = own.run.question.demand
    if crossed.first:
        how = "least load at which as many machines as it takes cost no more than its tokens"
        span, tokens = spread(own, bill, beside), demand.input + demand.output
        made["break_even"] = Figure(span * (1 / DAYS), unit="requests/day", label="own machines cheaper from", note=how)
        made["break_even_tokens"] = Figure(span * tokens, unit="tokens", label="in a month", note=how)
    if crossed.lasting is not None and crossed.wavers:
        made["lasting"] = Figure(Interval.of(crossed.lasting / DAYS), unit="requests/day", label="and always from")
    waits = latencies_of(own.run)
    waits["ttft"] = replace(waits["ttft"], label="first token of own machines")
    return made | waits


def _verdict(own: Own, bill: Bill, crossed: Crossing, beside: Beside) -> Iterator[str]:
    """Where the bills cross, or why they never do."""
    demand, name = own.run.question.demand, bill.called
    if own.step is None:
        yield "Own machines have no price here, so no load can be named from which they are cheaper."
        if own.at_least is not None and dearer_anyway(own, bill, beside):
            times = (own.at_least.likely + beside.of_own) / (bill.month.likely + beside.of_api)
            yield (
                f"For this load they are dearer whatever they cost: what is known of their bill is {times:.2g} times "
                f"that of {name}."
            )
        return
    tokens = (demand.input + demand.output) / 1e6
    full = min(kind.step / kind.capacity for kind in own.every or own.kinds) / tokens
    if crossed.first is None:
        found = list(tables.sold_cheaper(own, bill, beside))
        at = f"At the price of {own.run.terms.provider}, {own.run.terms.tier}, own" if found else "Own"
        yield (
            f"{at} machines never become cheaper than {name}: as full as the busiest hour lets them be they cost "
            f"{format_money(full, cents=True)} a million tokens, and it asks {format_money(bill.each / tokens, cents=True)}."
        )
        for seller, tier, requests in found[:1]:
            words = f"from {format_number(requests)} requests/day" if requests else "from the first request on"
            yield f"At that of {seller}, {tier}, they are cheaper {words} (`{_there(own, seller, tier)}`)."
        return
    if not crossed.first:
        yield f"Own machines are cheaper than {name} from the first request on."
    if crossed.wavers:
        lasting = (
            "at no load for good"
            if crossed.lasting is None
            else f"from {format_number(crossed.lasting / DAYS)} requests/day for good"
        )
        yield f"Past the first crossing one more machine makes them dearer again for a while; they are cheaper {lasting}."
    if not beside.of_own and beside.people is None:
        month = (own.step if crossed.kind is None else crossed.kind.step) * own.least
        yield (
            f"The crossing leaves people out: each $1,000 a month of them moves it up by "
            f"{format_number(1000.0 / bill.each / DAYS)} requests/day or more; the first machines cost {format_money(month)}."
        )


def _kind(own: Own, crossed: Crossing) -> Iterator[str]:
    """What machines are where the bills cross, where they are others than those of the load asked about."""
    unit, kind = own.unit, crossed.kind
    if kind is None or not crossed.first or (kind.chip, kind.devices) == (unit.chip, unit.devices):
        return
    yield (
        f"Where the bills cross first, instances are of {kind.devices:,} × {kind.chip}, not of {unit.devices:,} × {unit.chip} "
        "as for the load asked about: the crossing hangs on no load."
    )


def _sellers(own: Own, asked: Mapping[str, object]) -> Iterator[str]:
    """Whose machines they are, and what a search looks at besides."""
    if own.run.terms.choice is not None and "provider" not in asked:
        yield (
            f"Own machines are those of {own.run.terms.provider}, where the load costs the least, and run as they carry most; "
            "`--provider` takes another's, and `outlay plan serving` looks for the quickest of as many."
        )


def _there(own: Own, seller: str, tier: str) -> str:
    """The flags that ask for a seller of the same accelerator; for a tier, where it is another one than now."""
    chip = f"--on {own.unit.chip} " if own.every else ""
    return f"{chip}--provider {seller}" + ("" if tier == own.run.terms.tier else f" --tier {tier}")


def _sure(own: Own, bill: Bill, beside: Beside, level: float) -> Iterator[str]:
    """What it would change if machines were slower than predicted, as far as measured ones were."""
    if not own.relative.has_range or own.relative.high is None:
        return
    slow = own.with_speed(1.0 / own.relative.high)
    said = f"Ranges: {percent(level)} of measured deployments from sources that our fit had not used answer "
    said += (
        f"{1.0 / own.relative.high:.2g} to {1.0 / (own.relative.low or 1.0):.2g} times as many requests as predicted."
    )
    more = machines(own.run.requests, slow.unit.capacity, least=own.least)
    if more > own.unit.count:
        said += f" With the slowest of them this load takes {more * own.unit.devices:,} accelerators."
    if crossing(own, bill, beside).first is not None and crossing(slow, bill, beside).first is None:
        said += f" Machines as slow as that never become cheaper than {bill.called}."
    yield said


def _assumed(own: Own, demand: Demand, batch: float) -> Iterator[Assumption]:
    if batch:
        value = f"{format_quantity(batch, '%', digits=2)} of requests wait for quiet hours"
        why = f"the busiest hour then has {own.unit.peak:.3g} times the mean, not {demand.peak:.3g} (`--batch-share`)"
        if own.unit.peak == demand.peak:
            why = "all hours are as busy as each other, so your machines gain nothing by it (`--peak`)"
        yield Assumption("batch", value=value, why=why)


def _prices(bills: tuple[Bill, ...], today: datetime.date) -> Iterator[str]:
    """Where the prices of APIs come from, and how old they are."""
    listed = [bill.price.receipt for bill in bills if bill.price.receipt.basis != "yours"]
    if not listed:
        return
    source = listed[0].source.rpartition("/")[2]
    dates = sorted({receipt.date for receipt in listed})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    old = catalog.stale(dates[0], today)
    yield f"Prices of APIs: {source}, checked {span}" + (f" ({old})." if old else ".")


def _energy(own: Own) -> Iterator[str]:
    run = own.run
    yield (
        f"Energy and carbon of APIs are unknown, not zero: no seller states them by the token. Own machines take "
        f"{format_quantity(run.kilowatt_hours.likely * 3.6e6, 'J', digits=2)} and "
        f"{format_quantity(run.operational.likely, 'kg CO2e', digits=2)} a month."
    )
