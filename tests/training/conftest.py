"""A GPT on A100s, as Korthikanti et al. trained it, for the tests of a training step."""

import pytest

from outlay.catalog import accelerator
from outlay.machine import Cluster, cluster_for
from outlay.training import Coefficients, Recipe, load_coefficients, software_for
from outlay.workload import transformer


@pytest.fixture(scope="session")
def coefficients() -> Coefficients:
    return load_coefficients()


@pytest.fixture(scope="session")
def gpt() -> Recipe:
    return Recipe(
        architecture=transformer(layers=48, hidden=6144, heads=64, vocab=51200),
        sequence_length=2048,
        global_batch=64,
        precision="fp16",
        software=software_for("Megatron-LM", 2024),
    )


@pytest.fixture(scope="session")
def mixture() -> Recipe:
    return Recipe(
        architecture=transformer(
            layers=32,
            hidden=4096,
            heads=32,
            kv_heads=8,
            vocab=32000,
            ffn_hidden=14336,
            gated=True,
            experts=8,
            experts_per_token=2,
        ),
        sequence_length=4096,
        global_batch=64,
        software=software_for("Megatron-Bridge", 2026),
    )


@pytest.fixture(scope="session")
def a100s() -> Cluster:
    return cluster_for(accelerator("a100-sxm-80gb"), 64)
