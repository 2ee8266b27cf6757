"""Traces from files, and what is said of wrong ones; made-up requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.serving import Requests, diurnal, load_trace, poisson, read_trace

SAMPLES = Path(__file__).with_name("traces")


def told(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_trace(text)
    assert caught.value.hint
    return caught.value


def test_azure() -> None:
    found = load_trace(SAMPLES / "azure.csv")
    np.testing.assert_allclose(found.arrival, [0.0, 0.25, 1.7500001, 60.0])
    assert found.input.tolist() == [310, 1220, 95, 4096]
    assert found.output.tolist() == [41, 8, 230, 1]
    assert found.cached is not None
    assert not found.cached.any()


def test_zones_and_fractions() -> None:
    head = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    found = read_trace(head + "2026-05-10 23:59:59.5+00:00,5,6\n2026-05-11T00:00:00Z,7,8\n")
    np.testing.assert_allclose(found.arrival, [0.0, 0.5])


def test_mooncake_prompts_share_their_beginnings() -> None:
    found = load_trace(SAMPLES / "mooncake.jsonl")
    np.testing.assert_allclose(found.arrival, [0.0, 0.0, 1.5, 3.0])
    assert found.cached is not None
    # Two blocks of 512 known; one that starts otherwise shares nothing; the last token is always computed.
    assert found.cached.tolist() == [0, 1024, 0, 1023]
    apart = load_trace(SAMPLES / "mooncake.jsonl", prefix_cache=False)
    assert apart.cached is not None
    assert not apart.cached.any()


def test_plain_columns_in_any_order() -> None:
    found = load_trace(SAMPLES / "plain.csv")
    assert found.arrival.tolist() == [0.0, 0.5, 2.25]
    assert found.input.tolist() == [250, 800, 90]
    assert found.output.tolist() == [12, 40, 7]
    assert found.cached is not None
    assert found.cached.tolist() == [0, 512, 0]
    other = read_trace("arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,4808,10\n")
    assert other.input.tolist() == [4808]


def test_every_wrong_cell_is_named_by_row_and_column() -> None:
    error = told("arrival,input,output\n1,2,3\n0,a,0\n-1,,2.5\n2,1e30,1\nnan,1,1\n")
    assert error.details == (
        "row 3, `input`: `a` is not a number",
        "row 3, `output`: `0` is below 1",
        "row 4, `arrival`: `-1` is negative",
        "row 4, `input`: an empty cell is not a number",
        "row 4, `output`: `2.5` is not whole",
        "row 5, `input`: `1e30` is above 1,000,000,000",
        "row 6, `arrival`: `nan` is not a number",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrival,input,output\n1,2,3\n5,2,3\n4,2,3\n6,1,1\n", "row 4, `arrival`"),
        ("output_tokens,time,prompt_tokens\n1,2,3\n1,1,3\n", "row 3, `time`"),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-02 00:00:00,1,1\n2026-01-01 00:00:00,1,1\n",
            "row 3, `TIMESTAMP`",
        ),
        (
            '{"timestamp": 7, "input_length": 1, "output_length": 1}\n'
            '{"timestamp": 6, "input_length": 1, "output_length": 1}\n',
            "row 2, `timestamp`",
        ),
    ],
)
def test_times_must_rise(text: str, said: str) -> None:
    assert f"{said}: earlier than the row above" in told(text).message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrival,input\n1,2\n", "`output`"),
        ("TIMESTAMP,GeneratedTokens\n2026-01-01 00:00:00,1\n", "`ContextTokens`"),
        ("", "`arrival` and `input` and `output`"),
        ("arrival,input,output\n", "without a request"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n", "row 2, `TIMESTAMP`: `yesterday`"),
        ("2026,1,1\n", "lacks"),
        ('{"timestamp": 1}\n', "row 1 lacks `input_length` and `output_length`"),
        ('{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [[]]}\n', "`hash_ids`"),
        ('{"timestamp": 0, "input_length": true, "output_length": 1}\n', "`input_length`: `True`"),
        ('{"timestamp": 0, "input_length": 3, "output_length": 1}\n{', "row 2: no JSON object"),
    ],
)
def test_what_lacks_is_named(text: str, said: str) -> None:
    error = told(text)
    assert said in error.message or any(said in detail for detail in error.details)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arrival,input,output\n0,100,10\n1,100,10,7\n", "row 3: 4 cells under 3 columns"),
        ("arrival,input,output,input\n0,100,10,1\n", "the column `input` twice"),
        ("arrival,input,output,prompt_tokens\n0,100,10,1\n", "the column `input` twice"),
    ],
)
def test_cells_and_columns_too_many_are_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_trace(text)
    assert len(read_trace("arrival,input,output,other,other\n0,100,10,1,2,,\n")) == 1


def test_files_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outlay.serving.traces.MOST_BYTES", 1000)
    with pytest.raises(InputError, match="more than 0 MB"):
        load_trace("/dev/zero")


def test_many_problems_are_counted() -> None:
    error = told("arrival,input,output\n" + "x,1,1\n" * 1000)
    assert "1,000 problems" in error.message
    assert error.details[-1] == "and 992 more"


def test_files_that_are_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_trace(tmp_path / "none.csv")
    binary = tmp_path / "trace.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not text"):
        load_trace(binary)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for start in ("", "arrival,input,output\n", "TIMESTAMP,ContextTokens,GeneratedTokens\n", '{"timestamp":'):
        try:
            found = len(read_trace(start + text))
        except InputError:
            continue
        assert found > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 100_000), st.integers(1, 10_000)), min_size=1, max_size=30))
def test_what_is_written_is_read(rows: list[tuple[float, int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    text = "arrival,input,output\n" + "".join(f"{at!r},{tokens},{output}\n" for at, tokens, output in rows)
    found = read_trace(text)
    np.testing.assert_allclose(found.arrival, np.array([row[0] for row in rows]) - rows[0][0])
    assert found.input.tolist() == [row[1] for row in rows]
    assert found.output.tolist() == [row[2] for row in rows]


def test_a_seed_is_a_trace_and_burstiness_is_a_variance() -> None:
    one, two = (poisson(4.0, 20_000, input=500, output=100, variation=0.8, seed=9) for _ in range(2))
    assert (one.arrival == two.arrival).all()
    assert (one.input == two.input).all()
    assert one.rate == pytest.approx(4.0, rel=0.03)
    assert one.output.std() / one.output.mean() == pytest.approx(0.8, rel=0.05)
    gaps = np.diff(one.arrival)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, rel=0.05)
    bursts = np.diff(poisson(4.0, 20_000, input=500, output=100, burstiness=0.25, seed=9).arrival)
    assert bursts.std() / bursts.mean() == pytest.approx(2.0, rel=0.05)


def test_a_day_follows_its_curve() -> None:
    day = diurnal([1.0, 1.0, 4.0, 1.0], input=100, output=10, hour=3000.0, seed=1)
    counts, _ = np.histogram(day.arrival, bins=4, range=(0.0, 12000.0))
    # Straight lines between the points: 1, 2.5, 2.5 and 1 a second on average.
    np.testing.assert_allclose(counts / 3000.0, [1.0, 2.5, 2.5, 1.0], rtol=0.06)


@pytest.mark.parametrize(
    "call",
    [
        lambda: poisson(0.0, 5, input=1, output=1),
        lambda: poisson(1.0, 5, input=-1, output=1),
        lambda: diurnal([], input=1, output=1),
        lambda: diurnal([0.0, 0.0], input=1, output=1),
        lambda: Requests([1.0, 0.5], [1, 1], [1, 1]),
        lambda: Requests([0.0], [0], [1]),
        lambda: Requests([0.0, 1.0], [1], [1]),
    ],
)
def test_wrong_requests_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.hint


def test_arrivals_are_within_a_life() -> None:
    with pytest.raises(InputError, match="thirty years"):
        Requests([0.0, 1e308], [100, 100], [10, 10])
    assert Requests([0.0, 1e-300], [100, 100], [10, 10]).seconds == 0.0
