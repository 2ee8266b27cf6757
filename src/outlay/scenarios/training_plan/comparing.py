"""Plans side by side: several models, or several prices, each with the best plan that there is for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import __version__
from outlay.errors import DoesNotFit, InputError, each
from outlay.layout import describe
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.named import read_model
from outlay.scenarios.training.bottleneck import bottleneck
from outlay.scenarios.training.lines import data_sheet
from outlay.scenarios.training_plan.search import Planned, search_plan
from outlay.scenarios.training_plan.sections import limits_in_words, machines, recipe_of, seller
from outlay.statement import Cell, Column, Figure, Interval, Receipt, Statement, Table
from outlay.statement.line import total
from outlay.training.ranges import parse_level
from outlay.units import format_quantity
from outlay.workload import Architecture

assert _render.FORMATS
MOST = 100
"""Plans that one call compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The comparison, and how many of its plans there are."""

    statement: Statement
    planned: int
    asked: int


def compare_plans(
    models: Sequence[str | Mapping[str, object] | Architecture],
    *,
    prices: Sequence[str | float] = (),
    every: bool = False,
    notes: tuple[str, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    **asked: Any,
) -> Compared:
    """The best plan of each model at each of `prices` (dollars of a device-hour), in one table; with `every`, a second has all
    their figures, with ranges.

    The other parameters are those of :func:`~outlay.scenarios.training_plan.plan.plan_training`.

    >>> found = compare_plans(["gpt2", "gpt2-xl"], tokens=10e9, on="h100-sxm", count="8", provider="lambda")
    >>> [row[0] for row in found.statement.sections[0].rows], found.planned
    (['gpt2-124m', 'gpt2-1.5b'], 2)

    :raises InputError: for anything that cannot be read.
    :raises DoesNotFit: if none of them has a plan, with what is nearest for each.
    """
    wanted = [(model, price) for model in models for price in (prices or (asked.get("price"),))]
    if len(wanted) > MOST:
        raise InputError(f"{len(wanted)} plans are asked for", expected=f"at most {MOST}", hint="ask for fewer at once")
    names = each(
        lambda model: read_model(model)[0].name, [model for model, _ in wanted]
    )  # what cannot be read is refused before any work
    if len(set(zip(names, (str(price) for _, price in wanted), strict=True))) < len(wanted):
        raise InputError("a model or a price is named twice", expected="each once", hint="leave one of them out")
    found: list[Planned | DoesNotFit] = []
    for place, (model, price) in enumerate(wanted):
        if progress is not None:
            progress(place, len(wanted))
        try:
            found.append(search_plan(model, {**asked, "price": price}))
        except DoesNotFit as error:
            found.append(error)
    if progress is not None:
        progress(len(wanted), len(wanted))
    planned = [entry for entry in found if isinstance(entry, Planned)]
    if not planned:
        raise _none(names, [entry for entry in found if isinstance(entry, DoesNotFit)])
    rows = list(zip(names, (price for _, price in wanted), found, strict=True))
    statement = Statement(
        _title(planned[0], names),
        sections=(_best(rows, prices=bool(prices)), *((_every(rows, prices=bool(prices)),) if every else ())),
        notes=(*_missing(rows), *notes),
        hints=("`outlay plan training` with one of them says what its plan stands on, line by line",),
        inputs=inputs_of({**asked, "models": ", ".join(names), "prices": ", ".join(map(str, prices)) or None}),
        coverage=parse_level(asked.get("interval")),
        version=__version__,
    )
    return Compared(statement=statement, planned=len(planned), asked=len(wanted))


def _none(names: Sequence[str], found: Sequence[DoesNotFit]) -> DoesNotFit:
    """No plan for any: what is nearest for each, and what would have to give."""
    said = dict(zip(names, found, strict=True))
    if len(said) == 1:
        return found[0]
    return DoesNotFit(
        "\n".join(error.message for error in said.values()),
        hint="; ".join(f"{name}: {error.hint}" for name, error in said.items()),
    )


_Row = tuple[str, Any, "Planned | DoesNotFit"]


def _title(planned: Planned, names: Sequence[str]) -> str:
    limits = limits_in_words(planned.search.wanted)
    each = list(dict.fromkeys(names))
    whom = f"each of {', '.join(each[:-1])} and {each[-1]}" if len(each) > 1 else each[0]
    tokens = format_quantity(planned.search.tokens, "tokens")
    at = " at each price" if len(each) < len(names) else ""
    return f"The {planned.search.wanted.goal} way to train {whom} on {tokens}{' ' + limits if limits else ''}{at}"


def _best(rows: Sequence[_Row], *, prices: bool) -> Table:
    """Model, plan, time, cost: what fits a screen."""
    return Table(
        "Plans",
        columns=(
            *("Model", Column("Price", unit="$") if prices else "Seller", "Accelerators", "Time"),
            Column("Cost", unit="$"),
        ),
        rows=[(name, _dollars(price) if prices else _who(found), *_cells(found)) for name, price, found in rows],
        receipts=tuple(dict.fromkeys(receipt for _, _, found in rows for receipt in _receipts(found))),
        key="plans",
    )


def _cells(found: Planned | DoesNotFit) -> tuple[Cell, ...]:
    if isinstance(found, DoesNotFit):
        return ("no", None, None)
    best = found.best
    return (
        machines(best).replace(" ", "\N{NO-BREAK SPACE}"),
        Figure(Interval.of(best.seconds), unit="s"),
        best.dollars if np.isfinite(best.dollars) else None,
    )


def _receipts(found: Planned | DoesNotFit) -> Iterator[Receipt]:
    """Where a plan's price, model, machines and coefficients come from."""
    for run in () if isinstance(found, DoesNotFit) else found.best.course.runs:
        yield from (*run.terms.price_receipts, run.question.model_receipt, *data_sheet(run).values(), *run.fitted_on)


def _who(found: Planned | DoesNotFit) -> Cell:
    if isinstance(found, DoesNotFit):
        return None
    return seller(found.best) if found.best.run.terms.provider is None else found.best.run.terms.provider


def _joules(found: Planned) -> Interval:
    hours = [run.kilowatt_hours for run in found.best.course.runs]
    return sum(hours[1:], hours[0]) * 3.6e6


def _every(rows: Sequence[_Row], *, prices: bool) -> Table:
    """Every figure of every plan, one a row: likely, and low and high of its range."""
    return Table(
        "Every figure",
        columns=("Model", *((Column("Price", unit="$"),) if prices else ()), "Figure", "Likely", "Low", "High"),
        rows=[
            (name, *((_dollars(price),) if prices else ()), *figure)
            for name, price, found in rows
            if isinstance(found, Planned)
            for figure in _figures(found)
        ],
        key="figures",
    )


def _figures(found: Planned) -> Iterator[tuple[Cell, ...]]:
    best, run = found.best, found.best.run
    amount = total(best.course.lines)
    for name, value, unit in (
        ("cost", amount if amount is not None and np.isfinite(best.dollars) else None, "$"),
        ("device-hour", run.terms.price, "$"),
        ("time", best.course.duration, "s"),
        ("energy", _joules(found), "J"),
        ("CO₂e", best.course.operational, "kg CO2e"),
        ("one step", run.relative * run.step_seconds, "s"),
        ("MFU", Interval.of(run.utilisation), "%"),
        ("tokens", Interval.exact(found.search.tokens), "tokens"),
        ("model", Interval.exact(run.question.parameters), "parameters"),
        ("devices", Interval.exact(best.place.devices), "devices"),
    ):
        if value is not None:
            bounds = (value.low, value.high) if value.has_range else (None, None)
            spread = (None if bound is None else Figure(Interval.exact(bound), unit=unit) for bound in bounds)
            yield (name, Figure(Interval.exact(value.likely), unit=unit), *spread)
    waits, share = bottleneck(run)
    for name, text in (
        ("accelerator", best.place.chip),
        ("seller", seller(best)),
        ("recipe", recipe_of(best)),
        ("layout", "; ".join(describe(run.fitted.chosen.layout) for run in best.course.runs)),
        ("waits for", f"{waits}, {share:.0%}"),
    ):
        yield (name, text, None, None)


def _dollars(price: object) -> Cell:
    from outlay import units

    return None if price is None else float(units.parse(price, "$/device-hour", name="--price", zero=True))  # type: ignore[arg-type]


def _missing(rows: Sequence[_Row]) -> Iterator[str]:
    for name, price, found in rows:
        if isinstance(found, DoesNotFit):
            at = "" if price is None else f" at {price}"
            yield f"{name}{at}: no: {'; '.join(line.strip() for line in found.message.splitlines())}; {found.hint}."
