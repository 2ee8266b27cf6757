"""`--interconnect`: one rule for whose a rate is, numbers read whole or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import InputError, cost_training
from outlay.machine.interconnect import read_interconnect
from outlay.scenarios.links import plain_links


def gigabits(text: str, devices: int = 8) -> float:
    read = read_interconnect(plain_links(text)[0], devices=devices)
    assert read.network_bandwidth is not None
    return read.network_bandwidth * 8 / 1e9


@pytest.mark.parametrize(
    ("text", "each"),
    [
        ("50 Gbit/s", 50), ("100 Gbit/s", 100), ("200 Gbit/s", 200), ("400Gbps", 400), ("1,600 Gbit/s", 1600),
        ("4e2 Gbit/s", 400),
        ("400 GB/s", 3200), ("50 GB/s", 400), ("50 gigabytes/s", 400), ("0.8 Tbit/s", 800), ("500 Mbit/s", 0.5), ("100GbE", 100),
        ("100GBE", 100), ("400G", 400), ("8x400 Gbit/s", 400), ("8x 400Gb/s per node", 400), ("4 x 200 Gb/s", 100),
        ("3200 Gbit/s per node", 400), ("1,600 Gbit/s per node", 200), ("400 Gbit/s per GPU", 400), ("8x50 GB/s", 400),
        ("NVLink4 900 GB/s; 200 Gb/s", 200), ("NVLink4 900 GB/s | 8x ConnectX-7 IB NDR 400Gb/s", 400), ("RoCE 100 Gb/s", 100),
    ],
)  # fmt: skip
def test_rates(text, each):
    assert gigabits(text) == pytest.approx(each)


@pytest.mark.parametrize(
    "text",
    ["1e30 Gbit/s", "-400 Gbit/s", "−400 Gbit/s", "0 Gbit/s", "1,6 Gbit/s", "1_600 Gbit/s", "0x400 Gbit/s", "-8x400 Gb/s",
     "8x-400 Gb/s", "1e3x400 Gb/s", "1.5x400 Gb/s", "4e-400 Gb/s"],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(text):
    with pytest.raises(InputError) as refused:
        plain_links(text)
    assert "per node" in refused.value.hint and "expected" in refused.value.message


@given(st.floats(0.1, 19_000), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_rate_means_what_it_says_whatever_the_node(rate, devices):
    assert gigabits(f"{rate:.3f} Gbit/s", devices) == pytest.approx(rate, rel=2e-2)
    assert gigabits(f"{rate:.3f} Gbit/s per node", devices) == pytest.approx(rate / devices, rel=2e-2)


@pytest.mark.parametrize("text", ["50 Gbit/s", "200 Gbit/s", "40 GB/s"])
def test_the_rule_is_said(text):
    assumed = cost_training("llama-3-8b", tokens="1T", on="h100-sxm:64", interconnect=text).assumed
    why = " ".join(entry.why for entry in assumed if entry.name == "cluster")
    assert "that of each accelerator" in why
    assert ("8 bits" in why) == ("GB" in text)


def test_a_faster_network_is_never_slower():
    times = [
        cost_training("llama-3-8b", tokens="1T", on="h100-sxm:64", interconnect=f"{rate} Gbit/s")
        .answer["seconds"]
        .value.likely
        for rate in (10, 50, 100, 199, 200, 400, 800)
    ]
    assert times == sorted(times, reverse=True)
