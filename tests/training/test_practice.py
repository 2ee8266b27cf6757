"""Defaults: from published practice, whole, and divisible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.training.practice import batch_tokens, whole_batch


@pytest.mark.parametrize(
    ("parameters", "tokens"),
    [(124e6, 2**19), (1.3e9, 2**20), (8e9, 2**22), (70e9, 2**22), (175e9, 2**22), (405e9, 2**24)],
)
def test_batches_are_the_published_ones(parameters, tokens):
    receipt = batch_tokens(parameters)
    assert receipt.value == tokens
    assert "arXiv" in receipt.source


def test_bert():
    assert batch_tokens(340e6, encoder=True).value == 256 * 512


@given(st.floats(1e6, 1e13), st.floats(1, 1e3))
def test_larger_models_take_no_smaller_batches(parameters, factor):
    assert batch_tokens(parameters).value <= batch_tokens(parameters * factor).value


@given(st.floats(0.1, 1e5), st.integers(1, 20_000))
def test_whole_batches_keep_the_odd_factor_of_the_devices(sequences, devices):
    batch = whole_batch(sequences, devices)
    odd = devices // (devices & -devices)
    assert batch >= 1
    assert batch % odd == 0
    assert abs(batch - sequences) <= max(odd, sequences / 2, 1)


@given(st.integers(0, 12), st.integers(0, 12))
def test_powers_of_two_stay(batch, devices):
    assert whole_batch(2**batch, 2**devices) == 2**batch
