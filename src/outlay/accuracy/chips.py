"""The accelerator of a record, also of one that no table lists: its nearest relative, and it is said which.

A name that is like none of ours is refused: what has no relative cannot be predicted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache

from outlay import catalog
from outlay.catalog import Accelerator
from outlay.errors import UnknownName

_FAR = 4.0
"""A number so many times larger or smaller than that of any chip of its line names no next generation of it."""
_FORMATS = (("fp4", "nvfp4"), ("fp8", "fp8"), ("bf16", "bf16"), ("fp16", "fp16"))


def chip_for(text: str) -> tuple[Accelerator, str]:
    """The accelerator that `text` means, and what was assumed of it.

    Raises `UnknownName` where no chip of ours is called alike.

    >>> chip_for("h100-sxm-80gb")[0].name, chip_for("mi999x-512gb")[0].vendor
    ('h100-sxm-80gb', 'amd')
    """
    try:
        chip, assumed = catalog.resolve_accelerator(text)
    except UnknownName:
        relative = _relative(text)
        if relative is None:
            raise
        chip = relative
        assumed = f"accelerator `{text}` is unknown, {chip.name} taken"
    return chip, assumed or ""


@cache
def _relative(text: str) -> Accelerator | None:
    """The chip of the same line with the nearest number, else the most similar name; None where nothing is near."""
    chips = {chip.name: chip for chip in catalog.accelerators()}
    line, number = _line(text)
    relatives = [name for name in chips if _line(name)[0] == line and line]
    if relatives and number is not None:
        nearest = min(relatives, key=lambda name: (abs((_line(name)[1] or 0.0) - number), len(name), name))
        low, high = sorted((_line(nearest)[1] or 0.0, number))
        return chips[nearest] if high <= _FAR * low else None
    close = difflib.get_close_matches(text.lower(), relatives or list(chips), n=1, cutoff=0.0 if relatives else 0.7)
    return chips[close[0]] if close else None


def _line(name: str) -> tuple[str, float | None]:
    """A product line and the number in it.

    >>> _line("rtx-5060-ti"), _line("b400-sxm-400gb"), _line("tpu-v9x")
    (('rtx', 5060.0), ('b', 400.0), ('tpuv', 9.0))
    """
    text = re.sub(r"\b(nvidia|amd|intel|google|aws|geforce|instinct|tesla|quadro|radeon)\b", "", name.lower())
    found = re.match(r"[^a-z0-9]*([a-z][a-z\s_-]*?)[\s_-]*(\d+)", text)
    if not found:
        return re.sub(r"[^a-z]", "", text), None
    return re.sub(r"[^a-z]", "", found.group(1)), float(found.group(2))


def fastest(peaks: Mapping[str, float]) -> str:
    """The narrowest number format whose products a chip computes, as a training precision.

    >>> fastest({"fp16": 1e14, "fp32": 1e13}), fastest({"fp32": 1e12})
    ('fp16', 'fp32')
    """
    return next((name for dtype, name in _FORMATS if peaks.get(dtype)), "fp32")
