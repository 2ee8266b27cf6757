"""``python -m outlay.machine.fit``: fit every surface to measured kernels again and write the catalog's coefficients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import outlay.catalog
from outlay.machine.fit import (
    attention,
    collectives,
    decode,
    delta_rule,
    expert_exchange,
    expert_layers,
    gemm,
    grouped,
    memory_bound,
    small_all_reduce,
)
from outlay.machine.fit.report import error_table

FOLDER = Path(outlay.catalog.__path__[0]) / "coefficients"


def write(name: str, content: dict[str, Any], table: list[str]) -> None:
    """One file of coefficients, the same bytes for the same rows; its errors on the screen."""
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path.name)
    print("\n".join(table))


def main() -> None:
    """Fit plain products before grouped ones, which share their bandwidth and power limit."""
    plain = gemm.document()
    experts = grouped.document(plain)
    plain["weight_only"]["fractions"] = {plain["weight_only"]["chip"]: 1.0} | experts["weight_only"]["fractions"]
    write("gemm", plain, error_table(plain))
    write("grouped", experts, error_table(experts))
    layers = expert_layers.document(plain)
    write("expert_layers", layers, expert_layers.error_table(layers))
    for name, part in (
        ("attention", attention),
        ("memory_bound", memory_bound),
        ("collectives", collectives),
        ("decode", decode),
        ("delta_rule", delta_rule),
        ("small_all_reduce", small_all_reduce),
        ("expert_exchange", expert_exchange),
    ):
        content = part.document()
        write(name, content, part.error_table(content))


if __name__ == "__main__":
    main()
