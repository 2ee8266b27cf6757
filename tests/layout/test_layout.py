"""Layouts: reading, writing, and the rules they must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.layout import Layout, Problem, Recompute, broken_rules, describe, legal, parse
from outlay.workload import transformer

GPT = transformer(layers=96, hidden=12288, heads=96, vocab=51200)
MIXTRAL = transformer(
    layers=32,
    hidden=4096,
    heads=32,
    kv_heads=8,
    vocab=32000,
    ffn_hidden=14336,
    gated=True,
    experts=8,
    experts_per_token=2,
)


def problem(devices: int, *, architecture=GPT, batch: int = 1536, sequence: int = 2048) -> Problem:
    return Problem(architecture=architecture, sequence_length=sequence, global_batch=batch, devices=devices)


def test_published_layouts_are_legal() -> None:
    megatron = Layout(tensor=8, pipeline=12, data=16, micro_batch=1, recompute=Recompute.FULL)
    assert broken_rules(megatron, problem(1536)) == ()
    mixtral = Layout(tensor=2, expert=4, data=4)
    assert broken_rules(mixtral, problem(8, architecture=MIXTRAL, batch=64)) == ()


@pytest.mark.parametrize(
    ("layout", "devices", "word"),
    [
        (Layout(tensor=8, data=2), 8, "number of devices"),
        (Layout(tensor=5), 5, "attention heads"),
        (Layout(pipeline=100), 100, "number of layers"),
        (Layout(virtual=2), 1, "vpp > 1 needs pp > 1"),
        (Layout(data=7), 7, "global batch"),
        (Layout(pipeline=8, virtual=2, data=1, micro_batch=512), 8, "multiples of pp"),
        (Layout(context=3), 3, "cp must divide"),
        (Layout(expert=2, data=2), 2, "number of experts"),
        (Layout(data=8, shard=3), 8, "shard must divide"),
    ],
)
def test_a_broken_rule_is_named(layout: Layout, devices: int, word: str) -> None:
    assert any(word in sentence for sentence in broken_rules(layout, problem(devices)))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3, 4, 6, 8]),
            st.sampled_from([1, 2, 5, 8, 12]),
            st.sampled_from([1, 2, 3, 4]),
            st.sampled_from([1, 2, 7]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_many_layouts_are_judged_as_each_alone(rows: list[tuple[int, int, int, int]]) -> None:
    tensor, pipeline, data, micro = (np.array(column) for column in zip(*rows, strict=True))
    together = legal(Layout(tensor=tensor, pipeline=pipeline, data=data, micro_batch=micro), problem(16))
    alone = [not broken_rules(Layout(tensor=t, pipeline=p, data=d, micro_batch=m), problem(16)) for t, p, d, m in rows]
    assert together.tolist() == alone


@given(
    st.builds(
        Layout,
        tensor=st.sampled_from([2, 4, 8]),
        pipeline=st.sampled_from([1, 2, 16]),
        virtual=st.sampled_from([1, 3]),
        data=st.integers(1, 64),
        micro_batch=st.integers(1, 16),
        zero=st.sampled_from([0, 1, 2, 3]),
        recompute=st.sampled_from(list(Recompute)),
        sequence_parallel=st.booleans(),
    )
)
def test_what_is_written_reads_back(layout: Layout) -> None:
    fixed = parse(describe(layout))
    again = Layout(**fixed)  # type: ignore[arg-type]
    assert describe(again) == describe(layout)


@pytest.mark.parametrize(
    "text",
    ["tp", "tp=0", "tp=-1", "tp=2.5", "tp=x", "foo=3", "zero=4", "tp=2,tp=4", "recompute=maybe", "offload=2", "tp=٣"],
)
def test_a_layout_that_cannot_be_read_says_why(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.hint
    assert caught.value.details
