"""The tables of a comparison: the two bills side by side, each API, each seller of the machines, how full they are."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from outlay import catalog
from outlay.economics import HOURS_PER_MONTH
from outlay.scenarios.buying.bills import DAYS, Bill, Crossing, crossing, labels
from outlay.scenarios.buying.own import Own
from outlay.scenarios.buying.question import Beside
from outlay.scenarios.buying.sizes import Kind, Unit
from outlay.scenarios.serving_plan.offers import Offer
from outlay.statement import Cell, Column, Line, Table
from outlay.statement.line import total
from outlay.units import format_quantity

_MOST = 8
_FULL = (0.05, 0.1, 0.25, 0.5, 1.0)
_NEVER = "never"
_ASKED = {
    "input": "Input",
    "cached": "Cached",
    "output": "Output",
    "batch_input": "Batch in",
    "batch_output": "Batch out",
}
"""What a million tokens may have a price of."""


def two_bills(own: tuple[Line, ...], api: tuple[Line, ...], name: str) -> Table:
    """Line by line what each choice costs; a dash is a figure that nobody gave."""
    left, right = own[-1].children, api[-1].children
    machines, *running = own[:-1]
    rows: list[tuple[Cell, ...]] = [
        ("Machines, or tokens", _likely((machines,)), _likely(api[:-1])),
        *((part.name, _likely((part,)), 0.0) for line in running for part in line.children),
        *((mine.name, _likely((mine,)), _likely((theirs,))) for mine, theirs in zip(left, right, strict=True)),
    ]
    notes = [
        f"{line.name}, {side}: {line.note}."
        for side, lines in (("own", left), ("API", right))
        for line in lines
        if line.note
    ]
    notes = [f"{part.name}, API: its tokens hold it." for line in running for part in line.children] + notes
    return Table(
        "The two bills of a month",
        columns=("Line", Column("Own machines", unit="$", total=True), Column(name, unit="$", total=True)),
        rows=rows,
        notes=notes,
        key="bills",
        footer_label="At least",
    )


def _likely(lines: tuple[Line, ...]) -> float | None:
    if not all(line.priced for line in lines):
        return None
    found = total(lines)
    return None if found is None else found.likely


def apis(bills: Sequence[Bill], own: Own, beside: Beside) -> Table:
    """Each API: what it serves, its bill, and the load from which machines are cheaper than it."""
    ranked = sorted(bills, key=lambda bill: (not bill.same, bill.month.likely))
    shown = ranked[:_MOST] if len(ranked) > _MOST + 1 else ranked
    rows, called = [], labels(tuple(bills))
    for bill in shown:
        ratio = None
        if own.dollars is not None and own.dollars.likely:
            ratio = (bill.month.likely + beside.of_api) / (own.dollars.likely + beside.of_own)
        month = bill.month.likely + beside.of_api
        rows.append((called[bill.price.name], bill.serves, month, ratio, cheaper_from(own, bill, beside)))
    notes = (
        [f"{len(ranked) - len(shown)} dearer ones of the same kind are left out."] if len(shown) < len(ranked) else []
    )
    notes += [f"{bill.price.name} is no longer listed by its seller." for bill in shown if bill.price.withdrawn]
    if beside.of_api:
        notes.append("A month: with what was said to come with an API.")
    if beside.of_own:
        notes.append("Over own: over the machines and their people.")
    return Table(
        "Hosted APIs",
        columns=("API", "Model", Column("A month", unit="$"), Column("Over own (×)", digits=2), "Own from (a day)"),
        rows=rows,
        notes=notes,
        receipts=tuple(bill.price.receipt for bill in shown),
        key="apis",
    )


def cheaper_from(own: Own, bill: Bill, beside: Beside, *, kinds: tuple[Kind, ...] | None = None) -> str | float:
    """The requests of a day from which machines are cheaper than an API, or in words why there are none."""
    if own.step is None:
        return "not priced"
    return _from(crossing(own, bill, beside, kinds=kinds))


def _from(found: Crossing) -> str | float:
    if found.first is None:
        return _NEVER
    return "any load" if found.first == 0 else found.first / DAYS


def asked(bills: Sequence[Bill], today: datetime.date) -> Table:
    """What APIs ask for a million tokens, and how old the figure is."""
    ranked = sorted(bills, key=lambda bill: (not bill.same, bill.month.likely))[: _MOST + 1]
    rows, called = [], labels(tuple(bills))
    # What none of them has a price of is no column.
    asking = {
        name: word for name, word in _ASKED.items() if any(getattr(bill.price, name) is not None for bill in ranked)
    }
    for bill in ranked:
        price = bill.price
        age = f"{catalog.age_days(price.receipt.date, today)} d ago" if price.receipt.date else "yours"
        sold = price.model.rpartition("/")[2] or "your price"
        rows.append(
            (
                called[price.name].partition("/")[0],
                sold,
                *(getattr(price, name) for name in asking),
                age,
            )
        )
    notes = [
        f"{bill.price.name}: prompts past {bill.price.tier_from:,} tokens cost more."
        for bill in ranked
        if bill.price.tier_from
    ]
    notes += [
        f"{bill.price.name}: putting tokens into its cache costs ${bill.price.written:g} a million, which is not counted."
        for bill in ranked
        if bill.price.written and bill.price.cached and bill.price.written > bill.price.input
    ]
    return Table(
        "What they ask for a million tokens",
        columns=(
            *("API", "Sold as"),
            *(Column(word, unit="$/M") for word in asking.values()),
            "Checked",
        ),
        rows=rows,
        notes=notes,
        receipts=tuple(bill.price.receipt for bill in ranked),
        key="api-prices",
    )


def machines(owns: Sequence[Own], bill: Bill, beside: Beside) -> Table:
    """Machines of each kind for this load, cheapest first."""
    return Table(
        "Own machines for this load",
        columns=(
            *("Machines", "Seller", "Tier", Column("A month", unit="$"), Column("In use", unit="%", digits=2)),
            "Own from (a day)",
        ),
        rows=[
            (
                f"{own.run.question.devices:,} × {own.run.question.accelerator.name}",
                own.run.terms.provider or "yours",
                own.run.terms.tier,
                None if own.dollars is None else own.dollars.likely + beside.of_own,
                own.use,
                cheaper_from(own, bill, beside, kinds=own.kinds),
            )
            for own in owns
        ],
        notes=(
            "In use: requests over those that the machines could answer if they came evenly all month.",
            *_with_people(beside),
        ),
        receipts=tuple(receipt for own in owns for receipt in own.run.terms.price_receipts),
        key="machines",
    )


def _with_people(beside: Beside) -> tuple[str, ...]:
    return ("A month: with people.",) if beside.of_own else ()


def sellers(own: Own, bill: Bill, beside: Beside) -> Table | None:
    """What the load takes at each seller and tier of the same accelerator; None where the price is the user's own."""
    found = sorted(_sold(own), key=lambda sold: sold[2])
    if len(found) < 2:
        return None
    rows = []
    for offer, unit, dollars in found[:_MOST]:
        there = _from(_crossing_at(own, offer, unit, bill, beside))
        rows.append((offer.provider, offer.tier, offer.price, unit.whole, dollars + beside.of_own, there))
    left, few = len(found) - len(rows), len(own.offers) - len(found)
    return Table(
        f"{own.run.question.accelerator.name}, by seller and tier",
        columns=(
            *("Seller", "Tier", Column("A device-hour", unit="$"), "Devices", Column("A month", unit="$")),
            "Own from (a day)",
        ),
        rows=rows,
        notes=(
            *((f"{left} dearer ones are left out.",) if left else ()),
            *((f"{few} that link too few are left out.",) if few else ()),
            *_with_people(beside),
        ),
        key="sellers",
    )


def sold_cheaper(own: Own, bill: Bill, beside: Beside) -> Iterator[tuple[str, str, float]]:
    """Sellers at whose prices machines of the same accelerator become cheaper than an API, with their tier and the requests of
    a day from which they do: those of the tier that is priced first, the least load first."""
    found = []
    for offer, unit, _ in _sold(own):
        crossed = _crossing_at(own, offer, unit, bill, beside)
        if crossed.first is not None:
            found.append((offer.tier != own.run.terms.tier, crossed.first / DAYS, offer.provider or "", offer.tier))
    yield from ((seller, tier, requests) for _, requests, seller, tier in sorted(found))


def _sold(own: Own) -> Iterator[tuple[Offer, Unit, float]]:
    """Each offer with what is taken there, and dollars of a month of it."""
    for offer in own.offers:
        unit = own.sizes.taken(offer.most)
        if unit is not None and offer.price is not None:
            yield offer, unit, unit.whole * offer.price * HOURS_PER_MONTH


def _crossing_at(own: Own, offer: Offer, unit: Unit, bill: Bill, beside: Beside) -> Crossing:
    """Where the bills cross at one seller: with the machines that are taken there, and at its own price."""
    least = unit.count if own.sizes.counted else 1
    return crossing(own, bill, beside, kinds=own.sizes.kinds((offer,)), least=least)


def how_full(own: Own, bill: Bill, beside: Beside) -> Table | None:
    """Dollars of a million tokens by the use of a machine, beside what the API asks at any load."""
    if own.step is None:
        return None
    demand, unit = own.run.question.demand, own.unit
    tokens = (demand.input + demand.output) / 1e6
    here = own.use
    rows = []
    for share in sorted({*_FULL, here}):
        requests = unit.capacity * unit.peak * share
        rows.append(
            (
                share,
                requests / DAYS,
                own.step / (requests * tokens),
                bill.each / tokens,
            )
        )
    most = 1 / unit.peak
    notes = [f"{format_quantity(here, '%', digits=2)}: with the load that is asked about."]
    if beside.of_own or beside.of_api:
        notes.append("Machines and tokens alone, without what comes beside them.")
    if most < 1:
        words = format_quantity(most, "%", digits=2)
        notes.append(f"At most {words} while the busiest hour has {unit.peak:.3g} times the mean.")
    each = "machine" if unit.devices == 1 else f"group of {unit.devices} machines"
    return Table(
        f"Dollars of a million tokens, by how full each {each} is",
        columns=(
            Column("In use", unit="%", digits=2),
            Column("Requests a day", digits=3),
            Column("Own", unit="$/M"),
            Column(bill.called, unit="$/M"),
        ),
        rows=rows,
        notes=notes,
        key="use",
    )
