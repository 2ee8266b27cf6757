"""`outlay show apis [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import models
from outlay.cli.settings import Verb

if TYPE_CHECKING:
    from outlay.catalog.hosted import ApiPrice
    from outlay.statement import Table

_TOKENS = 1024
"""Tokens of the prompt whose prices are shown, where length matters."""


@click.command(cls=Verb, name="apis")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=models)
@catalog_option
@answer_options
def command(name: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """What hosted APIs ask for a million tokens.

    NAME is a seller (groq), a model of one (openai/gpt-5-mini), or a model of the catalog: then every host of the
    same weights. Prices are those of the package genai-prices.
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    emit(_sellers() if name is None else _of(name), format=form, output=output)
    return 0


def _sellers() -> Table:
    from outlay.catalog import hosted
    from outlay.scenarios.today import today
    from outlay.statement import Table

    rows = []
    for seller in hosted.sellers():
        found = hosted.listed(seller, tokens=_TOKENS, day=today())
        here = len({price.weights for price in found if price.weights})
        rows.append((seller, "router" if hosted.is_router(seller) else "", len(found), here))
    return Table(
        f"{len(rows)} sellers of hosted models",
        columns=("Seller", "Kind", "Models", "Of the catalog"),
        rows=rows,
        notes=(f"`outlay show apis NAME` has the prices of a seller, or of a model. Checked up to {hosted.as_of()}.",),
        key="apis",
    )


def _of(name: str) -> Table:
    from outlay.catalog import hosted, model_config
    from outlay.errors import InputError
    from outlay.scenarios.today import today
    from outlay.statement import Column, Table

    seller = name.strip().lower()
    if seller in hosted.sellers():
        found, title = hosted.listed(seller, tokens=_TOKENS, day=today()), seller
    else:
        try:
            model = model_config(name).name
        except InputError:
            found, title = (_one(name),), name.strip()
        else:
            found, title = hosted.same_weights(model, tokens=_TOKENS, day=today()), f"hosts of {model}"
    ordered = sorted(found, key=lambda price: (price.input + price.output, price.name))
    return Table(
        f"{len(ordered)} price{'' if len(ordered) == 1 else 's'} of a million tokens: {title}",
        columns=(
            *("Model", "Same weights as"),
            *(Column(word, unit="$/M") for word in ("Input", "Cached", "Output", "Batch in", "Batch out")),
            "Note",
        ),
        rows=[_row(price, whole=seller != price.seller) for price in ordered],
        receipts=tuple(price.receipt for price in ordered),
        key="apis",
    )


def _one(name: str) -> ApiPrice:
    """The price of `seller/model`, or of a model that one seller is known by."""
    from outlay.catalog import hosted
    from outlay.errors import UnknownName
    from outlay.scenarios.today import today

    try:
        return hosted.api_price(name, tokens=_TOKENS, day=today())
    except UnknownName as error:
        if "/" in name:
            raise
        raise UnknownName("seller or model", name, hosted.sellers(), listing=hosted.LISTING) from error


def _row(price: ApiPrice, *, whole: bool) -> tuple[str | float | None, ...]:
    return (
        *(price.name if whole else price.model, price.weights),
        *(price.input, price.cached, price.output, price.batch_input, price.batch_output),
        "withdrawn" if price.withdrawn else None,
    )
