"""Statements from files, or the last answer."""

from __future__ import annotations

from outlay.cli.cache import last_answer
from outlay.errors import InputError
from outlay.statement import Statement, from_json, load

FIGURES = {
    "energy": "joules",
    "time": "seconds",
    "wall-time": "seconds",
    "co2": "kg_co2e",
    "co2e": "kg_co2e",
    "mfu": "model_flop_utilisation",
}
"""What people call the figures beside the dollars → their names."""


def statement_of(path: str | None) -> Statement:
    """The statement in the file `path`; without one, the last answer."""
    if path is not None:
        return load(path)
    try:
        return from_json(last_answer(), name="the last answer")
    except InputError as error:
        if "no last answer" in error.message:
            raise
        raise InputError(
            "the last answer that was kept cannot be read", hint="ask again: another version of outlay wrote it"
        ) from error
