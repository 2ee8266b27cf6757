"""Which public parameters there are, where each occurs, and which of them docs/reference/nomenclature.md does not list.

    python scripts/nomenclature.py

The meanings in that page are written by hand; this only finds what is missing or gone.
tests/test_nomenclature.py asks it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import defaultdict
from enum import Enum
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "nomenclature.md"
PARTS = (
    "workload",
    "machine",
    "layout",
    "search",
    "training",
    "training.launch",
    "serving",
    "scaling",
    "economics",
    "economics.api",
    "scenarios",
)


def public_parameters() -> dict[str, set[str]]:
    """Parameters of the functions and classes in each part's `__all__` and in outlay's own: name → where it occurs."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in ("outlay", *(f"outlay.{part}" for part in PARTS)):
        home = import_module(module)
        for name in getattr(home, "__all__", ()):
            thing = getattr(home, name)
            if not callable(thing) or not getattr(thing, "__module__", "").startswith("outlay"):
                continue
            if inspect.isclass(thing) and issubclass(thing, (BaseException, Enum)):
                continue
            try:
                parameters = inspect.signature(thing).parameters
            except (TypeError, ValueError):  # a type alias has none
                continue
            for parameter in parameters:
                if parameter not in {"self", "args", "kwargs", "kwds"} and not parameter.startswith("_"):
                    found[parameter].add(f"{thing.__module__}.{getattr(thing, '__qualname__', name)}")
    return dict(found)


def listed() -> dict[str, tuple[str, str]]:
    """The page's table: name → (unit, meaning)."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: (unit.strip(), meaning.strip()) for name, unit, meaning in rows}


def main() -> int:
    """Print what the page lacks and what it lists for nothing."""
    used, written = public_parameters(), listed()
    for name in sorted(used.keys() - written.keys()):
        print(f"missing: {name:24} {', '.join(sorted(used[name]))}")
    for name in sorted(written.keys() - used.keys()):
        print(f"unused:  {name}")
    return int(used.keys() != written.keys())


if __name__ == "__main__":
    sys.exit(main())
