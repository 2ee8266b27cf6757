"""How sure a serving prediction is: conformal ranges by kind of metric, from rows that the fit had not seen."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from outlay.accuracy.metrics import Kind
from outlay.catalog import Accelerator
from outlay.serving import Engine
from outlay.training.ranges import Spread, spread_of

UNTRIED: Final = "wider ranges were not held against sources that the fit left out"
"""Why none is promised to hold more than the level up to which they were."""


def ported(engine: Engine, chip: Accelerator) -> bool:
    """Whether an engine that was written for NVIDIA's GPUs runs on another maker's, in a release as it came.

    >>> from outlay.catalog import accelerator
    >>> from outlay.serving import engine_for
    >>> [ported(engine_for("vllm", 2024.5), accelerator(name)) for name in ("h100-sxm", "mi300x")]
    [False, True]
    """
    if chip.vendor == "nvidia":
        return False
    if engine.kernels == "ggml":  # written for processors and for Apple's chips
        return chip.vendor in ("amd", "intel") and chip.category != "cpu"
    return engine.name.startswith(("vllm", "sglang", "trtllm"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRanges:
    """A spread for each kind of metric."""

    spreads: Mapping[str, Spread]

    def of(self, kind: Kind) -> Spread:
        """The spread of a kind; of one that no row showed, that of whole answers."""
        return self.spreads.get(kind, self.spreads["answers"])


@functools.cache
def load_serving_ranges() -> ServingRanges:
    """The ranges that the catalog ships."""
    return ServingRanges(
        spreads={name: spread_of(entry) for name, entry in stored().items() if isinstance(entry, dict)}
    )


def stored() -> Any:
    """The catalog's file as it stands."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "serving-ranges.json"
    return json.loads(resource.read_text(encoding="utf-8"))
