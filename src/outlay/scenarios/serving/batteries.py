"""Machines that stand by themselves, as an answer names them, and what their batteries hold."""

from __future__ import annotations

from outlay import units
from outlay.catalog import Server
from outlay.errors import InputError
from outlay.statement import Assumption
from outlay.units import format_quantity


def read_battery(text: str | float | None, server: Server, count: int, assumed: list[Assumption]) -> float | None:
    """Joules: as asked, or of the one machine whose battery is known; what that machine is, is said."""
    if server.idle_watts is not None:
        rest = f"{format_quantity(server.idle_watts, 'W')} at rest"
        work = "" if server.work_watts is None else f", {format_quantity(server.work_watts, 'W')} at work"
        why = "the machine around such a chip"
        assumed.append(
            Assumption("machine", value=f"{server.name}, {rest}{work}", why=why, receipt=server.receipts["idle_watts"])
        )
    if text is None:
        if server.battery is None or count > 1:
            return None
        value = format_quantity(server.battery, "J")
        why = f"that of the {server.name} (`--battery` says another)"
        assumed.append(Assumption("battery", value=value, why=why, receipt=server.receipts["battery"]))
        return server.battery
    found = units.parse(text, "J", name="--battery", example="99.6Wh")
    if found > 3.6e12:
        raise InputError(f"`--battery` is {text}", expected="at most 1 GWh", hint="write `--battery 99.6Wh`")
    return found
