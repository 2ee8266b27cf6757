"""Break-even counts copies of one machine: where another carries a larger load for less, that is said, and true."""

from __future__ import annotations

import re

import pytest

from outlay.scenarios.buying.compare import compare

LOAD = {"input": 1024, "output": 256}


def _said(**asked):
    notes = compare("llama-3-70b", **LOAD, **asked).notes
    return next((note for note in notes if note.startswith("That counts")), "")


@pytest.mark.parametrize("asked", [{"tier": "spot"}, {"ttft": "500ms"}])
def test_another_machine_that_carries_more_for_less_is_named(asked):
    """The load that it names is one that the machine it names carries for less than the API."""
    said = _said(rate=0.002, **asked)
    requests, chip = re.search(r"from ([\d,]+) requests/day for good \(`--on ([^`]+)`\)", said).groups()
    rate = f"{1.01 * float(requests.replace(',', '')):.0f}/day"
    there = compare("llama-3-70b", **LOAD, rate=rate, on=chip, **asked)
    assert there.title.startswith("Build")
    own, api = (there.answer[name].value.likely for name in ("own", "api"))
    assert own <= api
    # Fewer requests are not always carried for less.
    assert compare("llama-3-70b", **LOAD, rate=0.002, on=chip, **asked).title.startswith("Buy")


def test_nothing_is_said_of_a_machine_that_was_named():
    assert "That counts" not in " ".join(compare("llama-3-70b", **LOAD, rate=0.002, on="rtx-a6000").notes)
