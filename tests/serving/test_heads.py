"""How often a key-value head is read, and where one is held: kernels that share none, and cores that hold their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, ServingCoefficients, Work, engine_for, iteration, sequence_bytes
from outlay.serving.mixing import reads_apart
from outlay.workload import Architecture

LONG = {"decoding": 64.0, "context": 4000.0}


def seconds(deployment: Deployment, coefficients: ServingCoefficients, **work: float) -> float:
    return float(iteration(deployment, Work(**work), coefficients).seconds)


@pytest.mark.parametrize(
    ("engine", "year", "chip", "apart"),
    [
        ("vllm", 2024.5, "mi300x", True),
        ("vllm", 2024.9, "mi300x", False),
        ("vllm", 2024.5, "h100-sxm", False),
        ("deepspeed-mii", 2024.0, "h100-sxm", True),
        ("trtllm", 2024.5, "h100-sxm", False),
    ],
)
def test_which_kernels_share_no_heads(
    one: Deployment, coefficients: ServingCoefficients, engine: str, year: float, chip: str, apart: bool
) -> None:
    deployment = replace(one, engine=engine_for(engine, year), cluster=cluster_for(accelerator(chip), 1))
    assert reads_apart(deployment) is apart


def test_a_head_that_is_read_anew_costs_as_if_each_query_had_its_own(
    one: Deployment, llama: Architecture, coefficients: ServingCoefficients
) -> None:
    """Four query heads share a head here; with one each, sharing or not is the same."""
    chip = cluster_for(accelerator("mi300x"), 1)
    apart = replace(one, cluster=chip, engine=engine_for("vllm", 2024.5))
    later = replace(apart, engine=replace(apart.engine, year=2024.9))
    assert reads_apart(apart) and not reads_apart(later)
    without = seconds(apart, coefficients, decoding=64.0, context=1.0)
    grown = seconds(apart, coefficients, **LONG) - without
    together = seconds(later, coefficients, **LONG) - seconds(later, coefficients, decoding=64.0, context=1.0)
    assert 2.5 * together < grown < 4.2 * together


@pytest.mark.parametrize("tensor", [1, 4, 8])
def test_cores_hold_heads_of_their_own(llama: Architecture, tensor: int) -> None:
    """Eight heads over sixteen cores of eight Inferentia2 are held twice, over two cores of one once."""
    cores = Deployment(
        architecture=llama,
        cluster=cluster_for(accelerator("inferentia2"), tensor),
        layout=Layout(tensor=tensor),
        engine=engine_for("neuronx"),
    )
    plain = replace(cores, cluster=cluster_for(accelerator("h100-sxm"), tensor))
    more = float(sequence_bytes(cores, 1000)) / float(sequence_bytes(plain, 1000))
    assert more == pytest.approx(max(2 * tensor / 8, 1.0))
