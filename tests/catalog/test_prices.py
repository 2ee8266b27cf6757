"""Prices: dated, with receipts; the choice of one is the median that it says it is; nobody is asked in vain."""

from __future__ import annotations

import datetime
import statistics

import pytest

from outlay import catalog
from outlay.catalog import Price, rows
from outlay.catalog.offers import TIERS
from outlay.errors import InputError, UnknownName

ALL = catalog.prices()


def test_every_listing_reads_back_with_its_receipt() -> None:
    table = rows.read("prices")
    assert len(ALL) == len(table) >= 600
    for price, row in zip(ALL, table, strict=True):
        assert price.dollars_per_device_hour == float(row["dollars_per_device_hour"]) == price.receipt.value
        assert price.receipt.unit == "$/device-hour"
        assert price.receipt.source == price.source
        assert price.receipt.date == price.date
        assert 0 < price.low <= price.dollars_per_device_hour <= price.high < 100
        assert price.tier in TIERS
        assert price.currency == "USD"
        assert price.age_days(datetime.date(2026, 12, 31)) > 0
        assert catalog.accelerator(price.accelerator).name == price.accelerator


def test_spot_above_on_demand_is_doubted() -> None:
    dearer = []
    for who in catalog.providers():
        spot = [p for p in catalog.prices(provider=who, tier="spot") if not p.doubt]
        for chip in {price.accelerator for price in spot}:
            demand = catalog.prices(chip, who, "on-demand")
            if demand and min(p.low for p in spot if p.accelerator == chip) > max(p.high for p in demand):
                dearer.append((who, chip))
    assert not dearer
    assert "above on-demand" in catalog.price_for("h100-sxm", "runpod", "spot").sentence


def test_filters_only_take_away() -> None:
    some = catalog.prices("h100-sxm", "aws", "on-demand", "us-east-1")
    assert some
    assert set(some) <= set(catalog.prices("h100-sxm", "aws")) <= set(catalog.prices("h100-sxm")) <= set(ALL)
    assert all("us-east-1" in (price.region, *price.regions) for price in some)
    assert catalog.prices(region="atlantis") == ()


@pytest.mark.parametrize("name", ["h100-sxm", "a100-sxm-80gb", "h200", "rtx-4090", "l4", "v100-sxm-16gb"])
def test_the_choice_is_the_middle_of_the_providers(name: str) -> None:
    choice = catalog.price_for(name)
    assert choice.low <= choice.likely <= choice.high
    assert choice.providers.index(choice.provider) == (len(choice.providers) - 1) // 2
    assert f"median of {len(choice.providers)} providers" in choice.sentence
    assert choice.likely == choice.price.dollars_per_device_hour == choice.receipt.value
    own = sorted(p.dollars_per_device_hour for p in catalog.prices(name, choice.provider, "on-demand"))
    assert own[0] <= choice.likely <= own[-1]


def test_one_provider_gives_its_median() -> None:
    choice = catalog.price_for("h100-sxm", provider="AWS")
    listed: list[Price] = [p for p in catalog.prices("h100-sxm", "aws", "on-demand") if not p.doubt]
    assert choice.likely == statistics.median_low(p.dollars_per_device_hour for p in listed)
    assert choice.provider == "aws"
    assert choice.providers == ("aws",)


def test_provider_names_are_taken_loosely() -> None:
    assert catalog.prices(provider="Vast.ai") == catalog.prices(provider="vast_ai") == catalog.prices(provider="vastai")


def test_wrong_questions_are_input_errors() -> None:
    with pytest.raises(UnknownName, match="provider"):
        catalog.price_for("h100-sxm", provider="nope")
    with pytest.raises(InputError, match="not a price tier"):
        catalog.price_for("h100-sxm", tier="cheap")
    with pytest.raises(InputError, match="lambda lists no on-demand price") as caught:
        catalog.price_for("mi300x", provider="lambda")
    assert any("crusoe" in line for line in caught.value.details)
    for tier in ("owned", "reserved"):
        with pytest.raises(InputError, match=f"no provider lists an? {tier} price") as caught:
            catalog.price_for("h100-sxm", tier=tier)
        assert "--price" in caught.value.hint


def test_old_prices_say_so() -> None:
    today = datetime.date(2026, 8, 22)
    assert catalog.stale("2026-05-24", today) is None
    assert catalog.stale("2026-05-23", today) == "the price is 91 days old"
    assert catalog.stale("2026", today) == "the price may be 233 days old"
    assert catalog.age_days("2026-07", today) == 52


def test_stored_and_moved_data_have_prices() -> None:
    (s3,) = catalog.service_prices("object-storage", "aws")
    assert (s3.dollars, s3.unit) == (23.0, "$/TB-month")
    assert s3.receipt.basis == "quoted"
    assert {price.service for price in catalog.service_prices()} == {"object-storage", "egress", "ingress"}
    assert all(price.receipt.source.startswith("https://") for price in catalog.service_prices())
