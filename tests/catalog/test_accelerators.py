"""Accelerators: every figure has a receipt, names resolve, peaks are dense and in order."""

from __future__ import annotations

import contextlib
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import catalog
from outlay.catalog import Accelerator, rows
from outlay.catalog.devices import PEAKS, families, index, spelled
from outlay.errors import AmbiguousName, InputError, UnknownName
from outlay.statement import BASES, Receipt

CHIPS = catalog.accelerators()
UNITS = {"memory": 2**20, "memory_bandwidth": 1e9, "l2": 2**20, "boost_clock": 1e6, "nic_bandwidth": 1e9 / 8}
COLUMNS = {
    "memory": "memory_mib",
    "memory_bandwidth": "memory_bandwidth_gbs",
    "l2": "l2_mib",
    "cores": "cores",
    "tdp": "tdp_w",
    "boost_clock": "boost_mhz",
    "link_bandwidth": "link_gbs",
    "domain": "domain",
    "nic_bandwidth": "nic_gbps",
    "pcie_bandwidth": "pcie_gbs",
}
SCALES = {**dict.fromkeys(("link_bandwidth", "pcie_bandwidth"), 1e9), **UNITS}


def check(receipt: Receipt) -> None:
    assert receipt.source.strip()
    assert receipt.basis in BASES
    year, month, day = (*map(int, receipt.date.split("-")), 1, 1)[:3]
    assert 2000 <= date(year, month, day).year <= 2026


def test_there_are_enough_chips_of_every_kind() -> None:
    assert len(CHIPS) >= 130
    kinds = {chip.category for chip in CHIPS}
    assert kinds >= {"datacenter-gpu", "workstation-gpu", "consumer-gpu", "tpu", "trainium", "npu", "apple", "edge"}
    assert {chip.vendor for chip in CHIPS} >= {"nvidia", "amd", "intel", "google", "aws", "apple", "huawei"}


def test_names_and_aliases_are_unique_and_no_family_is_also_a_name() -> None:
    names = [spelled(alias) for chip in CHIPS for alias in (chip.name, *chip.aliases)]
    assert len(names) == len(set(names))
    assert not set(families()) & set(index())
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", chip.name) for chip in CHIPS)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_every_figure_reads_back_from_the_table_with_its_receipt(chip: Accelerator) -> None:
    row = next(row for row in rows.read("accelerators", "name") if row["name"] == chip.name)
    for figure, column in COLUMNS.items():
        value = getattr(chip, figure)
        if row[column] == "":
            assert value is None
            assert figure not in chip.receipts
            continue
        assert value == pytest.approx(float(row[column]) * SCALES.get(figure, 1), rel=1e-12)
        assert chip.receipts[figure].value == value
        check(chip.receipts[figure])
    for dtype in PEAKS:
        text = row[f"{dtype}_{'tops' if dtype.startswith('int') else 'tflops'}"]
        assert (dtype in chip.peaks) == bool(text)
        if text:
            assert chip.peaks[dtype] == pytest.approx(float(text) * 1e12) == chip.receipts[f"peaks.{dtype}"].value
            check(chip.receipts[f"peaks.{dtype}"])
    assert chip.receipts["link"].value == chip.link
    assert chip.receipts["year"].value == chip.year


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_figures_are_possible(chip: Accelerator) -> None:
    for value in (chip.memory, chip.memory_bandwidth, chip.tdp, chip.link_bandwidth, chip.nic_bandwidth):
        assert value > 0
    assert chip.pcie_bandwidth > 0
    assert chip.domain >= 1
    assert 2006 <= chip.year <= 2026
    assert chip.peaks
    if chip.category in ("datacenter-gpu", "tpu", "trainium") and "bf16" in chip.peaks:
        assert 3e-4 <= chip.memory_bandwidth / chip.peaks["bf16"] <= 0.1, "bytes a FLOP"
    if chip.link == "PCIe":
        assert chip.link_bandwidth == chip.pcie_bandwidth


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_narrower_numbers_are_never_slower(chip: Accelerator) -> None:
    for wide, narrow in (("fp32", "tf32"), ("tf32", "fp16"), ("fp32", "fp16"), ("bf16", "fp8"), ("fp8", "fp4")):
        if wide in chip.peaks and narrow in chip.peaks:
            assert chip.peaks[narrow] >= chip.peaks[wide] * 0.995, "beyond rounding"
    if "fp16" in chip.peaks and "bf16" in chip.peaks and chip.category.endswith("gpu") and chip.generation != "cdna1":
        assert chip.peaks["fp16"] == pytest.approx(chip.peaks["bf16"])
    if "fp64" in chip.peaks and "fp32" in chip.peaks:
        assert chip.peaks["fp64"] <= chip.peaks["fp32"] * 1.001


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    [  # dense data-sheet figures; half of each is what a sparse headline would double
        ("h100-sxm", "bf16", 989.4),
        ("h100-sxm", "fp8", 1978.9),
        ("a100-sxm-80gb", "bf16", 312),
        ("a100-sxm-80gb", "tf32", 156),
        ("b200", "bf16", 2250),
        ("mi300x", "bf16", 1307.4),
        ("rtx-4090", "fp16", 165.2),
        ("rtx-3090", "bf16", 71.2),
        ("rtx-2080-ti", "fp16", 53.8),
        ("v100-sxm-32gb", "fp16", 125),
        ("tpu-v4", "bf16", 275),
        ("tpu-v3", "bf16", 123),
        ("trainium2", "bf16", 667),
        ("l40s", "bf16", 362),
    ],
)
def test_known_dense_peaks(name: str, dtype: str, tflops: float) -> None:
    assert catalog.accelerator(name).peak(dtype) == pytest.approx(tflops * 1e12, rel=2e-3)


def test_memory_is_what_the_device_reports() -> None:
    assert catalog.accelerator("h100-sxm").memory == 81_559 * 2**20
    assert catalog.accelerator("a100-sxm-80gb").memory == 81_920 * 2**20
    assert catalog.accelerator("h100-sxm").receipts["memory"].basis == "measured"


def test_peaks_fall_back_as_documented() -> None:
    v100, a100, tpu = (catalog.accelerator(name) for name in ("v100-sxm-32gb", "a100-sxm-80gb", "tpu-v4"))
    assert v100.peak("bf16") == v100.peaks["fp32"]
    assert v100.peak("amp") == v100.peaks["fp16"]
    assert a100.peak("nvfp4") == a100.peak("mxfp8") == a100.peaks["bf16"]
    assert tpu.peak("fp32") == tpu.peak("fp16") == tpu.peaks["bf16"]
    assert catalog.accelerator("gtx-1080-ti").peak("fp16") == catalog.accelerator("gtx-1080-ti").peaks["fp32"]
    assert catalog.accelerator("b200").peak("nvfp4") == catalog.accelerator("b200").peaks["fp4"]
    with pytest.raises(InputError, match="not a number format"):
        a100.peak("fp7")
    with pytest.raises(InputError, match="no published fp32 peak"):
        catalog.accelerator("hailo-8").peak("fp32")


@pytest.mark.parametrize("name", ["h100", "a100", "a100-sxm", "v100-sxm", "V100", "gh200", "a100-80gb", "rtx-6000"])
def test_shared_names_list_their_choices(name: str) -> None:
    with pytest.raises(AmbiguousName) as caught:
        catalog.accelerator(name)
    assert len(caught.value.details) >= 2
    for line in caught.value.details:
        assert re.search(r"GiB +\d.*TB/s +\d+ TFLOP/s", line)
        assert len(line) <= 78
        catalog.accelerator(line.split()[0])
    assert re.search(r"`--on \S+:8`", caught.value.hint)


@pytest.mark.parametrize("name", ["", " ", "h100-smx", "nonsense", "h100\x00", "-", "💥", "x" * 10_000])
def test_unknown_names_say_so(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        catalog.accelerator(name)
    assert "outlay show accelerators" in caught.value.hint
    assert caught.value.exit_code == 2


@given(st.text(max_size=40))
def test_any_text_is_an_accelerator_or_an_input_error(text: str) -> None:
    for lookup in (catalog.accelerator, catalog.resolve_accelerator):
        with contextlib.suppress(InputError):
            assert lookup(text)
