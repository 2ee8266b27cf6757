"""Limits and fronts against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.search.front import front
from outlay.search.limits import judge

POINTS = st.lists(st.tuples(*[st.integers(1, 6).map(float)] * 3), min_size=1, max_size=40)


def _beats(mine: tuple[float, ...], theirs: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(mine, theirs, strict=True)) and mine != theirs


@given(POINTS)
def test_a_front_is_what_nothing_beats(points: list[tuple[float, ...]]) -> None:
    kept = front(*zip(*points, strict=True)).tolist()
    unbeaten = [point for point in points if not any(_beats(other, point) for other in points)]
    assert sorted(points[place] for place in kept) == sorted(set(unbeaten))


@given(POINTS, st.integers(1, 6), st.integers(1, 6))
def test_limits_are_judged_as_one_by_one(points: list[tuple[float, ...]], cost: int, time: int) -> None:
    costs, times, goal = (np.asarray(column) for column in zip(*points, strict=True))
    judged = judge({"cost": costs, "time": times}, {"cost": cost, "time": time})
    inside = [a <= cost and b <= time for a, b, _ in points]
    assert judged.within.tolist() == inside
    nearest = judged.nearest().tolist()
    assert (not nearest) == all(inside)
    worst = [max(a / cost - 1, b / time - 1, 0.0) for a, b, _ in points]
    least = min((share for share in worst if share > 0), default=0.0)
    assert nearest == [place for place, share in enumerate(worst) if share > 0 and share == pytest.approx(least)]
    for near in nearest:
        assert set(judged.broken(near)) == {
            name for name, over in (("cost", costs[near] > cost), ("time", times[near] > time)) if over
        }
    best = min((value for value, kept in zip(goal, inside, strict=True) if kept), default=np.inf)
    for name, place in judged.binding(goal).items():
        assert goal[place] < best
        assert (costs[place] <= cost) or name == "cost"
        assert (times[place] <= time) or name == "time"


def test_without_limits_everything_is_within_and_nothing_near() -> None:
    judged = judge({"cost": [1.0, np.inf]}, {})
    assert judged.within.all()
    assert not judged.nearest().size


@pytest.mark.parametrize("limits", [{"cost": 0.0}, {"time": 1.0}, {"cost": float("nan")}])
def test_senseless_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="the limit on"):
        judge({"cost": [1.0]}, limits)
