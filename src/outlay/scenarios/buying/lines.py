"""The lines of either bill, and of what is on neither: people, quality, lock-in, data that leave the house."""

from __future__ import annotations

from collections.abc import Iterator

from outlay.scenarios.buying.bills import Bill, sold_as
from outlay.scenarios.buying.own import Own
from outlay.scenarios.buying.question import Beside
from outlay.scenarios.serving.lines import lines_of
from outlay.scenarios.serving.quality import QualityNote
from outlay.statement import Figure, Interval, Line, Receipt

_M = 1e6
_FREE = Receipt(
    0.0, unit="$", source="machines of one's own are what the others are held against", date="", basis="assumed"
)


def own_lines(own: Own, beside: Beside, note: QualityNote) -> tuple[Line, ...]:
    """A month of own machines, and what comes beside them."""
    return (*lines_of(own.run), Line("Beside the bill", key="beside", children=tuple(_own_beside(own, beside, note))))


def api_lines(
    bill: Bill, beside: Beside, *, input: float, output: float, cached: float, batch: float
) -> tuple[Line, ...]:
    """A month of bought answers, and what comes beside them."""
    line = Line(bill.called, key="api", children=tuple(_tokens(bill, input, output, cached, batch)))
    return (line, Line("Beside the bill", key="beside", children=tuple(_api_beside(bill, beside))))


def _tokens(bill: Bill, input: float, output: float, cached: float, batch: float) -> Iterator[Line]:
    """Tokens at their prices; batch requests as one line, at what they cost on average."""
    price, requests = bill.price, bill.requests
    now = requests * (1.0 - batch)
    hit = price.input if price.cached is None else price.cached
    no_cache = "the seller prices cached tokens as others" if price.cached is None and cached else ""
    no_batch = "the seller prices batches as other requests" if price.batch_output is None and batch else ""
    # A batch request is priced by both of its prices.
    late = [dollars for dollars in (price.batch_input, price.batch_output) if dollars is not None]
    batch_receipts = tuple(price.receipt_of(dollars) for dollars in late) or price.receipts
    for name, key, tokens, dollars, note in (
        ("Input tokens", "input", now * input * (1.0 - cached), price.input, ""),
        ("Input tokens, cached", "cached", now * input * cached, hit, no_cache),
        ("Output tokens", "output", now * output, price.output, ""),
        ("Batch requests", "batch", requests * batch, bill.request["batch"] / batch * _M if batch else 0.0, no_batch),
    ):
        if not tokens:
            continue
        unit = "M requests" if key == "batch" else "M tokens"
        yield Line(
            name,
            key=f"api.{key}",
            quantity=Interval.exact(tokens / _M),
            unit=unit,
            unit_price=Interval.exact(dollars),
            basis=price.receipt.basis,
            receipts=batch_receipts if key == "batch" else (price.receipt_of(dollars),),
            parts=(Figure(Interval.exact(requests), unit="requests", label="Requests of a month"),),
            note=note,
        )


def _own_beside(own: Own, beside: Beside, note: QualityNote) -> Iterator[Line]:
    people = beside.people
    yield Line(
        "People",
        key="beside.people",
        quantity=None if people is None else Interval.exact(people.quantity),
        unit="h" if people is None else people.unit,
        unit_price=None if people is None else Interval.exact(people.dollars),
        basis=None if people is None else "yours",
        receipts=() if people is None else (people.receipt,),
        note="nobody said who keeps the machines running (`--people '40h/month:$90'`)" if people is None else "",
    )
    if note.scope == "as published":
        yield _none("Quality difference", "quality", "the weights as they were published")
    else:
        yield _missing("Quality difference", "quality", f"{note.format}: {note.sentence()}", receipts=note.receipts)
    tier = own.run.terms.tier
    bound = {"owned": "what was bought is kept", "reserved": "what was reserved is paid for"}.get(tier)
    if bound:
        yield _missing("Lock-in", "lock-in", f"{bound}, whatever comes")
    else:
        yield _none("Lock-in", "lock-in", "machines by the hour, weights that are yours to move")
    if tier == "owned":
        yield _none("Data leaving the house", "data", "they stay")
    else:
        yield _missing("Data leaving the house", "data", "they go to whoever rents out the machines")


def _api_beside(bill: Bill, beside: Beside) -> Iterator[Line]:
    yield _missing("People", "people", "fewer than for machines, but who keeps prompts, limits and bills in order")
    why = {
        True: (
            f"sold as {sold}: the same size, not for sure the same answers; how the host stores them it does not say"
            if (sold := sold_as(bill.price))
            else "the same weights; how the host stores and cuts them it does not say"
        ),
        False: "another model: measure it on your own questions",
    }[bill.same]
    yield _said("Quality difference", "quality", beside.quality_difference, "--quality-difference", why)
    where = "others host the same weights" if bill.same else "nobody else sells this model, or on other terms"
    yield _said(
        "Lock-in", "lock-in", beside.lock_in, "--lock-in", f"prices, limits and end of life are the seller's; {where}"
    )
    yield _said(
        "Data leaving the house",
        "data",
        beside.data_leaving,
        "--data-leaving",
        "every prompt and answer passes the seller",
    )


def _said(name: str, key: str, dollars: float | None, flag: str, why: str) -> Line:
    if dollars is None:
        return _missing(name, key, f"{why} (`{flag}` puts a figure on it)")
    return Line(
        name,
        key=f"beside.{key}",
        quantity=Interval.exact(1.0),
        unit="month",
        unit_price=Interval.exact(dollars),
        basis="yours",
        receipts=(Receipt(dollars, unit="$", source=flag, date="", basis="yours"),),
        note=why,
    )


def _missing(name: str, key: str, why: str, *, receipts: tuple[Receipt, ...] = ()) -> Line:
    return Line(name, key=f"beside.{key}", unit="month", receipts=receipts, note=why)


def _none(name: str, key: str, why: str) -> Line:
    return Line(
        name,
        key=f"beside.{key}",
        quantity=Interval.exact(0.0),
        unit="month",
        unit_price=Interval.exact(0.0),
        basis="assumed",
        receipts=(_FREE,),
        note=why,
    )
