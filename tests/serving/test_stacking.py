"""What is asked for at once is what is asked for alone: steps, products, rates; and no step is shorter than a part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, Load, engine_for, format_for, load_serving
from outlay.serving.choose import ways_of
from outlay.serving.cycle import apart_cycle, mixed_cycle
from outlay.serving.engines import engine_on
from outlay.serving.layouts import layouts_of
from outlay.serving.loops import loops_of, some_of
from outlay.serving.objectives import Objectives
from outlay.serving.pools import decode_loops, prefill_loops
from outlay.serving.spelling import spelled, write
from outlay.serving.stacking import SHORT, short, stacked
from outlay.serving.steps import ExactSteps, Mixture, asked_together
from outlay.serving.task import Task
from outlay.workload import from_config

COEFFICIENTS = load_serving()
LOAD = Load(input=1155, output=211, rate=5.0)


def deployed(model: str, chip: str, engine: str, form: str, most: int = 16) -> Deployment:
    """Every layout of a model on a chip."""
    architecture = from_config(model_config(model).config)
    machine, cluster = accelerator(chip), cluster_for(accelerator(chip), most)
    software = engine_on(engine_for(engine), machine)
    layouts = layouts_of(architecture, software, most=most, domain=8).layouts
    return Deployment(
        architecture=architecture, cluster=cluster, layout=layouts, engine=software, weights=format_for(form)
    )


SERVED = [
    ("llama-3-8b", "h100-sxm-80gb", "vllm", "fp8"),
    ("llama-3-8b", "a100-sxm-80gb", "sglang", "w4a16"),
    ("llama-3-8b", "mi300x", "vllm", "bf16"),
    ("llama-3-8b", "rtx-4090", "llamacpp", "q4_k_m"),
    ("gemma-3-27b", "l40s", "trtllm", "bf16"),
    ("gpt-oss-120b", "h100-sxm-80gb", "vllm", "mxfp4"),
    ("deepseek-v3", "h200-sxm", "sglang", "fp8-block"),
    ("nemotron-h-56b", "h100-sxm-80gb", "vllm", "bf16"),
]


@pytest.mark.parametrize("served", SERVED, ids=" ".join)
def test_steps_that_are_asked_for_together_take_what_each_takes_alone(served: tuple[str, ...]) -> None:
    deployment = deployed(*served)
    count = np.size(deployment.layout.tensor)
    some = np.geomspace(1.0, 40.0, count)
    mixtures = (
        Mixture(decoding=some, context=1200.0),
        Mixture(decoding=some / 2.0, context=1200.0, prefill=400.0 * some, prompts=some, past=64.0),
        Mixture(decoding=0.0, context=0.0, prefill=700.0, prompts=1.0),
    )
    together, alone = (ExactSteps(deployment=deployment, coefficients=COEFFICIENTS) for _ in range(2))
    for mixture, seconds in zip(mixtures, asked_together(together, *mixtures), strict=True):
        assert seconds == pytest.approx(np.broadcast_to(alone.seconds(mixture), count), rel=1e-12)
        assert together.watts(mixture) == pytest.approx(np.broadcast_to(alone.watts(mixture), count), rel=1e-12)


def test_long_arrays_are_asked_for_one_after_another() -> None:
    deployment = deployed("llama-3-8b", "h100-sxm-80gb", "vllm", "bf16")
    many = np.geomspace(1.0, 200.0, SHORT)[:, None] * np.ones(np.size(deployment.layout.tensor))
    steps = ExactSteps(deployment=deployment, coefficients=COEFFICIENTS)
    first, second = asked_together(
        steps, Mixture(decoding=many, context=900.0), Mixture(decoding=many / 2.0, context=900.0)
    )
    place = (1234, slice(None))
    few = asked_together(
        steps, Mixture(decoding=many[place], context=900.0), Mixture(decoding=many[place] / 2.0, context=900.0)
    )
    assert few[0] == pytest.approx(first[place], rel=1e-12)
    assert few[1] == pytest.approx(second[place], rel=1e-12)


def test_stacked_numbers_broadcast_as_they_did() -> None:
    values = [np.ones((3, 1)), 2.0, np.arange(4.0)]
    rows = stacked(values, 3)
    assert rows.shape == (3, 1, 3, 4)
    for row, value in zip(rows, values, strict=True):
        assert (row == value).all()
    assert short(*([np.ones(7)] * 50)) == 1, "more than NumPy takes at once"


def test_results_are_written_where_they_stood() -> None:
    whole = spelled(Mixture(decoding=1.0, context=np.arange(6.0).reshape(2, 3)), (2, 3))
    write(whole, Mixture(decoding=np.array([5.0, 7.0]), context=9.0), np.array([0, 4]))
    assert np.asarray(whole.decoding).tolist() == [[5.0, 1.0, 1.0], [1.0, 7.0, 1.0]]
    assert np.asarray(whole.context).tolist() == [[9.0, 1.0, 2.0], [3.0, 9.0, 5.0]]
    assert np.asarray(whole.past).tolist() == [[0.0, 0.0, 0.0], [9.0 * 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("make", [loops_of, decode_loops, prefill_loops])
@pytest.mark.parametrize("served", [SERVED[0], SERVED[1], SERVED[5]], ids=" ".join)
def test_a_rate_alone_is_the_rate_of_those_that_fare_so(served: tuple[str, ...], make: Any) -> None:
    loops = make(deployed(*served), LOAD, COEFFICIENTS)
    places = np.arange(loops.first.size)[:, None]
    inside = loops.numbers[:, ::4]
    rate, found = loops.at(places, inside)
    assert loops.kept_up(places, inside) == pytest.approx(rate, rel=1e-12)
    assert (np.less(loops.utilisation(places, rate), 1.0) == Objectives().kept(found)).all()


@pytest.mark.parametrize("served", [SERVED[0], SERVED[1], SERVED[5]], ids=" ".join)
def test_ways_without_objectives_carry_what_they_carry_with_loose_ones(served: tuple[str, ...]) -> None:
    deployment = deployed(*served)
    (none, _, _), (loose, _, _) = (
        ways_of(deployment, LOAD, objectives, COEFFICIENTS)
        for objectives in (Objectives(), Objectives(ttft=1e9, tpot=1e9))
    )
    assert none is not None and loose is not None
    assert none.rate == pytest.approx(loose.rate, rel=1e-12)
    assert none.inside == pytest.approx(loose.inside, rel=1e-12)


@pytest.mark.parametrize("served", [SERVED[0], SERVED[1], SERVED[3], SERVED[5]], ids=" ".join)
def test_power_at_a_rate_is_that_of_the_requests_inside(served: tuple[str, ...]) -> None:
    loops = loops_of(deployed(*served), LOAD, COEFFICIENTS)
    places = np.arange(loops.first.size)
    found = loops.at_rate(places, 0.4 * loops.sustained(places))
    for place in places[:: max(places.size // 5, 1)]:
        one = loops.at_rate(places[place : place + 1], 0.4 * loops.sustained(places)[place])
        assert float(one.device_watts[0]) == pytest.approx(float(np.asarray(found.device_watts)[place]), rel=1e-9)
        assert float(one.e2e[0]) == pytest.approx(float(np.asarray(found.e2e)[place]), rel=1e-9)


@pytest.mark.parametrize(
    ("chip", "engine", "form"),
    [("a40-48gb", "trtllm", "w4a16"), ("a40-48gb", "vllm", "mxfp4"), ("h100-sxm-80gb", "sglang", "mxfp4")],
)
def test_no_step_with_prompts_is_shorter_than_one_without(chip: str, engine: str, form: str) -> None:
    """Prompts gather along a line through two steps; a tile that begins between them must not lead it below nothing."""
    deployment = deployed("gpt-oss-120b", chip, engine, form)
    for chunk in (512, 2048):
        told = replace(deployment, engine=replace(deployment.engine, chunk_tokens=chunk))
        steps = ExactSteps(deployment=told, coefficients=COEFFICIENTS)
        running = np.geomspace(1.0, 400.0, 40)[:, None]
        cycle = mixed_cycle if told.engine.mixed else apart_cycle
        found = cycle(Task.of(told, LOAD, None), running, steps)
        assert (found.seconds > 0).all()
        if told.engine.mixed:
            assert (np.asarray(found.mixed) >= np.asarray(found.pure) * (1.0 - 1e-9)).all()


def test_a_line_through_two_sides_of_a_tile_stays_above_a_step_without_prompts() -> None:
    """Where it was met: 108 requests in two stages of four devices."""
    whole = deployed("gpt-oss-120b", "a40-48gb", "trtllm", "w4a16")
    layout = Layout(tensor=2, pipeline=2, data=2, expert=4, expert_tensor=1, sequence_parallel=False)
    one = replace(whole, layout=layout, engine=replace(whole.engine, chunk_tokens=512))
    found = mixed_cycle(
        Task.of(one, LOAD, None), np.array(108.80770019), ExactSteps(deployment=one, coefficients=COEFFICIENTS)
    )
    assert float(found.mixed) >= float(found.pure) > 0


def test_some_of_the_deployments_keep_one_limit_of_a_step() -> None:
    deployment = deployed("llama-3-8b", "h100-sxm-80gb", "sglang", "bf16")
    assert some_of(deployment, np.array([1, 2])).engine is deployment.engine
