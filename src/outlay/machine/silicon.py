"""Whose kernels a chip is taken to run: its own, those of the chip that it is like, or those of its nearest measured relative."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar, cast

from outlay.errors import InputError

Device = TypeVar("Device")


class Chip(Protocol):
    """What of an accelerator decides whose kernels it runs."""

    @property
    def name(self) -> str: ...
    @property
    def generation(self) -> str: ...
    @property
    def memory_bandwidth(self) -> float: ...
    def peak(self, dtype: str) -> float: ...


RELATED: Final = {
    "hopper": "hopper",
    "blackwell": "blackwell",
    "rubin": "blackwell",
    "ampere": "ampere",
    "ada": "ada",
    "turing": "ada",
    "volta": "ampere",
    "pascal": "ampere",
    "maxwell": "ampere",
    "xe2": "xe2",
}
"""Words of generations and the measured generation that is built most like theirs."""

OTHER_MAKER: Final = "xe2"
"""The generation of measured chips that are no relatives of NVIDIA's."""

COMPUTES: Final = 0.25
"""Share of the fp32 rate that a die made for computing reaches in fp64: half; one made for graphics a 32nd or less."""

ANOTHER_GENERATION: Final = 0.5
"""Distance, in units of ln(bandwidth ratio), that another generation counts. A GB10 of 273 GB/s is nearer to Ada's L40S of 864
than to the RTX PRO 6000 of 1,597 that shares its instructions: with dense models in 8 bits it reaches 60 to 77 % of its
bandwidth (vllm-project.github.io, 2026-06-01: 20 tokens/s of 8B, 3 of 70B), like the one (76 %), not like the other (98 %)."""


def silicon(device: Device) -> Device:
    """The chip whose measurements, relatives and priors tell those of a device; its own figures are then applied to them.

    So a change of bandwidth, memory or power never changes which kernels a chip is taken to run.

    >>> from dataclasses import replace
    >>> from outlay.catalog import accelerator
    >>> shipped = accelerator("h100-sxm")
    >>> silicon(replace(shipped, name="ours", relative=shipped)).name
    'h100-sxm-80gb'
    """
    return cast("Device", getattr(device, "silicon", device))


def is_chip(name: str, chip: str) -> bool:
    """Whether a name is that chip, maybe with its memory.

    >>> is_chip("h100-sxm-80gb", "h100-sxm"), is_chip("h100-sxm-96gb-500w", "h100-sxm")
    (True, False)
    """
    rest = name.removeprefix(chip)
    return name.startswith(chip) and (
        not rest or (rest.startswith("-") and rest.endswith("gb") and rest.count("-") == 1)
    )


def family(device: Chip) -> str | None:
    """The measured generation that a chip's is most like, or None for makers of whose chips none was.

    Ampere's graphics dies (compute capability 8.6) are built like Ada's (8.9), not like the A100 (8.0).

    >>> from outlay.catalog import accelerator
    >>> [family(accelerator(name)) for name in ("h200-sxm", "a100-sxm-80gb", "rtx-3090", "mi300x")]
    ['hopper', 'ampere', 'ada', None]
    """
    words = device.generation.lower().replace(" ", "-").split("-")
    found = next((RELATED[word] for word in words if word in RELATED), None)
    return "ada" if found == "ampere" and not _computes(device) else found


def _computes(device: Chip) -> bool:
    try:
        return device.peak("fp64") >= COMPUTES * device.peak("fp32")
    except InputError:  # no rate is published
        return False


def distance(record: Mapping[str, Any], device: Chip) -> float:
    """How unlike a measured chip is: memory bandwidth apart, another generation, another maker."""
    known = silicon(device)
    own, other = family(known), record["generation"]
    apart: float = abs(math.log(record["memory_bandwidth"] / known.memory_bandwidth))
    makers = bool((own == OTHER_MAKER) != (other == OTHER_MAKER))
    return apart + ANOTHER_GENERATION * bool(other != own) + 10.0 * makers
