"""Limits of a tuned step that have a closed form, and what may never happen."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import catalog
from outlay.layout import Layout, Recompute
from outlay.machine import cluster_for
from outlay.training import Recipe, estimate, load_coefficients, software_for
from outlay.training.lengths import Lengths
from outlay.training.recipe import STORED, Passes
from outlay.workload import (
    PARTS,
    Architecture,
    GroupedMatmul,
    Matmul,
    Shard,
    Storage,
    Tuning,
    adapter_parameters,
    from_config,
    layer_operators,
    parameters,
    tuned,
)

ALL = frozenset(PARTS)
QV = frozenset({"query", "value"})


def model(name: str) -> Architecture:
    return from_config(dict(catalog.model_config(name).config), name=name)


LLAMA = model("llama-3.2-1b")
ONE = Layout(micro_batch=2, zero=0, sequence_parallel=False)
COEFFICIENTS = load_coefficients()
A100 = cluster_for(catalog.accelerator("a100-sxm-80gb"), 1)


def recipe(**changes: object) -> Recipe:
    common = {
        "architecture": LLAMA,
        "sequence_length": 1024,
        "global_batch": 2,
        "states": "pure",
        "software": software_for("transformers", None),
    }
    return Recipe(**(common | changes))  # type: ignore[arg-type]


def step(asked: Recipe, layout: Layout = ONE):
    return estimate(asked, layout, A100, COEFFICIENTS)


@pytest.mark.parametrize(
    ("name", "rank", "targets", "counted"),
    [
        # As PEFT counted them (method_comparison/MetaMathQA) and LitGPT printed them (tutorials/resource-tables.md).
        ("llama-3.2-3b", 32, QV, 9_175_040),
        ("llama-3.2-3b", 64, QV, 18_350_080),
        ("llama-3.2-3b", 10, frozenset({"gate", "up", "down"}), 9_461_760),
        ("phi-1.5", 8, QV, 1_572_864),
        ("llama-2-7b", 8, QV, 4_194_304),
        ("llama-2-13b", 8, QV, 6_553_600),
        ("stablelm-base-alpha-3b", 8, QV, 2_097_152),
    ],
)
def test_adapters_have_as_many_parameters_as_their_tools_count(name, rank, targets, counted):
    found = model(name)
    tuning = Tuning(kind="low-rank", rank=rank, targets=targets)
    assert sum(b.count * adapter_parameters(b.layer, found.hidden, tuning) for b in found.blocks) == counted


def test_a_frozen_product_goes_back_once():
    layer, shard = LLAMA.blocks[0].layer, Shard(micro_batch=1, sequence_length=512)
    tuning = Tuning(kind="low-rank", rank=8, targets=QV)
    found = tuned(layer_operators(layer, LLAMA.hidden, shard), layer, tuning, shard, Storage())
    frozen = [op for op in found if isinstance(op, Matmul) and not op.trained]
    adapters = [op for op in found if isinstance(op, Matmul) and op.trained]
    assert len(frozen) == 4
    assert len(adapters) == 4
    assert all(op.flop_backward == op.flop_forward for op in frozen)
    assert all(op.flop_backward == 2 * op.flop_forward for op in adapters)


def test_without_rank_what_is_left_is_forward_and_the_inputs_gradients():
    """As the rank goes to nought, projections take two of the three products of training in full."""
    layer, shard = LLAMA.blocks[0].layer, Shard(micro_batch=1, sequence_length=512)
    every = layer_operators(layer, LLAMA.hidden, shard)

    def flop(operators):
        return sum(op.flop_forward + op.flop_backward for op in operators if isinstance(op, Matmul))

    shares = []
    for rank in (64, 8, 1):
        tuning = Tuning(kind="low-rank", rank=rank, targets=ALL)
        shares.append(flop(tuned(every, layer, tuning, shard, Storage())) / flop(every))
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(2 / 3, abs=0.01)


def test_nothing_is_changed_where_all_is_trained():
    layer, shard = LLAMA.blocks[0].layer, Shard(micro_batch=1, sequence_length=512)
    every = layer_operators(layer, LLAMA.hidden, shard)
    assert tuned(every, layer, None, shard, Storage()) == every


def test_states_of_adapters_are_theirs_alone():
    tuning = Tuning(kind="low-rank", rank=16, targets=QV)
    found = step(recipe(tuning=tuning))
    trained = sum(b.count * adapter_parameters(b.layer, LLAMA.hidden, tuning) for b in LLAMA.blocks)
    assert float(found.memory["gradients"]) == trained * 4
    assert float(found.memory["optimizer"]) == trained * 8
    assert float(found.memory["weights"]) == pytest.approx(2 * parameters(LLAMA).total + 4 * trained, rel=2e-3)


@pytest.mark.parametrize("stored", sorted(STORED))
def test_a_decoded_base_takes_less_memory_and_more_time(stored):
    tuning = Tuning(kind="low-rank", rank=16, targets=ALL)
    plain, small = step(recipe(tuning=tuning)), step(recipe(tuning=tuning, stored=stored))
    assert float(small.memory["weights"]) < float(plain.memory["weights"])
    assert float(small.step_seconds) >= float(plain.step_seconds)
    body = sum(count * layer.total for count, layer in parameters(LLAMA).layers)
    saved = float(plain.memory["weights"] - small.memory["weights"])
    # Beside the quantized base, what is left of it is kept in fp32.
    rest = parameters(LLAMA).total - body
    assert saved == pytest.approx((2.0 - STORED[stored]) * body - 2.0 * rest, rel=0.01)


@given(faster=st.floats(1.0, 8.0), rank=st.integers(1, 256))
@settings(max_examples=20, deadline=None)
def test_more_bandwidth_is_never_slower(faster, rank):
    chip = A100.accelerator
    fast = replace(A100, accelerator=replace(chip, memory_bandwidth=faster * chip.memory_bandwidth))
    asked = recipe(tuning=Tuning(kind="low-rank", rank=rank, targets=ALL), stored="nf4")
    assert estimate(asked, ONE, fast, COEFFICIENTS).step_seconds <= step(asked).step_seconds * (1 + 1e-9)


@given(
    average=st.floats(40, 1500),
    over=st.floats(1.0, 20.0),
    micro=st.sampled_from([1, 2, 4, 8]),
    name=st.sampled_from(["transformers", "nemo", "torchtune"]),
)
@settings(max_examples=30, deadline=None)
def test_packing_is_never_slower_a_token(average, over, micro, name):
    """The same examples, packed into sequences of the longest, or filled up to the longest of a micro-batch."""
    longest = round(average * over)
    software = software_for(name, None)
    tuning = Tuning(kind="low-rank", rank=16, targets=ALL)
    layout = replace(ONE, micro_batch=micro)
    lengths = Lengths(average=average, longest=longest)
    common = {"tuning": tuning, "software": software, "sequence_length": longest, "global_batch": micro}
    padded = step(recipe(lengths=lengths, **common), layout)
    packed = step(recipe(document=lengths.mean, **common), layout)
    each = [float(one.step_seconds / one.tokens) for one in (packed, padded)]
    assert each[0] <= each[1] * (1 + 1e-9)


def test_padding_grows_with_the_micro_batch_up_to_the_longest():
    lengths = Lengths(average=200, longest=1000)
    padded = np.asarray(lengths.padded(np.array([1, 2, 8, 64, 4096])))
    assert padded[0] == pytest.approx(lengths.mean)
    assert np.all(np.diff(padded) > 0)
    assert padded[-1] < 1000.001
    assert lengths.mean < 200


def test_nothing_goes_back_below_the_first_trained_layer():
    depth = LLAMA.depth
    found = [step(recipe(tuning=Tuning(kind="last", layers=count))) for count in (1, depth // 2, depth)]
    for earlier, later in pairwise(found):
        assert earlier.step_seconds < later.step_seconds
        assert earlier.memory_bytes < later.memory_bytes
    forward = step(recipe(tuning=Tuning(kind="last", layers=0)))
    assert float(forward.memory["activations"]) == 0.0
    assert float(forward.memory["gradients"]) == 0.0


def test_a_reference_takes_a_forward_pass_and_no_memory_beside_adapters():
    tuning = Tuning(kind="low-rank", rank=16, targets=ALL)
    alone = step(recipe(tuning=tuning))
    beside = step(recipe(tuning=tuning, passes=Passes(scored=(LLAMA,))))
    assert beside.memory_bytes == alone.memory_bytes
    assert 0 < float(beside.breakdown["scoring"]) < float(alone.step_seconds) / 2
    full = step(recipe(passes=Passes(scored=(LLAMA,))))
    assert float(full.memory["weights"] - step(recipe()).memory["weights"]) == pytest.approx(
        2 * parameters(LLAMA).total
    )


def test_generation_goes_at_the_rate_that_is_stated():
    found = step(recipe(passes=Passes(answer_tokens=1000, generation_rate=500.0)))
    assert float(found.breakdown["generation"]) == 2 * 1000 / 500
    assert float(sum(found.breakdown.values())) == pytest.approx(float(found.step_seconds))


def test_paged_states_make_room_and_take_time():
    small = replace(A100, accelerator=replace(A100.accelerator, memory=12 * 2**30))
    plain = estimate(recipe(), ONE, small, COEFFICIENTS)
    paged = estimate(recipe(paged=True), ONE, small, COEFFICIENTS)
    assert paged.memory_bytes < plain.memory_bytes
    assert paged.step_seconds > plain.step_seconds
    roomy = step(recipe(paged=True))
    assert float(roomy.step_seconds) == float(step(recipe()).step_seconds)


def test_an_update_in_the_backward_pass_keeps_no_gradients():
    assert step(recipe(update_in_backward=True)).memory["gradients"] < step(recipe()).memory["gradients"] / 5


def test_recomputation_frees_what_adapters_keep():
    tuning = Tuning(kind="low-rank", rank=16, targets=ALL)
    again = step(recipe(tuning=tuning), replace(ONE, recompute=Recompute.FULL))
    kept = step(recipe(tuning=tuning))
    assert again.memory_bytes < kept.memory_bytes
    assert again.step_seconds > kept.step_seconds


def test_experts_are_frozen_and_adapted_too():
    mixture = model("mixtral-8x7b")
    layer, shard = mixture.blocks[0].layer, Shard(micro_batch=1, sequence_length=512)
    tuning = Tuning(kind="low-rank", rank=8, targets=ALL)
    found = tuned(layer_operators(layer, mixture.hidden, shard), layer, tuning, shard, Storage(coded_bytes=0.5))
    grouped = [op for op in found if isinstance(op, GroupedMatmul)]
    assert sum(not op.trained for op in grouped) == 2
    counted = sum(op.parameters for op in found if getattr(op, "trained", False))
    assert counted == adapter_parameters(layer, mixture.hidden, tuning)


def test_layouts_broadcast():
    tuning = Tuning(kind="low-rank", rank=16, targets=ALL)
    asked = recipe(tuning=tuning, lengths=Lengths(average=200, longest=1024), global_batch=8, stored="nf4")
    micro = np.array([1, 2, 4, 8])
    many = step(asked, replace(ONE, micro_batch=micro))
    for place, size in enumerate(micro):
        one = step(asked, replace(ONE, micro_batch=int(size)))
        assert float(many.step_seconds[place]) == pytest.approx(float(one.step_seconds))
        assert float(many.memory_bytes[place]) == pytest.approx(float(one.memory_bytes))


def test_coefficients_of_tuning_are_few_and_positive():
    for name in ("launch_unfused", "layer_python", "decode_seconds", "memory_unfused", "cache_faster"):
        assert getattr(COEFFICIENTS.step, name) > 0
    assert all(value > 0 for value in COEFFICIENTS.step.adapter_python.values())
    assert dataclasses.replace(COEFFICIENTS.step) == COEFFICIENTS.step
