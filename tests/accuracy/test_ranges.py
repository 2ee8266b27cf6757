"""Ranges: they cover exchangeable data at their level, grow with the level, and hold on sources that made none of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.accuracy.calibrate import Scored, calibrate, document, draws, nested, weights
from outlay.errors import InputError
from outlay.training.ranges import DOUBTS, Spread, doubts, load_ranges, parse_level, stored

REASONS = st.lists(st.sampled_from([*DOUBTS, "never seen"]), unique=True)
LEVELS = st.floats(0.01, 0.99)


def exchangeable(seed: int, *, sources: int = 40, each: int = 100, bias: float = 0.0) -> list[Scored]:
    """Rows whose errors are draws of one distribution, twice as wide with a doubt; a source may be off as a whole."""
    random = np.random.default_rng(seed)
    rows = []
    for source in range(sources):
        offset = random.normal(0.0, bias) if bias else 0.0
        for _ in range(each):
            doubted = bool(random.random() < 0.5)
            error = offset + random.normal(0.02, 0.2 if doubted else 0.1)
            rows.append(Scored(source=f"s{source}", error=error, doubts=("tuning",) if doubted else ()))
    return rows


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_exchangeable_rows_are_covered_at_the_level(level: float) -> None:
    spread, fresh = calibrate(exchangeable(0), trimmed=0.0), exchangeable(1)
    held = [low <= math.exp(row.error) <= high for row in fresh for low, high in [spread.factors(row.doubts, level)]]
    assert np.mean(held) == pytest.approx(level, abs=0.03)
    for doubted in (False, True):
        share = np.mean([inside for inside, row in zip(held, fresh, strict=True) if bool(row.doubts) == doubted])
        assert share == pytest.approx(level, abs=0.06)


def test_a_doubt_that_doubles_errors_doubles_the_scale() -> None:
    spread = calibrate(exchangeable(2), trimmed=0.0)
    assert math.exp(spread.doubts["tuning"]) == pytest.approx(2.0, rel=0.15)
    assert spread.doubts["experts"] == pytest.approx(0.0, abs=1e-6)


def test_sources_that_are_off_as_a_whole_are_still_held_by_cutting_the_tails() -> None:
    rows = exchangeable(3, sources=12, bias=0.3)
    content = document(rows)
    assert 0 < content["trimmed"] < 1
    assert content["held"]["0.8"]["all"]["coverage"] > np.mean(nested(rows, 0.8, trimmed=0.0).inside)
    assert content["held"]["0.8"]["mean_of_sources"] == pytest.approx(0.8, abs=0.05)


def test_a_source_s_own_errors_do_not_move_its_ranges() -> None:
    rows = exchangeable(4, sources=6)
    wild = [
        Scored(source=row.source, error=row.error + 5, doubts=row.doubts) if row.source == "s0" else row for row in rows
    ]
    before, after = (nested(part, 0.8, trimmed=0.0) for part in (rows, wild))
    mine = [index for index, row in enumerate(rows) if row.source == "s0"]
    assert [before.width[index] for index in mine] == [after.width[index] for index in mine]
    assert not any(after.inside[index] for index in mine)


def test_sources_count_alike_whatever_their_rows() -> None:
    rows = [Scored(source="many", error=0.1, doubts=()) for _ in range(1000)]
    rows += [Scored(source="few", error=0.1, doubts=()) for _ in range(5)] + [
        Scored(source="one", error=0.1, doubts=())
    ]
    weight = weights(rows)
    assert sum(weight[:1000]) == pytest.approx(1) and sum(weight[1000:1005]) == pytest.approx(1)
    assert weight[-1] == pytest.approx(0.2) and draws(rows) == pytest.approx(2.2**2 / 2.04)


@given(REASONS, LEVELS, LEVELS)
def test_wider_for_a_higher_level_and_around_the_prediction(reasons: list[str], one: float, two: float) -> None:
    for spread in (load_ranges().time, load_ranges().memory):
        (low, high), (wide_low, wide_high) = (spread.factors(reasons, level) for level in sorted((one, two)))
        assert 0 < wide_low <= low <= 1 <= high <= wide_high < math.inf


@given(LEVELS)
def test_a_doubt_that_nobody_showed_is_no_doubt(level: float) -> None:
    spread = load_ranges().time
    assert spread.factors(["never seen"], level) == spread.factors([], level)


def test_off_centre_errors_make_lopsided_ranges() -> None:
    scores = [-1.0, 0.0, 3.0]
    low, high = Spread(base=0.0, doubts={}, scores=scores, trimmed=0.0).factors((), 0.5)
    assert (math.log(low), math.log(high)) == (pytest.approx(-0.5), pytest.approx(1.5))
    all_slow = Spread(base=0.0, doubts={}, scores=[1.0, 2.0, 3.0], trimmed=0.0)
    assert all_slow.factors((), 0.5)[0] == 1.0


@pytest.mark.parametrize("text", ["0", "100", "text", "nan", "inf", "-80", "", "0.8", "80 80"])
def test_levels_that_are_none(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_level(text)
    assert refused.value.hint and refused.value.exit_code == 2


def test_levels() -> None:
    assert [parse_level(value) for value in (None, "80", "95 %", 50, 95)] == pytest.approx([0.8, 0.8, 0.95, 0.5, 0.95])
    with pytest.raises(ValueError, match="level"):
        load_ranges().time.factors((), 1.0)


def test_the_shipped_ranges_hold_on_sources_left_out() -> None:
    content = stored()
    held = content["time"]["held"]["0.8"]
    assert 0.75 <= held["all"]["coverage"] <= 0.90
    assert 0.75 <= held["mean_of_sources"] <= 0.90
    assert content["time"]["held"]["0.95"]["all"]["coverage"] >= 0.90


def test_doubts_are_of_the_chip_the_software_the_model_and_the_layout() -> None:
    import dataclasses

    from outlay.accuracy.records import read_records
    from outlay.accuracy.resolve import resolve
    from outlay.training import software_for

    (record, *_) = read_records(Path(__file__).parents[2] / "validation" / "training" / "simumax_b200.csv").records
    question = resolve(record)
    recipe = question.recipe
    plain = set(doubts(recipe, question.cluster)) - {"experts"}
    assert not plain
    assert "layout" in doubts(recipe, question.cluster, searched=True)
    assert "tuning" in doubts(recipe, question.cluster, tuning=True)
    unnamed = dataclasses.replace(recipe, software=dataclasses.replace(software_for("nemo", 2025), family="other"))
    assert "software" in doubts(unnamed, question.cluster)
    slow = dataclasses.replace(recipe, software=dataclasses.replace(recipe.software, host="python"))
    assert "host" in doubts(slow, question.cluster)
    strange = dataclasses.replace(question.cluster.accelerator, name="tpu-v5p", generation="tpu")
    assert "kernels" in doubts(recipe, dataclasses.replace(question.cluster, accelerator=strange))
