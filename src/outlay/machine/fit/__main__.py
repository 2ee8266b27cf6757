"""``python -m outlay.machine.fit``: refit the surfaces of matrix products and write the catalog's coefficients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import outlay.catalog
from outlay.machine.fit import gemm, grouped
from outlay.machine.fit.report import error_table

FOLDER = Path(outlay.catalog.__path__[0]) / "coefficients"


def write(name: str, content: dict[str, Any]) -> None:
    """One file of coefficients, the same bytes for the same rows; its errors on the screen."""
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path.name)
    print("\n".join(error_table(content)))


def main() -> None:
    """Fit plain products first: grouped ones share their bandwidth and power limit."""
    plain = gemm.document()
    write("gemm", plain)
    write("grouped", grouped.document(plain))


if __name__ == "__main__":
    main()
