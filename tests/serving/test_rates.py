"""Requests that come at a rate, in closed form and played, where the closed form was once far off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.scenarios.named import read_model
from outlay.serving import (
    Deployment,
    Load,
    ServingCoefficients,
    engine_for,
    format_for,
    perform,
    poisson,
    simulate,
)

ONE = Layout()


@dataclass(frozen=True)
class Case:
    """A deployment, its requests, and the rates at which it is looked at."""

    model: str
    on: str
    engine: str
    rates: tuple[float, ...]
    input: int
    output: int
    variation: float = 0.0
    weights: str = "bf16"
    cache: str = "bf16"
    layout: Layout = ONE
    within: float = 0.1


TILES = Case(
    "qwen3-30b-a3b", "a100-sxm-80gb", "sglang", (12.0, 23.0, 26.0, 34.0), 128, 128, 0.5, "nvfp4", "fp8", within=0.15
)
"""Two prompts begin one more tile than one and a half."""


def deployment_of(case: Case) -> Deployment:
    return Deployment(
        architecture=read_model(case.model)[0],
        cluster=cluster_for(accelerator(case.on), int(case.layout.devices)),
        layout=case.layout,
        engine=engine_for(case.engine),
        weights=format_for(case.weights),
        cache=case.cache,
    )


def played(deployment: Deployment, load: Load, coefficients: ServingCoefficients, count: int) -> dict[str, float]:
    """Means over requests that neither the beginning nor the end of a run touches."""
    assert load.rate is not None
    sizes = {"input": float(load.input), "output": float(load.output), "variation": float(load.variation)}
    found = simulate(deployment, poisson(rate=float(load.rate), count=count, seed=3, **sizes), coefficients)
    middle = slice(int(count * 0.3), int(count * 0.9))
    after = (found.finish - found.first)[middle].sum() / np.maximum(found.output[middle] - 1, 0).sum()
    return {"ttft": float(found.ttft[middle].mean()), "tpot": float(after), "e2e": float(found.e2e[middle].mean())}


@pytest.mark.parametrize("case", [TILES], ids=lambda case: f"{case.model} {case.engine}")
def test_times_are_those_of_the_simulator(coefficients: ServingCoefficients, case: Case) -> None:
    deployment = deployment_of(case)
    for rate in case.rates:
        load = Load(input=case.input, output=case.output, variation=case.variation, rate=rate)
        found = perform(deployment, load, coefficients)
        count = int(np.clip(30 * float(found.concurrency), 1500, 8000))
        for name, value in played(deployment, load, coefficients, count).items():
            assert float(getattr(found, name)) == pytest.approx(value, rel=case.within), (rate, name)
