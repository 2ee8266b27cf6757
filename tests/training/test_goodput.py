"""Goodput: closed forms, limits, monotonicity, and the published pairs of step and run."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import catalog
from outlay.errors import InputError
from outlay.training import goodput
from outlay.training.goodput import CAUSES_LOST, best_interval, hours_between_failures, losses, practices, ranges

LIKELY = practices()["likely"]
NEVER = replace(LIKELY, failure_scale=math.inf)
MONTH = 30 * 86_400.0
devices = st.integers(min_value=1, max_value=200_000)
states = st.floats(min_value=1e8, max_value=1e14)
times = st.floats(min_value=3600.0, max_value=3e7)


def test_without_failures_only_checkpoints_evaluation_and_warm_up_are_left() -> None:
    lost = losses(MONTH, devices=64, state_bytes=1e12, practice=NEVER, interval=3600.0)
    work = MONTH * (1 + NEVER.evaluation + NEVER.ramp)
    assert lost.restarts == 0
    assert lost.lost_work == 0
    assert lost.checkpoints == pytest.approx(work / 3600 * 1e12 / (64 * NEVER.storage_bandwidth))
    assert lost.evaluation == pytest.approx(NEVER.evaluation * MONTH)
    assert lost.warm_up == pytest.approx(NEVER.ramp * MONTH + NEVER.start_seconds)


def test_without_failures_the_best_is_one_checkpoint_at_the_end() -> None:
    lost = losses(MONTH, devices=64, state_bytes=1e12, practice=NEVER)
    assert lost.checkpoints == pytest.approx(1e12 / (64 * NEVER.storage_bandwidth))


def test_rare_failures_lose_half_an_interval_each() -> None:
    seldom = replace(LIKELY, failure_scale=1e5, failure_power=0.0)
    lost = losses(MONTH, devices=8, state_bytes=1e9, practice=seldom, interval=1800.0)
    assert lost.lost_work == pytest.approx(lost.failures * (1800 + 1e9 / (8 * LIKELY.storage_bandwidth)) / 2, rel=1e-3)
    assert lost.restarts == pytest.approx(lost.failures * LIKELY.restart_seconds)
    wall = float(lost.useful + lost.checkpoints + lost.lost_work + lost.evaluation + MONTH * LIKELY.ramp)
    assert lost.failures == pytest.approx(wall / 3.6e8, rel=1e-3)


@given(devices, states, times)
def test_the_best_interval_is_a_minimum(count: int, state: float, useful: float) -> None:
    best = losses(useful, devices=count, state_bytes=state, practice=LIKELY)
    write = state / (LIKELY.storage_bandwidth * count)
    if best.interval >= 0.99 * useful or write > 0.1 * best.interval or best.interval <= 1.0:
        return  # no room for another interval, or the first order does not hold
    for factor in (0.25, 0.5, 2.0, 4.0):
        other = losses(useful, devices=count, state_bytes=state, practice=LIKELY, interval=best.interval * factor)
        if best.interval * factor < useful:
            assert other.seconds > best.seconds


@given(devices, devices, states, times)
def test_more_devices_never_lose_less_to_failures_at_equal_rates(
    one: int, two: int, state: float, useful: float
) -> None:
    few, many = sorted((one, two))
    # The same time to write, so that nothing but the failures differs.
    low = losses(useful, devices=few, state_bytes=state * few, practice=LIKELY, interval=900.0)
    high = losses(useful, devices=many, state_bytes=state * many, practice=LIKELY, interval=900.0)
    assert high.goodput <= low.goodput * (1 + 1e-9) + 1e-12


@given(devices, states, times)
def test_goodput_is_a_share_and_the_parts_are_the_whole(count: int, state: float, useful: float) -> None:
    lost = losses(useful, devices=count, state_bytes=state, practice=LIKELY)
    assert 0 < lost.goodput < 1
    assert all(value >= 0 for value in lost.by_cause.values())
    assert sum(lost.by_cause.values()) == pytest.approx(lost.seconds)


@given(devices, states, times)
def test_low_likely_and_high_stand_in_order(count: int, state: float, useful: float) -> None:
    found = ranges(useful, devices=count, state_bytes=state)
    assert tuple(found) == CAUSES_LOST
    for low, likely, high in found.values():
        assert 0 <= low <= likely <= high < math.inf


def test_an_array_is_its_numbers() -> None:
    counts = np.array([8, 1024, 16384])
    together = losses(MONTH, devices=counts, state_bytes=1e12, practice=LIKELY)
    for index, count in enumerate(counts):
        alone = losses(MONTH, devices=int(count), state_bytes=1e12, practice=LIKELY)
        assert together.goodput[index] == pytest.approx(alone.goodput)


def test_young() -> None:
    assert best_interval(10.0, 18_000.0) == pytest.approx(math.sqrt(2 * 10 * 18_000))


@pytest.mark.parametrize("job", catalog.failures("job_mttf"), ids=lambda job: f"{job.system} {job.devices}")
def test_published_jobs_lie_within_the_band(job: catalog.Failure) -> None:
    assert job.devices and job.value
    low, high = (hours_between_failures(job.devices, practices()[case]) for case in ("high", "low"))
    assert low <= job.value <= high


def test_llama_3_trains_nine_tenths_of_its_time() -> None:
    lost = losses(54 * 86_400.0 * 0.9, devices=16384, state_bytes=405.9e9 * 14, practice=LIKELY)
    assert 0.85 < lost.goodput < 0.93


@pytest.mark.parametrize("system", sorted({row.system for row in catalog.failures("step_and_run")}))
def test_published_runs_are_slower_than_their_steps_by_more_than_failures(system: str) -> None:
    """Goodput alone does not explain the pairs: other stops do; the model must not claim more than was lost."""
    rows = {row.metric: row for row in catalog.failures("step_and_run") if row.system == system}
    step, run = rows["mfu_of_step"], rows["mfu_of_run"]
    assert step.value and run.value and step.devices
    lost = losses(MONTH, devices=step.devices, state_bytes=14e11, practice=LIKELY)
    assert run.value / step.value < lost.goodput


def test_low_loses_least() -> None:
    found = {
        case: float(losses(MONTH, devices=512, state_bytes=1e12, practice=practice).seconds)
        for case, practice in goodput.practices().items()
    }
    assert found["low"] < found["likely"] < found["high"]


@pytest.mark.parametrize(("useful", "count"), [(0.0, 8), (-1.0, 8), (1e6, 0)])
def test_nothing_is_refused(useful: float, count: int) -> None:
    with pytest.raises(InputError):
        losses(useful, devices=count, state_bytes=1e9, practice=LIKELY)
