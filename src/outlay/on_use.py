"""Names of a package that load when they are first used (PEP 562), so that a command starts with what it takes alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def on_use(package: str, names: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """A package's `__getattr__`; `names` are those that each of its modules offers.

    >>> from_json = on_use("json", {"decoder": ["JSONDecoder"]})
    >>> from_json("JSONDecoder").__name__
    'JSONDecoder'
    """
    homes = {name: module for module, offered in names.items() for name in offered}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
