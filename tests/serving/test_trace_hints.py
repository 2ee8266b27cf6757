"""Each fault of a trace is answered with what mends that fault, and with nothing else."""

from __future__ import annotations

import pytest

from outlay.errors import InputError
from outlay.serving.traces import BLOCKS, CELLS, MOMENTS, NUMBERS, OBJECTS, ORDER, read_trace

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
PLAIN = "arrival,input,output\n"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (PLAIN + "0,10,nan\n", NUMBERS),
        (PLAIN + "0,10,0\n", NUMBERS),
        (PLAIN + "-1,10,5\n", NUMBERS),
        (PLAIN + "soon,10,5\n", NUMBERS),
        (PLAIN + "0,10,5,7\n", CELLS),
        (PLAIN + "2,10,5\n1,10,5\n", ORDER),
        (AZURE + "yesterday,10,5\n", MOMENTS),
        (AZURE + "2023-11-16 18:15:46.680,ten,5\n", NUMBERS),
        ('{"timestamp": 0, "input_length": 10}\n', OBJECTS),
        ('{"timestamp": 0, "input_length": 10, "output_length": "x"}\n', OBJECTS),
        ('{"timestamp": 0\n', OBJECTS),
        ('{"timestamp": 0, "input_length": 10, "output_length": 5, "hash_ids": {"a": 1}}\n', BLOCKS),
        (PLAIN + "2,10,5\n1,10,x\n0,10,5\n", f"{NUMBERS}; {ORDER}"),
    ],
)
def test_the_hint_is_of_the_fault(text: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read_trace(text)
    assert caught.value.hint == hint


def test_the_hints_work_when_they_are_kept() -> None:
    assert read_trace(OBJECTS.partition("`")[2].partition("`")[0]).input.tolist() == [1024]
    moment = MOMENTS.partition("`")[2].partition("`")[0]
    assert read_trace(f"{AZURE}{moment},10,5\n").output.tolist() == [5]
