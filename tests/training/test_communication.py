"""Sharded weights: a layer at a time, within their shards, and gradients over replicas."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import Cluster, CollectiveCurve, cluster_for, collective_seconds, curves_for
from outlay.training import Coefficients, Recipe, load_coefficients
from outlay.training.communication import DataCommunication, data_communication
from outlay.training.memory import StageParameters

PARAMETERS = 8e9
STAGE = StageParameters(
    dense=PARAMETERS, expert=0.0, largest_layer=0.0, trained_dense=PARAMETERS, trained_expert=0.0, largest_trained=0.0
)


@pytest.fixture(scope="module")
def h100s() -> Cluster:
    return cluster_for(accelerator("h100-sxm-80gb"), 64)


def sent(recipe: Recipe, cluster: Cluster, layers: int, **degrees: int) -> DataCommunication:
    curves = curves_for(cluster.accelerator, "bf16", "bf16", load_coefficients().machine)
    layout = Layout(data=64, **degrees)
    return data_communication(STAGE, layers, recipe, layout, cluster, curves)


def curve(cluster: Cluster, coefficients: Coefficients) -> CollectiveCurve:
    return curves_for(cluster.accelerator, "bf16", "bf16", coefficients.machine).collective


@given(layers=st.integers(1, 200))
def test_each_layer_has_the_start_of_its_own_collective(layers: int) -> None:
    cluster, recipe = cluster_for(accelerator("h100-sxm-80gb"), 64), _recipe()
    one, many = (float(np.asarray(sent(recipe, cluster, n, zero=3).micro_batch_gather)) for n in (1, layers))
    assert many >= one * (1 - 1e-9)
    # What moves is the same: starts of a few hundred microseconds are all that is added.
    assert many - one <= (layers - 1) * 1e-3


def test_zero_one_sends_in_one_piece_unless_the_software_works_in_layers(gpt: Recipe, h100s: Cluster) -> None:
    by_layer = dataclasses.replace(gpt, software=dataclasses.replace(gpt.software, layer_units=True))
    assert float(sent(gpt, h100s, 1, zero=1).weights) == float(sent(gpt, h100s, 96, zero=1).weights)
    assert float(sent(by_layer, h100s, 96, zero=1).weights) > float(sent(gpt, h100s, 96, zero=1).weights)


def test_shards_of_a_node_are_gathered_inside_it_and_summed_across(
    gpt: Recipe, h100s: Cluster, coefficients: Coefficients
) -> None:
    whole, hybrid = (sent(gpt, h100s, 32, zero=3, shard=shard) for shard in (0, 8))
    assert float(whole.gradients) == 0.0
    assert float(hybrid.micro_batch_gather) < float(whole.micro_batch_gather)
    shard = PARAMETERS / 8 * gpt.software.reduce_bytes / 32
    each = collective_seconds("all-reduce", shard, 8, stride=8, cluster=h100s, curve=curve(h100s, coefficients))
    assert float(hybrid.gradients) == pytest.approx(32 * float(each), rel=1e-12)


def test_sharding_over_all_ranks_is_the_same_said_or_not(gpt: Recipe, h100s: Cluster) -> None:
    said, silent = sent(gpt, h100s, 32, zero=3, shard=64), sent(gpt, h100s, 32, zero=3)
    for name in DataCommunication.__slots__:
        assert float(getattr(said, name)) == float(getattr(silent, name))


def _recipe() -> Recipe:
    from outlay.workload import transformer

    return Recipe(
        architecture=transformer(layers=32, hidden=4096, heads=32, vocab=32000), sequence_length=4096, global_batch=64
    )
