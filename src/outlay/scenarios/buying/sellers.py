"""Who rents out machines, at what price, and how many of them linked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay import catalog
from outlay.catalog import Accelerator
from outlay.catalog.offers import TIERS
from outlay.scenarios.serving_plan.offers import ENDLESS, Money, Offer, offers_of
from outlay.scenarios.training_plan.question import Wanted


def offers_on(chip: Accelerator, money: Mapping[str, Any]) -> tuple[Offer, ...]:
    """Whose machines may be taken in the tier asked for: of all sellers with dated listings, or of the one that was named.

    One without a price, and with links as one likes, where the price is the user's own, or where nobody is known to list one:
    the terms then say what it costs, or refuse it.
    """
    tier = _tier(money)
    own = money.get("price") is not None or money.get("hardware") is not None
    if not own and tier in TIERS and tier != "owned":
        listings = catalog.prices(chip, tier=tier)
        if any(entry.receipt.basis == "yours" for entry in listings) and money.get("provider") is None:
            return (_any(chip, money),)
        if found := _listed(chip, tier, money, money.get("provider")):
            return found
    return (_any(chip, money),)


def every_offer(chip: Accelerator, money: Mapping[str, Any]) -> tuple[Offer, ...]:
    """Every seller and tier with dated listings, each with the discount that was said."""
    return tuple(
        offer
        for tier in dict.fromkeys(listing.tier for listing in catalog.prices(chip))
        if tier != "owned"
        for offer in _listed(chip, tier, money, None)
        if any(len(entry.date) > len("2026") for entry in catalog.prices(chip, offer.provider, tier) if not entry.doubt)
    )


def _listed(chip: Accelerator, tier: str, money: Mapping[str, Any], provider: str | None) -> tuple[Offer, ...]:
    named = {listing.provider for listing in catalog.prices(chip, provider, tier)}
    wanted = Wanted(
        machines={chip.name: (1,)},
        any_chip=False,
        tiers=(tier,),
        providers=None if provider is None else tuple(named),
        goal="cheapest",
        limits={},
        had=None,
        gone={},
    )
    return tuple(
        offer for offer in offers_of(wanted, chip, Money(discount=money.get("discount"))) if offer.price is not None
    )


def _any(chip: Accelerator, money: Mapping[str, Any]) -> Offer:
    return Offer(chip=chip.name, provider=money.get("provider"), tier=_tier(money), price=None, most=ENDLESS, pue=1.0)


def _tier(money: Mapping[str, Any]) -> str:
    return str(money.get("tier") or "on-demand").strip().lower().replace("_", "-").replace(" ", "-")
