"""``python -m outlay.machine.fit``: refit the surfaces of matrix products and write the catalog's coefficients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import outlay.catalog
from outlay.machine.fit import gemm, grouped

FOLDER = Path(outlay.catalog.__path__[0]) / "coefficients"


def write(name: str, content: dict[str, Any]) -> None:
    """One file of coefficients, the same bytes for the same rows; its errors on the screen."""
    path = FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path.name)
    print("\n".join(table(content)))


def table(content: dict[str, Any]) -> list[str]:
    """Errors on held-out shapes as a Markdown table, one row a chip and data type."""
    lines = [
        "| chip | type | rows | training: median | p90 | bias | other shapes: median | p90 | left out: median | bias |",
        "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for record in content["curves"]:
        training, other, left = record["training"], record["other"], record.get("left_out")
        figures = [training["median"], training["p90"], training["bias"], other["median"], other["p90"]]
        figures += [left["median"], left["bias"]] if left else []
        cells = [f"{100 * figure:.1f} %" for figure in figures] + ([] if left else ["–", "–"])
        lines.append(f"| {record['chip']} | {record['dtype']} | {record['rows']:,} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Fit plain products first: grouped ones share their bandwidth and power limit."""
    plain = gemm.document()
    write("gemm", plain)
    write("grouped", grouped.document(plain))


if __name__ == "__main__":
    main()
