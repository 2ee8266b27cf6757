"""What a layer makes again, and what its loss moves."""

import dataclasses

import pytest

from outlay.layout import Layout, Recompute
from outlay.machine import Cluster
from outlay.training import Coefficients, Recipe, estimate
from outlay.training.stage import not_made_again
from outlay.workload import Matmul, MemoryBound, Shard, head_operators, layer_operators, transformer

SHARD = Shard(micro_batch=2, sequence_length=2048)


def left_out(**architecture: object) -> list[str]:
    model = transformer(layers=1, hidden=1024, heads=16, vocab=50257, **architecture)  # type: ignore[arg-type]
    return [op.name for op in not_made_again(layer_operators(model.blocks[0].layer, model.hidden, SHARD))]


def test_the_last_product_of_a_dense_layer_is_not_made_again() -> None:
    assert left_out() == ["feed-forward down-projection", "feed-forward residual"]


def test_outputs_of_experts_are_made_again_since_their_combination_needs_them() -> None:
    assert left_out(experts=8, experts_per_token=2) == ["combine permutation", "feed-forward residual"]


def test_nothing_is_left_out_where_nothing_is_kept() -> None:
    product = Matmul(name="scan", rows=8, columns=8, depth=8, weights=False)
    assert not_made_again([product]) == []


@pytest.mark.parametrize("tensor", [1, 8])
def test_stopping_early_saves_the_down_projection(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, tensor: int
) -> None:
    layout = Layout(tensor=tensor, data=64 // tensor, micro_batch=1, recompute=Recompute.FULL)
    plain, early = (
        estimate(
            dataclasses.replace(gpt, software=dataclasses.replace(gpt.software, stops_early=stops)),
            layout,
            a100s,
            coefficients,
        )
        for stops in (False, True)
    )
    again, less = float(plain.breakdown["recompute"]), float(early.breakdown["recompute"])
    # A plain feed-forward is two thirds of a layer's weights, its second product a third.
    assert 0.6 < less / again < 0.75
    for cause in ("matmul", "attention", "memory-bound"):
        assert float(plain.breakdown[cause]) == pytest.approx(float(early.breakdown[cause]), rel=1e-12)
    sent, spared = (float(found.breakdown["tensor communication"]) for found in (plain, early))
    # Four sums of a layer's outputs forward and again, four operations back: with sequence parallelism 4 + 4 + 6.
    assert spared == pytest.approx(sent * 13 / 14, rel=0.02) if tensor > 1 else spared == sent == 0
    assert float(plain.memory_bytes) == float(early.memory_bytes)


def test_a_layer_that_is_not_recomputed_does_not_care(gpt: Recipe, a100s: Cluster, coefficients: Coefficients) -> None:
    layout = Layout(tensor=8, data=8, micro_batch=1)
    times = {
        float(
            estimate(
                dataclasses.replace(gpt, software=dataclasses.replace(gpt.software, stops_early=stops)),
                layout,
                a100s,
                coefficients,
            ).step_seconds
        )
        for stops in (False, True)
    }
    assert len(times) == 1


def test_a_fused_loss_reads_logits_twice_and_writes_gradients_once() -> None:
    model = transformer(layers=1, hidden=1024, heads=16, vocab=50000)
    logits = 2 * 2048 * 50000
    fused, eager = (
        next(op for op in head_operators(model, SHARD, fused_loss=fused) if op.name == "cross-entropy")
        for fused in (True, False)
    )
    assert isinstance(fused, MemoryBound) and isinstance(eager, MemoryBound)
    assert float(fused.bytes_forward + fused.bytes_backward) == 3 * 2.0 * logits
    assert float(eager.bytes_forward + eager.bytes_backward) == (22 + 10) * logits
    assert float(fused.saved) == float(eager.saved) / 2
