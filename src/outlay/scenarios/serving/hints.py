"""What a change would do to a deployment, computed by the same model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from outlay.scenarios.serving.fit import serve
from outlay.scenarios.serving.refusal import carries, fewest, words_on
from outlay.scenarios.serving.run import HOURS, ServingRun
from outlay.scenarios.serving.ways import Served
from outlay.units import format_money, format_quantity


def hints_of(run: ServingRun, asked: Mapping[str, object]) -> tuple[str, ...]:
    """Fewer accelerators where they carry the load too, and what would complete the statement."""
    return (*_fewer(run), *_at_home(run, asked), *unpriced(run))


def _at_home(run: ServingRun, asked: Mapping[str, object]) -> Iterator[str]:
    """Cards that people have at home are rented where nobody says otherwise."""
    said = any(name in asked for name in ("tier", "provider", "price", "hardware"))
    if run.question.accelerator.category == "consumer-gpu" and not said and not run.terms.owned:
        yield "`--tier owned --hardware 2000` is the same on a card of your own: what it cost worn off, and its electricity"


def _fewer(run: ServingRun) -> Iterator[str]:
    """The fewest accelerators that carry the load within its objectives: some half of them, and then one by one."""
    question = run.question
    if (
        question.demand.rate is None
        or question.demand.requests is not None
        or question.replicas is not None
        or question.any_layout
    ):
        return
    count, low = question.devices, 0
    while count % 2 == 0:
        if not carries(question, count // 2, run.coefficients):
            low = count // 2
            break
        count //= 2
    if count == question.devices:
        return
    fewer = fewest(question, low, count, run.coefficients)
    served = serve(fewer, run.coefficients)
    if not isinstance(served, Served):
        return
    slower = format_quantity(float(served.busiest.e2e), "s")
    prices = [terms.price for _, terms in run.pools]
    saved = sum(
        (old.devices - new.devices) * HOURS * price.likely
        for old, new, price in zip(question.pools, fewer.pools, prices, strict=True)
        if price is not None
    )
    one = fewer.all_devices == 1
    cheaper = "" if None in prices else f"cost{'s' if one else ''} {format_money(saved)} less and "
    yield (
        f"{fewer.all_devices:,} accelerator{' carries' if one else 's carry'} the load too: "
        f"{'it' if one else 'they'} {cheaper}answer{'s' if one else ''} in {slower} (`{words_on(fewer)}`)"
    )


def unpriced(run: ServingRun) -> Iterator[str]:
    """What gives machines a price that have none."""
    if run.terms.price is None and run.terms.owned:
        yield "`--hardware 2000` wears off what a machine cost you; `--price 2.10` is your own price of its hour"
    elif run.terms.price is None:
        yield "`--price 2.10` gives the accelerators a price of yours (dollars of a device-hour)"
