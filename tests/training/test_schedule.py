"""The closed form of pipelines against a simulation that plays every micro-batch."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.layout import Layout
from outlay.training.memory import in_flight
from outlay.training.schedule import pipeline_seconds, stage_layers


def played(stages: int, micro_batches: int, forward: float, backward: float) -> float:
    """Seconds of one step of 1F1B with equal stages and free sends, played event by event."""
    orders = []
    for stage in range(stages):
        warm = min(stages - stage - 1, micro_batches)
        order = [("F", index) for index in range(warm)]
        for index in range(micro_batches):
            if warm + index < micro_batches:
                order.append(("F", warm + index))
            order.append(("B", index))
        orders.append(order)
    done: dict[tuple[str, int, int], float] = {}
    clock, place = [0.0] * stages, [0] * stages
    while any(place[stage] < len(orders[stage]) for stage in range(stages)):
        moved = False
        for stage in range(stages):
            if place[stage] == len(orders[stage]):
                continue
            kind, index = orders[stage][place[stage]]
            before = (kind, index, stage - 1 if kind == "F" else stage + 1)
            first = (kind == "F" and stage == 0) or (kind == "B" and stage == stages - 1)
            if first:
                ready = 0.0 if kind == "F" else done[("F", index, stage)]
            elif before in done:
                ready = done[before]
            else:
                continue
            clock[stage] = max(clock[stage], ready) + (forward if kind == "F" else backward)
            done[(kind, index, stage)] = clock[stage]
            place[stage] += 1
            moved = True
        assert moved, "the schedule deadlocks"
    return max(clock)


@given(st.integers(1, 8), st.integers(1, 24), st.floats(0.5, 2.0), st.floats(0.5, 4.0))
def test_the_closed_form_is_the_simulation(stages: int, micro_batches: int, forward: float, backward: float) -> None:
    whole = forward + backward
    busy, bubble = pipeline_seconds(whole, whole, micro_batches, Layout(pipeline=stages))
    assert float(busy + bubble) == pytest.approx(played(stages, micro_batches, forward, backward), rel=1e-9)


def test_interleaving_divides_the_bubble() -> None:
    plain = pipeline_seconds(1.0, 1.0, 64, Layout(pipeline=8))[1]
    assert float(pipeline_seconds(1.0, 1.0, 64, Layout(pipeline=8, virtual=4))[1]) == float(plain) / 4


def test_layers_cover_the_model() -> None:
    for depth, pipeline, virtual in itertools.product((12, 80, 126), (1, 2, 5, 16), (1, 2)):
        layers = float(stage_layers(depth, Layout(pipeline=pipeline, virtual=virtual)))
        assert layers * pipeline >= depth
        assert layers < depth / pipeline + virtual


@given(st.integers(1, 16), st.integers(1, 8), st.integers(1, 64))
def test_no_stage_keeps_more_than_there_is(stages: int, virtual: int, micro_batches: int) -> None:
    layout = Layout(pipeline=stages, virtual=virtual)
    first, last = (float(in_flight(layout, micro_batches, first=which)) for which in (True, False))
    assert 0 < last <= first + 1e-9 or virtual > 1
    assert first <= micro_batches
