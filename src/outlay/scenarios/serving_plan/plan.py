"""The best plan for serving: over accelerators, sellers, counts, formats, layouts and modes, within latency and purse."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import __version__
from outlay.accuracy.serving.ranges import UNTRIED
from outlay.catalog import Accelerator
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.serving.playing import Fleet, play_at_random, too_much
from outlay.scenarios.serving.provenance import serving_receipts
from outlay.scenarios.serving.quality import quality_sections
from outlay.scenarios.serving_plan.alone import alone
from outlay.scenarios.serving_plan.exporting import started_by
from outlay.scenarios.serving_plan.lines import Priced, figures_of, lines_of
from outlay.scenarios.serving_plan.offered import GOALS, judged_of, ranked
from outlay.scenarios.serving_plan.offers import ENDLESS
from outlay.scenarios.serving_plan.question import ENGINES as STARTED
from outlay.scenarios.serving_plan.relief import relief_table
from outlay.scenarios.serving_plan.search import ServingFound, offered_by_all, search_serving
from outlay.scenarios.serving_plan.sections import (
    all_table,
    binding,
    day_table,
    front_table,
    looked_at,
    nearest,
    plan_table,
    substitute,
)
from outlay.scenarios.serving_plan.words import (
    instances,
    limits_in_words,
    load_in_words,
    machines,
    seller,
    setting,
)
from outlay.scenarios.terms import agree, price_notes
from outlay.scenarios.today import today as day_of
from outlay.serving import ServingCoefficients, load_serving, perform
from outlay.serving.room import reserves
from outlay.statement import Assumption, Statement
from outlay.training.ranges import parse_level, percent
from outlay.workload import Architecture

assert _render.FORMATS


def plan_serving(
    model: str | Mapping[str, object] | Architecture,
    *,
    input: str | int | None = None,
    output: str | int | None = None,
    rate: str | float | None = None,
    users: str | int | None = None,
    requests_per_user: str | float | None = None,
    peak: str | float | None = None,
    day: str | None = None,
    start_up: str | float | None = None,
    prefix_hit: str | float | None = None,
    turns: str | int | None = None,
    ttft: str | float | None = None,
    tpot: str | float | None = None,
    p99: bool = False,
    goal: str | None = None,
    under: str | float | None = None,
    carbon: str | float | None = None,
    on: str | None = None,
    count: str | int | None = None,
    have: str | None = None,
    without: str | None = None,
    provider: str | None = None,
    tier: str | None = None,
    engine: str | None = None,
    mode: str | None = None,
    quant: str | None = None,
    worse: str | float | None = None,
    kv: str | None = None,
    max_num_seqs: str | int | None = None,
    price: str | float | None = None,
    discount: str | float | None = None,
    grid: str | None = None,
    pue: str | float | None = None,
    electricity: str | float | None = None,
    hardware: str | float | None = None,
    life: str | float | None = None,
    use: str | float | None = None,
    egress: str | float | None = None,
    people: str | float | None = None,
    interval: str | float | None = None,
    every: bool = False,
    notes: tuple[str, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    coefficients: ServingCoefficients | None = None,
    today: datetime.date | None = None,
) -> Statement:
    """The plan that reaches `goal` (cheapest, fastest, greenest) for a load within latencies, dollars and carbon of a month.

    Every accelerator (`on`: names or `any`), seller, tier, number format (`quant`, or any that is published to be at most
    `worse`), mode and layout is looked at, each with
    the replicas that the load takes. With `p99` 99 of 100 requests keep the latencies, not the mean one. `day` is the load by
    hour, `start_up` the time until an instance answers; then as many instances are on as each hour needs. `every` adds a table
    of all plans. Texts are read as on the command line.

    >>> plan = plan_serving("llama-3-8b", rate=2, input=1024, output=256, ttft="1s", on="h100-sxm,l40s", count=8)
    >>> plan.sections[0].key, plan.total.amount.likely < 2000
    ('plan', True)

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if no plan carries the load within the limits, with the nearest that there is.
    """
    asked = {
        name: value for name, value in locals().items() if name not in ("notes", "progress", "coefficients", "today")
    }
    level = parse_level(interval, since=UNTRIED)
    coefficients = coefficients or load_serving()
    found = search_serving(model, asked, progress=progress, coefficients=coefficients)
    priced = priced_of(found, coefficients, level)
    tables = (
        plan_table(priced),
        front_table(found),
        day_table(priced),
        None if found.wanted.tail else relief_table(found, coefficients),
        all_table(found) if every else None,
        *quality_sections(priced.plan.decode.architecture, priced.plan.block.form.name),
    )
    near = nearest(found)
    return Statement(
        _title(found),
        lines=lines_of(priced),
        answer=figures_of(priced),
        sections=tuple(table for table in tables if table is not None),
        assumed=_assumed(found, priced),
        notes=(
            *binding(found),
            *_missed(found, coefficients),
            *(() if near is None else (near,)),
            looked_at(found),
            *_played(found, coefficients),
            *_supply(found),
            *price_notes(priced.terms, today or day_of()),
            _sure(priced),
            *notes,
        ),
        hints=tuple(_hints(model, found, coefficients)),
        inputs=inputs_of(asked),
        coverage=priced.level,
        version=__version__,
    )


def _sure(priced: Priced) -> str:
    """What ranges hold, and against what limits were held."""
    if priced.level is None:
        return "A month is 730 hours. How far coefficients of your own are off is not known: times are the likely ones."
    return (
        f"A month is 730 hours. Ranges: {percent(priced.level)} of measured deployments from sources that our fit had not used "
        "lie within them. Limits are held against the likely times; how often they are kept is said beside them."
    )


def priced_of(found: ServingFound, coefficients: ServingCoefficients, level: float) -> Priced:
    """The best plan on its terms."""
    best, wanted = found.best, found.wanted
    asked, own = wanted.asked, wanted.money.price is not None
    terms = agree(
        _Machines(best.block.chip),
        provider=None if own else best.offer.provider,
        tier=None if own and not best.offer.owned else best.offer.tier,
        electricity=asked.get("electricity") if best.offer.owned else None,
        data=None,
        checkpoints=0,
        lost_work=None,
        a_month=True,
        **{name: asked.get(name) for name in _TERMS},
    )
    return Priced(
        plan=best,
        wanted=wanted,
        terms=terms,
        fitted_on=serving_receipts(coefficients),
        level=level if coefficients == load_serving() else None,  # nobody knows how far others are off
    )


_WAITS = 2.0
"""Seconds to the first token from which on a plan says how to ask for less, where nobody did."""
_QUICK = (1.0, 0.1)
"""Seconds to the first token and between further ones that are then offered, if some plan has them."""


@dataclass(frozen=True, slots=True)
class _Machines:
    """What terms are agreed on."""

    accelerator: Accelerator


_TERMS = ("price", "discount", "grid", "pue", "hardware", "life", "use", "egress", "people")


def _assumed(found: ServingFound, priced: Priced) -> tuple[Assumption, ...]:
    """What was taken because nobody said: of the question, the machines and the terms."""
    entries = [*found.wanted.assumed, *_engine(found), *_links(found), *priced.terms.assumed]
    return tuple({(entry.name, entry.value): entry for entry in entries}.values())


def _links(found: ServingFound) -> Iterator[Assumption]:
    """How devices of an instance are linked, where there are several; and how evenly experts are asked."""
    best = found.best
    if int(best.block.largest[best.place]) > 1:
        for text in best.decode.cluster.assumed:
            value, bracket, source = text.partition(" (")
            yield Assumption("cluster", value=value, why=source.removesuffix(")") if bracket else "the usual server")
    if found.wanted.architecture.is_moe:
        yield Assumption("expert load", value="balanced", why="routers are trained towards it")


def _engine(found: ServingFound) -> Iterator[Assumption]:
    asked, best = found.wanted.asked, found.best
    if asked.get("engine") is None:
        yield Assumption(
            "engine",
            value=best.block.engine.name,
            why="the usual one on such accelerators; `--engine any` looks at others",
        )
    if asked.get("kv") is None:
        yield Assumption("cache", value="16 bits a number", why="what engines do unless told (`--kv`)")


def _title(found: ServingFound) -> str:
    wanted, best = found.wanted, found.best
    limits = limits_in_words(wanted)
    return (
        f"The {wanted.wanted.goal} way to serve {wanted.architecture.name} for {load_in_words(wanted)}"
        f"{' ' + limits if limits else ''}: {machines(best)} ({seller(best)}; {instances(best)}, {setting(best)})"
    )


def _missed(found: ServingFound, coefficients: ServingCoefficients) -> Iterator[str]:
    """What `--without` takes away, where it would be better."""
    gone = found.wanted.wanted.gone
    if not gone:
        return
    wanted = replace(found.wanted, wanted=replace(found.wanted.wanted, machines=gone))
    offered, _ = offered_by_all(wanted, coefficients)
    if not len(offered):
        return
    order = ranked(offered, wanted, judged_of(offered, wanted))
    if order.size:
        yield from substitute(offered.plan(int(order[0])), found.best, GOALS[wanted.wanted.goal])


CROWDED = 0.8
"""Share of the room for caches from which on a plan is played before it is printed: with less they hardly run out."""


def _played(found: ServingFound, coefficients: ServingCoefficients) -> Iterator[str]:
    """Whether caches run out when the plan is played, in an engine that admits what fits now."""
    plan, wanted = found.best, found.wanted
    if wanted.tail or plan.prefill is not None or reserves(plan.decode.engine):
        return
    load = replace(wanted.load, rate=wanted.rate / plan.replicas)
    if float(perform(plan.decode, load, coefficients).cache_share) < CROWDED:
        return
    fleet = Fleet(decode=plan.decode, replicas=plan.replicas)
    waits = play_at_random(fleet, wanted.demand, coefficients, rate=wanted.rate, seconds=plan.e2e)
    yield from filter(None, [too_much(waits, plan.e2e)])


def _supply(found: ServingFound) -> Iterator[str]:
    """What a price list does not say."""
    best, wanted = found.best, found.wanted
    offered = {offer.chip for offer in found.offered.offers}
    alone = [] if wanted.wanted.any_chip else [name for name in wanted.wanted.machines if name not in offered]
    if alone:
        tiers = " or ".join(wanted.wanted.tiers)
        yield f"Nobody offers {' or '.join(alone)} as {tiers}: `--have {alone[0]}:8` plans with your own."
    yield from _unpriced(found)
    if best.offer.provider is not None and best.offer.most < ENDLESS:
        most = best.offer.most
        size = f"{most:,} × {best.chip}" if most > 1 else f"one {best.chip}"
        yield (
            f"{best.offer.provider} lists {size} in one machine at most, and links no machines: an instance there is no larger. "
            "`outlay cost serving` takes your word for what is linked."
        )
    if best.offer.provider is not None and found.wanted.wanted.had is None:
        yield (
            f"Whether {best.offer.provider} has {best.devices:,} free for you, no list says: `--have` plans with what there "
            "is, `--without` without what there is not."
        )
    if (
        best.block.form.weight_bits < 16
        and found.wanted.formats is None
        and best.block.form.name != found.wanted.published
    ):
        yield f"Answers of {best.block.form.name} weights differ a little from those of {found.wanted.published}."


def _unpriced(found: ServingFound) -> Iterator[str]:
    """Machines of which nobody said what they cost, and what that does to the ranking."""
    tiers, money = found.wanted.wanted.tiers, found.wanted.money
    if money.price is not None or money.own is not None:
        return
    if tiers == ("owned",):
        yield "Dollars are those of electricity: nobody said what the machines cost (`--hardware`, `--price`)."
        return
    for tier in ("owned", "reserved"):
        if tier in tiers:
            how = "`--tier owned` with `--hardware` or `--price`" if tier == "owned" else "`--price`"
            yield f"What is {tier} has no dollars that nobody said, so it is not ranked by them: {how} plans with it."


def _hints(
    model: str | Mapping[str, object] | Architecture, found: ServingFound, coefficients: ServingCoefficients
) -> Iterator[str]:
    """The command that prices the same machines by themselves, and what starts them."""
    best, wanted = found.best, found.wanted
    if (machines_alone := alone(model, found, coefficients)) is not None:
        yield machines_alone
    figures = found.offered.figures
    quick = (figures["kept"] > 0) & (figures["ttft"] <= _QUICK[0]) & (figures["tpot"] <= _QUICK[1])
    if not wanted.objectives.stated and best.ttft > _WAITS and quick[found.usable].any():
        yield "`--ttft 1s --tpot 100ms` looks for a plan that nobody waits for"
    if best.offer.owned and wanted.money.price is None and wanted.money.own is None:
        yield "`--hardware 2000` wears off what an accelerator cost you; `--price 2.10` is your own price of its hour"
    engine = best.block.engine.name
    tools = ("dynamo",) if best.prefill is not None else (engine, "k8s") if engine in STARTED else ()
    if able := " or ".join(f"`--export {tool}`" for tool in started_by(model, found, tools)):
        yield f"{able} writes what starts it"
