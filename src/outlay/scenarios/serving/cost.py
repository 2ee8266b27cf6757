"""What serving costs: the question with its blanks filled, an instance's layout, a month of it, and its statement."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import __version__
from outlay.accuracy.serving.ranges import UNTRIED
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.named import check_texts
from outlay.scenarios.serving.demand import sizes_of
from outlay.scenarios.serving.figures import cost_figures, figures_of
from outlay.scenarios.serving.fit import in_bursts, serve, waits_of
from outlay.scenarios.serving.hints import hints_of
from outlay.scenarios.serving.lines import lines_of
from outlay.scenarios.serving.playing import too_much
from outlay.scenarios.serving.provenance import serving_receipts
from outlay.scenarios.serving.question import ServingQuestion, ask_serving
from outlay.scenarios.serving.ranged import relative_ranges
from outlay.scenarios.serving.rates import rate_words
from outlay.scenarios.serving.refusal import devices_of, refusal
from outlay.scenarios.serving.run import ServingRun
from outlay.scenarios.serving.sections import sections_of
from outlay.scenarios.serving.ways import Served, Tried, layout_words
from outlay.scenarios.terms import Terms, agree, price_notes
from outlay.scenarios.today import today as day
from outlay.serving import Requests, ServingCoefficients, load_serving
from outlay.serving.objectives import FULL
from outlay.statement import Assumption, Figure, Statement
from outlay.training.ranges import parse_level, percent
from outlay.units import format_quantity
from outlay.workload import Architecture

assert _render.FORMATS
HALF = 0.5
"""Share of the highest rate below which nobody waits for long."""
NEAR = 1e-3
"""Share by which the most of a plan and that of the same machines alone may differ."""
_TEXTS = (
    *("on", "prefill_on", "decode_on", "engine", "quant", "kv", "layout", "prefill_layout", "draft"),
    *("offload_to", "interconnect", "provider", "tier", "grid"),
)


def cost_serving(
    model: str | Mapping[str, object] | Architecture,
    *,
    on: str | None = None,
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
    egress: str | float | None = None,
    people: str | float | None = None,
    interval: str | float | None = None,
    notes: tuple[str, ...] = (),
    coefficients: ServingCoefficients | None = None,
    today: datetime.date | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Statement:
    """What a month of serving `model` costs with the accelerators `on` (`h100-sxm:8`).

    The load is one of `rate` (`"5/s"`), `concurrency`, `users` or `trace`, whose requests are played one by one. Everything
    else is found or assumed, and then said in `Statement.assumed`. Texts are read as on the command line; numbers are in
    base units.

    >>> answer = cost_serving("llama-3-8b", on="h100-sxm:1", input=1024, output=256, rate=2, price=2)
    >>> round(answer.total.amount.likely, 2), [line.key for line in answer.lines]
    (1460.0, ['accelerators'])

    :raises InputError: for anything that cannot be read, or that nobody sells.
    :raises DoesNotFit: if the model does not fit, or the load is too much, with what would help.
    """
    asked = {
        name: value for name, value in locals().items() if name not in ("notes", "coefficients", "today", "progress")
    }
    check_texts(asked, *_TEXTS)
    level = parse_level(interval, since=UNTRIED)
    coefficients = coefficients or load_serving()
    question = ask_serving(
        model,
        on=on,
        prefill_on=prefill_on,
        decode_on=decode_on,
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
        engine=engine,
        quant=quant,
        kv=kv,
        layout=layout,
        prefill_layout=prefill_layout,
        step_tokens=step_tokens,
        max_num_seqs=max_num_seqs,
        replicas=replicas,
        ttft=ttft,
        tpot=tpot,
        draft=draft,
        draft_tokens=draft_tokens,
        acceptance=acceptance,
        adapters=adapters,
        offload_to=offload_to,
        battery=battery,
        gpus_per_node=gpus_per_node,
        interconnect=interconnect,
    )
    if use is None and hardware is not None:
        use = 1.0  # a month of serving pays for every hour

    def agreed(pool: ServingQuestion) -> Terms:
        return agree(
            pool,
            provider=provider,
            tier=tier,
            price=price,
            discount=discount,
            grid=grid,
            pue=pue,
            electricity=electricity,
            data=None,
            checkpoints=0,
            lost_work=None,
            hardware=hardware,
            life=life,
            use=use,
            egress=egress,
            people=people,
            a_month=True,
        )

    terms = agreed(question)
    served = serve(question, coefficients, progress=progress)
    if isinstance(served, Tried):
        raise refusal(question, served, coefficients)
    waits = waits_of(question, served, coefficients)
    if waits is not None and question.demand.burstiness != 1.0:
        served = in_bursts(served, waits)
    run = ServingRun(
        question=question,
        served=served,
        terms=terms,
        prompt_terms=None if question.prefill is None else agreed(question.prefill),
        coefficients=coefficients,
        waits=waits,
        fitted_on=serving_receipts(coefficients),
    )
    if coefficients == load_serving():  # nobody knows how far others are off
        run = replace(run, relative=relative_ranges(question, level), level=level)
    return statement_of(
        run,
        notes=(*price_notes(terms, today or day()), *notes_of(run), *notes),
        inputs=inputs_of(asked),
    )


def statement_of(run: ServingRun, *, notes: tuple[str, ...], inputs: Mapping[str, str | int | float]) -> Statement:
    """A month line by line, with what was assumed for it."""
    run = replace(run, assumed=assumed_of(run))
    return Statement(
        title_of(run),
        lines=lines_of(run),
        answer=_answer(run),
        sections=sections_of(run),
        assumed=run.assumed,
        notes=notes,
        hints=hints_of(run, inputs),
        inputs=inputs,
        coverage=run.level,
        version=__version__,
    )


def _answer(run: ServingRun) -> dict[str, Figure]:
    """Energy and carbon, then what tokens cost, then how quick they are."""
    figures = figures_of(run)
    first = {name: figures.pop(name) for name in ("joules", "kg_co2e")}
    return {**first, **cost_figures(run), **figures}


def title_of(run: ServingRun) -> str:
    """What is served to whom on what, for a month; and whether it is too much."""
    question, demand = run.question, run.question.demand
    sizes = sizes_of(demand)
    devices = devices_of(question)
    title = f"A month of {question.architecture.name} on {devices}: {demand.words}, {sizes}"
    if not run.served.overrun or demand.rate is None:
        return title
    return (
        f"{title}; too much: {rate_words(demand.rate)} come, {rate_words(run.served.requests_per_second)} are answered"
    )


def assumed_of(run: ServingRun) -> tuple[Assumption, ...]:
    """Everything that was taken because nobody said."""
    return (
        *run.question.assumed,
        *_layout(run.served, run.question),
        *_split(run),
        *run.terms.assumed,
        *_others(run),
        *_making(run),
    )


def _layout(served: Served, question: ServingQuestion) -> Iterator[Assumption]:
    """The layout and the number of instances, unless they were asked for."""
    if served.looked_at <= 1:
        return
    best = "quickest, to 2 %," if question.demand.rate is not None else "one that answers most"
    why = (
        f"the {best} of {served.carrying:,} that carry the load, of {served.fitting:,} that fit, "
        f"of {served.looked_at:,} looked at"
    )
    value = f"{served.replicas:,} × {layout_words(served.deployment.layout)}"
    if served.prefill is not None:
        value = f"{served.prefill_replicas:,} × {layout_words(served.prefill.layout)} for prompts, {value} for answers"
    yield Assumption("layout", value=value, why=why)


def _others(run: ServingRun) -> Iterator[Assumption]:
    """What was assumed of the price of the devices for prompts, where they are of another kind."""
    if run.prompt_terms is None:
        return
    for entry in run.prompt_terms.assumed:
        if entry.name in ("price", "tier") and entry not in run.terms.assumed:
            yield replace(entry, name=f"{entry.name} of prompts")


def _split(run: ServingRun) -> Iterator[Assumption]:
    """How many layers are on the device, and how many on the processor."""
    deployment, whole = run.served.deployment, run.question.architecture.depth
    if run.question.host is None:
        return
    if deployment.beyond is None:
        yield Assumption("layers", value=f"all {whole} on the accelerator", why="they fit, so the processor has none")
        return
    near = deployment.architecture.depth
    value = f"{near} of {whole} on the accelerator, the others on the {run.question.host.name}"
    yield Assumption("layers", value=value, why="as many as fit; a token passes the ones, then the others")


def _making(run: ServingRun) -> Iterator[Assumption]:
    yield Assumption(
        "carbon of making",
        value=f"{run.making.likely:,.0f} kg a device ({run.making.low:,.0f} to {run.making.high:,.0f})",
        why=f"over {run.life.likely:g} years",
        receipt=run.making.receipt,
    )


def notes_of(run: ServingRun) -> Iterator[str]:
    """What a reader should know beside the lines."""
    served = run.served
    yield "A month is 730 hours, and all of them are paid."
    engine = served.deployment.engine
    if run.front_end:
        front = format_quantity(run.front_end, "s", digits=2)
        yield (
            f"Times are those that a client on the same machine sees: {front} of a first token are {engine.name}'s front end "
            "(connection, tokenizer, queues; fitted). The network to your users comes on top."
        )
    if run.waits is not None and served.replay is None:
        share = float(served.busiest.utilisation)
        if share > FULL * (1.0 + NEAR):
            yield (
                f"The load is {format_quantity(share, '%')} of the most that is answered: so close to it waits grow for hours, "
                "and a little more of it has no end. Do not plan so."
            )
        waited, slow = (run.waits.quantile("ttft", quantile) for quantile in (0.5, 0.99))
        overrun = too_much(run.waits, float(served.busiest.e2e))
        if overrun:
            yield overrun
        elif share > HALF and not 0.5 * waited <= float(served.busiest.ttft) <= slow:
            yield (
                "The mean wait is that of a load without end, and what is played are its first requests: 99 in 100 are put no "
                "sooner than the mean."
            )
        if not run.waits.lasting:
            yield (
                "More requests are inside at a time than are played: they meet emptier instances than those that come later, "
                "and 99 in 100 are put no sooner than the mean."
            )
    if served.replay is not None:
        yield "The layout was chosen by the means of the trace; the month is as busy as the trace, all along."
        if served.overrun:
            late = format_quantity(served.overrun, "s", digits=2)
            yield (
                f"The trace brings requests faster than they are answered: its last answer ends {late} after its last request, "
                "and the month has as many requests as are answered."
            )
    if run.question.host is not None and served.deployment.beyond is not None:
        yield (
            f"Prompts are computed where their layers lie: an engine that copies those of the {run.question.host.name} to the "
            "accelerator for long prompts has its first tokens several times sooner, which the ranges do not hold."
        )
    if run.question.demand.burstiness != 1.0:
        yield "Latencies are those of requests played in bursts; the layout was chosen as if they came at random."
    if served.idle:
        one = served.idle == 1
        yield (
            f"{served.idle:,} of {run.question.all_devices:,} accelerators belong{'s' if one else ''} to no instance; "
            f"{'it is' if one else 'they are'} paid for."
        )
    if served.working < served.replicas:
        rest = served.replicas - served.working
        nouns = "instance gets" if rest == 1 else "instances get"
        yield f"{rest:,} {nouns} no request: there are fewer clients than instances."
    if run.level is None:
        yield "How far coefficients of your own are off is not known: `outlay validate` prints the error on measured runs."
    else:
        yield (
            f"Ranges: {percent(run.level)} of measured deployments from sources that our fit had not used lie within them; to "
            "energy the range of the building is added, each at its worst."
        )
