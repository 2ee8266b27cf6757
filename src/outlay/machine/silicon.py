"""Under which chip's name kernels are looked up: a user's chip that is like another runs the kernels of that other."""

from __future__ import annotations

from typing import TypeVar, cast

Device = TypeVar("Device")


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
