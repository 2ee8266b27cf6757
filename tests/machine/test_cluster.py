"""Clusters from a few facts, and from the words that people write in a column `interconnect`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator, accelerators
from outlay.errors import InputError
from outlay.machine.cluster import cluster_for, nodes_of
from outlay.machine.interconnect import read_interconnect

GB = 1e9


@pytest.mark.parametrize(
    ("words", "devices", "gigabits"),
    [
        ("NVLink4 within node; 400Gb/s per GPU IB", 8, 400),
        ("NVLink3; 4x Omni-Path 100Gb/s per node (Jean Zay)", 8, 50),
        ("1600 Gbps node-node RoCE", 8, 200),
        ("intra NVLink; inter 800 Gb/s per node (4x HDR200) per config files", 8, 100),
        ("NVLink; DGX A100 8x200Gb/s HDR", 8, 200),
        ("NVLink3/NVSwitch; 8x HDR IB 200Gb/s per node (Selene)", 8, 200),
        ("NVLINK Gen4 900 GB/s + NVSWITCH Gen3 | Storage: 2x IB 400Gb/s, Compute: 8x IB 200Gb/s, Management: 1x 10GbE", 8, 200),
        ("NVLINK 4.0, NVSWITCH 3.0 900GB/s | 1x Intel X550T 10GbE, 9x ConnectX-7 400Gb/s NDR IB", 8, 400),
        ("GCP A3 (8x200Gb/s GPUDirect-TCPX per node)", 8, 200),
        ("PCIe 5.0 | NetXtreme BCM5719 Gigabit Ethernet PCIe", 8, 1 / 8),
        ("NVLink400 | ROCE2; Data bandwidth for GPU-PCIe: 504 GB/s; PCIe-NIC: 500 GB/s", 8, None),
        ("NVLink/NVSwitch", 8, None),
        ("", 8, None),
        ("two tins and a string", 8, None),
    ],
)  # fmt: skip
def test_network_words(words, devices, gigabits):
    read = read_interconnect(words, devices=devices).network_bandwidth
    assert read == (None if gigabits is None else pytest.approx(gigabits * GB / 8))


@pytest.mark.parametrize(
    ("words", "fabric"),
    [
        ("8x HDR 200Gb/s per node", "infiniband"),
        ("RoCE 400Gb/s per GPU", "roce"),
        ("4x Omni-Path 100Gb/s", "omni-path"),
        ("GPUDirect-TCPX", "tcpx"),
        ("EFA 3200 Gb/s per node", "efa"),
        ("ICI; DCN between 2 slices", "dcn"),
        ("NVLink | Giga Ethernet", "ethernet"),
        ("NVLink", None),
    ],
)
def test_fabric_words(words, fabric):
    assert read_interconnect(words, devices=8).fabric == fabric


@given(st.text(max_size=80), st.integers(1, 72))
def test_no_text_is_an_error(words, devices):
    read_interconnect(words, devices=devices)
    cluster = cluster_for(accelerator("h100-sxm-80gb"), 64, gpus_per_node=devices, interconnect=words)
    assert cluster.network_bandwidth > 0 and cluster.domain >= 1


def test_usual_servers():
    h100 = cluster_for(accelerator("h100-sxm-80gb"), 64)
    assert (h100.node_size, h100.domain, h100.network_bandwidth, h100.in_switch_reduction) == (8, 8, 50e9, True)
    rack = cluster_for(accelerator("gb200-192gb"), 256)
    assert (rack.node_size, rack.domain) == (4, 72)
    cards = cluster_for(accelerator("rtx-4090"), 4)
    assert (cards.node_size, cards.domain) == (4, 1)
    pod = cluster_for(accelerator("tpu-v5p"), 2048)
    assert pod.domain == 2048 and pod.topology == "torus"


def test_words_change_the_domain():
    pods = cluster_for(accelerator("tpu-v5p"), 4096, interconnect="ICI torus within slice; DCN between 2 slices")
    assert pods.domain == 2048
    bridged = cluster_for(accelerator("h100-pcie-80gb"), 4, interconnect="NVLINK 600 GB/s + PCIe Gen5")
    assert bridged.domain == 2 and bridged.link_bandwidth == 300e9
    cut = cluster_for(accelerator("h800-sxm-80gb"), 2048, interconnect="NVLink 400GB/s (H800); IB 400Gb/s per GPU")
    assert cut.link_bandwidth == 200e9 and cut.network_bandwidth == 50e9


def test_what_was_assumed_is_said():
    assert any(
        "nothing could be read" in line
        for line in cluster_for(accelerator("h100-sxm-80gb"), 64, interconnect="?").assumed
    )
    assert any("between nodes" in line for line in cluster_for(accelerator("h100-sxm-80gb"), 64).assumed)
    told = cluster_for(accelerator("h100-sxm-80gb"), 64, gpus_per_node=8, interconnect="IB 400Gb/s per GPU")
    assert [line for line in told.assumed if "reached" not in line] == []


def test_nodes_are_whole():
    assert nodes_of(cluster_for(accelerator("h100-sxm-80gb"), 17)) == 3


@pytest.mark.parametrize(
    "bad", [{"count": 0}, {"count": -4}, {"count": 2.5}, {"count": True}, {"count": 8, "gpus_per_node": 0}]
)
def test_impossible_counts_are_refused(bad):
    with pytest.raises(InputError):
        cluster_for(accelerator("h100-sxm-80gb"), **bad)


def test_every_accelerator_has_a_cluster():
    for chip in accelerators():
        cluster = cluster_for(chip, 16)
        assert cluster.link_bandwidth > 0 and cluster.host_bandwidth > 0 and cluster.network_bandwidth > 0, chip.name
