"""What was asked, as a statement keeps it."""

from __future__ import annotations

import math
from collections.abc import Mapping


def inputs_of(asked: Mapping[str, object]) -> dict[str, str | int | float]:
    """What was asked, under the names of the parameters, in JSON's types."""
    inputs: dict[str, str | int | float] = {}
    for name, value in asked.items():
        if value is None:
            continue
        if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
            inputs[name] = value
        else:
            inputs[name] = getattr(value, "name", "") or "a config"
    return inputs
