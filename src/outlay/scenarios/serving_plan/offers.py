"""What an accelerator-hour costs by seller and tier, and how large an instance each links together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outlay import catalog
from outlay.catalog import Accelerator
from outlay.scenarios.terms import agree_price
from outlay.scenarios.training_plan.question import Wanted
from outlay.statement import Assumption, Interval

ENDLESS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One seller's price of an accelerator in one tier; or one's own machines."""

    chip: str
    provider: str | None
    tier: str
    price: float | None
    """Dollars of a device-hour; None where nobody lists one."""
    most: int
    """Devices that are linked together: an instance is no larger. Replicas need no links."""
    pue: float
    """Energy of the building over that of its computers."""

    @property
    def owned(self) -> bool:
        return self.tier == "owned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """The user's own price, discount and purchase, as they were typed."""

    price: str | float | None = None
    discount: str | float | None = None
    own: float | None = None
    """Dollars of a device-hour of what was bought."""


def offers_of(wanted: Wanted, chip: Accelerator, money: Money) -> Iterator[Offer]:
    """Every seller and tier of one accelerator, as `wanted` limits them."""
    node = int(catalog.server_for(chip, 8).devices)
    for tier in wanted.tiers:
        if money.price is not None or tier in ("owned", "reserved"):  # nobody lists these: the price is the user's
            yield Offer(
                chip=chip.name,
                provider=None,
                tier=tier,
                price=_own(chip, tier, money, alone=wanted.tiers == ("owned",)),
                most=ENDLESS,
                pue=_pue(chip, tier),
            )
            continue
        listings = [
            listing
            for listing in catalog.prices(chip, tier=tier)
            if not listing.doubt and (wanted.providers is None or listing.provider in wanted.providers)
        ]
        dated = {listing.provider for listing in listings if len(listing.date) > len("2026")}
        sellers = {listing.provider for listing in listings}
        for who in sorted(dated if dated and wanted.providers is None else sellers):
            yield Offer(
                chip=chip.name,
                provider=who,
                tier=tier,
                price=_listed(chip, who, tier, money),
                most=most_linked(chip, who, node),
                pue=catalog.pue(who).likely,
            )


def unsold(chips: Sequence[Accelerator]) -> bool:
    """Whether nobody rents out any of them, in whatever tier."""
    return not any(catalog.prices(chip) for chip in chips)


def _pue(chip: Accelerator, tier: str) -> float:
    """Of one's own building, which a machine at home or on a desk has not; of clouds else."""
    if tier == "owned" and chip.category in ("apple", "consumer-gpu", "edge"):
        return 1.0
    return catalog.pue("on-premise" if tier == "owned" else None).likely


def most_linked(chip: Accelerator, who: str, node: int) -> int:
    """Devices of one instance that a seller links: of a whole node more than one, of less as many as it lists. TPUs are
    listed by the chip and rented in linked slices."""
    if chip.category == "tpu":
        return ENDLESS
    listings = catalog.prices(chip, who)
    largest = int(max((listing.devices for listing in listings), default=1))
    if largest < node or node == 1:
        return max(largest, 1)
    alone = all(catalog.unlinked(who, listing.provider_class) is not None for listing in listings)
    return largest if alone else ENDLESS


def _listed(chip: Accelerator, who: str, tier: str, money: Money) -> float:
    assumed: list[Assumption] = []
    _, _, price, _, _ = agree_price(chip, who, tier, None, money.discount, assumed)
    assert isinstance(price, Interval)
    return price.likely


def _own(chip: Accelerator, tier: str, money: Money, *, alone: bool) -> float | None:
    """Dollars of what is owned or reserved. What nobody said the price of costs its power where all is owned (`alone`);
    beside what is rented it has no dollars that it could be ranked by."""
    if money.own is not None:
        return money.own
    if money.price is None:
        return 0.0 if tier == "owned" and alone else None
    assumed: list[Assumption] = []
    _, _, price, _, _ = agree_price(chip, None, tier if tier == "owned" else None, money.price, money.discount, assumed)
    assert isinstance(price, Interval)
    return price.likely
