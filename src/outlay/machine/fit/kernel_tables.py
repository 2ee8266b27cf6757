"""Measured kernel times, read from the installed package `aiconfigurator-core` (Apache-2.0, NVIDIA).

Nothing of it is copied into this repository; only fitted coefficients are. ``pip install 'outlay[fit]'`` installs it.
Shapes in elements, times in seconds.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError

PACKAGE = "aiconfigurator-core"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredChip:
    """One chip of the tables and the data sheet that its times are compared with (dense FLOP/s, bytes/s, watts)."""

    name: str
    folder: str
    generation: str
    peaks: dict[str, float]
    memory_bandwidth: float
    cores: int
    tdp: float
    resident_bytes: float = 0.0
    """Weights up to this size stayed in the cache of this chip while it was measured, which they do in no real model: six
    copies take turns, and those of L40S and RTX PRO 6000 fit into 96 and 128 MB where memory is slow enough to show it."""

    def peak(self, dtype: str) -> float:
        """Dense FLOP/s in a data type, the next wider one's where the chip has no units for it."""
        for kind in ("fp8" if dtype == "fp8-block" else dtype, "fp8", "bf16"):
            if kind in self.peaks:
                return self.peaks[kind]
        raise KeyError(dtype)


def _chip(
    name: str,
    folder: str,
    generation: str,
    tflops: tuple[float, ...],
    terabytes: float,
    cores: int,
    tdp: float,
    resident_bytes: float = 0.0,
) -> MeasuredChip:
    peaks = {kind: value * 1e12 for kind, value in zip(("bf16", "fp8", "nvfp4"), tflops, strict=False)}
    return MeasuredChip(
        name=name,
        folder=folder,
        generation=generation,
        peaks=peaks,
        memory_bandwidth=terabytes * 1e12,
        cores=cores,
        tdp=tdp,
        resident_bytes=resident_bytes,
    )


CHIPS = (
    _chip("a100-sxm", "a100_sxm", "ampere", (312,), 2.039, 108, 400),
    _chip("h100-sxm", "h100_sxm", "hopper", (989.4, 1978.9), 3.35, 132, 700),
    _chip("h200-sxm", "h200_sxm", "hopper", (989.4, 1978.9), 4.8, 132, 700),
    _chip("b200-sxm", "b200_sxm", "blackwell", (2250, 4500, 9000), 8.0, 148, 1000),
    _chip("b300-sxm", "b300_sxm", "blackwell", (2250, 4500, 13500), 8.0, 148, 1100),
    _chip("gb200", "gb200", "blackwell", (2500, 5000, 10000), 8.0, 152, 1200),
    _chip("gb300", "gb300", "blackwell", (2500, 5000, 15000), 8.0, 152, 1400),
    _chip("l40s", "l40s", "ada", (362.05, 733), 0.864, 142, 350, 24e6),
    _chip("rtx-pro-6000-server", "rtx_pro_6000_server", "blackwell", (467.8, 935.6, 1871.2), 1.597, 188, 600, 32e6),
    _chip("arc-pro-b60", "b60", "xe2", (98.3,), 0.456, 20, 200),
)
"""Dense peaks, bandwidth, processors and power from the vendors' data sheets (NVIDIA A100, H100, H200, HGX B200/B300,
GB200 NVL72, GB300 NVL72, L40S, RTX PRO 6000 Server; Intel Arc Pro B60), read 2026-11."""


def data_folder() -> Path:
    """Where the installed package keeps its tables; an `InputError` says how to get them."""
    found = importlib.util.find_spec("aiconfigurator_core")
    if found is None or not found.submodule_search_locations:
        raise InputError("the measured kernel tables are not installed", hint="pip install 'outlay[fit]'")
    return Path(next(iter(found.submodule_search_locations))) / "systems" / "data"


def package_version() -> str:
    """Name and version of the package that the tables come from."""
    return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"


def tables(folder: str, kind: str) -> Iterator[tuple[str, dict[str, npt.NDArray[np.object_ | np.float64]]]]:
    """Each framework's table of one kind (`gemm`, `moe`) for one chip: its name and version, and its columns."""
    import pyarrow.parquet

    for path in sorted((data_folder() / folder / kind).glob(f"*/*/{kind}_perf.parquet")):
        columns = pyarrow.parquet.read_table(path).to_pandas()
        yield f"{path.parts[-3]} {path.parts[-2]}", {name: columns[name].to_numpy() for name in columns}
