"""The tables and sentences of a serving plan: how it runs, what nothing beats, its day, what binds, what came nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from outlay.scenarios.serving.ranged import share_within
from outlay.scenarios.serving.rates import rate_words
from outlay.scenarios.serving_plan.lines import Priced
from outlay.scenarios.serving_plan.offered import GOALS, Plan, limits_of
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.scenarios.serving_plan.search import ServingFound
from outlay.scenarios.serving_plan.words import (
    FLAGS,
    instances,
    machines,
    nearest_plan,
    seller,
    setting,
    typed,
    why,
)
from outlay.search.front import front
from outlay.statement import Cell, Column, Figure, Interval, Table
from outlay.units import format_money, format_quantity

_MOST_ROWS = 12
_WIDE = "\N{NO-BREAK SPACE}"


def plan_table(priced: Priced) -> Table:
    """How the plan runs: what an engine is started with."""
    plan, wanted = priced.plan, priced.wanted
    engine = plan.decode.engine
    rows: list[tuple[Cell, ...]] = [("instances", instances(plan))]
    if plan.prefill is not None:
        rows.append(("prefill to decode", f"{plan.prefill_replicas:,} : {plan.replicas:,}"))
    rows += [
        ("weights and cache", f"{plan.block.form.name}, {plan.decode.cache}"),
        ("engine", engine.name),
        ("tokens of a step", f"{int(engine.chunk_tokens):,} at most"),
        ("running together", f"{batch_limit(plan, wanted.most_sequences):,} at most in an instance"),
        ("load", f"{rate_words(wanted.rate)}" + (" in the busiest hour" if wanted.rate != wanted.demand.rate else "")),
        ("carries", _carries(plan, wanted)),
    ]
    for name, label in (("ttft", "first token"), ("tpot", "each further token")):
        words = format_quantity(getattr(plan, name), "s")
        if plan.tails is not None:
            words += f", 99 of 100 within {format_quantity(plan.tails[name == 'tpot'], 's')}"
        if name in wanted.objectives.stated:
            words += f" of {format_quantity(float(getattr(wanted.objectives, name)), 's')} allowed{_kept(priced, name)}"
        rows.append((label, words))
    return Table("The plan", columns=("What", "How"), rows=rows, receipts=priced.fitted_on, key="plan")


def _carries(plan: Plan, wanted: ServingWanted) -> str:
    """The most requests: within the latencies, and however long they wait."""
    most = max(float(plan.block.sustained[plan.place]), plan.capacity)
    if not wanted.objectives.stated:
        return f"{rate_words(plan.capacity)}; {rate_words(most, beside=plan.capacity)} at most, as full as they get"
    within = f"{rate_words(plan.capacity)} within the latencies"
    return f"{within}; {rate_words(most, beside=plan.capacity)} at most, however long they wait"


def _kept(priced: Priced, name: str) -> str:
    """How many of such deployments keep a limit, by how far measured ones lay from what was predicted."""
    if priced.level is None:
        return ""
    plan, limit = priced.plan, float(getattr(priced.wanted.objectives, name))
    likely = float(getattr(plan, name)) if plan.tails is None else plan.tails[name == "tpot"]
    share = share_within("first" if name == "ttft" else "decode", limit / max(likely, 1e-12), priced.doubts)
    return f": {min(round(share * 100), 99)} of 100 such deployments keep it"


def batch_limit(plan: Plan, told: int | None) -> int:
    """Requests that run together at most in an instance: as many as were `told` for each data-parallel device, else as many as
    are inside when it carries the most that it may."""
    if told is not None:
        return told * int(plan.decode.layout.data)
    pool = plan.block.decode
    inside = float(pool.ways.inside[pool.way[plan.place]])
    # On average while others wait: now and then it is one more.
    most = float(np.ceil(np.asarray(pool.ways.loops.limits.sequences)[pool.way[plan.place]]))
    if plan.decode.engine.batching == "static":
        return int(most)
    return int(max(min(np.ceil(inside) + 1.0, most), 1.0))


def front_table(found: ServingFound) -> Table:
    """Plans that no other beats in dollars, latency and the load that they carry, the cheapest first."""
    offered, kept = found.offered, unbeaten(found)
    shown_ones = kept
    dollars = offered.figures["dollars"][kept]
    if len(kept) > _MOST_ROWS and np.isfinite(dollars).all() and dollars[0] > 0:
        # Even steps of the cost in per cent: what is a little dearer than the best is asked for most.
        steps = np.geomspace(dollars[0], dollars[-1], _MOST_ROWS)
        shown_ones = kept[np.unique(np.searchsorted(dollars, steps * (1.0 - 1e-9)))]
    several = len({offered.blocks[int(offered.block[place])].form.name for place in kept}) > 1
    plans = [offered.plan(int(place)) for place in shown_ones]
    notes = []
    if any(plan.prefill is not None for plan in plans):
        notes.append("Of two kinds of instances the first compute prompts, and the others decode.")
    if found.wanted.tail:
        notes.append("Latencies are of the mean request: of these plans not all keep them for 99 of 100.")
    if len(shown_ones) < len(kept):
        notes.append(f"{len(shown_ones)} of {len(kept):,}; `--all` lists every plan.")
    return Table(
        "Cost, latency and the load carried: plans that no other beats in all three",
        columns=("Accelerators", "Instances", "First", "Each", "Carries", Column("Month", unit="$")),
        rows=[
            (
                machines(plan).replace(" ", _WIDE),
                _short(plan, several=several),
                Figure(Interval.of(plan.ttft), unit="s"),
                Figure(Interval.of(plan.tpot), unit="s"),
                Figure(Interval.of(plan.capacity), unit="/s") if plan.capacity else None,
                plan.dollars if np.isfinite(plan.dollars) else None,
            )
            for plan in plans
        ],
        notes=tuple(notes),
        key="front",
    )


def unbeaten(found: ServingFound) -> NDArray[np.intp]:
    """The places of plans within the limits that none beats in dollars, latency and the load carried, the cheapest first."""
    figures, usable = found.offered.figures, found.usable
    # Sellers of the same plan differ in dollars alone: the cheapest of each is enough.
    keys = found.offered.block[usable] * (1 + int(found.offered.place.max())) + found.offered.place[usable]
    order = np.lexsort((figures["dollars"][usable], keys))
    first = order[np.unique(keys[order], return_index=True)[1]]
    one = usable[first]
    return one[front(figures["dollars"][one], figures["e2e"][one], -figures["capacity"][one])]


def _short(plan: Plan, *, several: bool) -> str:
    """`4 × tp=8`, or two of them where prompts are computed apart; with the format where there are several."""
    parts = [part.replace(" ", _WIDE) for part in instances(plan).split(" + ")]
    return f"{_WIDE}+ ".join(parts) + (f" {plan.block.form.name}" if several else "")


def all_table(found: ServingFound) -> Table:
    """Every plan within the limits, the best first."""
    rows: list[tuple[Cell, ...]] = []
    known: dict[tuple[int, int], tuple[Cell, ...]] = {}  # how a plan runs, whoever sells its machines
    for place in found.usable:
        plan = found.offered.plan(int(place))
        key = int(found.offered.block[place]), plan.place
        if key not in known:
            form, engine = plan.block.form.name, plan.block.engine.name
            known[key] = (instances(plan), form, engine, int(plan.decode.engine.chunk_tokens))
        rows.append(
            (
                machines(plan),
                *known[key],
                seller(plan),
                plan.ttft,
                plan.tpot,
                plan.e2e,
                plan.capacity or None,
                plan.dollars if np.isfinite(plan.dollars) else None,
                plan.kg_co2e,
                plan.kilowatt_hours,
            )
        )
    return Table(
        "All plans within the limits",
        columns=(
            *("Accelerators", "Instances", "Weights", "Engine", Column("Step", unit="tokens"), "Seller"),
            *(Column("First", unit="s"), Column("Each", unit="s"), Column("Answer", unit="s")),
            *(Column("Carries", unit="requests/s"), Column("Month", unit="$"), Column("CO₂e", unit="kg CO2e")),
            Column("Energy", unit="kWh"),
        ),
        rows=rows,
        key="all",
    )


def day_table(priced: Priced) -> Table | None:
    """Instances by hour, and what following the day saves."""
    day, wanted = priced.wanted.day, priced.wanted
    if day is None:
        return None
    rates = wanted.rate * np.asarray(day.share) / day.peak
    parts = [(name, *priced.by_part(pool)) for _, name, pool in priced.pools]
    several = len(parts) > 1
    columns: list[str | Column] = ["From", Column("Requests", unit="/s")]
    for name, _, _ in parts:
        short = ("Prompts: " if "prompts" in name else "Decode: ") if several else ""
        columns += [f"{short}needed", f"{short}paid"]
    rows: list[tuple[Cell, ...]] = []
    for part, rate in enumerate(rates):
        minutes = round(part * day.seconds / 60.0)
        counts = [count for _, needed, paid in parts for count in (int(needed[part]), round(float(paid[part]), 3))]
        rows.append((f"{minutes // 60:02d}:{minutes % 60:02d}", float(rate), *counts))
    return Table(
        "The day: instances by hour", columns=tuple(columns), rows=rows, notes=tuple(_saved(priced)), key="day"
    )


def _saved(priced: Priced) -> Iterator[str]:
    """What following the day saves against the instances of the busiest hour all day long."""
    plan, day = priced.plan, priced.wanted.day
    assert day is not None
    ready = format_quantity(day.start_up, "s", digits=2) if day.start_up else "at once"
    yield (
        f"Instances that an hour needs are asked for {ready} before it." if day.start_up else "They are ready at once."
    )
    fixed = plan.dollars / plan.day if plan.day else plan.dollars
    if plan.day > 1.0 - 1e-9:
        yield "Every hour takes all of them: following the day saves nothing."
    elif np.isfinite(fixed) and fixed > 0:
        saved = format_quantity(1.0 - plan.day, "%", digits=2)
        yield (
            f"Following the day costs {format_money(plan.dollars)} a month, all {plan.devices:,} all day "
            f"{format_money(fixed)}: it saves {saved}."
            + (" Machines of your own save their power alone." if plan.offer.owned else "")
        )


def looked_at(found: ServingFound) -> str:
    """How much was looked at: every count adds up."""
    counts, offered = found.counts, found.offered
    whole, usable = len(offered), found.usable
    best = unbeaten(found).size
    return (
        f"Looked at {counts.looked_at:,} layouts with their limits: {counts.illegal:,} illegal, {counts.too_big:,} too big "
        f"for the memory, {counts.too_slow:,} too slow at any count, {counts.kept:,} that carry the load. With their counts "
        f"and sellers these are {whole:,} plans: {whole - usable.size:,} beyond a limit, {usable.size - best:,} beaten by "
        f"others in everything, {best:,} that none beats."
        + (f" {counts.lacking:,} formats were left out on chips that lack them." if counts.lacking else "")
    )


def binding(found: ServingFound) -> Iterator[str]:
    """The limits that keep better plans out, and what giving each up would bring; the most first."""
    entries = sorted(_without(found), key=lambda entry: entry[1])
    for number, (name, _, words) in enumerate(entries):
        what = "What binds is" if number == 0 else "So does"
        yield f"{what} `{FLAGS[name]} {typed(name, limits_of(found.wanted)[name])}`: without it, {words}."


def _without(found: ServingFound) -> Iterator[tuple[str, float, str]]:
    """For each limit that binds: its name, the goal without it, and the plan that it keeps out."""
    offered, judged, wanted = found.offered, found.judged, found.wanted
    figures, best = offered.figures, found.best
    key = GOALS[wanted.wanted.goal]
    goal, now = figures[key], float(getattr(best, key))
    money = [name for name in limits_of(wanted) if name in ("dollars", "kg_co2e")]
    if key != "e2e" and not wanted.tail:
        for name in wanted.objectives.stated:
            share = figures[f"without_{name}"]
            others = np.isfinite(share)
            for limit in money:
                others &= figures[limit] * np.where(np.isfinite(share), share, 1.0) <= limits_of(wanted)[limit]
            places = np.flatnonzero(others & np.isfinite(goal))
            if not places.size:
                continue
            place = places[np.argmin((goal * share)[places])]
            then = float(goal[place] * share[place])
            if then < now * (1.0 - 1e-3):
                plan = offered.plan(int(place))
                devices = round(plan.devices * float(share[place]))
                yield (
                    name,
                    then,
                    f"{devices:,} × {plan.chip} ({seller(plan)}, {setting(plan)}) {_change(key, then - now)}",
                )
    for name in money:
        allowed = np.flatnonzero(judged.without(name) & (figures["kept"] > 0) & np.isfinite(goal))
        if allowed.size and goal[allowed].min() < now * (1.0 - 1e-3):
            place = allowed[np.argmin(goal[allowed])]
            plan = offered.plan(int(place))
            words = f"{machines(plan)} ({seller(plan)}, {setting(plan)}) {_change(key, float(goal[place]) - now)}"
            yield name, float(goal[place]), words


def _change(key: str, value: float) -> str:
    """`costs $2,100 less a month`."""
    forms: dict[str, Callable[[float], str]] = {
        "dollars": lambda size: f"would cost {format_money(size)} less a month",
        "kg_co2e": lambda size: f"would emit {format_quantity(size, 'kg CO2e')} less a month",
        "e2e": lambda size: f"would answer {format_quantity(size, 's')} sooner",
    }
    return forms[key](abs(value))


def nearest(found: ServingFound) -> str | None:
    """The plan that failed by the least, and why."""
    place = nearest_plan(found.offered, found.judged, found.wanted)
    if place is None:
        return None
    near = found.offered.plan(place)
    words = why(found.judged, place, near, found.wanted)
    return f"Nearest that fails: {machines(near)} ({seller(near)}; {instances(near)}, {setting(near)}): {words}."


def substitute(missed: Plan, best: Plan, key: str) -> Iterator[str]:
    """What the best plan costs more than one with machines that cannot be had, where that would be better."""
    change = float(getattr(missed, key)) - float(getattr(best, key))
    if change < 0:
        yield (
            f"The best substitute for {missed.chip} is {machines(best)} ({seller(best)}): with it, {machines(missed)} "
            f"({seller(missed)}) {_change(key, change)}."
        )
