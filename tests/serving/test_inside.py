"""The requests inside at a rate: they solve their equation, however many loads are asked for and in whatever order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, Load, engine_for, format_for, load_serving, perform, timed
from outlay.serving.closed_loop import cycle_of
from outlay.serving.inside import CLOSE, Inside, inside
from outlay.serving.room import room
from outlay.serving.task import Task
from outlay.workload import from_config

TENSOR = np.array([1, 2, 4])[:, None]
DEPLOYMENT = Deployment(
    architecture=from_config(model_config("llama-3-8b").config),
    cluster=cluster_for(accelerator("h100-sxm"), 4),
    layout=Layout(tensor=TENSOR, pipeline=np.ones_like(TENSOR)),
)
LENGTHS = np.repeat([[200.0, 50.0], [1000.0, 300.0], [6000.0, 100.0]], 40, axis=0)
RATES = np.tile(np.geomspace(1e-3, 300.0, 40), 3)
ORDERS = {"runs of equal loads": np.arange(120), "no two alike in a row": np.random.default_rng(3).permutation(120)}


def asked(order: np.ndarray, *, tabled: bool) -> tuple[Inside, np.ndarray, np.ndarray]:
    """What is found, what is left of the equation, and as many as fit."""
    load = Load(input=LENGTHS[order, 0], output=LENGTHS[order, 1], rate=RATES[order])
    steps = timed(DEPLOYMENT, load_serving(), tabled=tabled)
    task = Task.of(DEPLOYMENT, load, None)
    most = np.maximum(room(DEPLOYMENT, load, load_serving()).sequences, 1.0)
    cycle = cycle_of(DEPLOYMENT)
    found = inside(cycle, task, most, load.rate, steps, layouts=TENSOR.shape)
    left = load.rate * cycle(task, found.others + 1.0, steps).seconds - found.others
    assert (found.full_seconds <= cycle(task, most, steps).crowded * (1 + 1e-12)).all()
    np.testing.assert_allclose(found.found.seconds, cycle(task, found.others + 1.0, steps).seconds, rtol=1e-12)
    return found, left, np.broadcast_to(most, left.shape)


@pytest.mark.parametrize("tabled", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_n_is_rate_times_cycle(order: str, tabled: bool) -> None:
    found, left, most = asked(ORDERS[order], tabled=tabled)
    full = found.others >= most - 1.0
    assert full.any() and (~full).sum() > 100
    assert (left[full] >= 0).all()
    near = np.abs(left) <= CLOSE * (1.0 + found.others)
    # A step that jumps over n has none that is near.
    assert near[~full].mean() > 0.99


def test_the_order_of_loads_does_not_matter() -> None:
    orders = list(ORDERS.values())
    one, other = (asked(order, tabled=True)[0].others for order in orders)
    np.testing.assert_allclose(other, one[:, orders[1]], rtol=1e-9)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
@pytest.mark.parametrize("tabled", [True, False])
def test_a_load_is_answered_alone_as_among_thousands(engine: str, tabled: bool) -> None:
    """Even where more inside would carry less, so that a rate has more than one answer."""
    chip = accelerator("a100-sxm-80gb")
    deployment = Deployment(
        architecture=from_config(model_config("qwen3-30b-a3b").config),
        cluster=cluster_for(chip, 1),
        engine=engine_for(engine),
        weights=format_for("nvfp4"),
        cache="fp8",
    )
    steps = timed(deployment, load_serving(), tabled=tabled)
    draw = np.random.default_rng(5)
    count = 3000
    load = {
        "input": draw.integers(100, 160, count) + draw.random(count),
        "output": draw.integers(2, 200, count).astype(float),
        "rate": draw.uniform(1.0, 90.0, count),
    }
    many = perform(deployment, Load(**load), load_serving(), steps=steps)
    for place in range(0, count, 300):
        alone = perform(deployment, Load(**{k: v[place] for k, v in load.items()}), load_serving(), steps=steps)
        for name in ("ttft", "tpot", "e2e", "device_watts", "utilisation"):
            one, among = getattr(alone, name), np.asarray(getattr(many, name))[place]
            np.testing.assert_allclose(np.asarray(one).ravel()[0], among, rtol=1e-6, err_msg=name)


def test_one_load_is_answered_as_among_many() -> None:
    load = Load(input=LENGTHS[:, 0], output=LENGTHS[:, 1], rate=RATES)
    many = perform(DEPLOYMENT, load, load_serving())
    for place in (3, 57, 100):
        one = perform(
            DEPLOYMENT,
            dataclasses.replace(load, input=LENGTHS[place, 0], output=LENGTHS[place, 1], rate=RATES[place]),
            load_serving(),
        )
        for name in ("ttft", "tpot", "device_watts", "utilisation"):
            np.testing.assert_allclose(
                np.asarray(getattr(one, name)).ravel(),
                np.asarray(getattr(many, name))[:, place],
                rtol=1e-6,
                err_msg=name,
            )
