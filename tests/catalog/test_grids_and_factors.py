"""Grids, factors and failures: receipts, bounds, and that lifecycle and direct figures stay apart."""

from __future__ import annotations

import pytest

from outlay import catalog
from outlay.catalog import rows
from outlay.errors import UnknownName
from outlay.statement import BASES


def test_every_grid_reads_back_with_its_receipt() -> None:
    assert len(catalog.grids()) >= 350
    for grid, row in zip(catalog.grids(), rows.read("grids", "name"), strict=True):
        assert grid.intensity == pytest.approx(float(row["g_per_kwh"]) / 1000)
        assert grid.receipts["intensity"].value == grid.intensity
        assert 0 <= grid.intensity < 1.4, "coal alone is about 1"
        assert grid.intensity_basis in ("lifecycle", "direct", "location-based")
        for receipt in grid.receipts.values():
            assert receipt.source
            assert receipt.date
            assert receipt.basis in BASES
        if grid.electricity_price is not None:
            assert grid.receipts["electricity_price"].value == grid.electricity_price
            assert 0.03 < grid.electricity_price < 0.5


def test_countries_are_lifecycle_and_states_direct() -> None:
    for grid in catalog.grids():
        if grid.kind in ("country", "us-state"):
            assert grid.intensity_basis == {"country": "lifecycle", "us-state": "direct"}[grid.kind]
        assert grid.intensity_basis in grid.receipts["intensity"].note


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("US", "usa"),
        ("united states", "usa"),
        ("France", "fra"),
        ("DE", "deu"),
        ("us-tx", "us-tx"),
        ("Texas", "us-tx"),
        ("us-central1", "gcp:us-central1"),
        ("gcp:us-central1", "gcp:us-central1"),
        ("us-west-2", "aws:us-west-2"),
        ("East US", "azure:east-us"),
        ("eastus", "azure:east-us"),
        ("world", "world"),
    ],
)
def test_places_are_found_by_what_people_call_them(name: str, known: str) -> None:
    assert catalog.grid(name).name == known


@pytest.mark.parametrize("name", ["", "atlantis", "us-zz", "h100"])
def test_unknown_places(name: str) -> None:
    with pytest.raises(UnknownName, match=r"not a grid|grid is empty"):
        catalog.grid(name)


def test_every_factor_reads_back_in_order() -> None:
    for factor, row in zip(catalog.factors(), rows.read("factors"), strict=True):
        assert 0 <= factor.low <= factor.likely <= factor.high
        assert factor.likely == float(row["likely"]) == factor.receipt.value
        assert factor.receipt.source
        assert factor.receipt.date
        if factor.kind == "pue":
            assert 1 <= factor.low <= factor.high <= 2
        assert catalog.factor(factor.kind, factor.key) == factor


def test_factors_have_a_default() -> None:
    assert catalog.pue().key == "cloud"
    assert catalog.pue("aws").likely == 1.135
    assert catalog.embodied_carbon("h100-sxm").low == 164
    for chip in catalog.accelerators():
        embodied = catalog.embodied_carbon(chip)
        assert embodied.unit == "kg"
        assert embodied.low < embodied.likely < embodied.high
        assert 0 < catalog.factor("idle-fraction", chip.category).likely < 1
    with pytest.raises(UnknownName):
        catalog.factor("pue", "nobody")


def test_every_failure_reads_back() -> None:
    table = rows.read("failures")
    assert len(catalog.failures()) == len(table) >= 150
    for failure in catalog.failures():
        assert failure.receipt.source
        assert failure.receipt.date
        assert (failure.value is None) == bool(failure.text)
    hours = {f.devices: f.value for f in catalog.failures("mttf_by_job_size", "mttf")}
    assert hours == {8: pytest.approx(1144.8), 1024: 7.9, 16384: 1.8, 131072: 0.23}
