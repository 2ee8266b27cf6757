"""Serving configurations a second on a fixed grid, one core; and the simulator on a day's worth of requests.

A configuration is a model on a chip with a layout, under a load: its latencies, rates, power. Tables of steps are made anew
in every round, and their time is counted. The grid has seven layouts of Llama-3.1-70B in fp8 on eight H200s, and loads of 12
prompt lengths × 12 answer lengths × as many concurrencies or rates as make a million.

The trace is made up (the one that is public may not be shipped): 19,366 requests in an hour at 5.5 a second, prompts and
answers as long on average and as varied as the conversations of Azure's trace of 2023 (1,155 and 211 tokens).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import Result
from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import (
    Deployment,
    Load,
    Requests,
    ServingCoefficients,
    format_for,
    load_serving,
    perform,
    poisson,
    simulate,
    timed,
)
from outlay.workload import from_config

TENSOR = np.array([1, 2, 4, 8, 2, 4, 1])[:, None]
PIPELINE = np.array([1, 1, 1, 1, 2, 2, 8])[:, None]
INPUTS = np.geomspace(64, 16384, 12)
OUTPUTS = np.geomspace(16, 2048, 12)
POINTS = 1000
"""Concurrencies, or rates, of each pair of lengths."""
CHUNK = 2048
"""Loads that are answered together, for all layouts."""
ROUNDS = 3
LEAST = 1_000_000.0

COUNT, RATE = 19_366, 5.53
PROMPT, ANSWER, VARIATION = 1155.0, 211.0, 0.9
REPLICAS = 8
MOST_SECONDS, MOST_GIB = 3.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Layouts (along the first axis) and loads (along the second)."""

    deployment: Deployment
    coefficients: ServingCoefficients
    input: np.ndarray
    output: np.ndarray
    clients: np.ndarray

    @property
    def count(self) -> int:
        return int(TENSOR.size * self.input.size)

    def loads(self, kind: str, chunk: int = CHUNK) -> Iterator[Load]:
        """The loads in arrays of at most `chunk`: closed loops, or open ones at a rate that goes with the concurrency."""
        for start in range(0, self.input.size, chunk):
            part = slice(start, start + chunk)
            clients = self.clients[part]
            come = {"concurrency": clients} if kind == "closed" else {"rate": clients * 0.02}
            yield Load(input=self.input[part], output=self.output[part], **come)


def grid(points: int = POINTS) -> Grid:
    """7 layouts × 12 × 12 × `points` loads: a million."""
    lengths = np.meshgrid(INPUTS, OUTPUTS, np.round(np.geomspace(1, 1024, points), 2), indexing="ij")
    tokens, output, clients = (np.round(part.ravel()) for part in lengths)
    deployment = Deployment(
        architecture=from_config(model_config("llama-3.1-70b").config),
        cluster=cluster_for(accelerator("h200-sxm-141gb"), 8),
        layout=Layout(tensor=TENSOR, pipeline=PIPELINE),
        weights=format_for("fp8"),
    )
    return Grid(deployment=deployment, coefficients=load_serving(), input=tokens, output=output, clients=clients)


def shuffled(of: Grid) -> Grid:
    """The same loads in a random order (always the same): neighbours no longer share their lengths."""
    order = np.random.default_rng(0).permutation(of.input.size)
    return replace(of, input=of.input[order], output=of.output[order], clients=of.clients[order])


def answer(of: Grid, kind: str) -> float:
    """Processor seconds to answer every configuration of the grid, tables included."""
    begun = time.process_time()
    steps = timed(of.deployment, of.coefficients, tabled=True)
    answered = 0
    for load in of.loads(kind):
        answered += np.size(perform(of.deployment, load, of.coefficients, steps=steps).e2e)
    taken = time.process_time() - begun
    assert answered == of.count, "every configuration gets an answer of its own"
    return taken


def trace() -> Requests:
    """An hour of conversations, the same ones every time."""
    return poisson(RATE, COUNT, input=PROMPT, output=ANSWER, variation=VARIATION, seed=2023)


def many_replicas() -> Requests:
    """As many conversations on each of 64 replicas as `trace` has on each of eight, for a quarter of an hour."""
    return poisson(8.0 * RATE, 40_000, input=PROMPT, output=ANSWER, variation=VARIATION, seed=2023)


def out_of_blocks() -> Requests:
    """Long answers that outgrow the room for caches: every second one is put back and computed again."""
    return poisson(12.0, 20_000, input=800.0, output=1500.0, variation=VARIATION, seed=2023)


def play(requests: Requests, replicas: int = REPLICAS) -> float:
    """Processor seconds to play them on replicas of Llama-3-8B on an L40S each."""
    deployment = Deployment(
        architecture=from_config(model_config("llama-3-8b").config), cluster=cluster_for(accelerator("l40s"), 1)
    )
    begun = time.process_time()
    found = simulate(deployment, requests, load_serving(), replicas=replicas)
    taken = time.process_time() - begun
    assert int(found.output.sum()) == int(requests.output.sum()) and (found.finish > 0).all(), "all are answered"
    return taken


def gib() -> float:
    """Memory that this process held at most."""
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0) / 2.0**30


def measure() -> list[Result]:
    """Best of three."""
    whole, requests = grid(), trace()
    mixed = shuffled(whole)
    cases = (
        ("answered at a concurrency", whole, "closed"),
        ("the same in random order", mixed, "closed"),
        ("answered at a rate", whole, "open"),
        ("answered at a rate, in random order", mixed, "open"),
    )
    speeds = [(name, whole.count / min(answer(of, kind) for _ in range(ROUNDS))) for name, of, kind in cases]
    plays = (
        (f"{COUNT:,} requests on {REPLICAS} replicas, played", requests, REPLICAS),
        ("40,000 requests on 64 replicas, played", many_replicas(), 64),
        (f"20,000 requests that run out of blocks on {REPLICAS}, played", out_of_blocks(), REPLICAS),
    )
    played = [(name, min(play(what, replicas) for _ in range(ROUNDS))) for name, what, replicas in plays]
    held = gib()
    return [
        Result(name="serving configurations of the grid", value=whole.count, unit=""),
        *(
            Result(name=name, value=speed, unit="a second", goal=f"≥ {LEAST:,.0f}", met=speed >= LEAST)
            for name, speed in speeds
        ),
        *(
            Result(name=name, value=taken, unit="s", goal=f"≤ {MOST_SECONDS:g}", met=taken <= MOST_SECONDS)
            for name, taken in played
        ),
        Result(name="memory at most", value=held, unit="GiB", goal=f"≤ {MOST_GIB:g}", met=held <= MOST_GIB),
    ]
