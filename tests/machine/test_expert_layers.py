"""Layers of experts as engines run them, and the fullest of the devices that divide them."""

from __future__ import annotations

import numpy as np
import pytest

from outlay.catalog import accelerator, accelerators
from outlay.machine import active_experts, fullest
from outlay.machine.expert_layers import (
    ExpertLayer,
    expert_layer,
    expert_layer_coefficients,
    expert_layer_seconds,
    kernel_age,
)


def own(chip: str, form: str, engine: str, year: float | None = None) -> ExpertLayer:
    found = expert_layer(accelerator(chip), form, engine, year)
    assert found is not None
    return found


def seconds(layer: ExpertLayer, tokens: float, *, width: float = 1536, experts: int = 128, **more: float) -> float:
    visited = active_experts(tokens, 8, experts, skew=0.6)
    sizes = {"hidden": 4096, "width": width, "experts": experts, "active": visited} | more
    return float(expert_layer_seconds(tokens, tokens * 8, curve=layer, **sizes))


@pytest.mark.parametrize(
    ("chip", "engine", "year", "form", "hidden", "width", "experts", "tokens", "microseconds"),
    [
        # aiconfigurator-core 0.12.0, power law 1.2, the fastest kernel of each engine's table.
        ("b200-sxm-180gb", "vllm", 2026.3, "nvfp4", 3072, 1536, 256, 8, 88.1),
        ("b200-sxm-180gb", "vllm", 2026.3, "nvfp4", 3072, 384, 256, 64, 83.7),
        ("b200-sxm-180gb", "sglang", 2026.5, "nvfp4", 7168, 512, 256, 8, 61.5),
        ("h200-sxm-141gb", "sglang", 2026.3, "fp8-block", 7168, 2048, 256, 8, 712.2),
        ("h200-sxm-141gb", "vllm", 2026.5, "bf16", 4096, 384, 128, 64, 303.0),
        ("h200-sxm-141gb", "vllm", 2026.5, "bf16", 4096, 1536, 128, 2048, 2037.9),
        ("h100-sxm-80gb", "trtllm", 2026.4, "fp8", 4096, 384, 128, 8, 100.6),
    ],
)
def test_layers_take_what_was_measured(
    chip: str,
    engine: str,
    year: float,
    form: str,
    hidden: int,
    width: int,
    experts: int,
    tokens: int,
    microseconds: float,
) -> None:
    found = seconds(own(chip, form, engine, year), tokens, width=width, experts=experts, hidden=hidden)
    assert found * 1e6 == pytest.approx(microseconds, rel=0.16)


def test_every_fit_explains_its_own_layers_of_few_tokens() -> None:
    for record in expert_layer_coefficients()["curves"]:
        name = (record["chip"], record["engine"], record["version"], record["form"])
        assert record["few"]["median"] < 0.35, name
        assert abs(record["few"]["bias"]) < 0.25, name


def test_each_weight_is_read_no_faster_than_the_memory_allows() -> None:
    sizes = {"bf16": 2.0, "fp8": 1.0, "fp8-block": 1.0, "nvfp4": 0.5}
    for chip in ("h100-sxm-80gb", "h200-sxm-141gb", "b200-sxm-180gb", "gb200-192gb"):
        for form, width in sizes.items():
            for engine in ("vllm", "sglang", "trtllm"):
                layer = expert_layer(accelerator(chip), form, engine)
                if layer is None or (form == "nvfp4" and chip.startswith("h")):
                    continue
                read = 3 * 4096 * 1536 * width * 128 / accelerator(chip).memory_bandwidth
                assert seconds(layer, 256, active=128) > 0.93 * read, (chip, form, engine)


def test_a_year_asks_for_the_kernels_of_its_time() -> None:
    early, late = (own("b200-sxm-180gb", "bf16", "vllm", year) for year in (2026.3, 2026.5))
    assert early.source != late.source
    assert own("b200-sxm-180gb", "bf16", "vllm", 2024.0).source == own("b200-sxm-180gb", "bf16", "vllm", 2026.0).source
    assert own("b200-sxm-180gb", "bf16", "vllm").source == late.source
    # B300 was measured with the newest version alone: its brother lends the kernels of an earlier year.
    assert "b200" in own("b300-sxm-288gb", "nvfp4", "vllm", 2026.3).source
    assert "b300" in own("b300-sxm-288gb", "nvfp4", "vllm", 2026.5).source
    assert kernel_age(2026.3) < kernel_age(2026.5)


def test_engines_differ_and_another_makers_chips_have_none() -> None:
    found = {engine: seconds(own("h200-sxm-141gb", "bf16", engine), 8) for engine in ("vllm", "sglang", "trtllm")}
    assert len(set(found.values())) == 3
    assert expert_layer(accelerator("mi300x-192gb"), "bf16", "vllm") is None
    assert expert_layer(accelerator("h100-sxm-80gb"), "int8", "vllm") is None
    # A chip without tables takes its relative's, at its own bandwidth.
    carried = own("h20-96gb", "bf16", "vllm") if _known("h20-96gb") else own("gh200-144gb", "bf16", "vllm")
    assert carried.curve.gemm.basis == "assumed"


def _known(name: str) -> bool:
    from outlay.catalog import accelerators

    return any(chip.name == name for chip in accelerators())


def test_filling_tiles_up_costs_what_is_not_there() -> None:
    layer = own("h100-sxm-80gb", "fp8-block", "vllm", 2025.9)
    few, padded = seconds(layer, 8), seconds(layer, 8, tile_rows=128.0)
    assert padded > 1.3 * few
    # Full tiles need no filling: what is left are passes over a tile for each expert.
    full = {"active": 128, "experts": 128}
    many, more = (seconds(layer, 128 * 128 / 8 * 8, tile_rows=rows, **full) for rows in (1.0, 128.0))
    assert more == pytest.approx(many, rel=0.1)
    assert seconds(layer, 8, tile_rows=1.0) == few


def test_the_fullest_device_is_what_drawing_experts_at_random_gives() -> None:
    random = np.random.default_rng(7)
    for tokens, choices, experts, devices in ((8, 1, 16, 8), (16, 8, 128, 4), (64, 8, 256, 8), (32, 8, 128, 16)):
        most = []
        for _ in range(400):
            popularity = (np.arange(experts) + 0.5) ** -0.6
            random.shuffle(popularity)
            keys = random.exponential(size=(tokens, experts)) / popularity
            hit = np.zeros(experts, dtype=bool)
            hit[np.argsort(keys, axis=1)[:, :choices].ravel()] = True
            most.append(hit.reshape(devices, -1).sum(axis=1).max())
        active, rows = fullest(tokens, choices, experts, devices, skew=0.6)
        assert float(active) == pytest.approx(np.mean(most), rel=0.15), (tokens, experts, devices)
        assert (
            active_experts(tokens, choices, experts, local=experts / devices, skew=0.6) <= active <= experts / devices
        )
        assert rows > 1.0


def test_one_device_has_everything() -> None:
    active, rows = fullest(np.array([1.0, 64.0]), 8, 128, 1, skew=0.6)
    assert active == pytest.approx(active_experts(np.array([1.0, 64.0]), 8, 128, skew=0.6))
    assert (np.asarray(rows) == 1.0).all()


def test_every_accelerator_has_layers_or_says_that_it_has_none() -> None:
    """A chip that is older than all that were measured has none; none of the catalog's fails."""
    forms = sorted({record["form"] for record in expert_layer_coefficients()["curves"]})
    found = {
        (chip.name, form): expert_layer(chip, form, engine)
        for chip in accelerators()
        for form in forms
        for engine in ("vllm", "trtllm")
    }
    assert all(layer is None for (name, _), layer in found.items() if name.startswith(("k80", "grace-cpu")))
    assert found["t4-16gb", "fp8-block"] is None
    assert found["l4-24gb", "fp8-block"] is not None
