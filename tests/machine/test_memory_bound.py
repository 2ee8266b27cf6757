"""Memory-bound kernels: bytes over bandwidth, a start each, nothing for nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator, accelerators
from outlay.errors import InputError
from outlay.machine.memory_bound import MemoryCurve, memory_curve, memory_seconds

CURVE = MemoryCurve(bandwidth=2e12, fraction=0.75, kernel_seconds=2e-6)


def test_bytes_over_bandwidth_and_a_start_a_kernel():
    assert float(memory_seconds(1.5e9, kernels=3, curve=CURVE)) == pytest.approx(1e-3 + 6e-6)


def test_nothing_takes_no_time():
    assert float(memory_seconds(0, kernels=5, curve=CURVE)) == 0


@given(st.floats(1, 1e13), st.floats(1, 1e13), st.integers(1, 100))
def test_more_bytes_never_take_less(one, other, kernels):
    low, high = sorted((one, other))
    assert memory_seconds(low, kernels=kernels, curve=CURVE) <= memory_seconds(high, kernels=kernels, curve=CURVE)


def test_arrays_equal_single_calls():
    sizes = np.array([0.0, 1.0, 1e6, 1e12])
    assert memory_seconds(sizes, curve=CURVE).tolist() == [float(memory_seconds(size, curve=CURVE)) for size in sizes]


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_impossible_bytes_are_refused(bad):
    with pytest.raises(InputError):
        memory_seconds(bad, curve=CURVE)
    with pytest.raises(InputError):
        memory_seconds(1.0, kernels=bad, curve=CURVE)


def test_every_accelerator_has_a_curve():
    for chip in accelerators():
        curve = memory_curve(chip)
        assert 0.2 < curve.fraction <= 1.0 and curve.source and curve.basis in ("fitted", "assumed")


def test_large_kernels_of_a100_are_met_within_a_fifth():
    path = Path(__file__).parents[2] / "validation" / "kernels" / "elementwise.csv"
    errors = []
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            moved = 4.0 * float(row["rows"]) * float(row["columns"])
            if row["accelerator"] == "a100-sxm-80gb" and row["operator"] != "softmax" and moved >= 2**28:
                curve = memory_curve(accelerator(row["accelerator"]))
                errors.append(np.log(float(memory_seconds(moved, curve=curve)) / float(row["seconds"])))
    assert len(errors) >= 4 and np.median(np.abs(errors)) < 0.2
