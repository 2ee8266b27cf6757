"""Collectives: bandwidth in the limit, no message no time, monotone, levels in order, arrays equal single calls."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import accelerator, accelerators
from outlay.errors import InputError
from outlay.machine.cluster import cluster_for
from outlay.machine.collective_curve import (
    CollectiveCurve,
    KindCurve,
    collective_coefficients,
    collective_curve,
)
from outlay.machine.collectives import KINDS, MANY, collective_seconds

H100 = accelerator("h100-sxm-80gb")
FLAT = KindCurve(
    sizes=(2.0,), share=(1.0,), start_seconds=0.0, rank_seconds=0.0, large_start_seconds=0.0, small_share=1.0
)
IDEAL = CollectiveCurve(
    link=dict.fromkeys(KINDS, FLAT),
    host=dict.fromkeys(KINDS, FLAT),
    network_share=dict.fromkeys(KINDS, 1.0),
)
PERFECT = replace(cluster_for(H100, 4096), network_latency=0.0, network_efficiency=1.0)


def seconds(kind, size, group, stride=1, *, cluster=PERFECT, curve=IDEAL):
    return float(collective_seconds(kind, size, group, stride=stride, cluster=cluster, curve=curve))


@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        ("all-reduce", 14 / 8),
        ("all-gather", 7 / 8),
        ("reduce-scatter", 7 / 8),
        ("all-to-all", 7 / 8),
        ("broadcast", 1),
        ("send", 1),
    ],
)
def test_ideal_links_carry_the_bus_volume(kind, factor):
    assert seconds(kind, 1e9, 8) == pytest.approx(factor * 1e9 / H100.link_bandwidth)


def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather():
    both = seconds("reduce-scatter", 1e9, 8) + seconds("all-gather", 1e9, 8)
    assert seconds("all-reduce", 1e9, 8) == pytest.approx(both)


def test_a_group_with_one_rank_a_node_has_one_card():
    assert seconds("all-gather", 1e9, 8, stride=8) == pytest.approx(7 / 8 * 1e9 / 50e9)


def test_ranks_of_one_node_share_their_cards():
    whole, quarter = seconds("all-gather", 1e9, 64), seconds("all-gather", 1e9, 64, stride=4)
    assert whole == pytest.approx(63 / 64 * 1e9 / (8 * 50e9))
    assert quarter == pytest.approx(63 / 64 * 1e9 / (2 * 50e9))


def test_all_to_all_crosses_the_network_with_what_is_meant_for_others():
    assert seconds("all-to-all", 1e9, 16) == pytest.approx(8 / 16 * 1e9 / 50e9)


def test_a_send_takes_its_slowest_hop():
    assert seconds("send", 1e9, 2) == pytest.approx(1e9 / H100.link_bandwidth)
    assert seconds("send", 1e9, 2, stride=8) == pytest.approx(1e9 / 50e9)
    assert seconds("send", 1e9, 16, stride=1) == pytest.approx(1e9 / 50e9)


def test_oversubscription_divides_the_network():
    narrow = replace(PERFECT, oversubscription=4.0)
    assert seconds("all-gather", 1e9, 8, stride=8, cluster=narrow) == pytest.approx(
        4 * seconds("all-gather", 1e9, 8, stride=8)
    )


def test_a_rack_of_72_stays_on_its_links():
    chip = accelerator("gb200-192gb")
    cluster = replace(cluster_for(chip, 144), network_efficiency=1.0, network_latency=0.0)
    inside, outside = (seconds("all-gather", 1e9, group, cluster=cluster) for group in (72, 144))
    assert inside == pytest.approx(71 / 72 * 1e9 / 900e9)
    assert outside >= inside


def test_trees_win_small_messages_over_many_nodes():
    curve = collective_curve(H100)
    cluster = cluster_for(H100, 4096)
    tiny = seconds("all-reduce", 1024, 512, stride=8, cluster=cluster, curve=curve)
    assert tiny < 40 * cluster.network_latency  # a ring would take 1,022 steps


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_say_or_nobody_to_say_it_to(kind):
    curve = collective_curve(H100)
    assert seconds(kind, 0, 8, curve=curve) == 0
    assert seconds(kind, 1e9, 1, curve=curve) == 0


NAMES = [
    "h100-sxm-80gb",
    "a100-sxm-80gb",
    "gb200-192gb",
    "mi300x-192gb",
    "tpu-v5p",
    "rtx-4090",
    "a100-pcie-80gb",
    "v100-sxm-32gb",
]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(KINDS),
    st.floats(1, 1e11),
    st.sampled_from([2, 4, 8, 16, 64, 72, 512]),
    st.sampled_from([1, 2, 4, 8, 64]),
)
def test_larger_messages_and_slower_links_never_gain(name, kind, size, group, stride):
    chip = accelerator(name)
    cluster, curve = cluster_for(chip, 8192), collective_curve(chip)

    def of(size, cluster):
        return seconds(kind, size, group, stride, cluster=cluster, curve=curve)

    own = of(size, cluster)
    assert 0 < own < np.inf
    assert own <= of(size * 2, cluster) * (1 + 1e-9)
    for name in ("link_bandwidth", "network_bandwidth", "host_bandwidth"):
        assert of(size, replace(cluster, **{name: getattr(cluster, name) * 2})) <= own * (1 + 1e-9)
    assert of(size, replace(cluster, network_latency=cluster.network_latency * 2)) >= own * (1 - 1e-9)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(KINDS),
    st.floats(1, 1e11),
    st.sampled_from([2, 4, 8, 16, 64, 512]),
    st.sampled_from([1, 2, 4, 8, 64]),
)
def test_a_node_of_several_domains_is_as_fast_as_nodes_of_one(name, kind, size, group, stride):
    chip = accelerator(name)
    curve, usual = collective_curve(chip), cluster_for(chip, 8192)
    if not 1 < usual.domain < 8192:
        return
    domain = int(usual.domain)
    base = seconds(kind, size, group, stride, cluster=cluster_for(chip, 8192, gpus_per_node=domain), curve=curve)
    for nodes in (2, 4, 16, 1000):
        larger = cluster_for(chip, 8192, gpus_per_node=domain * nodes)
        assert seconds(kind, size, group, stride, cluster=larger, curve=curve) <= base * (1 + 1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [100, MANY + 100])
def test_arrays_equal_single_calls(kind, count):
    random = np.random.default_rng(5)
    size = random.uniform(0, 1e9, count)
    group, stride = random.choice([1, 2, 3, 8, 64, 100], count), random.choice([1, 2, 8, 24], count)
    cluster, curve = cluster_for(H100, 8192), collective_curve(H100)
    together = collective_seconds(kind, size, group, stride=stride, cluster=cluster, curve=curve)
    for index in range(0, count, max(1, count // 60)):
        own = seconds(kind, size[index], int(group[index]), int(stride[index]), cluster=cluster, curve=curve)
        assert own == together[index]


def test_broadcast_against_a_row_of_groups():
    cluster, curve = cluster_for(H100, 8192), collective_curve(H100)
    groups = np.array([[1.0], [8.0], [64.0]])
    table = collective_seconds("all-reduce", np.full(MANY, 1e8), groups, cluster=cluster, curve=curve)
    assert table.shape == (3, MANY)
    assert table[1, 0] == seconds("all-reduce", 1e8, 8, cluster=cluster, curve=curve)


def test_clusters_may_be_arrays():
    cluster = replace(PERFECT, network_bandwidth=np.array([25e9, 50e9]))
    both = collective_seconds("all-gather", 1e9, 8, stride=8, cluster=cluster, curve=IDEAL)
    assert both[0] == pytest.approx(2 * both[1])


@pytest.mark.parametrize(
    "bad", [("gossip", 1, 2, 1), ("send", -1, 2, 1), ("send", 1, 0, 1), ("send", float("nan"), 2, 1), ("send", 1, 2, 0)]
)
def test_impossible_questions_are_refused(bad):
    with pytest.raises(InputError):
        seconds(*bad)


def test_every_accelerator_has_a_curve():
    for chip in accelerators():
        curve = collective_curve(chip)
        assert curve.source and curve.basis in ("fitted", "assumed")
        assert seconds("all-reduce", 1e8, 2, cluster=cluster_for(chip, 2), curve=curve) > 0


def test_large_messages_fit_their_tables():
    for record in collective_coefficients()["chips"]:
        for kind, errors in record["errors"].items():
            assert errors["large"]["median"] < 0.15, (record["chip"], kind)


def test_other_measurements_inside_a_node_are_met():
    """Another laboratory's all-reduces and sends of 16 MiB and more on one DGX, never fitted to (all-reduce)."""
    path = Path(__file__).parents[2] / "validation" / "kernels" / "collectives.csv"
    errors = []
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["ranks"] == row["ranks_per_node"] and float(row["bytes"]) >= 2**24:
                chip = accelerator(row["accelerator"])
                own = seconds(
                    row["kind"],
                    float(row["bytes"]),
                    int(row["ranks"]),
                    cluster=cluster_for(chip, 8),
                    curve=collective_curve(chip),
                )
                errors.append(np.log(own / float(row["seconds"])))
    assert len(errors) > 20
    assert np.median(np.abs(errors)) < 0.2 and np.abs(np.median(errors)) < 0.15


@pytest.mark.parametrize("count", [2, 4, 6])
def test_a_part_of_a_mesh_is_as_fast_alone_as_beside_idle_devices(count: int) -> None:
    chip = accelerator("mi300x")
    alone, whole = cluster_for(chip, count), cluster_for(chip, 8)
    assert alone.link_bandwidth == pytest.approx(whole.link_bandwidth * (count - 1) / 7)
    curve = collective_curve(chip)
    one, other = (
        float(collective_seconds("all-reduce", 64e6, count, cluster=cluster, curve=curve)) for cluster in (alone, whole)
    )
    assert one == pytest.approx(other, rel=1e-6)
