"""The lines of a month of serving: what is rented or worn off, burnt, moved and paid to people."""

from __future__ import annotations

from collections.abc import Iterator

from outlay.scenarios.serving.grounds import POWER_BILL, PRICE, TIME, grounds
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.run import HOURS, ServingRun
from outlay.scenarios.terms import Terms, hour_unit
from outlay.statement import Figure, Interval, Line

_NAMES = {
    "input": ("Prompts", "device time of prompts, shared out by what a prompt takes alone"),
    "output": ("Answers", "device time of decoding, shared out by what its steps take"),
    "idle": ("Waiting for requests", "paid, and nothing to do"),
}


def lines_of(run: ServingRun) -> tuple[Line, ...]:
    """Accelerators, power where it is the owner's, what leaves, people."""
    return (_accelerators(run), *_power(run), *_network(run), *_beside(run))


def _accelerators(run: ServingRun) -> Line:
    """All hours of all devices: what they are spent on always makes the whole."""
    question = run.question
    if question.prefill is not None:
        names = (("Prompts", "input"), ("Answers", "output"))
        pools = zip(names, run.pools, strict=True)
        children = tuple(
            _hours(run, name, key, pool, terms, pool.devices * HOURS, "all hours of the devices that do nothing else")
            for (name, key), (pool, terms) in pools
        )
        return Line("Accelerators", key="accelerators", children=children)
    children = tuple(
        _hours(run, _NAMES[key][0], key, question, run.terms, run.device_hours * share, _NAMES[key][1])
        for key, share in run.shares.items()
        if share
    )
    return Line("Accelerators", key="accelerators", children=children)


def _hours(
    run: ServingRun, name: str, key: str, pool: ServingQuestion, terms: Terms, quantity: float, note: str
) -> Line:
    """Device-hours of one pool, or of one thing that a pool does."""
    share = quantity / (pool.devices * HOURS)
    parts = [
        Figure(Interval.exact(pool.devices), unit="devices", label="Accelerators"),
        Figure(Interval.exact(HOURS), unit="h", label="Hours of a month"),
    ]
    if share < 1:
        parts.append(Figure(Interval.of(share), unit="%", label="Share of the time", basis="fitted"))
    return Line(
        name,
        key=f"accelerators.{key}",
        quantity=Interval.exact(quantity),
        unit=hour_unit(pool.accelerator),
        unit_price=terms.price,
        basis=terms.price_basis,
        receipts=terms.price_receipts,
        parts=tuple(parts),
        note=note,
        assumed=grounds(run, *TIME, *PRICE),
    )


def _power(run: ServingRun) -> Iterator[Line]:
    terms = run.terms
    if not terms.owned or terms.electricity is None or terms.electricity_receipt is None:
        return
    electricity = Line(
        "Electricity",
        key="power.electricity",
        quantity=run.kilowatt_hours,
        unit="kWh",
        unit_price=Interval.exact(terms.electricity),
        basis=terms.electricity_receipt.basis,
        receipts=(terms.electricity_receipt, terms.pue_receipt),
        note="devices and their share of the servers, all month, times PUE",
        assumed=grounds(run, *POWER_BILL),
    )
    yield Line("Power", key="power", children=(electricity,))


def _network(run: ServingRun) -> Iterator[Line]:
    terms = run.terms
    if terms.beside.egress is None:
        return
    out = Line(
        "Data transfer out",
        key="network.egress",
        quantity=Interval.exact(terms.beside.egress / 1e12),
        unit="TB",
        unit_price=Interval.exact(terms.egress),
        basis=terms.egress_receipt.basis,
        receipts=(terms.egress_receipt,),
        note="over the provider's border, in a month",
        assumed=grounds(run, "egress"),
    )
    yield Line("Network", key="network", children=(out,))


def _beside(run: ServingRun) -> Iterator[Line]:
    people = run.terms.beside.people
    if people is None:
        return
    yield Line("Beside the machines", key="beside", children=(people.line,))
