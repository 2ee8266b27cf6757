"""The search for a layout against looking at every layout alone."""

import itertools

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.layout import Layout, Problem, Recompute, broken_rules
from outlay.machine import cluster_for
from outlay.training import Coefficients, Recipe, choose_layout, estimate
from outlay.training.choose import TIE


def test_the_choice_is_that_of_brute_force(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    problem = Problem(architecture=gpt.architecture, sequence_length=2048, global_batch=64, devices=16)
    chosen = choose_layout(gpt, cluster, coefficients, {"virtual": 1, "context": 1, "zero": 1, "recompute": 0})
    assert chosen is not None
    times, legal = [], 0
    for tensor, pipeline, micro in itertools.product((1, 2, 4, 8), (1, 2, 4, 8, 16), (1, 2, 4, 8, 16, 32, 64)):
        if 16 % (tensor * pipeline):
            continue
        layout = Layout(tensor=tensor, pipeline=pipeline, data=16 // (tensor * pipeline), micro_batch=micro)
        if broken_rules(layout, problem):
            continue
        legal += 1
        found = estimate(gpt, layout, cluster, coefficients)
        if bool(found.fits):
            times.append(float(found.step_seconds))
    assert (chosen.legal, chosen.fitting) == (legal, len(times))
    assert float(chosen.estimate.step_seconds) <= TIE * min(times)


def test_what_is_fixed_stays(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    chosen = choose_layout(gpt, cluster, coefficients, {"tensor": 4, "recompute": Recompute.FULL})
    assert chosen is not None
    assert (chosen.layout.tensor, chosen.layout.recompute) == (4, Recompute.FULL)
    assert int(np.asarray(chosen.layout.devices)) == 16


def test_nothing_legal_is_none_and_nothing_fitting_is_the_smallest(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    assert choose_layout(gpt, cluster, coefficients, {"tensor": 5}) is None
    small = cluster_for(accelerator("rtx-3090"), 2)
    nearest = choose_layout(gpt, small, coefficients)
    assert nearest is not None
    assert nearest.fitting == 0
    assert float(nearest.estimate.memory_bytes) > nearest.estimate.memory_capacity


@pytest.mark.parametrize("count", [1, 7, 24, 4096])
def test_any_count_is_answered_or_refused(gpt: Recipe, coefficients: Coefficients, count: int) -> None:
    chosen = choose_layout(gpt, cluster_for(accelerator("h100-sxm-80gb"), count), coefficients)
    assert chosen is None or int(np.asarray(chosen.layout.devices)) == count
