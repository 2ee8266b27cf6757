"""On what terms a run is paid and powered: price, discount, losses, building, grid; each said, listed or assumed."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from outlay import catalog, units
from outlay.catalog import Accelerator, Factor, Grid, PriceChoice
from outlay.errors import InputError, UnknownName
from outlay.scenarios.assumed import CHECKPOINTS_KEPT
from outlay.scenarios.beside import Beside, amortised, read_beside
from outlay.statement import Assumption, Basis, Interval, Receipt
from outlay.units import with_article

_MOST_CHECKPOINTS = 10**6


class OnChip(Protocol):
    """A question of what runs on one kind of accelerator."""

    @property
    def accelerator(self) -> Accelerator: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Prices in dollars, shares from 0 to 1."""

    tier: str
    provider: str | None
    choice: PriceChoice | None
    """The listing whose price was taken; None where the user gave one, or nobody lists any."""
    price: Interval | None
    """Of a device-hour, discount taken off; None where nobody lists one."""
    price_basis: Basis | None
    price_receipts: tuple[Receipt, ...]
    lost: float | None
    """Share of the run that the user says is lost; None where nobody said."""
    lost_receipt: Receipt | None
    pue: Interval
    pue_receipt: Receipt
    grid: Grid
    electricity: float | None
    """Of a kWh; only where the machines are owned."""
    electricity_receipt: Receipt | None
    storage: float
    storage_receipt: Receipt
    ingress: float
    ingress_receipt: Receipt
    data: float | None
    """Bytes to bring in; None where nobody said."""
    checkpoints: int
    checkpoints_receipt: Receipt
    egress: float
    """Dollars of a TB that is taken out."""
    egress_receipt: Receipt
    beside: Beside
    assumed: tuple[Assumption, ...]

    @property
    def owned(self) -> bool:
        return self.tier == "owned"


def yours(value: float | str, unit: str, flag: str) -> Receipt:
    """The receipt of what the user said."""
    return Receipt(value, unit=unit, source=flag, date="", basis="yours")


def agree(
    question: OnChip,
    *,
    provider: str | None,
    tier: str | None,
    price: str | float | None,
    discount: str | float | None,
    grid: str | None,
    pue: str | float | None,
    electricity: str | float | None,
    data: str | float | None,
    checkpoints: str | int | None,
    lost_work: str | float | None,
    hardware: str | float | None = None,
    life: str | float | None = None,
    use: str | float | None = None,
    egress: str | float | None = None,
    exploration: str | float | None = None,
    people: str | float | None = None,
    a_month: bool | None = None,
) -> Terms:
    """Read the terms, of a run or of `a_month`; :class:`InputError` names what cannot be read or what nobody offers."""
    assumed: list[Assumption] = []
    kind, choice, interval, basis, receipts = agree_price(
        question.accelerator, provider, tier, price, discount, assumed
    )
    if hardware is not None:
        interval, basis, receipts = _bought(kind, price, hardware, life, use, assumed)
    elif life is not None or use is not None:
        raise InputError(
            "`--life` and `--use` go with `--hardware`", hint="add `--tier owned --hardware 30k`, or leave them out"
        )
    seller = choice.provider if choice else provider
    lost, lost_receipt = _lost(lost_work)
    ratio, ratio_receipt = _pue("on-premise" if kind == "owned" and pue is None else seller, pue, question, assumed)
    place = _grid(grid, assumed)
    dollars, electricity_receipt = _electricity(kind, electricity, place, assumed)
    storage = _service("object-storage", seller)
    ingress, out = _service("ingress", seller), _service("egress", seller)
    kept = CHECKPOINTS_KEPT
    if checkpoints is not None:
        kept = yours(
            int(units.parse(checkpoints, "count", name="--checkpoints", zero=True, example="20")),
            "checkpoints",
            "--checkpoints",
        )
        if float(kept.value or 0) > _MOST_CHECKPOINTS:
            raise InputError(
                f"`--checkpoints` is {checkpoints}", expected="at most a million", hint="write `--checkpoints 20`"
            )
    else:
        assumed.append(Assumption("checkpoints", value=f"{kept.value} kept", why=kept.source, receipt=kept))
    if kept.value:
        because = f"{seller} lists none" if seller else "no provider was named"
        why = "object storage" + ("" if storage.provider == seller else f"; {because}")
        value = f"{storage.provider}, {storage.product}, ${storage.dollars:.2f} a TB·month"
        assumed.append(Assumption("storage", value=value, why=why, receipt=storage.receipt))
    moved = None if data is None else units.parse(data, "B stored", name="--data", zero=True)
    if moved:
        value = f"${ingress.dollars:.2f} a TB to bring in"
        bits = re.search(r"[kKMGTP]b\s*$", str(data))
        why = f"price of {ingress.provider}" + (f"; `{data}` is read as bytes, not as bits" if bits else "")
        assumed.append(Assumption("network", value=value, why=why, receipt=ingress.receipt))
    beside = read_beside(exploration, people, egress, a_month=bool(a_month))
    if beside.egress:
        because = "its own" if out.provider == seller else f"{seller or 'who rents them out'} lists none"
        value = f"{out.provider}, {out.product}, ${out.dollars:.2f} a TB"
        assumed.append(Assumption("egress", value=value, why=because, receipt=out.receipt))
    return Terms(
        tier=kind,
        provider=seller,
        choice=choice,
        price=interval,
        price_basis=basis,
        price_receipts=receipts,
        lost=lost,
        lost_receipt=lost_receipt,
        pue=ratio,
        pue_receipt=ratio_receipt,
        grid=place,
        electricity=dollars,
        electricity_receipt=electricity_receipt,
        storage=storage.dollars,
        storage_receipt=storage.receipt,
        ingress=ingress.dollars,
        ingress_receipt=ingress.receipt,
        data=moved,
        checkpoints=int(kept.value or 0),
        checkpoints_receipt=kept,
        egress=out.dollars,
        egress_receipt=out.receipt,
        beside=beside,
        assumed=tuple(assumed),
    )


def _bought(
    kind: str,
    price: str | float | None,
    hardware: str | float,
    life: str | float | None,
    use: str | float | None,
    assumed: list[Assumption],
) -> tuple[Interval, Basis, tuple[Receipt, ...]]:
    """What a device-hour of bought machines wears off."""
    if price is not None:
        raise InputError(
            f"`--price {price}` and `--hardware {hardware}` are two prices",
            expected="one of them",
            hint="leave `--hardware` out to pay by the hour, or `--price` to wear off what was bought",
        )
    if kind != "owned":
        raise InputError(
            f"`--hardware {hardware}` is what machines of your own cost, and these are rented ({kind})",
            expected="owned machines",
            hint="write `--tier owned` in the place of a provider, or leave `--hardware` out",
        )
    interval, receipt = amortised(hardware, life, use, assumed)
    return interval, "yours", (receipt,)


def agree_price(
    chip: Accelerator,
    provider: str | None,
    tier: str | None,
    price: str | float | None,
    discount: str | float | None,
    assumed: list[Assumption],
) -> tuple[str, PriceChoice | None, Interval | None, Basis | None, tuple[Receipt, ...]]:
    """Tier, listing, dollars of a device-hour with the discount taken off, their basis and receipts; `assumed` grows."""
    kind = "on-demand" if tier is None else tier.strip().lower().replace("_", "-").replace(" ", "-")
    if kind not in catalog_tiers():
        raise UnknownName("price tier", kind, catalog_tiers(), flag="--tier")
    _agree_with_each_other(kind, provider, tier, price)
    off = 0.0 if discount is None else units.parse(discount, "%", name="--discount", zero=True)
    cut = () if discount is None else (yours(off, "", "--discount"),)
    if provider is not None:
        catalog.prices(provider=provider)  # an unknown seller is refused whatever the price is
    if price is not None:
        own = units.parse(price, "$/device-hour", name="--price", zero=True)
        receipt = yours(own, "$/device-hour", "--price")
        return kind, None, Interval.exact(own * (1 - off)), "yours", (receipt, *cut)
    if tier is None and provider is None:
        offered = {listing.tier for listing in catalog.prices(chip)}
        if not offered:
            kind = "owned"
            assumed.append(
                Assumption(
                    "tier", value="owned", why=f"no seller of {with_article(chip.name)} is known here (`--price`)"
                )
            )
        elif kind not in offered:
            kind = next(entry for entry in ("reserved", "spot", *sorted(offered)) if entry in offered)
            assumed.append(
                Assumption("tier", value=kind, why=f"nobody lists an on-demand price of {with_article(chip.name)}")
            )
    if kind == "owned":
        return kind, None, None, None, cut
    choice = catalog.price_for(chip, provider, kind)
    if choice.receipt.basis != "yours" and (provider is None or tier is None):
        why = choice.sentence
        if choice.low < choice.high:
            why += f"; eight in ten ask ${choice.low:.2f} to ${choice.high:.2f}"
        assumed.append(Assumption("price", value=f"that of {choice.provider}, {kind}", why=why, receipt=choice.receipt))
    # What others ask is a choice that the user has, not a doubt about what this one will cost.
    return kind, choice, Interval.exact(choice.likely * (1 - off)), choice.receipt.basis, (choice.receipt, *cut)


def _agree_with_each_other(kind: str, provider: str | None, tier: str | None, price: str | float | None) -> None:
    """Refuse flags of which one would silently win over the other."""
    if price is not None and provider is not None:
        raise InputError(
            f"`--price {price}` and `--provider {provider}` are two prices",
            expected="one of them",
            hint="leave `--provider` out to pay your own price, or `--price` to pay theirs",
        )
    if price is not None and tier is not None and kind != "owned":
        raise InputError(
            f"`--price {price}` and `--tier {tier}` are two prices",
            expected="one of them",
            hint="leave `--tier` out to pay your own price, or `--price` to pay a listed one",
        )
    if kind == "owned" and provider is not None:
        raise InputError(
            f"`--tier owned` and `--provider {provider}`: what is owned is rented from nobody",
            expected="one of them",
            hint=f"leave `--tier owned` out to rent from {provider}, or `--provider` to own",
        )


def catalog_tiers() -> tuple[str, ...]:
    """The price tiers."""
    from outlay.catalog.offers import TIERS

    return TIERS


def _lost(asked: str | float | None) -> tuple[float | None, Receipt | None]:
    if asked is None:
        return None, None
    whole = InputError(f"`--lost-work` is {asked}", expected="a share below 100%", hint="write `--lost-work 5%`")
    if str(asked).strip() == "100":  # a bare number is a share, and parsing would ask for the sign
        raise whole
    share = units.parse(asked, "%", name="--lost-work", zero=True, example="5%")
    if share >= 1:
        raise whole
    return share, yours(share, "", "--lost-work")


def _pue(
    seller: str | None, asked: str | float | None, question: OnChip, assumed: list[Assumption]
) -> tuple[Interval, Receipt]:
    if asked is not None:
        ratio = units.parse(asked, "", name="--pue")
        if not 1 <= ratio <= 100:
            raise InputError(f"`--pue` is {asked}", expected="a ratio from 1 to 100", hint="write `--pue 1.2`")
        return Interval.exact(ratio), yours(ratio, "", "--pue")
    alone = catalog.server_for(question.accelerator).idle_watts is not None
    if seller == "on-premise" and (alone or question.accelerator.category == "consumer-gpu"):
        home = Receipt(
            1.0, unit="", source="a machine at home or on a desk has no building of its own", date="", basis="assumed"
        )
        assumed.append(Assumption("PUE", value="1", why=home.source, receipt=home))
        return Interval.exact(1.0), home
    factor: Factor = catalog.pue(seller)
    value = f"{factor.likely:g} ({factor.low:g} to {factor.high:g})"
    assumed.append(Assumption("PUE", value=value, why=f"of {factor.key} sites", receipt=factor.receipt))
    return Interval.between(factor.low, factor.likely, factor.high), factor.receipt


def _grid(asked: str | None, assumed: list[Assumption]) -> Grid:
    if asked is not None:
        return catalog.grid(asked)
    place = catalog.grid("world")
    value = f"{place.title}, {place.intensity * 1000:.0f} g CO₂e/kWh"
    why = "nobody said where (`--grid`)"
    assumed.append(Assumption("grid", value=value, why=why, receipt=place.receipts["intensity"]))
    return place


def _electricity(
    tier: str, asked: str | float | None, place: Grid, assumed: list[Assumption]
) -> tuple[float | None, Receipt | None]:
    """Dollars of a kWh: who rents pays it with the device."""
    if asked is not None:
        dollars = units.parse(asked, "$/kWh", name="--electricity", zero=True, example="0.15")
        if tier != "owned":
            raise InputError(
                "`--electricity` has no line: rented accelerators come with their power",
                hint="add `--tier owned`, or leave `--electricity` out",
            )
        return dollars, yours(dollars, "$/kWh", "--electricity")
    if tier != "owned":
        return None, None
    if place.electricity_price is not None and place.kind != "world":
        receipt, dollars, of = place.receipts["electricity_price"], place.electricity_price, place.title
    else:
        world = catalog.factor("electricity", "world")
        receipt, dollars, of = world.receipt, world.likely, "businesses, the world over"
    why = f"price of {of}; `--electricity` says yours, and a household pays more than a business"
    assumed.append(Assumption("electricity", value=f"${dollars:.3f} a kWh", why=why, receipt=receipt))
    return dollars, receipt


def _service(service: str, seller: str | None) -> catalog.ServicePrice:
    """The seller's own price of a service, else the largest cloud's."""
    own = catalog.service_prices(service, seller) if seller else ()
    return (own or catalog.service_prices(service))[0]


def price_notes(terms: Terms, today: datetime.date) -> Iterator[str]:
    """Whose price it is, and how old."""
    if terms.choice is None:
        return
    listing = terms.choice.price
    old = catalog.stale(listing.date, today)
    yield f"Prices: {listing.provider}, {listing.date}" + (f" ({old})." if old else ".")


_HOURS = {"tpu": "chip-h", "trainium": "chip-h", "apple": "h", "edge": "h", "cpu": "h", "npu": "chip-h"}


def hour_unit(chip: Accelerator) -> str:
    """GPU-h, chip-h …"""
    return _HOURS.get(chip.category, "GPU-h")
