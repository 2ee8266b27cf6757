"""One name, one meaning, one unit: every public parameter is in docs/reference/nomenclature.md."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "nomenclature", Path(__file__).resolve().parent.parent / "scripts" / "nomenclature.py"
)
assert _spec is not None
assert _spec.loader is not None
nomenclature = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(nomenclature)


def test_every_public_parameter_is_listed() -> None:
    used = nomenclature.public_parameters()
    missing = {name: sorted(where) for name, where in used.items() if name not in nomenclature.listed()}
    assert not missing


def test_nothing_is_listed_that_nobody_uses() -> None:
    assert not nomenclature.listed().keys() - nomenclature.public_parameters().keys()


def test_every_name_has_a_meaning_and_a_unit() -> None:
    for name, (unit, meaning) in nomenclature.listed().items():
        assert unit, name
        assert len(meaning) > 3, name


def test_quantities_say_their_unit_in_bytes_and_seconds() -> None:
    """Inside the package units are SI: no parameter is in GB, hours or per cent."""
    for name in nomenclature.public_parameters():
        assert not name.endswith(("_gb", "_gib", "_hours", "_ms", "_us", "_percent", "_pct", "_mb")), name
