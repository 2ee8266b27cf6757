"""What the fit of matrix products takes from measured tables: invented ones here, so that nothing need be installed."""

import numpy as np
import pytest

from outlay.machine.fit import gemm
from outlay.machine.fit.kernel_tables import CHIPS

pd = pytest.importorskip("pandas")
H100 = next(chip for chip in CHIPS if chip.name == "h100-sxm")


def table(milliseconds: float, dtype: str = "bfloat16") -> dict[str, object]:
    """One shape, timed."""
    shape = {"m": 8192, "n": 8192, "k": 8192}
    return {"gemm_dtype": np.array([dtype])} | {
        name: np.array([value]) for name, value in (shape | {"latency": milliseconds}).items()
    }


def seconds(monkeypatch: pytest.MonkeyPatch, dtype: str, **frameworks: float) -> float:
    theirs = {ours: name for name, ours in gemm.KINDS.items()}[dtype]
    found = [(f"{name} 1.0", table(value, theirs)) for name, value in frameworks.items()]
    monkeypatch.setattr(gemm, "tables", lambda folder, kind: iter(found))
    return float(gemm.measured(H100)[dtype]["seconds"][0])


def test_products_of_unwritten_weights_say_nothing_of_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle of the others, whatever the table without numbers says."""
    alone = seconds(monkeypatch, "bf16", sglang=1.6)
    assert alone == pytest.approx(1.6e-3)
    assert seconds(monkeypatch, "bf16", sglang=1.6, vllm=1.2) == pytest.approx(alone)


def test_a_chip_with_no_other_table_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds(monkeypatch, "bf16", vllm=1.2) == pytest.approx(1.2e-3)


def test_plain_fp8_is_the_fastest_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each framework brings its own kernels in 8 bits, and the target is the best of them."""
    assert seconds(monkeypatch, "fp8", sglang=0.9, vllm=0.8) == pytest.approx(0.8e-3)
