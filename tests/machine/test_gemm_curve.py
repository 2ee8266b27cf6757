"""Which curve a chip gets: its own, a relative's, a prior; what its power and its data types make of it."""

from dataclasses import replace

import pytest

from outlay.catalog import accelerator
from outlay.errors import InputError
from outlay.machine.gemm import gemm_seconds
from outlay.machine.gemm_curve import gemm_coefficients, gemm_curve
from outlay.machine.silicon import distance

LARGE = {"m": 8192, "n": 8192, "k": 8192}


@pytest.mark.parametrize("name", ["a100-sxm-80gb", "h100-sxm-80gb", "h200-sxm-141gb", "gb300-288gb", "l40s-48gb"])
def test_a_measured_chip_has_its_own_curve(name: str) -> None:
    curve = gemm_curve(accelerator(name), "bf16")
    assert curve.basis == "fitted"
    assert 0.5 < curve.sustained_flops / accelerator(name).peak("bf16") < 0.9


@pytest.mark.parametrize(
    ("name", "relative"),
    [
        ("h100-pcie-80gb", "h100-sxm"),
        ("gh200-96gb", "h100-sxm"),
        ("rtx-3090", "l40s"),
        ("a100-pcie-80gb", "a100-sxm"),
        ("rtx-pro-6000", "rtx-pro-6000-server"),
        ("tpu-v5p", "TPU"),
        ("mi300x-192gb", "MI300X"),
        ("gaudi2", "pooled"),
    ],
)
def test_an_unmeasured_chip_borrows_and_says_so(name: str, relative: str) -> None:
    curve = gemm_curve(accelerator(name), "bf16")
    assert curve.basis == "assumed"
    assert relative in curve.source


def test_a_chip_whose_memory_is_as_slow_is_nearer_than_one_of_its_generation() -> None:
    """GB10 reads 273 GB/s: it is nearer to Ada's L40S of 864 than to Blackwell's RTX PRO 6000 of 1,597."""
    gb10 = accelerator("gb10")
    near, far = (
        {"generation": generation, "memory_bandwidth": bandwidth}
        for generation, bandwidth in (("ada", 864e9), ("blackwell", 1597e9))
    )
    assert distance(near, gb10) < distance(far, gb10)
    assert distance({**near, "memory_bandwidth": 1597e9}, gb10) > distance(far, gb10)
    assert distance({**near, "generation": "xe2"}, gb10) > distance(far, gb10) + 5.0


@pytest.mark.parametrize("change", [{"memory_bandwidth": 2.0}, {"memory": 2.0}])
def test_a_chip_like_another_has_its_relatives_whatever_it_changes(change: dict[str, float]) -> None:
    shipped = accelerator("h100-sxm-80gb")
    faster = {name: getattr(shipped, name) * by for name, by in change.items()}
    other = replace(shipped, name="ours", relative=shipped, **faster)
    record = {"generation": "hopper", "memory_bandwidth": 3.35e12}
    assert distance(record, other) == distance(record, shipped)


def test_less_power_for_the_same_silicon_is_slower_and_never_below_the_law() -> None:
    full, capped = (gemm_curve(accelerator(name), "bf16") for name in ("h100-sxm-80gb", "h100-sxm-96gb-500w"))
    assert capped.basis == "assumed"
    assert capped.sustained_flops == pytest.approx(full.sustained_flops * (500 / 700) ** 0.4)


def test_a_type_that_the_chip_has_no_units_for_runs_as_the_wider_one() -> None:
    chip = accelerator("a100-sxm-80gb")
    assert gemm_curve(chip, "fp8") == gemm_curve(chip, "bf16") == gemm_curve(chip, "nvfp4")
    h100 = accelerator("h100-sxm-80gb")
    assert gemm_curve(h100, "nvfp4") == gemm_curve(h100, "fp8")


def test_narrower_types_are_faster_where_the_units_exist() -> None:
    chip = accelerator("b200-sxm-180gb")
    seconds = [
        float(gemm_seconds(**LARGE, curve=gemm_curve(chip, dtype), quantised=True))
        for dtype in ("tf32", "bf16", "fp8", "nvfp4")
    ]
    assert seconds == sorted(seconds, reverse=True)


def test_fp16_is_bf16() -> None:
    chip = accelerator("h100-sxm-80gb")
    assert gemm_curve(chip, "fp16") == gemm_curve(chip, "bf16")


def test_a_chip_left_out_of_the_coefficients_borrows() -> None:
    content = dict(gemm_coefficients())
    content["curves"] = [record for record in content["curves"] if record["chip"] != "h100-sxm"]
    curve = gemm_curve(accelerator("h100-sxm-80gb"), "bf16", content)
    assert curve.basis == "assumed"
    assert "h200-sxm" in curve.source


def test_no_type_of_this_name() -> None:
    with pytest.raises(InputError, match="bf15"):
        gemm_curve(accelerator("h100-sxm-80gb"), "bf15")


def test_every_chip_of_the_catalog_multiplies_below_its_peak() -> None:
    from outlay.catalog import accelerators

    for chip in accelerators():
        dtype = "bf16" if "bf16" in chip.peaks else "fp16" if "fp16" in chip.peaks else ""
        if dtype:
            seconds = float(gemm_seconds(**LARGE, curve=gemm_curve(chip, dtype), busy=60.0))
            assert 0.3 < 2 * 8192**3 / seconds / chip.peak(dtype) < 1.0, chip.name


def test_the_record_of_errors_is_kept_with_the_coefficients() -> None:
    content = gemm_coefficients()
    assert content["source"].startswith("aiconfigurator-core ")
    for record in content["curves"]:
        assert record["rows"] > 1000
        limit = 0.08 if record["dtype"] != "bf16" else 0.06
        assert record["training"]["median"] < limit, (record["chip"], record["dtype"])
        assert abs(record["training"]["bias"]) < 0.01
