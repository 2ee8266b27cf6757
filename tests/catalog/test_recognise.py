"""Names as records write them: every slug of the measured rows, and what people call chips elsewhere."""

from __future__ import annotations

import pytest

from outlay import catalog
from outlay.errors import UnknownName

SLUGS = (
    "7900-xt a10-24gb a100-pcie-40gb a100-pcie-80gb a100-sxm a100-sxm-40gb a100-sxm-80gb a10g-24gb a30-24gb "
    "a40-48gb ai-pro-r9700 ampereone-a192-32x-512gb-cpu-inference apple-m1-pro-14c-16gb-200gb-s apple-m2-max-30c "
    "apple-m2-ultra-gpu-cores-not-stated apple-m3-pro-18c-36gb-150gb-s arc-a310-eco arc-b580 arc-pro-b50 "
    "b200-sxm-180gb b300-sxm-288gb cpu-core-i7-12700h cpu-core-i9-10940x cpu-core-i9-13900k "
    "cpu-core-i9-13900k-ddr5-6400 cpu-intel-r-xeon-r-6980p cpu-intel-r-xeon-r-platinum-8592+ "
    "cpu-m1-pro-per-readme-history-not-in-the-table cy8cproto-062-4343w-float cy8cproto-062-4343w-int8 "
    "dc-roma-mainboard-ii-8-core-risc-v-cpu-inference dell-optiplex-780-c2q-q8400-cpu-inference "
    "disco-f746ng-int8 disco-f746ng-int8-max-performance ek-ra8d1 framework-13-ryzen-ai-5-340-16gb-cpu-inference "
    "framework-13-ryzen-ai-5-340-cpu-inference framework-desktop-mainboard-395+ "
    "framework-mainboard-128gb-cpu-inference gaudi2 gb10-spark-128gb gb200-192gb gb300-288gb gh200-144gb "
    "gh200-96gb gmktec-g3-plus-intel-n150-16gb-cpu-inference gtx-1080ti-11gb h100-nvl-94gb h100-pcie-80gb "
    "h100-sxm-80gb h20-sxm-96gb h200-sxm-141gb h800-sxm-80gb hifive-premier-p550-4-core-risc-v-cpu-inference "
    "inferentia1 inferentia2 intel-arc-pro-b60-24gb jetson-agx-orin-64g l4-24gb l40-48gb l40s-48gb "
    "lc236r5e176-board-v2.0 m1-max-24-core-gpu-32gb m1-max-24-core-gpu-32gb-cpu-only m1-max-32-core-gpu-64gb "
    "m1-max-mac-studio-10-core-64gb m1-ultra-48-gpu-core-64gb m2-ultra-76-core-gpu-192gb m3-max-40-core-gpu-48gb "
    "m3-max-40-core-gpu-64gb m4-mac-mini-10-core-32gb mac-studio-m3-ultra-512gb max-1550 mi250-128gb "
    "mi300x-192gb mi325x-256gb mi350x-288gb mi355x-288gb minisforum-ms-r1-cpu-inference nucleo-g0b1re-int8 "
    "nucleo-h7a3zi-float nucleo-h7a3zi-int8 nucleo-h7a3zi-int8-min-ram nucleo-h7a3zi-q nucleo-l4r5zi "
    "nucleo-l4r5zi-int8 nucleo-u575zi-int8 nucleo-u575zi-q pi-400-4gb-cpu-inference pi-5-16gb-cpu-inference "
    "pi-5-8gb-cpu-inference pi-500+-16gb-cpu-inference pro-w7700 radeon-ai-pro-r9700 renesas-rh850-f1kms4-float "
    "renesas-rh850-f1kms4-int8 renesas-rh850-f1kms4-int8-max-performance rtx-2080-ti rtx-3060 rtx-3070 rtx-3080 "
    "rtx-3080-ti rtx-3090 rtx-4000-ada rtx-4070 rtx-4070-ti rtx-4070-ti-super rtx-4080 rtx-4090 rtx-4090-48gb "
    "rtx-5000-ada rtx-5090 rtx-6000-ada rtx-8000 rtx-a2000 rtx-a400 rtx-a4000 rtx-a5000 rtx-a6000 rtx-pro-6000 "
    "rtx-pro-6000-maxq rx-6500-xt rx-9070-xt sn40l snapdragon-8-gen-3-mobile-platform-mtp "
    "syntiant-9120-0v9-30mhz syntiant-9120-1v1-98mhz t4-16gb tinkerv-linux-andes-nn tpu-v4 tpu-v5e tpu-v5p "
    "tpu-v6e tpu-v7 trainium1 v100-sxm-16gb v100-sxm-32gb v100-sxm-32gb-450w vcu128 xeon-spr-48c-cpu"
).split()


@pytest.mark.parametrize("slug", SLUGS)
def test_every_measured_slug_resolves(slug: str) -> None:
    chip, assumed = catalog.resolve_accelerator(slug)
    stated = [word for word in slug.split("-") if word.endswith("gb") and word[:-2].isdigit()]
    if stated:
        assert chip.memory / 2**30 == pytest.approx(float(stated[0][:-2]), rel=0.09)
    assert assumed is None or slug in assumed


def test_only_an_open_memory_or_form_is_assumed() -> None:
    open_slugs = {slug for slug in SLUGS if catalog.resolve_accelerator(slug)[1]}
    assert "a100-sxm" in open_slugs
    for slug in open_slugs - {"a100-sxm"}:  # memory of such machines is the buyer's choice, and the record states it
        assert catalog.resolve_accelerator(slug)[0].category in ("apple", "cpu", "edge")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm-80gb"),
        ("H100-SXM5-80GB", "h100-sxm-80gb"),
        ("H100 PCIe", "h100-pcie-80gb"),
        ("DGX H100", "h100-sxm-80gb"),
        ("1024x H100 SXM", "h100-sxm-80gb"),
        ("7900XTX", "rx-7900-xtx"),
        ("8x T4", "t4-16gb"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("NVIDIA H100 NVL", "h100-nvl-94gb"),
        ("A100 SXM4 40GB", "a100-sxm-40gb"),
        ("a100-sxm", "a100-sxm-80gb"),
        ("8xA100-80GB", "a100-sxm-80gb"),
        ("A100 80GB PCIe", "a100-pcie-80gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm-80gb"),
        ("A800", "a800-sxm-80gb"),
        ("H800", "h800-sxm-80gb"),
        ("H20", "h20-sxm-96gb"),
        ("GH200", "gh200-96gb"),
        ("Tesla V100-SXM2-16GB", "v100-sxm-16gb"),
        ("V100 PCIe", "v100-pcie-32gb"),
        ("Tesla P100-PCIE-16GB", "p100-pcie-16gb"),
        ("Tesla T4", "t4-16gb"),
        ("L40", "l40-48gb"),
        ("A40", "a40-48gb"),
        ("NVIDIA A10G", "a10g-24gb"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("RTX4090", "rtx-4090"),
        ("RTX 4090 48GB", "rtx-4090-48gb"),
        ("RTX 5090", "rtx-5090"),
        ("GTX1080Ti", "gtx-1080-ti"),
        ("2080Ti", "rtx-2080-ti"),
        ("TITAN RTX", "titan-rtx"),
        ("Quadro RTX 8000", "rtx-8000"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("A4000", "rtx-a4000"),
        ("RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000-server"),
        ("NVIDIA GeForce RTX 3080 Laptop GPU", "rtx-3080-laptop"),
        ("GB200 NVL72", "gb200-192gb"),
        ("MI300X", "mi300x-192gb"),
        ("AMD Instinct MI250X", "mi250x-128gb"),
        ("MI 300X OAM", "mi300x-192gb"),
        ("TPU v4", "tpu-v4"),
        ("Google Cloud TPU v5e", "tpu-v5e"),
        ("TPUv5p", "tpu-v5p"),
        ("v5litepod-16", "tpu-v5e"),
        ("TPU v6e", "tpu-v6e"),
        ("Trillium", "tpu-v6e"),
        ("tpu-v3-8", "tpu-v3"),
        ("Gaudi 3", "gaudi3"),
        ("Habana Gaudi2", "gaudi2"),
        ("Trainium 2", "trainium2"),
        ("trn1.32xlarge", "trainium1"),
        ("Ascend 910B", "ascend-910b"),
        ("Jetson AGX Orin", "jetson-agx-orin-64gb"),
        ("Apple M3 Max", "m3-max"),
        ("M2 Ultra", "m2-ultra"),
        ("Intel Data Center GPU Max 1550", "max-1550"),
        ("Graphcore Bow IPU", "ipu-bow"),
    ],
)
def test_any_sensible_spelling_resolves(text: str, name: str) -> None:
    assert catalog.resolve_accelerator(text)[0].name == name


def test_what_is_left_open_is_said() -> None:
    assert catalog.resolve_accelerator("H100 SXM")[1] is None
    said = catalog.resolve_accelerator("H100")[1]
    assert said is not None
    assert "h100-sxm-80gb" in said
    assert "h100-pcie-80gb" in said


def test_a_stated_memory_that_no_part_has_is_taken_from_the_record() -> None:
    chip, said = catalog.resolve_accelerator("RTX 4060 Ti 8GB")
    assert chip.memory == 8 * 2**30
    assert chip.receipts["memory"].value == chip.memory
    assert chip.receipts["memory"].basis == "yours"
    assert said is not None
    assert "8 GB" in said
    assert catalog.accelerator("rtx-4060-ti").memory == 16 * 2**30


@pytest.mark.parametrize("text", ["", "  ", "gpu", "cpu", "foo", "xyz 1000", "NVIDIA", "80GB", "8 GPUs", "unknown"])
def test_what_names_no_chip_is_unknown(text: str) -> None:
    with pytest.raises(UnknownName):
        catalog.resolve_accelerator(text)
