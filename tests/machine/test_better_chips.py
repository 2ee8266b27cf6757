"""Of two chips of one generation the better is never slower, measured or not: what a chip without tables borrows keeps order."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from outlay.catalog import Accelerator, accelerator, accelerators
from outlay.errors import InputError
from outlay.machine import Coefficients, curves_for, decode_attention_seconds, gemm_seconds
from outlay.machine.gemm_curve import gemm_curve

ROWS = np.array([1.0, 2.0, 8.0, 32.0, 64.0])[:, None]
COLUMNS, DEPTHS = np.array([[1024.0, 4096.0, 28672.0, 4096.0], [4096.0, 4096.0, 4096.0, 14336.0]])
MEASURED = {"ampere", "ada", "hopper", "blackwell"}
WAVES = 1.03
"""What processors that do not divide a product's tiles cost: 60 of them may need as many rounds as 46."""
SEQUENCES = np.array([1.0, 4.0, 32.0])


def decoding(chip: Accelerator) -> np.ndarray:
    """Seconds of products of few rows and of attention over caches."""
    curves = curves_for(chip, "bf16", "bf16", Coefficients(), kv_dtype="bf16", engine="vllm")
    products = gemm_seconds(ROWS, COLUMNS, DEPTHS, curve=curves.gemm)
    attention = decode_attention_seconds(SEQUENCES, 32, 8, 4096, 128, 128, curve=curves.decode)
    return np.concatenate([products.ravel(), attention.ravel()])


def record(chip: Accelerator) -> str:
    """The measured chip whose fit this one has or borrows; its own words where it has none."""
    source = gemm_curve(chip, "bf16").source
    return source.rsplit(" in ", 1)[0].rsplit(" ", 1)[-1] if "pooled" not in source else source


def peak(chip: Accelerator) -> float:
    try:
        return chip.peak("bf16")
    except InputError:
        return 0.0


def better(one: Accelerator, other: Accelerator) -> bool:
    """At least as good in all that decides decoding, power among it."""
    return (
        one.generation == other.generation
        and one.memory_bandwidth >= other.memory_bandwidth
        and peak(one) >= peak(other)
        and (one.cores or 0) >= (other.cores or 0)
        and one.tdp >= other.tdp
    )


def test_of_two_chips_of_a_generation_the_better_decodes_no_slower() -> None:
    chips = [chip for chip in accelerators() if chip.generation in MEASURED and chip.category != "edge"]
    times = {chip.name: decoding(chip) for chip in chips}
    pairs = [pair for pair in permutations(chips, 2) if better(*pair) and record(pair[0]) == record(pair[1])]
    assert len(pairs) > 200
    slower = [
        f"{one.name} {worst:.3f} × {other.name}"
        for one, other in pairs
        if (worst := float((times[one.name] / times[other.name]).max())) > WAVES
    ]
    assert not slower, "; ".join(slower)


@pytest.mark.parametrize(
    "name", ["a100-sxm-80gb", "a100-pcie-80gb", "h100-pcie-80gb", "l40s", "rtx-4090", "rtx-3090", "t4-16gb"]
)
@pytest.mark.parametrize("field", ["memory_bandwidth", "cores"])
@pytest.mark.parametrize("factor", [1.05, 1.5])
def test_more_bandwidth_or_more_processors_slow_nothing_down(name: str, field: str, factor: float) -> None:
    chip = accelerator(name)
    more = replace(chip, **{field: type(getattr(chip, field))(getattr(chip, field) * factor)})
    if field == "cores":  # processors bring their arithmetic along, and the power for it
        share = (more.cores or 1) / (chip.cores or 1)
        peaks = {name: value * share for name, value in chip.peaks.items()}
        more = replace(more, peaks=peaks, tdp=chip.tdp * share)
    if record(more) != record(chip):
        pytest.skip("it borrows from another measured chip")
    assert (decoding(more) <= decoding(chip) * WAVES).all()


def test_a_card_is_no_faster_than_the_module_of_the_same_chip() -> None:
    module, card = decoding(accelerator("a100-sxm-80gb")), decoding(accelerator("a100-pcie-80gb"))
    assert (card >= module * 0.99).all()
    assert (card <= module * 1.25).all()


def test_a_chip_that_borrows_fills_a_short_tile_as_far_as_its_arithmetic_allows() -> None:
    fills = {
        name: gemm_curve(accelerator(name), "bf16").short_rows
        for name in ("a100-sxm-80gb", "a100-pcie-80gb", "rtx-3090")
    }
    assert fills["a100-sxm-80gb"] == 64.0
    assert 55.0 < fills["a100-pcie-80gb"] <= 64.0
    assert fills["rtx-3090"] == 16.0
