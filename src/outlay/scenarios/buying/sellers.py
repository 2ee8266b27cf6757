"""Who rents out machines for the least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay import catalog
from outlay.catalog import Accelerator
from outlay.catalog.offers import TIERS
from outlay.scenarios.serving_plan.offers import most_linked


def cheapest_seller(chip: Accelerator, devices: int, money: Mapping[str, Any]) -> str | None:
    """The seller at which instances of so many `devices` cost the least in the tier asked for, by dated listings where there
    are some; the one that was named; None where the price is the user's own, or where nobody is known to link as many."""
    if money.get("provider") is not None or money.get("price") is not None or money.get("hardware") is not None:
        named: str | None = money.get("provider")
        return named
    tier = str(money.get("tier") or "on-demand").strip().lower().replace("_", "-").replace(" ", "-")
    if tier not in TIERS or tier == "owned":
        return None
    listings = [entry for entry in catalog.prices(chip, tier=tier) if not entry.doubt]
    if any(entry.receipt.basis == "yours" for entry in listings):
        return None
    node = int(catalog.server_for(chip, 8).devices)
    dated = [entry for entry in listings if len(entry.date) > len("2026")] or listings
    sellers = {entry.provider for entry in dated}
    linking = [who for who in sorted(sellers) if most_linked(chip, who, node) >= devices]
    return min(linking, key=lambda who: catalog.price_for(chip, who, tier).likely, default=None)
