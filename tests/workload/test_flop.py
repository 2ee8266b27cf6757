"""FLOP and cache of a token: closed forms, limits, monotonicity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog.published import model_config, models
from outlay.workload import (
    Attention,
    GatedDelta,
    Shard,
    flop_per_token,
    from_config,
    kv_bytes_per_token,
    layer_operators,
    parameters,
    transformer,
)
from outlay.workload.flop import mean_keys


def architecture(name: str):  # type: ignore[no-untyped-def]
    return from_config(model_config(name).config, name=name)


def test_a_gpt_takes_24_b_s_h2_and_attention() -> None:
    """Narayanan et al., SC21, §3: F = 96 B s l h² (1 + s/6h + V/16lh), forward, backward and one recomputation."""
    layers, hidden, vocab, length = 96, 12288, 51200, 2048
    model = transformer(layers=layers, hidden=hidden, heads=96, vocab=vocab)
    paper = 96 * layers * hidden**2 * (1 + length / (6 * hidden) + vocab / (16 * layers * hidden))
    flop = flop_per_token(model, length, causal=False)
    recomputed = 24 * layers * hidden**2 * (1 + length / (6 * hidden))
    assert flop.total + recomputed == pytest.approx(paper, rel=1e-12)


@pytest.mark.parametrize("memory", [0, 192, 768])
def test_recurrence_projects_its_memory_again_and_scores_positions(memory: int) -> None:
    """Dai et al., arXiv:1901.02860, §3.2–3.3: keys and values of memory and segment, scores of content and of position."""
    layers, hidden, vocab, length = 16, 512, 1000, 192
    model = transformer(layers=layers, hidden=hidden, heads=8, vocab=vocab, memory=memory)
    keys = memory + length / 2
    again = 3 * hidden**2 * memory / length
    forward = 2 * layers * (12 * hidden**2 + again + (3 if memory else 2) * hidden * keys) + 2 * vocab * hidden
    assert flop_per_token(model, length).forward == pytest.approx(forward, rel=1e-12)
    plain = transformer(layers=layers, hidden=hidden, heads=8, vocab=vocab)
    assert parameters(model).total - parameters(plain).total == layers * hidden**2 * bool(memory)


@pytest.mark.parametrize("name", ["llama-3-8b", "qwen3-30b-a3b", "deepseek-v3", "gpt-oss-120b"])
def test_short_sequences_take_two_flop_a_parameter_that_works(name: str) -> None:
    model, count = architecture(name), parameters(architecture(name))
    working = count.active - count.embedding * (not model.tied)
    assert flop_per_token(model, 1).forward == pytest.approx(2 * working, rel=0.005)


def test_masked_attention_is_half_the_square() -> None:
    model = architecture("llama-3-8b")
    full, half = (flop_per_token(model, 8192, causal=causal) for causal in (False, True))
    assert half.weights == full.weights
    assert (half.forward - half.weights) * 2 == full.forward - full.weights
    encoder = architecture("bert-large")
    assert flop_per_token(encoder, 512) == flop_per_token(encoder, 512, causal=False)


@given(length=st.integers(1, 10**6), window=st.integers(1, 10**6), chunked=st.booleans())
def test_windows_bound_the_keys(length: int, window: int, chunked: bool) -> None:
    facts = {"heads": 1, "kv_heads": 1, "head_dim": 64, "value_dim": 64}
    plain = mean_keys(Attention(**facts), length)  # type: ignore[arg-type]
    windowed = mean_keys(Attention(**facts, window=window, chunked=chunked), length)  # type: ignore[arg-type]
    assert 0 < windowed <= min(plain, window) + 1e-9
    if window >= length:
        assert windowed == plain == length / 2


@given(length=st.integers(2, 4000), window=st.integers(1, 4000))
def test_windows_against_a_count_by_hand(length: int, window: int) -> None:
    facts = Attention(heads=1, kv_heads=1, head_dim=64, value_dim=64, window=window)
    exact = sum(min(i + 1, window) for i in range(length)) / length
    assert mean_keys(facts, length) == pytest.approx(exact, abs=0.51)


@pytest.mark.parametrize("entry", models(), ids=lambda entry: entry.name)
def test_longer_sequences_never_take_less(entry: object) -> None:
    model = from_config(entry.config)  # type: ignore[attr-defined]
    steps = [flop_per_token(model, length) for length in (128, 1024, 8192, 65536)]
    lengths = [step.forward - 2 * model.pooler for step in steps]
    assert lengths == sorted(lengths)
    assert all(step.backward == 2 * step.forward and step.total == 3 * step.forward for step in steps)
    assert all(flop_per_token(model, 8192, causal=False).forward >= step.forward for step in steps[:3])


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [
        ("llama-3-8b", 2 * 2 * 32 * 8 * 128),
        ("llama-3.1-405b", 2 * 2 * 126 * 8 * 128),
        ("falcon-7b", 2 * 2 * 32 * 64),
        ("gpt-3-175b", 2 * 2 * 96 * 12288),
        ("deepseek-v3", 2 * 61 * (512 + 64)),
        ("nemotron-3-nano-30b-a3b", 2 * 2 * 6 * 2 * 128),
        ("qwen3-next", 2 * 12 * 2 * 2 * 256),
        ("deepseek-v3.2", 2 * 61 * (512 + 64 + 128)),
        ("bert-large", 0),
        ("t5-base", 2 * 2 * 12 * 12 * 64),
    ],
)
def test_cache_of_a_token(name: str, bytes_per_token: int) -> None:
    assert kv_bytes_per_token(architecture(name)) == bytes_per_token
    assert kv_bytes_per_token(architecture(name), 1) == bytes_per_token / 2


def test_full_windows_stop_growing() -> None:
    gemma = architecture("gemma-3-27b")
    whole, long = kv_bytes_per_token(gemma), kv_bytes_per_token(gemma, context=8192)
    assert whole == 62 * 2 * 16 * 128 * 2
    assert long == 10 * 2 * 16 * 128 * 2
    assert kv_bytes_per_token(architecture("mistral-7b"), context=5000) == 0


@pytest.mark.parametrize("name", ["qwen3-next", "qwen3.5-27b", "glm-5", "deepseek-v3.2"])
@pytest.mark.parametrize("length", [1024, 16_384])
def test_operators_take_what_the_closed_form_says(name: str, length: int) -> None:
    """Save the short convolution, whose few products are a pass over memory, and the half of a chunk that is masked."""
    model = architecture(name)
    shard = Shard(micro_batch=1, sequence_length=length)
    work = sum(
        block.count * float(op.flop_forward)
        for block in model.kinds
        for op in layer_operators(block.layer, model.hidden, shard)
    )
    head = 2.0 * model.vocab * model.hidden
    assert work / length == pytest.approx(flop_per_token(model, length).forward - head, rel=0.02)


def test_attention_to_chosen_keys_stops_growing_and_its_index_does_not() -> None:
    model = architecture("glm-5")
    short, long = (flop_per_token(model, length) for length in (65_536, 131_072))
    # 32 heads of 128 score 32,768 more keys on average in each of 78 layers; 2,048 are met, save at the beginning.
    more = long.forward - long.weights - (short.forward - short.weights)
    assert more == pytest.approx(78 * 2 * 32 * 128 * 32_768, rel=0.02)


def test_a_state_takes_as_much_at_any_length() -> None:
    model = architecture("qwen3.5-397b-a17b")
    delta = replace(model, blocks=tuple(b for b in model.blocks if isinstance(b.layer.mixer, GatedDelta)))
    assert flop_per_token(delta, 1024).forward == flop_per_token(delta, 131_072).forward
    assert flop_per_token(delta, 1024).forward > flop_per_token(delta, 1024).weights
