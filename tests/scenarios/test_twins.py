"""A user's chip that is like another: what it leaves out is the other's, its server, links and kernels among it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outlay import catalog
from outlay.catalog import Accelerator, accelerator, accelerators, server_for
from outlay.machine import Coefficients, curves_for, decode_attention_seconds, gemm_seconds
from outlay.scenarios.serving.cost import cost_serving
from outlay.scenarios.training.cost import cost_training
from outlay.serving import engine_for, engine_on
from outlay.statement import Statement

CHIPS = [chip.name for chip in accelerators()]
SERVED: dict[str, dict[str, Any]] = {
    "h100-sxm-80gb": {"model": "llama-3-70b", "quant": "fp8", "count": 8, "concurrency": 64},
    "mi300x-192gb": {"model": "llama-3-8b", "count": 8, "rate": 5},
    "rtx-4090": {"model": "llama-3-8b", "quant": "fp8", "count": 2, "concurrency": 8},
    "l4-24gb": {"model": "llama-3-8b", "quant": "fp8", "count": 4, "concurrency": 8},
    "gb200-192gb": {"model": "deepseek-v3", "quant": "fp8", "count": 16, "concurrency": 64},
    "m3-max": {"model": "llama-3-8b", "quant": "q4_k_m", "count": 1, "concurrency": 1},
    "raspberry-pi-5-16gb": {"model": "llama-3.2-1b", "quant": "q4_k_m", "count": 1, "concurrency": 1},
    "tpu-v6e": {"model": "llama-3-8b", "count": 8, "concurrency": 16},
    "inferentia2": {"model": "llama-3-8b", "count": 12, "concurrency": 4},
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    yield
    catalog.overrides.restore()


def twin(folder: Path, name: str, changes: str = "", like: str = "") -> str:
    """Takes in a chip `twin` that is like `name` but for the lines of `changes`."""
    path = folder / "twin.toml"
    path.write_text(f'[[accelerator]]\nname = "twin"\nlike = "{like or name}"\n{changes}\n', encoding="utf-8")
    catalog.use([path])
    return "twin"


def served(chip: str, **asked: Any) -> Statement:
    model, count = asked.pop("model"), asked.pop("count")
    return cost_serving(model, on=f"{chip}:{count}", input=1024, output=256, price=2, **asked)


def said(statement: Statement) -> dict[str, object]:
    """All figures of an answer."""
    lines = {line.key: (line.quantity, line.amount) for line in statement.walk()}
    return {**lines, **{name: figure.value for name, figure in statement.answer.items()}}


def kernels(chip: Accelerator, dtype: str = "bf16") -> np.ndarray:
    """Seconds of a table of products and of attention over caches."""
    curves = curves_for(chip, dtype, dtype, Coefficients(), kv_dtype=dtype, engine="vllm")
    rows = np.array([1.0, 8.0, 48.0, 64.0, 512.0, 4096.0])[:, None]
    wide, deep = np.array([[1024.0, 28672.0, 4096.0], [4096.0, 4096.0, 14336.0]])
    products = gemm_seconds(rows, wide, deep, curve=curves.gemm)
    decoding = decode_attention_seconds(np.array([1.0, 32.0, 256.0]), 32, 8, 4096, 128, 128, curve=curves.decode)
    return np.concatenate([products.ravel(), decoding.ravel()])


def dtype_of(chip: Accelerator) -> str:
    return next((kind for kind in ("bf16", "fp16", "fp32") if kind in chip.peaks), "")


@pytest.mark.parametrize("name", SERVED)
def test_a_twin_serves_exactly_as_its_relative(name: str, tmp_path: Path) -> None:
    relative = said(served(name, **SERVED[name]))
    assert said(served(twin(tmp_path, name), **SERVED[name])) == relative


@pytest.mark.parametrize("model", ["qwen3-next-80b-a3b", "deepseek-v3.2", "gpt-oss-120b"])
@pytest.mark.parametrize("changes", ["", "memory_mib = 180000", "tdp_w = 800"])
def test_a_twin_has_the_kernels_of_every_kind_of_layer(model: str, changes: str, tmp_path: Path) -> None:
    asked = {"model": model, "count": 8, "concurrency": 16, "layout": "tp=8"}
    relative = served("h200-sxm", **asked)
    chip = twin(tmp_path, "h200-sxm", changes)
    assert served(chip, **asked).answer["tpot"].value == relative.answer["tpot"].value


@pytest.mark.parametrize("name", ["h100-sxm-80gb", "mi300x-192gb", "a100-pcie-80gb", "tpu-v5p"])
def test_a_twin_trains_exactly_as_its_relative(name: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"tokens": "100B", "price": 2}
    relative = said(cost_training("llama-3-8b", on=f"{name}:64", **asked))
    assert said(cost_training("llama-3-8b", on=f"{twin(tmp_path, name)}:64", **asked)) == relative


def test_every_twin_has_the_server_the_kernels_and_the_limits_of_its_relative(tmp_path: Path) -> None:
    text = "".join(f'[[accelerator]]\nname = "twin-{name}"\nlike = "{name}"\n' for name in CHIPS)
    (tmp_path / "twins.toml").write_text(text, encoding="utf-8")
    catalog.use([tmp_path / "twins.toml"])
    for name in CHIPS:
        relative, twin = accelerator(name), accelerator(f"twin-{name}")
        assert replace(twin, name=name, aliases=relative.aliases, relative=None) == relative
        for count in (1, 4, 64):
            assert replace(server_for(twin, count), accelerator=relative.name) == server_for(relative, count), name
        assert catalog.embodied_carbon(twin) == catalog.embodied_carbon(relative)
        assert engine_on(engine_for("vllm"), twin) == engine_on(engine_for("vllm"), relative)
        if dtype := dtype_of(relative):
            assert (kernels(twin, dtype) == kernels(relative, dtype)).all(), name


@pytest.mark.parametrize("factor", [1.05, 1.5, 2.0, 4.0])
def test_more_bandwidth_in_a_twin_slows_no_kernel_down(factor: float, tmp_path: Path) -> None:
    text = "".join(
        f'[[accelerator]]\nname = "twin-{chip.name}"\nlike = "{chip.name}"\n'
        f"memory_bandwidth_gbs = {chip.memory_bandwidth / 1e9 * factor}\n"
        for chip in accelerators()
    )
    (tmp_path / "twins.toml").write_text(text, encoding="utf-8")
    catalog.use([tmp_path / "twins.toml"])
    slower = {
        name: worst
        for name in CHIPS
        if (dtype := dtype_of(accelerator(name)))
        and (worst := float((kernels(accelerator(f"twin-{name}"), dtype) / kernels(accelerator(name), dtype)).max()))
        > 1 + 1e-9
    }
    assert not slower


@pytest.mark.parametrize("factor", [1.3, 2.0])
@pytest.mark.parametrize("name", ["h100-sxm-80gb", "rtx-4090", "l4-24gb", "mi300x-192gb"])
def test_more_bandwidth_in_a_twin_is_never_slower(name: str, factor: float, tmp_path: Path) -> None:
    # In one layout: of all, the one that answers most is taken, which may have its first token later.
    asked = {**SERVED[name], "rate": None, "concurrency": 16, "layout": f"tp={SERVED[name]['count']}"}
    relative, bandwidth = served(name, **asked), accelerator(name).memory_bandwidth / 1e9
    quicker = served(twin(tmp_path, name, f"memory_bandwidth_gbs = {bandwidth * factor}"), **asked)
    for figure in ("ttft", "tpot", "e2e"):
        assert quicker.answer[figure].value.likely <= relative.answer[figure].value.likely, figure


@pytest.mark.parametrize("change", ["memory_mib = 163118", "link_gbs = 900.0", "tdp_w = 500", 'link = "NVLink5"'])
def test_a_change_beside_the_kernels_slows_no_step_down(change: str, tmp_path: Path) -> None:
    asked = {"model": "llama-3-8b", "count": 1, "concurrency": 1}
    relative = served("h100-sxm", **asked)
    changed = served(twin(tmp_path, "h100-sxm", change), **asked)
    assert changed.answer["tpot"].value == relative.answer["tpot"].value


@pytest.mark.parametrize("like", ["like", "in place"])
def test_what_a_user_says_of_links_goes_before_what_a_shipped_server_says(like: str, tmp_path: Path) -> None:
    named = 'name = "twin"\nlike = "h100-sxm"' if like == "like" else 'name = "h100-sxm"'
    path = tmp_path / "links.toml"
    path.write_text(f"[[accelerator]]\n{named}\nlink_gbs = 900\nnic_gbps = 800\n", encoding="utf-8")
    catalog.use([path])
    server = server_for("twin" if like == "like" else "h100-sxm")
    assert (server.name, server.link_bandwidth, server.nic_bandwidth) == ("dgx-h100", 900e9, 100e9)
    assert server.receipts["link_bandwidth"].basis == "yours"
    assert server.host_watts == 2800


def test_a_twin_of_a_twin_and_of_a_chip_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "chain.toml"
    path.write_text(
        """
[[accelerator]]
name = "first"
like = "h100-sxm"
tdp_w = 600
[[accelerator]]
name = "second"
like = "first"
memory_mib = 100_000
[[accelerator]]
name = "own"
memory_mib = 100_000
memory_bandwidth_gbs = 4000
bf16_tflops = 1000
tdp_w = 600
[[accelerator]]
name = "own-twin"
like = "own"
[[server]]
name = "own-box"
accelerator = "own"
devices = 3
""",
        encoding="utf-8",
    )
    catalog.use([path])
    second = accelerator("second")
    assert (second.silicon.name, second.tdp, server_for(second).name) == ("h100-sxm-80gb", 600.0, "dgx-h100")
    assert server_for("own-twin").name == "own-box"
    assert (kernels(accelerator("own-twin")) == kernels(accelerator("own"))).all()
