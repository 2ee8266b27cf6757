"""Prices: what clouds ask for a device-hour, for stored data and for data moved, each dated.

Rows of `prices.csv` are listings: one instance type of one provider in one tier, its price divided by its devices.
A row over several regions gives the median and the range. A provider's own classes (community, secure) stay a column.
A user's price takes the place of that provider's listings of the same device and tier.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.catalog.devices import Accelerator, accelerator, index, spelled
from outlay.errors import InputError, UnknownName
from outlay.statement import Receipt

TIERS = ("on-demand", "spot", "reserved", "owned")
STALE_DAYS = 90
LISTING = "outlay show prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One listing, in dollars for one device for one hour."""

    provider: str
    instance: str
    accelerator: str
    devices: float
    """Devices in the instance; below 1 where a share of one is sold."""
    tier: str
    provider_class: str
    region: str
    """The cheapest region, "" when the listing names none."""
    regions: tuple[str, ...]
    dollars_per_device_hour: float
    low: float
    """The cheapest region's; `high` the dearest's."""
    high: float
    currency: str
    date: str
    source: str
    note: str
    doubt: str
    """Why the listing is shown but stands back in a choice: it leaves the form open (an "A100 80 GB"), or asks more
    for spot than on demand. "" for most."""
    receipt: Receipt = field(repr=False, compare=False)

    def age_days(self, today: datetime.date) -> int:
        """Days since the listing was read; a month or a year without a day counts from its first.

        >>> prices("h100-sxm", provider="runpod")[0].age_days(datetime.date(2026, 6, 3))
        10
        """
        return age_days(self.date, today)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChoice:
    """The price taken for a question, with the range it was taken from."""

    accelerator: str
    provider: str
    tier: str
    low: float
    likely: float
    high: float
    """Dollars per device-hour: 10th percentile, the choice, 90th percentile; over providers, or one's listings."""
    sentence: str
    """How it was chosen, for the list of assumptions."""
    price: Price
    """The listing whose price it is, or the nearest to it."""
    providers: tuple[str, ...]
    """Everyone who was considered, cheapest first."""
    receipt: Receipt = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePrice:
    """Stored data (`object-storage`, dollars per TB·month) or data moved (`egress`, `ingress`, dollars per TB)."""

    service: str
    provider: str
    product: str
    unit: str
    dollars: float
    receipt: Receipt = field(repr=False, compare=False)


def prices(
    accelerator: str | Accelerator | None = None,
    provider: str | None = None,
    tier: str | None = None,
    region: str | None = None,
) -> tuple[Price, ...]:
    """The listings that fit, as the table has them; None leaves a question open. Unknown names raise."""
    chip = None if accelerator is None else _chip(accelerator).name
    who = None if provider is None else _provider(provider)
    kind = None if tier is None else _tier(tier)
    where = None if region is None else region.strip().lower()
    return tuple(
        price
        for price in (_prices() if chip is None else _prices_of(chip))
        if (who is None or price.provider == who)
        and (kind is None or price.tier == kind)
        and (where is None or where in map(str.lower, (price.region, *price.regions)))
    )


def price_for(
    accelerator: str | Accelerator,
    provider: str | None = None,
    tier: str = "on-demand",
    region: str | None = None,
) -> PriceChoice:
    """One price for one device-hour, and the range around it.

    Without a provider, each provider's median listing is taken, and of these the one in the middle: half ask more.
    With one, its median listing. A price of the user's own comes before any listed one; listings whose day or month
    nobody wrote down stand back where three providers have dated ones. Raises :class:`InputError` when nobody, or not
    that provider, sells the device so.

    >>> choice = price_for("h100-sxm", provider="aws")
    >>> choice.provider, choice.low <= choice.likely <= choice.high
    ('aws', True)
    """
    chip, kind = _chip(accelerator), _tier(tier)
    found = prices(chip, provider, kind, region)
    if not found:
        _nobody(chip, provider, kind, region)
    found = tuple(price for price in found if not price.doubt) or found
    found = tuple(price for price in found if price.receipt.basis == "yours") or found
    dated = tuple(price for price in found if len(price.date) > len("2026"))
    if provider is None and len({price.provider for price in dated}) >= 3:
        found = dated
    by_provider: dict[str, list[Price]] = {}
    for price in found:
        by_provider.setdefault(price.provider, []).append(price)
    medians = {who: _median(listings) for who, listings in by_provider.items()}
    ranked = sorted(medians.values(), key=lambda price: (price.dollars_per_device_hour, price.provider))
    if provider is None:
        chosen = ranked[(len(ranked) - 1) // 2]
        spread = [price.dollars_per_device_hour for price in ranked]
        said = (
            f"{kind} price of {chosen.provider}, the {'cheaper' if len(ranked) == 2 else 'median'} of {len(ranked)} providers"
            if len(ranked) > 1
            else f"{kind} price of {chosen.provider}, the only provider listed"
        )
    else:
        chosen = ranked[0]
        spread = [value for price in found for value in (price.low, price.dollars_per_device_hour, price.high)]
        said = (
            f"{kind} price of {chosen.provider}, the median of its {len(found)} listings"
            if len(found) > 1
            else (f"{kind} price of {chosen.provider}")
        )
    likely = chosen.dollars_per_device_hour
    low, high = min(_percentile(spread, 0.1), likely), max(_percentile(spread, 0.9), likely)
    return PriceChoice(
        accelerator=chip.name,
        provider=chosen.provider,
        tier=kind,
        low=low,
        likely=likely,
        high=high,
        sentence=f"{said}, ${likely:.2f} a device-hour on {chosen.date}"
        + (f" ({chosen.doubt})" if chosen.doubt else ""),
        price=chosen,
        providers=tuple(price.provider for price in ranked),
        receipt=chosen.receipt,
    )


def providers() -> tuple[str, ...]:
    """Everyone with a listing, in alphabetical order."""
    return tuple(sorted({price.provider for price in _prices()}))


def service_prices(service: str | None = None, provider: str | None = None) -> tuple[ServicePrice, ...]:
    """Prices of stored and moved data: of one service (`object-storage`, `egress`, `ingress`), of one provider, or all.

    >>> service_prices("object-storage", "aws")[0].dollars
    23.0
    """
    return tuple(
        ServicePrice(
            service=row["service"],
            provider=row["provider"],
            product=row["product"],
            unit=row["unit"],
            dollars=float(row["dollars"]),
            receipt=rows.receipt(row, "dollars", float(row["dollars"]), unit=row["unit"]),
        )
        for row in rows.read("services")
        if service in (None, row["service"]) and provider in (None, row["provider"])
    )


def age_days(date: str, today: datetime.date) -> int:
    """Days from an ISO date, month or year (its first day) to `today`.

    >>> age_days("2026", datetime.date(2026, 2, 1))
    31
    """
    year, month, day = (*map(int, date.split("-")), 1, 1)[:3]
    return (today - datetime.date(year, month, day)).days


def stale(date: str, today: datetime.date) -> str | None:
    """A sentence when a price is older than 90 days, or may be, else None.

    >>> stale("2026-05-24", datetime.date(2026, 11, 23))
    'the price is 183 days old'
    >>> stale("2026", datetime.date(2026, 11, 23))
    'the price may be 326 days old'
    """
    days = age_days(date, today)
    verb = "is" if len(date) == len("2026-05-24") else "may be"
    return f"the price {verb} {days} days old" if days > STALE_DAYS else None


def _nobody(chip: Accelerator, provider: str | None, tier: str, region: str | None) -> None:
    """Raise: say who does sell the device, in which tiers."""
    place = f" in {region}" if region else ""
    seller = (
        f"{_provider(provider)} lists no" if provider else f"no provider lists {'an' if tier[0] in 'aeiou' else 'a'}"
    )
    sellers = sorted({f"{price.provider} ({price.tier})" for price in prices(chip)})
    own = "write your own with `--price 2.10`, in dollars per device-hour"
    if tier in ("owned", "reserved"):
        there = " and without `--provider`" if provider else ""
        raise InputError(
            f"{seller} {tier} price of `{chip.name}`{place}", hint=f"{own}{there}; contracts have no list price"
        )
    raise InputError(
        f"{seller} {tier} price of `{chip.name}`{place}",
        details=[f"sold by {', '.join(sellers)}"] if sellers else [],
        hint=f"write `--provider {sellers[0].split()[0]}`, or {own}" if sellers and provider else own,
    )


@rows.cached
def _prices() -> tuple[Price, ...]:
    return tuple(_price(row, chip) for chip, row in _listed())


@rows.cached
def _prices_of(chip: str) -> tuple[Price, ...]:
    """The listings of one accelerator: an answer about one need not read the others'."""
    return tuple(_price(row, chip) for name, row in _listed() if name == chip)


@rows.cached
def _listed() -> tuple[tuple[str, Mapping[str, str]], ...]:
    """Each row with the name of its accelerator, without those that a user's price replaces."""
    table = rows.read("prices")
    theirs = {_offer(row) for row in table if row.get("yours")}
    kept = [row for row in table if row.get("yours") or _offer(row) not in theirs]
    shipped = index()
    names = {
        name: shipped.get(spelled(name)) or accelerator(name).name for name in {row["accelerator"] for row in kept}
    }
    return tuple((names[row["accelerator"]], row) for row in kept)


def _offer(row: Mapping[str, str]) -> tuple[str, str, str]:
    """What a user's price replaces: the same provider's price of the same device in the same tier."""
    return (
        row["provider"],
        accelerator(row["accelerator"]).name if row.get("yours") else row["accelerator"],
        row["tier"],
    )


def _price(row: Mapping[str, str], chip: str) -> Price:
    value = float(row["dollars_per_device_hour"])
    return Price(
        provider=row["provider"],
        instance=row["instance"],
        accelerator=chip,
        devices=float(row["devices"]),
        tier=row["tier"],
        provider_class=row["provider_class"],
        region=row["region"],
        regions=rows.names(row["regions"]),
        dollars_per_device_hour=value,
        low=rows.number(row["low"]) or value,
        high=rows.number(row["high"]) or value,
        currency="USD",
        date=row["date"],
        source=row["source"],
        note=row["note"],
        doubt=row["doubt"],
        receipt=rows.receipt(row, "dollars_per_device_hour", value, unit="$/device-hour"),
    )


def _chip(name: str | Accelerator) -> Accelerator:
    return accelerator(name) if isinstance(name, str) else name


def _provider(name: str) -> str:
    key = spelled(name).replace(".", "-")
    known = providers()
    joined = {entry.replace("-", ""): entry for entry in known}
    if key.replace("-", "") in joined:
        return joined[key.replace("-", "")]
    raise UnknownName("provider", name, known, listing=LISTING)


def _tier(name: str) -> str:
    key = spelled(name)
    if key not in TIERS:
        raise InputError(f"`{name}` is not a price tier", expected=", ".join(TIERS), hint="write `--tier on-demand`")
    return key


def _median(listings: Iterable[Price]) -> Price:
    """The listing in the middle; of an even number, the cheaper of the two."""
    ranked = sorted(listings, key=lambda price: price.dollars_per_device_hour)
    return ranked[(len(ranked) - 1) // 2]


def _percentile(values: list[float], share: float) -> float:
    """Linear between the sorted values.

    >>> _percentile([1.0, 2.0, 3.0], 0.25)
    1.5
    """
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])
