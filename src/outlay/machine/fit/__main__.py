"""``python -m outlay.machine.fit``: refit the kernel surfaces and write the catalog's coefficients."""

from __future__ import annotations

import json
from pathlib import Path

import outlay.catalog
from outlay.machine.fit import gemm

FOLDER = Path(outlay.catalog.__path__[0]) / "coefficients"


def write(name: str, content: object) -> None:
    """One file of coefficients, the same bytes for the same rows."""
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path)


def main() -> None:
    """Fit every surface of kernels that has tables."""
    write("gemm", gemm.document())


if __name__ == "__main__":
    main()
