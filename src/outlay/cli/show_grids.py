"""`outlay show grids [NAME]`."""

from __future__ import annotations

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.settings import Verb


@click.command(cls=Verb, name="grids")
@click.argument("name", metavar="[NAME]", required=False)
@catalog_option
@answer_options
def command(name: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """Carbon and price of electricity, by place.

    NAME is a country, a state, a province, a bidding zone or a cloud region.
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.catalog import grid, grids
    from outlay.cli.facts import age, detail
    from outlay.statement import Column, Table

    if name is not None:
        place = grid(name)
        plain = {"place": place.title, "kind": place.kind, "counts": place.intensity_basis, "year": place.reference_year,
                 "also called": ", ".join(place.aliases)}  # fmt: skip
        emit(detail(place.name, plain, place.receipts, notes=(place.note,)), format=form, output=output)
        return 0
    rows = [
        (
            place.name,
            place.title,
            place.intensity,
            place.intensity_basis,
            place.electricity_price,
            place.receipts["intensity"].basis,
            age(place.receipts["intensity"].date),
        )
        for place in grids()
    ]
    table = Table(
        f"{len(rows)} grids",
        columns=("Name", "Place", Column("Carbon", unit="kg CO2e/kWh"), "Counts", Column("Electricity", unit="$/kWh"),
                 "Basis", "Age"),
        rows=rows,
        notes=("Lifecycle, direct and location-based figures count different things: never compare one with another.",),
        key="grids",
    )  # fmt: skip
    emit(table, format=form, output=output)
    return 0
