"""`outlay show prices [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import tiers
from outlay.cli.settings import Verb
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.catalog import Price


@click.command(cls=Verb, name="prices")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--tier", metavar="TIER", shell_complete=tiers, help="on-demand, spot, reserved or owned.")
@catalog_option
@answer_options
def command(
    name: str | None, tier: str | None, catalog: tuple[str, ...], format: str | None, output: str | None
) -> int:
    """What a device-hour costs, by provider and tier.

    NAME is an accelerator (a family of them, too) or a provider. Prices older than 90 days say so.
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.catalog import stale
    from outlay.cli.facts import age
    from outlay.scenarios.today import today
    from outlay.statement import Column, Table

    found = sorted(_found(name, tier), key=lambda price: (price.accelerator, price.dollars_per_device_hour))
    if not found:
        what = "nothing" if name is None else f"`{name}`"
        kind = "" if tier is None else f" {tier}"
        raise InputError(
            f"no{kind} price of {what} is listed",
            expected="an accelerator that somebody rents out",
            hint="write your own into the question with `--price 2.10` (dollars of a device-hour); "
            "`outlay show prices` lists what is known",
        )
    day = today()
    old = sum(stale(price.date, day) is not None for price in found)
    rows = [
        (
            price.accelerator,
            price.provider,
            price.tier,
            price.dollars_per_device_hour,
            price.receipt.basis,
            age(price.date, day) + (", old" if stale(price.date, day) else ""),
        )
        for price in found
    ]
    notes = [f"{old} of {len(found)} prices are older than 90 days: check them before you rely on them."] if old else []
    notes += [
        f"{note}." for note in dict.fromkeys(f"{price.provider}: {price.doubt}" for price in found if price.doubt)
    ][:8]
    table = Table(
        f"{len(found)} prices of a device-hour",
        columns=("Accelerator", "Provider", "Tier", Column("Per hour", unit="$"), "Basis", "Age"),
        rows=rows,
        notes=notes,
        receipts=tuple(price.receipt for price in found),
        key="prices",
    )
    emit(table, format=form, output=output)
    return 0


def _found(name: str | None, tier: str | None) -> tuple[Price, ...]:
    """Listings of an accelerator, of a family of them, or of a provider."""
    from outlay.catalog import prices, providers
    from outlay.errors import AmbiguousName, UnknownName

    if name is None:
        return prices(tier=tier)
    if name.strip().lower().replace("_", "-") in providers():
        return prices(provider=name, tier=tier)
    try:
        return prices(accelerator=name, tier=tier)
    except AmbiguousName:
        wanted = name.strip().lower()
        return tuple(price for price in prices(tier=tier) if price.accelerator.startswith(wanted))
    except UnknownName as error:
        try:
            return prices(provider=name, tier=tier)
        except UnknownName:
            known = {*providers(), *(price.accelerator for price in prices())}
            raise UnknownName("accelerator or provider", name, sorted(known), listing="outlay show prices") from error
