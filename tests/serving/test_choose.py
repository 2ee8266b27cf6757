"""What a search over arrays finds, against asking every count of every layout."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from outlay.catalog import accelerator, model_config
from outlay.machine import cluster_for
from outlay.serving import Deployment, Load, engine_for, format_for, load_serving, perform
from outlay.serving.choose import Ways, fared, replicas_of, ways_of
from outlay.serving.disaggregated import perform_disaggregated
from outlay.serving.layouts import layouts_of
from outlay.serving.loops import some_of
from outlay.serving.objectives import Objectives
from outlay.serving.pools import decode_loops, prefill_loops
from outlay.serving.transfer import Transfer
from outlay.workload import from_config

MOST = 32
CASES = [
    ("llama-3-8b", "l4", "vllm"),
    ("llama-3-8b", "h100-sxm", "sglang"),
    ("llama-3-70b", "h100-sxm", "vllm"),
    ("mixtral-8x7b", "a100-sxm-80gb", "trtllm"),
    ("llama-3-8b", "trainium1", "neuronx"),
]
LOADS = [
    (3.0, Load(input=128, output=64, rate=1.0), Objectives(ttft=0.3, tpot=0.03)),
    (20.0, Load(input=2000, output=300, rate=1.0), Objectives(ttft=2.0, tpot=0.1)),
    (0.5, Load(input=500, output=200, rate=1.0, cached=0.5), Objectives(tpot=0.05)),
    (8.0, Load(input=500, output=1, rate=1.0), Objectives(ttft=0.5)),
]


def ways(model: str, chip: str, engine: str, rate: float, load: Load, wanted: Objectives) -> Ways | None:
    architecture = from_config(model_config(model).config, name=model)
    software = engine_for(engine)
    layouts = layouts_of(architecture, software, most=8, domain=8).layouts
    deployment = Deployment(
        architecture=architecture, cluster=cluster_for(accelerator(chip), 8), layout=layouts, engine=software
    )
    found, seen, legal = ways_of(deployment, load, wanted, load_serving())
    assert seen >= legal >= (0 if found is None else found.count)
    return found


def asked_one_by_one(found: Ways, rate: float) -> np.ndarray:
    """Whether each count of replicas keeps the objectives, by way: (ways, counts)."""
    counts = np.tile(np.arange(1, MOST + 1), found.count)
    places = np.repeat(np.arange(found.count), MOST)
    load = dataclasses.replace(found.loops.load, rate=rate / counts)
    performance = perform(some_of(found.loops.deployment, places), load, load_serving())
    return found.objectives.at(places).kept(performance).reshape(found.count, MOST)


def test_the_least_replicas_are_those_of_brute_force() -> None:
    """The time of a step jumps where a tile is full, so a count may hold below one that does not: then the higher is taken."""
    whole = different = 0
    for case in CASES:
        for rate, load, wanted in LOADS:
            found = ways(*case, rate, load, wanted)
            if found is None:
                continue
            least = np.where(replicas_of(found, rate) <= MOST, replicas_of(found, rate), 0)
            kept = asked_one_by_one(found, rate)
            brute = np.where(kept.any(axis=1), kept.argmax(axis=1) + 1, 0)
            whole, different = whole + found.count, different + int((least != brute).sum())
            # The best of them is the best of brute force, to an instance.
            devices = found.devices
            for counts in ((least, brute), (brute, least)):
                one, other = (np.where(count > 0, count * devices, 10**6).min() for count in counts)
                assert one <= other + devices.max()
    assert whole > 500
    assert different <= 0.02 * whole


@pytest.mark.parametrize("case", CASES)
def test_how_they_fare_is_what_perform_says(case: tuple[str, str, str]) -> None:
    rate, load, wanted = LOADS[0]
    found = ways(*case, rate, load, wanted)
    assert found is not None
    least = replicas_of(found, rate)
    places = np.flatnonzero(least)
    ours = fared(found, places, rate / least[places])
    theirs = perform(
        some_of(found.loops.deployment, places), dataclasses.replace(load, rate=rate / least[places]), load_serving()
    )
    for name in ("ttft", "tpot", "e2e", "utilisation", "device_watts"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-3, err_msg=name)


def test_giving_up_an_objective_never_takes_more() -> None:
    for case in CASES:
        rate, load, wanted = LOADS[1]
        found = ways(*case, rate, load, wanted)
        assert found is not None
        assert found.relaxed.keys() == {"ttft", "tpot"}
        for relaxed in found.relaxed.values():
            assert (relaxed >= found.rate).all()
        assert any((relaxed > found.rate).any() for relaxed in found.relaxed.values())


def test_pools_are_those_of_a_disaggregated_deployment() -> None:
    """A pool of prompts and one of decoding, each by itself, and what couples them."""
    architecture = from_config(model_config("llama-3-70b").config, name="llama-3-70b")
    cluster = cluster_for(accelerator("h100-sxm"), 8)
    layouts = layouts_of(architecture, engine_for("vllm"), most=8, domain=8).layouts
    both = Deployment(architecture=architecture, cluster=cluster, layout=layouts, weights=format_for("fp8"))
    load = Load(input=1500, output=200, rate=1.0)
    prompts, answers = prefill_loops(both, load, load_serving()), decode_loops(both, load, load_serving())
    places = np.arange(prompts.first.size)
    for rate in (0.2, 1.0, 4.0):
        first = prompts.at_rate(places, rate)
        rest = answers.at_rate(places, rate)
        whole = perform_disaggregated(
            both, both, dataclasses.replace(load, rate=rate), load_serving(), transfer=Transfer.instant(), front_end=0.0
        )
        sustained = np.broadcast_to(np.less(whole.utilisation, 1.0), places.shape)
        assert sustained.any()
        ttft = np.asarray(first.ttft + rest.ttft)
        np.testing.assert_allclose(ttft[sustained], np.asarray(whole.ttft)[sustained], rtol=0.02)
        np.testing.assert_allclose(np.asarray(rest.tpot)[sustained], np.asarray(whole.tpot)[sustained], rtol=0.02)
        busy = np.maximum(np.asarray(first.utilisation), np.asarray(rest.utilisation))
        np.testing.assert_allclose(busy[sustained], np.asarray(whole.utilisation)[sustained], rtol=0.02)
