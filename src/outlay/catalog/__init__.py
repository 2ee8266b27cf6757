"""Facts, each with a receipt: accelerators, servers, prices, grids, factors, failures, models; and the user's own.

Names load on use, so that importing the catalog costs nothing. Modules have other names than the functions they offer
(`devices` holds `accelerators()`), because importing a submodule would put it in the function's place.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlay.catalog.devices import Accelerator as Accelerator
    from outlay.catalog.devices import accelerator as accelerator
    from outlay.catalog.devices import accelerators as accelerators
    from outlay.catalog.nodes import Server as Server
    from outlay.catalog.nodes import server as server
    from outlay.catalog.nodes import server_for as server_for
    from outlay.catalog.nodes import servers as servers
    from outlay.catalog.recognise import resolve_accelerator as resolve_accelerator

_WHERE = {
    "Accelerator": "devices",
    "accelerator": "devices",
    "accelerators": "devices",
    "Server": "nodes",
    "server": "nodes",
    "server_for": "nodes",
    "servers": "nodes",
    "resolve_accelerator": "recognise",
}

__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
