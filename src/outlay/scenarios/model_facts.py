"""One model in figures: parameters, FLOP of a token, bytes of cache."""

from __future__ import annotations

from typing import Any

from outlay import units
from outlay.scenarios.assumed import LONGEST_SEQUENCE
from outlay.statement import Cell, Column, Figure, Interval, Receipt, Table
from outlay.workload import Architecture, flop_per_token, kv_bytes_per_token, parameters


def facts_of(
    architecture: Architecture, receipt: Receipt, *, sequence_length: str | int | None = None
) -> dict[str, Any]:
    """Everything countable about a model, under stable names; FLOP hold for sequences of `sequence_length` tokens.

    >>> from outlay.scenarios.named import read_model
    >>> facts = facts_of(*read_model("gpt2"))
    >>> facts["parameters"], facts["sequence_length"]
    (124439808, 1024)
    """
    cap = int(LONGEST_SEQUENCE.value or 0)
    length = (
        min(architecture.max_length or cap, cap)
        if sequence_length is None
        else int(units.parse(sequence_length, "count", name="--seq", example="4096"))
    )
    count = parameters(architecture)
    flop = flop_per_token(architecture, length)
    return {
        "schema": "outlay/model/1",
        "name": architecture.name,
        "family": architecture.family,
        "layers": architecture.depth,
        "hidden": architecture.hidden,
        "vocab": architecture.vocab,
        "max_length": architecture.max_length,
        "parameters": count.total,
        "active_parameters": count.active,
        "embedding_parameters": count.embedding,
        "sequence_length": length,
        "flop_per_token_forward": flop.forward,
        "flop_per_token_backward": flop.backward,
        "flop_per_token": {"forward": flop.forward, "backward": flop.backward, "total": flop.total},
        "kv_bytes_per_token": kv_bytes_per_token(architecture),
        "conventions": {
            "flop": "a multiply-add is 2; causal attention counts half the square; recomputation is left out",
            "kv_bytes_per_token": "16-bit numbers",
        },
        "assumed": dict(architecture.assumed),
        "source": receipt.source,
        "date": receipt.date,
        "basis": receipt.basis,
    }


def table_of(facts: dict[str, Any]) -> Table:
    """The same as a table."""
    rows: list[tuple[Cell, ...]] = [
        ("family", facts["family"]),
        ("layers", facts["layers"]),
        ("width", facts["hidden"]),
        ("vocabulary", facts["vocab"]),
        ("longest sequence", facts["max_length"]),
        ("parameters", facts["parameters"]),
        ("active parameters", facts["active_parameters"]),
        ("embedding parameters", facts["embedding_parameters"]),
        ("FLOP a token, forward", Figure(Interval.exact(facts["flop_per_token_forward"]), unit="FLOP")),
        ("FLOP a token, backward", Figure(Interval.exact(facts["flop_per_token_backward"]), unit="FLOP")),
        ("cache of a token (16-bit)", Figure(Interval.exact(facts["kv_bytes_per_token"]), unit="B")),
    ]
    notes = [
        f"FLOP in sequences of {facts['sequence_length']:,} tokens: {facts['conventions']['flop']}.",
        f"Source: {facts['source']}" + (f", {facts['date']}" if facts["date"] else "") + f" ({facts['basis']}).",
        *(f"Assumed: {name} = {why}." for name, why in facts["assumed"].items()),
    ]
    return Table(facts["name"], columns=("Fact", Column("Value", digits=12)), rows=rows, notes=notes, key="model")
