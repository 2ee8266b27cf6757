"""The model worth training for a budget: the best size and data, what they cost, what half and twice the size would."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import __version__, catalog
from outlay.errors import InputError
from outlay.scaling import Routed
from outlay.scenarios.sizing.devices import Devices, Share
from outlay.scenarios.sizing.fit import constants_of, how_fitted, law_statement
from outlay.scenarios.sizing.question import Sizing, ask_size, read_law, spread
from outlay.scenarios.sizing.sections import cheapest_plain, curve_of, for_the_same, sections_of, with_all
from outlay.scenarios.terms import hour_unit
from outlay.scenarios.today import today as day
from outlay.statement import Figure, Interval, Line, Statement
from outlay.training.ranges import parse_level, percent
from outlay.units import format_number, format_quantity

assert _render.FORMATS

_OVER_TRAINED = 640.0
"""Tokens of a parameter up to which losses were predicted from small runs (arXiv:2403.08540)."""


def best_size(
    *,
    under: str | float | None = None,
    flop: str | float | None = None,
    on: str | None = None,
    tokens_served: str | float | None = None,
    unique_tokens: str | float | None = None,
    law: str | None = None,
    losses: str | Path | None = None,
    utilisation: str | float | None = None,
    serving_utilisation: str | float | None = None,
    provider: str | None = None,
    tier: str | None = None,
    price: str | float | None = None,
    discount: str | float | None = None,
    interval: str | float | None = None,
    notes: tuple[str, ...] = (),
    today: datetime.date | None = None,
) -> Statement:
    """The size and the tokens of the least loss for a budget: dollars (`under`), or operations (`flop`).

    The budget pays for training, and for serving `tokens_served`. `losses` is a CSV file of runs from which a law is
    fitted; alone, the answer is that law. Texts are read as on the command line; numbers are in base units.

    >>> answer = best_size(flop=1e21)
    >>> answer.title
    'The best size for 1 ZFLOP'
    >>> f"{answer.answer['parameters'].value.likely:.3g} on {answer.answer['tokens'].value.likely:.3g}"
    '2.78e+09 on 6e+10'

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if the budget is too small for any model.
    """
    asked = {name: value for name, value in locals().items() if name not in ("notes", "today")}
    level = parse_level(interval)
    if losses is not None and under is None and flop is None:
        _alone(asked)
        _, receipt, fitted, _ = read_law(law, losses, served=False, unique=None)
        assert fitted is not None
        return law_statement(fitted, level=level, path=losses, receipt=receipt, notes=notes)
    question = ask_size(
        under=under,
        flop=flop,
        on=on,
        tokens_served=tokens_served,
        unique_tokens=unique_tokens,
        law_name=law,
        losses=losses,
        utilisation=utilisation,
        serving_utilisation=serving_utilisation,
        provider=provider,
        tier=tier,
        price=price,
        discount=discount,
        level=level,
    )
    own = () if question.fitted is None else (constants_of(question.fitted, level, question.law_receipt),)
    return Statement(
        _title(question),
        lines=tuple(_lines(question)),
        answer=_answer(question),
        sections=(*sections_of(question), *own),
        assumed=(*question.assumed, *(() if question.fitted is None else (how_fitted(),))),
        notes=(*_around(question), *_beyond(question), *_ranges(question), *_price(question, today or day()), *notes),
        hints=tuple(_hints(question)),
        inputs=_inputs(asked),
        coverage=level if question.devices is not None and question.devices.training.value.has_range else None,
        version=__version__,
    )


def _alone(asked: Mapping[str, object]) -> None:
    """A fit without a budget has no use for the terms of one."""
    unused = [name for name, value in asked.items() if value is not None and name not in ("losses", "law", "interval")]
    if unused:
        flags = " and ".join(f"`--{name.replace('_', '-')}`" for name in unused)
        needs = "need" if len(unused) > 1 else "needs"
        raise InputError(f"{flags} {needs} a budget", hint="add `--flop 1e22` or `--under 1M`, or leave it at `--fit`")


def _title(question: Sizing) -> str:
    title = f"The best size for {question.shown(question.flop)}"
    if question.devices is not None:
        title += f" on {question.devices.chip.name}"
    if question.tokens_served:
        title += f", {format_quantity(question.tokens_served, 'tokens')} served"
    if question.unique_tokens is not None:
        title += f", {format_quantity(question.unique_tokens, 'tokens')} of data"
    return title


def _answer(question: Sizing) -> dict[str, Figure]:
    found, ranges = question.found, spread(question, question.flop)
    grounds = tuple(
        entry.name for entry in question.assumed if entry.name in ("law", "utilisation", "decay of repeats")
    )
    receipts = (question.law_receipt,)
    budget = Figure(Interval.exact(question.flop), unit="FLOP", label="Budget, in FLOP of training")
    how = "least loss within the budget"
    made = {
        "parameters": Figure(
            ranges["parameters"],
            unit="parameters",
            note=how,
            basis="fitted",
            parts=(budget,),
            receipts=receipts,
            assumed=grounds,
        ),
        "tokens": Figure(
            ranges["tokens"],
            unit="tokens",
            note="what the budget leaves for each parameter",
            basis="fitted",
            parts=(budget,),
            receipts=receipts,
            assumed=grounds,
        ),
    }
    if found.loss is not None:
        made["loss"] = Figure(
            ranges["loss"],
            unit="nats a token",
            label="loss",
            note=how,
            basis="fitted",
            receipts=receipts,
            assumed=grounds,
        )
    made["tokens_per_parameter"] = Figure(
        Interval.of(found.ratio), unit="", label="tokens a parameter" + (" that is active" if found.label else "")
    )
    if found.label:
        made["active_parameters"] = Figure(
            Interval.of(found.active_parameters), unit="parameters", label=f"{found.label}, active", receipts=receipts
        )
    if question.unique_tokens is not None:
        made["epochs"] = Figure(Interval.of(found.tokens / question.unique_tokens), unit="", label="epochs")
    made["training_flop"] = Figure(
        Interval.of(found.training_flop), unit="FLOP", label="training", note="6 × active parameters × tokens"
    )
    if question.tokens_served:
        made["serving_flop"] = Figure(
            Interval.of(found.serving_flop), unit="FLOP", label="serving", note="2 × active parameters × tokens served"
        )
    return made


def _lines(question: Sizing) -> Iterator[Line]:
    devices, found = question.devices, question.found
    if devices is None:
        return
    yield _line(question, devices, "Training", found.training_flop, devices.training)
    if devices.serving is not None:
        yield _line(question, devices, "Serving", found.serving_flop, devices.serving)


def _line(question: Sizing, devices: Devices, name: str, flop: float, share: Share) -> Line:
    sheet = devices.chip.receipts.get(f"peaks.{devices.kind}")
    used = share.assumption.name if share.assumption is not None else ""
    grounds = (used, "accelerator", "price", "law")
    return Line(
        name,
        key=name.lower(),
        quantity=devices.hours(flop, share),
        unit=hour_unit(devices.chip),
        unit_price=devices.price,
        basis=devices.price_basis,
        receipts=devices.price_receipts,
        parts=(
            Figure(Interval.of(flop), unit="FLOP", label=f"FLOP of {name.lower()}", receipts=(question.law_receipt,)),
            Figure(
                share.value, unit="%", label="Utilisation", note=share.note, basis=share.basis, receipts=share.receipts
            ),
            Figure(
                Interval.exact(devices.peak),
                unit="FLOP/s",
                label=f"Dense {devices.kind} peak",
                receipts=() if sheet is None else (sheet,),
            ),
        ),
        note="FLOP ÷ (utilisation × peak) ÷ 3,600",
        assumed=tuple(entry.name for entry in question.assumed if entry.name in grounds),
    )


def _around(question: Sizing) -> Iterator[str]:
    """What half and twice the size cost and lose."""
    curve, found = curve_of(question), question.found
    if curve is None or found.loss is None or isinstance(curve, Routed):
        return
    for word, factor in (("Half", 0.5), ("Twice", 2.0)):
        size = found.parameters * factor
        flop = float(curve.flop_per_token(size)) * (
            found.tokens + question.serving_price * question.tokens_served / 3.0
        )
        loss = float(curve.loss(size, found.tokens)) - found.loss
        cost = f"costs {question.shown(abs(question.flop - flop))} {'less' if flop < question.flop else 'more'}"
        said = f"{word} the size ({format_quantity(size, 'parameters', digits=2)}) on as many tokens {cost} and {_loses(loss)}"
        there = with_all(question, curve, size)
        if there is not None and there.loss is not None:
            on = format_quantity(there.tokens, "tokens", digits=2)
            said += f"; on all that the budget buys, {on}, it {_loses(there.loss - found.loss)}"
        same = for_the_same(question, curve, size)
        more = None if same is None else same - question.flop
        said += "; no data make it as good" if more is None else f"; as good, it costs {question.shown(abs(more))} more"
        yield said + "."


def _loses(loss: float) -> str:
    return f"{'loses' if loss >= 0 else 'gains'} {format_number(abs(loss), digits=2)}"


def _beyond(question: Sizing) -> Iterator[str]:
    found = question.found
    if question.fitted is not None:
        runs = question.fitted.runs
        largest = float((6.0 * runs.parameters * runs.tokens).max())
        if found.training_flop > 1.001 * largest:
            yield f"Beyond your runs: {format_number(found.training_flop / largest, digits=2)} × the FLOP of the largest."
    elif beyond := question.law.beyond(found):
        yield f"Beyond the runs of {question.law.name}: {', '.join(beyond)}. The answer is extrapolated."
    facts = question.law.facts
    if facts is not None:
        named = all(entry.name != "law" for entry in question.assumed)
        note = f" Its catalog row says: {facts.receipt.note}." if named and facts.receipt.note else ""
        met = "an active parameter" if found.label else "a parameter"
        yield f"{facts.name} counts {facts.counts}, and 6 FLOP {met} and token.{note}"
    if found.ratio > _OVER_TRAINED:
        yield (
            f"Trained far past compute-optimal: losses were shown to be predictable up to {_OVER_TRAINED:g} tokens a parameter "
            "(arXiv:2403.08540); fits change with the range of that ratio (arXiv:2401.00448)."
        )
    if question.unique_tokens is not None and found.tokens > 16 * question.unique_tokens:
        yield "Beyond 16 epochs or so real runs may grow worse; the law only saturates (arXiv:2305.16264)."


def _ranges(question: Sizing) -> Iterator[str]:
    if question.fitted is not None:
        yield f"Ranges of size and loss: {percent(question.level)} of {len(question.fitted.samples)} resamples of your runs."
    elif len(question.others(question.flop)) > 1:
        yield (
            f"Ranges of size, tokens and loss: the lowest and highest of {len(question.others(question.flop))} laws, not an "
            "interval of any of them."
        )


def _price(question: Sizing, today: datetime.date) -> Iterator[str]:
    if question.devices is None or question.devices.choice is None:
        return
    listing = question.devices.choice.price
    old = catalog.stale(listing.date, today)
    yield f"Prices: {listing.provider}, {listing.date}" + (f" ({old})." if old else ".")


def _hints(question: Sizing) -> Iterator[str]:
    if question.tokens_served:
        plain = cheapest_plain(question)
        if plain is not None and plain.parameters > 1.02 * question.found.parameters:
            cost = plain.training_flop + question.serving_price * plain.serving_flop - question.flop
            size = format_quantity(plain.parameters, "parameters", digits=2)
            yield f"chosen for training alone, as good a model has {size} and costs {question.shown(cost)} more in all"
    elif question.law.says_loss:
        yield "`--tokens-served 2T` weighs what serving the model will take: a smaller one, trained for longer"
    if question.devices is None:
        yield "`--on h100-sxm` prices it; `--under 1M` starts from dollars"
    else:
        chip, guide = question.devices.chip.name, question.devices.training.guide
        tokens = format_quantity(question.found.tokens, "tokens", digits=2).removesuffix(" tokens").replace(" ", "")
        if guide is not None:
            yield f"`outlay cost training {guide[0]} --tokens {tokens} --on {chip}:{guide[1]}` has every line of such a run"


def _inputs(asked: Mapping[str, object]) -> dict[str, str | int | float]:
    """What was asked, under the names of the parameters."""
    return {
        name: value if isinstance(value, str | int | float) else str(value)
        for name, value in asked.items()
        if value is not None
    }
