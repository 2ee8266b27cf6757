"""Servers: how many devices stand in a node, which of them share a fast domain, and what the host itself draws.

Rows of `servers.csv` name an accelerator (or several that are built into the same machine), or a kind of it
(`category:consumer-gpu`: any such card) for which the row is the usual box; a blank cell takes the device's own figure.
A phone, a laptop or a board is its own node: what it draws is known as a whole, and it may have a battery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.catalog.devices import Accelerator, accelerator, spelled
from outlay.errors import InputError, UnknownName
from outlay.statement import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One node. Bandwidths are bytes/s in one direction of one device; powers are watts."""

    name: str
    aliases: tuple[str, ...]
    accelerator: str
    devices: int
    """Devices in the node."""
    domain: int
    """Devices that reach each other at `link_bandwidth`; more than `devices` where links leave the node (NVL72)."""
    link: str
    link_bandwidth: float
    nic_bandwidth: float
    """A device's share of the cards that leave the domain."""
    host_watts: float
    """What the node draws under load beyond its devices: processors, memory, cards, fans, losses of the supply."""
    idle_watts: float | None
    """Of a machine that stands by itself: the whole of it at rest, its device included. None in a rack."""
    work_watts: float | None
    """The whole of such a machine while it answers, where somebody measured it; else its device and `host_watts`."""
    battery: float | None
    """Joules that its battery holds; None without one."""
    note: str
    receipts: Mapping[str, Receipt] = field(repr=False, compare=False)


def server(name: str) -> Server:
    """The server of that name or alias.

    >>> server("gb200-nvl72").domain, server("p4d").nic_bandwidth * 8 / 1e9
    (72, 50.0)
    """
    key = spelled(name)
    for row in rows.read("servers", "name"):
        if key in map(spelled, (row["name"], *rows.names(row["aliases"]))):
            if ":" in row["accelerator"]:
                kind = row["accelerator"].partition(":")[2]
                raise InputError(f"`{name}` holds any {kind}", hint="name the accelerator: its server follows from it")
            return _build(row, accelerator(rows.names(row["accelerator"])[0]))
    known = [entry for row in rows.read("servers", "name") for entry in (row["name"], *rows.names(row["aliases"]))]
    raise UnknownName("server", name, known, listing="outlay show accelerators")


@rows.cached
def servers() -> tuple[Server, ...]:
    """The servers that name their accelerator."""
    return tuple(
        _build(row, accelerator(rows.names(row["accelerator"])[0]))
        for row in rows.read("servers", "name")
        if ":" not in row["accelerator"]
    )


def server_for(chip: Accelerator | str, count: int | None = None) -> Server:
    """The usual server of an accelerator: every one has one.

    A consumer or workstation card stands alone in its machine; when `count` says more, up to eight share one.

    >>> server_for("h100-sxm").name, server_for("h100-pcie").devices, server_for("rtx-4090").devices
    ('dgx-h100', 8, 1)
    >>> server_for("rtx-4090", count=4).devices
    4
    >>> server_for("m1-pro-cpu").name == server_for("m1-pro").name
    True
    """
    chip = accelerator(chip) if isinstance(chip, str) else chip
    table = _usual()
    row = table.get(chip.name) or table.get(chip.silicon.name)
    if row is None and count is not None and count > 1:
        row = table.get(f"many:{chip.category}")
        if row is not None:
            devices = min(count, int(row["devices"]))
            return _build({**row, "devices": str(devices), "domain": str(devices)}, chip)
    if row is None:
        row = table.get(f"category:{chip.category}")
    if row is None:  # a category of the user's own: a plain box of one
        row = table["category:consumer-gpu"]
    return _build(row, chip)


@rows.cached
def _usual() -> dict[str, Mapping[str, str]]:
    """The usual servers' rows, by accelerator: the last that names it; by category (`category:`), and where several of one
    share a box (`many:`): the first."""
    table = [
        (name, row) for row in rows.read("servers", "name") if row["default"] for name in rows.names(row["accelerator"])
    ]
    by_category = {name: row for name, row in reversed(table) if ":" in name}
    return {name: row for name, row in table if ":" not in name} | by_category


def _build(row: Mapping[str, str], chip: Accelerator) -> Server:
    """A server from its row; a blank cell takes the device's own figure, and its receipt."""
    receipts: dict[str, Receipt] = {}

    assumed = rows.names(row.get("assumed"))

    def said(figure: str) -> bool:
        # What a user says of a chip goes before what a shipped server says of all of its kind.
        return chip.yours(figure) and not row.get("yours")

    def stated(name: str, column: str, scale: float, unit: str) -> float | None:
        value = rows.number(row.get(column))
        if value is not None:
            basis = "assumed" if column in assumed else ""
            receipts[name] = rows.receipt(row, column, value * scale, unit=unit, basis=basis)
        return None if value is None else value * scale

    def figure(name: str, column: str, scale: float, unit: str, own: float) -> float:
        value = None if said(name) else stated(name, column, scale, unit)
        if value is None:
            own_name = "pcie_bandwidth" if name == "link_bandwidth" and hosted else name
            receipts[name] = chip.receipts.get(own_name) or rows.receipt(row, column, own, unit=unit)
            return own
        return value

    link = chip.link if said("link") else row["link"] or chip.link
    hosted = link == "PCIe" and not said("link_bandwidth")
    own_link = chip.pcie_bandwidth if hosted else chip.link_bandwidth
    devices, domain = int(row["devices"]), chip.domain if said("domain") else int(row["domain"])
    link_bandwidth = figure("link_bandwidth", "link_gbs", 1e9, "B/s", own_link)
    plain = row["accelerator"] == "category:datacenter-gpu" and not said("nic_bandwidth")
    nic = min(chip.nic_bandwidth, 100e9 / 8) if plain else chip.nic_bandwidth
    nic_bandwidth = figure("nic_bandwidth", "nic_gbps", 1e9 / 8, "B/s", nic)
    host_watts = figure("host_watts", "host_w", 1, "W", 0.0)
    receipts["devices"] = rows.receipt(row, "devices", devices, unit="")
    receipts["domain"] = chip.receipts["domain"] if said("domain") else rows.receipt(row, "domain", domain, unit="")
    return Server(
        name=row["name"],
        aliases=rows.names(row["aliases"]),
        accelerator=chip.name,
        devices=devices,
        domain=domain,
        link=link,
        link_bandwidth=link_bandwidth,
        nic_bandwidth=nic_bandwidth,
        host_watts=host_watts,
        idle_watts=stated("idle_watts", "idle_w", 1, "W"),
        work_watts=stated("work_watts", "work_w", 1, "W"),
        battery=stated("battery", "battery_wh", 3600, "J"),
        note=row["note"],
        receipts=receipts,
    )
