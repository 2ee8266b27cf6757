"""Grids: carbon of a kilowatt-hour and its price, by country, US state, province, bidding zone and cloud region.

Figures differ in what they count, and are never mixed silently: `lifecycle` includes building plants and fuel supply
(countries), `direct` is what leaves the stack (US states), `location-based` is what a cloud states of its region.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.catalog.devices import spelled
from outlay.errors import UnknownName
from outlay.statement import Receipt

_CODE = 3
"""Letters of a country's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One place's electricity, yearly average."""

    name: str
    aliases: tuple[str, ...]
    title: str
    kind: str
    """world, country, us-state, province, bidding-zone or cloud-region."""
    intensity: float
    """kg CO₂e per kWh."""
    intensity_basis: str
    """lifecycle, direct or location-based."""
    reference_year: str
    electricity_price: float | None
    """Dollars per kWh, without a contract; None when no source was found."""
    note: str
    receipts: Mapping[str, Receipt] = field(repr=False, compare=False)


def grid(name: str) -> Grid:
    """The grid of a country (`fra`, `fr`, `france`), state (`us-tx`, `texas`) or cloud region (`gcp:us-central1`).

    >>> grid("France").intensity, grid("us-west-2").intensity_basis
    (0.056039, 'location-based')
    """
    key = spelled(name)
    index = _index()
    if key not in index:
        # A code of two or three letters is like any short word: `mars` means none of mar, rs and ms.
        near = [entry for entry in index if len(entry) > _CODE or len(key) <= _CODE]
        raise UnknownName("grid", name, near, listing="outlay show grids")
    return index[key]


@rows.cached
def grids() -> tuple[Grid, ...]:
    """All grids: the world, countries, states, provinces, zones, cloud regions."""
    return tuple(_grid(row) for row in rows.read("grids", "name"))


@rows.cached
def _index() -> Mapping[str, Grid]:
    return {spelled(alias): grid for grid in grids() for alias in (grid.name, *grid.aliases)}


def _grid(row: Mapping[str, str]) -> Grid:
    intensity = float(row["g_per_kwh"]) / 1000
    price = rows.number(row["electricity_dollars_per_kwh"])
    note = "; ".join(filter(None, (row["intensity_basis"], row["reference_year"], row["note"])))
    receipts = {"intensity": rows.receipt(row, "g_per_kwh", intensity, unit="kg CO₂e/kWh", note=note)}
    if price is not None:
        dated = {**row, "date": row["electricity_date"] or row["date"]}
        receipts["electricity_price"] = rows.receipt(
            dated, "electricity_dollars_per_kwh", price, unit="$/kWh", source=row["electricity_source"], note=""
        )
    return Grid(
        name=row["name"],
        aliases=rows.names(row["aliases"]),
        title=row["title"],
        kind=row["kind"],
        intensity=intensity,
        intensity_basis=row["intensity_basis"],
        reference_year=row["reference_year"],
        electricity_price=price,
        note=row["note"],
        receipts=receipts,
    )
