"""Servers: every accelerator has one, its figures have receipts, domains and nodes agree."""

from __future__ import annotations

import pytest

from outlay import catalog
from outlay.catalog import Accelerator, Server
from outlay.errors import InputError, UnknownName


@pytest.mark.parametrize("chip", catalog.accelerators(), ids=lambda chip: chip.name)
def test_every_accelerator_has_a_server(chip: Accelerator) -> None:
    node = catalog.server_for(chip)
    assert node.accelerator == chip.name
    assert node.devices >= 1
    assert node.domain >= 1
    assert node.host_watts > 0
    for figure in ("devices", "domain", "link_bandwidth", "nic_bandwidth", "host_watts"):
        receipt = node.receipts[figure]
        assert receipt.source
        assert receipt.date
        assert receipt.basis in ("quoted", "measured", "assumed")
        if figure != "nic_bandwidth":
            assert receipt.value == getattr(node, figure)
    if chip.category in ("consumer-gpu", "workstation-gpu", "apple", "edge"):
        assert node.devices == 1
    if chip.category == "datacenter-gpu" and chip.link == "PCIe":
        assert node.devices == 8
        assert node.link_bandwidth == chip.pcie_bandwidth


@pytest.mark.parametrize("node", catalog.servers(), ids=lambda node: node.name)
def test_servers_are_found_by_name_and_alias(node: Server) -> None:
    for name in (node.name, *node.aliases):
        assert catalog.server(name) == node
    assert node.domain >= node.devices or node.domain == 1


@pytest.mark.parametrize(
    ("name", "chip", "devices", "domain", "gbps"),
    [
        ("dgx-h100", "h100-sxm-80gb", 8, 8, 400),
        ("a3-high", "h100-sxm-80gb", 8, 8, 100),
        ("a3-mega", "h100-sxm-80gb", 8, 8, 200),
        ("dgx-a100", "a100-sxm-80gb", 8, 8, 200),
        ("p4d.24xlarge", "a100-sxm-40gb", 8, 8, 50),
        ("gb200-nvl72", "gb200-192gb", 4, 72, 400),
        ("trn1", "trainium1", 16, 16, 50),
        ("hgx-b200", "b200-sxm-180gb", 8, 8, 400),
    ],
)
def test_known_servers(name: str, chip: str, devices: int, domain: int, gbps: float) -> None:
    node = catalog.server(name)
    assert (node.accelerator, node.devices, node.domain) == (chip, devices, domain)
    assert node.nic_bandwidth * 8 / 1e9 == pytest.approx(gbps)


@pytest.mark.parametrize(("count", "devices"), [(None, 1), (1, 1), (2, 2), (6, 6), (64, 8)])
def test_consumer_cards_share_a_box_when_there_are_several(count: int | None, devices: int) -> None:
    node = catalog.server_for("rtx-3090", count=count)
    assert (node.devices, node.domain) == (devices, devices)


def test_names_that_are_no_server() -> None:
    with pytest.raises(UnknownName, match="not a server"):
        catalog.server("dgx-h1000x")
    with pytest.raises(InputError, match="any consumer-gpu"):
        catalog.server("pc")


ALONE = [node for node in map(catalog.server_for, catalog.accelerators()) if node.idle_watts is not None]


@pytest.mark.parametrize("node", ALONE, ids=lambda node: node.accelerator)
def test_machines_that_stand_by_themselves(node: Server) -> None:
    assert node.devices == 1
    assert node.idle_watts is not None
    assert node.idle_watts < (node.work_watts or catalog.accelerator(node.accelerator).tdp + node.host_watts)
    for figure in ("idle_watts", "work_watts", "battery"):
        value = getattr(node, figure)
        assert (value is None) == (figure not in node.receipts)
        if value is not None:
            assert node.receipts[figure].value == value


@pytest.mark.parametrize(
    ("chip", "low", "high", "battery"),
    [
        ("a17-pro", 0.02, 0.5, 12.7),
        ("m1-pro", 1.0, 8.0, 70.0),
        ("m3-max", 1.0, 8.0, 100.0),
        ("core-i7-12700h", 3.0, 12.0, None),
        ("core-i9-13900k", 30.0, 90.0, None),
        ("gb10-spark-128gb", 20.0, 45.0, None),
        ("raspberry-pi-5-16gb", 2.0, 4.0, None),
        ("rtx-4090", 40.0, 100.0, None),
    ],
)
def test_what_machines_draw_at_rest(chip: str, low: float, high: float, battery: float | None) -> None:
    node = catalog.server_for(chip)
    assert node.idle_watts is not None
    assert low <= node.idle_watts <= high
    assert node.battery == (None if battery is None else pytest.approx(battery * 3600))


def test_chips_of_one_machine_share_it() -> None:
    assert catalog.server_for("m1-pro").name == catalog.server_for("m1-pro-cpu").name == "macbook-pro-14-m1"
    assert catalog.server_for("epyc-9654").idle_watts is None
    receipts = catalog.server_for("a17-pro").receipts
    assert (receipts["battery"].basis, receipts["idle_watts"].basis) == ("quoted", "assumed")
