"""Results for many loads of which some are looked at again: what those come to is written where it stood before."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def spelled(found: T, shape: tuple[int, ...]) -> T:
    """A result, and all that it is made of, with an array of its own for each number, into which can be written."""

    def whole(part: Any) -> Any:
        if part is None:
            return None
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            return type(part)(**{field.name: whole(getattr(part, field.name)) for field in dataclasses.fields(part)})
        numbers = np.empty(shape)
        numbers[...] = part
        return numbers

    written: T = whole(found)
    return written


def write(found: Any, some: Any, places: NDArray[np.intp]) -> None:
    """Put what some of the loads come to in their places of a result that is :func:`spelled` out."""
    for field in dataclasses.fields(found):
        into = getattr(found, field.name)
        if isinstance(into, np.ndarray):
            into.reshape(-1)[places] = getattr(some, field.name)
        elif into is not None:
            write(into, getattr(some, field.name), places)
