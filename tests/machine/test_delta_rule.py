"""The gated delta rule over prompts: grows with tokens, waits for processors, and takes what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.machine import delta_rule_seconds
from outlay.machine.delta_rule import DeltaCurve, delta_coefficients, delta_curve


def test_more_tokens_heads_and_sequences_never_take_less() -> None:
    curve = delta_curve(accelerator("b200-sxm"))
    tokens = 2.0 ** np.arange(0, 18)
    for heads in (1, 16, 64):
        assert (np.diff(delta_rule_seconds(tokens, tokens, heads, 128, 128, curve=curve)) >= 0).all()
    heads = np.arange(1, 65)
    assert (np.diff(delta_rule_seconds(8192, 8192, heads, 128, 128, curve=curve)) >= 0).all()
    assert float(delta_rule_seconds(0, 0, 16, 128, 128, curve=curve)) == 0.0


@pytest.mark.parametrize("engine", ["sglang", "vllm"])
def test_one_long_sequence_takes_longer_than_many_short_ones(engine: str) -> None:
    curve = delta_curve(accelerator("b200-sxm"), engine=engine)
    one, many = (float(delta_rule_seconds(8192, longest, 8, 128, 128, curve=curve)) for longest in (8192, 512))
    assert one > 1.2 * many


def test_one_kernel_pays_its_start_once_a_wave() -> None:
    curve = DeltaCurve(bandwidth=1e15, cores=100, fused=True, start_seconds=1e-5, chunk_seconds=1e-6)
    waves = [float(delta_rule_seconds(count, 1, 10, 128, 128, curve=curve)) for count in (10, 11, 21)]
    assert waves[1] == pytest.approx(2 * waves[0], rel=0.1) and waves[2] == pytest.approx(3 * waves[0], rel=0.1)


@pytest.mark.parametrize(
    ("chip", "engine", "sequences", "length", "heads", "microseconds"),
    [
        # aiconfigurator-core 0.12.0, gdn_perf: tokens of prompts, value heads of a device.
        ("b200-sxm", "sglang", 1, 8192, 16, 433.5),
        ("b200-sxm", "sglang", 8, 1024, 16, 252.0),
        ("b200-sxm", "sglang", 1, 8192, 64, 924.5),
        ("b200-sxm", "vllm", 1, 8192, 16, 328.3),
        ("b200-sxm", "vllm", 32, 4096, 16, 691.0),
        ("h200-sxm", "vllm", 1, 4096, 16, 212.2),
    ],
)
def test_kernels_take_what_was_measured(
    chip: str, engine: str, sequences: int, length: int, heads: int, microseconds: float
) -> None:
    curve = delta_curve(accelerator(chip), engine=engine)
    seconds = float(delta_rule_seconds(sequences * length, length, heads, 128, 128, curve=curve))
    assert seconds * 1e6 == pytest.approx(microseconds, rel=0.2)


def test_a_chip_without_tables_takes_those_of_the_nearest_in_bandwidth() -> None:
    own, other = delta_curve(accelerator("b300-sxm")), delta_curve(accelerator("mi355x"))
    assert own.basis == "fitted" and other.basis == "assumed"
    assert other.source.startswith("carried over from sglang on b")
    assert other.bandwidth == accelerator("mi355x").memory_bandwidth


def test_shapes_held_out_of_the_fit_are_met() -> None:
    errors = [record["errors"] for record in delta_coefficients()["curves"] if record["chip"] == "b200-sxm"]
    assert len(errors) == 2 and all(own["median"] < 0.08 and abs(own["bias"]) < 0.03 for own in errors)
