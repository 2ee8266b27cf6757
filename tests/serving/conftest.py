"""Llama-3-8B and 70B on H100s, for the tests of serving."""

import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, ServingCoefficients, engine_for, format_for, load_serving
from outlay.workload import Architecture, transformer


@pytest.fixture(scope="session")
def coefficients() -> ServingCoefficients:
    return load_serving()


@pytest.fixture(scope="session")
def llama() -> Architecture:
    return transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)


@pytest.fixture(scope="session")
def large() -> Architecture:
    return transformer(layers=80, hidden=8192, heads=64, kv_heads=8, vocab=128256, gated=True, ffn_hidden=28672)


@pytest.fixture(scope="session")
def one(llama: Architecture) -> Deployment:
    """vLLM with chunked prefill on one device."""
    return Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))


@pytest.fixture(scope="session")
def eight(large: Architecture) -> Deployment:
    return Deployment(
        architecture=large,
        cluster=cluster_for(accelerator("h100-sxm"), 8),
        layout=Layout(tensor=8),
        weights=format_for("fp8"),
        engine=engine_for("vllm"),
    )
