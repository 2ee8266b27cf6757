"""Room for few requests: what the closed form says runs together carries the rate that the simulator carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from outlay.catalog import accelerator
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import (
    Deployment,
    Load,
    Requests,
    ServingCoefficients,
    engine_for,
    memory,
    perform,
    poisson,
    sequence_bytes,
    simulate,
)
from outlay.serving.engines import engine_on
from outlay.serving.room import room
from outlay.workload import Architecture

FITS = (1.5, 1.8, 2.0, 2.2, 2.5, 3.0, 3.3, 4.0, 4.7, 6.0, 10.0, 20.0, 50.0)
SHAPES = ((100, 1000), (1000, 1000), (1000, 250), (4000, 200))


def with_room(
    llama: Architecture, name: str, tokens: float, fits: float, coefficients: ServingCoefficients
) -> Deployment:
    """One H100 whose engine fills so much of it that caches of `fits` requests of `tokens` tokens have room."""
    chip = accelerator("h100-sxm")
    one = Deployment(architecture=llama, cluster=cluster_for(chip, 1), engine=engine_on(engine_for(name), chip))
    wanted, low, high = fits * float(sequence_bytes(one, tokens)), 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        short = float(memory(replace(one, engine=replace(one.engine, memory_share=share)), coefficients).cache) < wanted
        low, high = (share, high) if short else (low, share)
    return replace(one, engine=replace(one.engine, memory_share=high))


def lengths(mean: int, variation: float, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if not variation:
        return np.full(count, mean)
    return np.maximum(rng.gamma(variation**-2, mean * variation**2, count), 1).astype(np.int64)


def carried(
    one: Deployment, input: int, output: int, variation: float, fits: float, table: ServingCoefficients
) -> float:
    """Requests a second while others always wait; the first answers are shorter, so that not all end together."""
    rng = np.random.default_rng(1)
    first, count = int(3 * fits + 8), int(max(400, 14 * fits))
    answers = lengths(output, variation, count + first, rng)
    answers[:first] = np.maximum(answers[:first] * rng.random(first), 2)
    every = Requests(np.zeros(count + first), np.full(count + first, input), answers)
    finish = np.sort(simulate(one, every, table, concurrency=int(4 * fits + 40)).finish)
    early, late = int(0.3 * count), int(0.9 * count)
    return float((late - early) / (finish[late] - finish[early]))


@pytest.mark.parametrize("name", ["vllm", "sglang", "trtllm"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_highest_rate_is_the_simulators(
    llama: Architecture, coefficients: ServingCoefficients, name: str, shape: tuple[int, int]
) -> None:
    """From one request to fifty: the whole number of mean requests was up to 39 % more than could be carried."""
    input, output = shape
    off = []
    for fits in FITS:
        one = with_room(llama, name, input + output / 2, fits, coefficients)
        found = perform(one, Load(input=input, output=output, rate=1.0), coefficients)
        if np.isfinite(found.utilisation):
            off.append(1.0 / float(found.utilisation) / carried(one, input, output, 0.0, fits, coefficients) - 1.0)
    assert len(off) > 8
    assert max(np.abs(off)) < 0.1
    assert abs(np.mean(off)) < 0.03


def test_long_answers_keep_their_room_longer(llama: Architecture, coefficients: ServingCoefficients) -> None:
    """An engine that reserves whole answers runs fewer of them together where lengths differ."""
    for fits in (8.0, 20.0, 50.0):
        one = with_room(llama, "trtllm", 600, fits, coefficients)
        load = Load(input=100, output=1000, rate=1.0, variation=0.5)
        found = 1.0 / float(perform(one, load, coefficients).utilisation)
        assert found == pytest.approx(carried(one, 100, 1000, 0.5, fits, coefficients), rel=0.1)


def test_where_hundreds_fit_half_a_request_is_nothing(one: Deployment, coefficients: ServingCoefficients) -> None:
    load = Load(input=1024, output=1024, rate=1.0)
    limits = room(one, load, coefficients)
    means = float(limits.cache_bytes) / float(sequence_bytes(one, load.context))
    assert means > 250
    assert float(limits.sequences) == pytest.approx(means, abs=0.6)


def test_room_of_many_layouts_is_that_of_each(eight: Deployment, coefficients: ServingCoefficients) -> None:
    load = Load(input=3000, output=np.array([100, 900]), rate=1.0, variation=np.array([0.0, 0.6]))
    both = room(replace(eight, layout=Layout(tensor=np.array([[2], [8]]))), load, coefficients).sequences
    assert np.shape(both) == (2, 2)
    for i, degree in enumerate((2, 8)):
        for j, (output, variation) in enumerate(((100, 0.0), (900, 0.6))):
            alone = Load(input=3000, output=output, rate=1.0, variation=variation)
            single = room(replace(eight, layout=Layout(tensor=degree)), alone, coefficients).sequences
            assert float(np.asarray(both)[i, j]) == pytest.approx(float(single))


@pytest.mark.parametrize("name", ["vllm", "sglang", "trtllm"])
def test_few_places_are_waited_for(llama: Architecture, coefficients: ServingCoefficients, name: str) -> None:
    """At 80 % of the highest rate; one place that is taken four fifths of the time was said to be free."""
    for fits in (2.0, 3.0, 4.0, 6.0):
        one = with_room(llama, name, 1500, fits, coefficients)
        most = 1.0 / float(perform(one, Load(input=1000, output=1000, rate=1.0), coefficients).utilisation)
        played = simulate(one, poisson(0.8 * most, 2500, input=1000, output=1000), coefficients)
        found = perform(one, Load(input=1000, output=1000, rate=0.8 * most), coefficients)
        assert float(found.ttft) == pytest.approx(float(played.ttft[500:].mean()), rel=0.3)
