"""Number formats that weights and caches are stored in: bits a weight, and the type in which products then run.

The catalog's `formats.csv` holds them, each with its source. A format is *plain* where products run in it, and
*dequantized* where weights are widened first: then it saves memory and traffic, and no arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from outlay.catalog import rows
from outlay.errors import UnknownName
from outlay.statement import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How weights are stored and multiplied."""

    name: str
    weight_bits: float
    """Bits of one weight in memory, scales and zero points included."""
    compute: str
    """The type in which the products of quantized layers run."""
    activation: str
    """The type of their inputs."""
    scope: Literal["all", "linear", "experts"]
    """What is stored so: every weight, the projections of layers (embedding and head stay in 16 bits), or experts alone."""
    dequantized: bool
    """Weights are widened before each product."""
    description: str
    receipt: Receipt

    @property
    def beside(self) -> str:
        """The type of shared experts and of a state-space layer's projections where experts alone are narrower: `fp8`, or none.

        >>> format_for("nvfp4-fp8").beside, format_for("mxfp4").beside
        ('fp8', '')
        """
        return self.name.partition("-")[2] if self.scope == "experts" else ""

    @property
    def weight_bytes(self) -> float:
        """Bytes of one weight.

        >>> format_for("fp8").weight_bytes, format_for("q4_0").weight_bytes
        (1.0, 0.5625)
        """
        return self.weight_bits / 8.0


CACHE_BYTES = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "q8_0": 1.0625,
    "q4_0": 0.5625,
    "fp4": 0.5625,
}
"""Bytes of one number of a key-value cache, scales included."""


def format_for(name: str) -> Format:
    """The format of that name, or of another that is usual for it; `UnknownName` lists the known ones.

    >>> format_for("awq").name, format_for("FP4").name
    ('w4a16', 'nvfp4')
    """
    text = name.strip().lower().replace("_", "-")
    for row in rows.read("formats"):
        pattern = row["pattern"]
        if re.search(pattern, text) or re.search(pattern, text.replace("-", "_")):
            return _named(row["name"])
    raise UnknownName(
        "format of weights", name, [row["name"] for row in rows.read("formats")], listing="outlay show formats"
    )


def formats() -> tuple[Format, ...]:
    """Every format of the catalog."""
    return tuple(_named(row["name"]) for row in rows.read("formats"))


@rows.cached
def _named(name: str) -> Format:
    row = next(row for row in rows.read("formats") if row["name"] == name)
    return Format(
        name=name,
        weight_bits=float(row["weight_bits"]),
        compute=row["compute"],
        activation=row["activation"],
        scope=cast("Literal['all', 'linear', 'experts']", row["scope"]),
        dequantized=row["kernel"] == "dequantized",
        description=row["description"],
        receipt=rows.receipt(row, "weight_bits", float(row["weight_bits"]), unit="bit"),
    )
