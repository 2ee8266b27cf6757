"""Scaling laws of the catalog: receipts, constants that their forms need, and figures that their papers print."""

from __future__ import annotations

import math

import pytest

from outlay import catalog
from outlay.catalog import rows
from outlay.catalog.scaling_laws import FORMS
from outlay.errors import UnknownName

NEEDED = {
    "parametric": {"E", "A", "B", "alpha", "beta"},
    "joint": {"Nc", "Dc", "alphaN", "alphaD"},
    "granular": {"c", "g", "gamma", "a", "alpha", "b", "beta", "expansion", "routing", "aspect"},
    "sparse": {"a", "alpha", "b", "beta", "c", "lambda", "d", "delta", "gamma", "e"},
    "routed": {"a", "b", "c", "d", "Estart", "Emax"},
    "allocation": set(),
}


def test_every_law_reads_back_with_its_receipt() -> None:
    table = rows.read("laws")
    assert len(catalog.laws()) == len(table) >= 20
    for law, row in zip(catalog.laws(), table, strict=True):
        assert law.form in FORMS
        assert law.form == row["form"]
        assert law.domain in ("language", "diffusion")
        assert NEEDED[law.form] <= set(law.constants)
        assert all(math.isfinite(value) for value in law.constants.values())
        assert law.receipt.value == row["constants"].replace(";", ", ")
        assert law.receipt.source.startswith("https://")
        assert law.receipt.date
        assert law.receipt.basis == "fitted"
        assert law.counts
        assert catalog.law(law.name) == law
        for span in (law.parameters, law.tokens, law.ratio, law.flop):
            assert span is None or 0 < span[0] <= span[1]


def test_allocations_say_one_of_the_two() -> None:
    for law in catalog.laws():
        if law.form == "allocation":
            assert {"N", "a"} <= set(law.constants) or {"D", "b"} <= set(law.constants)


def test_no_spelling_means_two_laws() -> None:
    owner: dict[str, str] = {}
    for law in catalog.laws():
        for spelling in (law.name, *law.aliases):
            assert owner.setdefault(spelling, law.name) == law.name


def test_names_are_taken_loosely_and_unknown_ones_refused() -> None:
    assert catalog.law("Llama 3").name == "llama-3"
    with pytest.raises(UnknownName) as caught:
        catalog.law("chinchila")
    assert "`chinchilla`" in caught.value.hint
    assert "outlay show laws" in caught.value.hint
