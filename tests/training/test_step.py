"""A training step: parts sum to the whole, more is never slower, many layouts are as one."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay.layout import Layout, Recompute
from outlay.machine import Cluster
from outlay.training import CAUSES, Coefficients, Recipe, estimate

LAYOUTS = st.builds(
    Layout,
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2, 4, 8]),
    virtual=st.sampled_from([1, 2]),
    context=st.sampled_from([1, 2]),
    data=st.sampled_from([1, 2, 4, 8]),
    micro_batch=st.sampled_from([1, 2, 4]),
    zero=st.sampled_from([0, 1, 2, 3]),
    sequence_parallel=st.booleans(),
    recompute=st.sampled_from(list(Recompute)),
    recompute_layers=st.sampled_from([0.5, 1.0]),
)
FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@FIXTURES
@given(LAYOUTS)
def test_parts_sum_to_the_whole(gpt: Recipe, a100s: Cluster, coefficients: Coefficients, layout: Layout) -> None:
    found = estimate(gpt, layout, a100s, coefficients)
    assert tuple(found.breakdown) == CAUSES
    assert sum(found.breakdown.values()) == pytest.approx(float(found.step_seconds), rel=1e-12)
    assert sum(found.memory.values()) == pytest.approx(float(found.memory_bytes), rel=1e-12)
    assert all(float(seconds) >= 0 for seconds in found.breakdown.values())
    assert all(float(size) >= 0 for size in found.memory.values())


@FIXTURES
@given(st.lists(LAYOUTS, min_size=1, max_size=12))
def test_many_layouts_are_as_each_alone(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, layouts: list[Layout]
) -> None:
    names = [field.name for field in dataclasses.fields(Layout)]
    together = Layout(**{name: np.array([getattr(layout, name) for layout in layouts]) for name in names})
    many = estimate(gpt, together, a100s, coefficients)
    for index, layout in enumerate(layouts):
        one = estimate(gpt, layout, a100s, coefficients)
        assert many.step_seconds[index] == pytest.approx(float(one.step_seconds), rel=1e-12)
        assert many.memory_bytes[index] == pytest.approx(float(one.memory_bytes), rel=1e-12)
        for cause in CAUSES:
            picked = np.broadcast_to(many.breakdown[cause], len(layouts))[index]
            assert picked == pytest.approx(float(one.breakdown[cause]), rel=1e-9, abs=1e-15)


def faster(cluster: Cluster, **changes: float) -> Cluster:
    """The cluster with some rates multiplied; names of the accelerator's fields change the accelerator."""
    own = {name for name in changes if name in {field.name for field in dataclasses.fields(Cluster)}}
    chip = dataclasses.replace(
        cluster.accelerator,
        **{name: getattr(cluster.accelerator, name) * factor for name, factor in changes.items() if name not in own},
    )
    return dataclasses.replace(
        cluster, accelerator=chip, **{name: getattr(cluster, name) * changes[name] for name in own}
    )


@FIXTURES
@given(LAYOUTS, st.sampled_from(["memory_bandwidth", "link_bandwidth", "network_bandwidth"]), st.floats(1.0, 8.0))
def test_more_bandwidth_is_never_slower(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, layout: Layout, what: str, factor: float
) -> None:
    before = estimate(gpt, layout, a100s, coefficients)
    after = estimate(gpt, layout, faster(a100s, **{what: factor}), coefficients)
    assert float(after.step_seconds) <= float(before.step_seconds) * (1 + 1e-9)


@FIXTURES
@given(LAYOUTS, st.floats(1.0, 8.0))
def test_a_higher_peak_is_never_slower(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, layout: Layout, factor: float
) -> None:
    chip = a100s.accelerator
    # A chip without kernel tables of its own, so that its data sheet decides; power grows with the peak.
    slow = dataclasses.replace(chip, name="imagined", tdp=1e6)
    fast = dataclasses.replace(slow, peaks={dtype: peak * factor for dtype, peak in chip.peaks.items()})
    times = [
        float(estimate(gpt, layout, dataclasses.replace(a100s, accelerator=each), coefficients).step_seconds)
        for each in (slow, fast)
    ]
    assert times[1] <= times[0] * (1 + 1e-9)


@FIXTURES
@given(LAYOUTS)
def test_sharding_more_never_needs_more_memory(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, layout: Layout
) -> None:
    plain = dataclasses.replace(layout, zero=0)
    stages = [
        float(estimate(gpt, dataclasses.replace(plain, zero=stage), a100s, coefficients).memory["optimizer"])
        for stage in range(4)
    ]
    assert stages == sorted(stages, reverse=True)
    totals = [
        float(estimate(gpt, dataclasses.replace(plain, zero=stage), a100s, coefficients).memory_bytes)
        for stage in (0, 1, 2)
    ]
    assert totals == sorted(totals, reverse=True)
    doubled = dataclasses.replace(layout, tensor=layout.tensor * 2, sequence_parallel=True)
    before = estimate(gpt, dataclasses.replace(layout, sequence_parallel=True), a100s, coefficients)
    assert float(estimate(gpt, doubled, a100s, coefficients).memory_bytes) <= float(before.memory_bytes) * (1 + 1e-9)


@FIXTURES
@given(LAYOUTS)
def test_recomputing_saves_memory_and_costs_time(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, layout: Layout
) -> None:
    none, full = (
        estimate(gpt, dataclasses.replace(layout, recompute=how, recompute_layers=1.0), a100s, coefficients)
        for how in (Recompute.NONE, Recompute.FULL)
    )
    assert float(full.memory_bytes) <= float(none.memory_bytes) * (1 + 1e-9)
    assert float(full.step_seconds) >= float(none.step_seconds) * (1 - 1e-9)


def test_experts_are_divided(mixture: Recipe, coefficients: Coefficients, a100s: Cluster) -> None:
    alone = estimate(mixture, Layout(data=8), a100s, coefficients)
    divided = estimate(mixture, Layout(data=8, expert=8), a100s, coefficients)
    assert float(divided.memory["weights"]) < float(alone.memory["weights"]) / 3
    assert float(divided.breakdown["expert communication"]) > 0 == float(alone.breakdown["expert communication"])


def test_experts_hide_what_stays_inside_a_domain(mixture: Recipe, coefficients: Coefficients, a100s: Cluster) -> None:
    """Eight ranks lie within a node and sixteen do not; who overlaps over the network too hides the same share there."""

    def sending(where: str, expert: int) -> float:
        software = dataclasses.replace(mixture.software, overlap_expert=where)  # type: ignore[arg-type]
        layout = Layout(data=16, expert=expert)
        found = estimate(dataclasses.replace(mixture, software=software), layout, a100s, coefficients)
        return float(found.breakdown["expert communication"])

    shown = 1.0 - coefficients.step.overlap_expert
    assert sending("domain", 8) == sending("always", 8) == pytest.approx(sending("never", 8) * shown)
    assert sending("domain", 16) == sending("never", 16) == pytest.approx(sending("always", 16) / shown)


def test_model_flop_follow_the_closed_form(gpt: Recipe, a100s: Cluster, coefficients: Coefficients) -> None:
    """Six FLOP a weight and token (72 layers·hidden² here), head and causal attention: Narayanan et al. 2021, eq. 3."""
    layers, hidden, length, vocab = 48, 6144, 2048, 51200
    per_token = 72 * layers * hidden**2 + 6 * vocab * hidden + 6 * layers * length * hidden
    found = estimate(gpt, Layout(tensor=8, data=8), a100s, coefficients)
    assert float(found.model_flop) == pytest.approx(per_token * 64 * length, rel=2e-3)


@FIXTURES
@given(st.sampled_from([1, 2, 4]), st.sampled_from([2, 4, 8, 16]), st.sampled_from([1, 2]), st.floats(1.5, 1e4))
def test_a_pipeline_over_nodes_feels_the_network(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, inner: int, pipeline: int, virtual: int, slower: float
) -> None:
    """However many stages share a node: the slowest hop sets the pace, and only the network's."""
    layout = Layout(pipeline=pipeline, virtual=virtual, data=inner)

    def sent(cluster: Cluster) -> float:
        return float(estimate(gpt, layout, cluster, coefficients).breakdown["pipeline communication"])

    own, slow = sent(a100s), sent(faster(a100s, network_bandwidth=1 / slower))
    if inner * pipeline <= 8:
        assert slow == own
    else:
        assert slow > own


@FIXTURES
@given(st.sampled_from([2, 4, 8]), st.sampled_from([1, 2]), st.sampled_from([0, 1, 3]), st.sampled_from([1024, 8192]))
def test_sharing_a_sequence_is_never_faster_than_sharing_the_batch(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, context: int, micro: int, zero: int, length: int
) -> None:
    """With as many tokens in each device's kernels, context parallelism does the same work in more pieces."""
    recipe = dataclasses.replace(gpt, sequence_length=length, global_batch=512)
    apart = Layout(data=64, micro_batch=micro, zero=zero)
    shared = Layout(data=64 // context, context=context, micro_batch=micro * context, zero=zero)
    one, other = (estimate(recipe, layout, a100s, coefficients) for layout in (apart, shared))
    assert float(other.step_seconds) >= float(one.step_seconds) * (1 - 1e-9)
    assert float(other.breakdown["attention"]) > float(one.breakdown["attention"])


def test_a_pipeline_is_bound_by_sends_that_take_longer_than_the_work(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients
) -> None:
    layout, slow = Layout(pipeline=16, data=4), faster(a100s, network_bandwidth=1e-4)
    found = estimate(gpt, layout, slow, coefficients).breakdown
    size = 2048 * 6144 * 2.0
    least = 16 * 2 * size / (slow.network_bandwidth * slow.network_efficiency)
    assert 0.9 * least < float(found["pipeline communication"]) < 1.5 * least  # of the sheet one hop draws a part


def told(recipe: Recipe, **facts: object) -> Recipe:
    """The recipe on software of which some facts differ."""
    return dataclasses.replace(recipe, software=dataclasses.replace(recipe.software, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize("tensor", [1, 4])
def test_recomputing_that_stops_early_leaves_out_the_last_product(
    gpt: Recipe, a100s: Cluster, coefficients: Coefficients, tensor: int
) -> None:
    layout = Layout(tensor=tensor, data=64 // tensor, recompute=Recompute.FULL)
    whole, early = (estimate(told(gpt, stops_early=way), layout, a100s, coefficients) for way in (False, True))
    saved = 1 - float(early.breakdown["recompute"]) / float(whole.breakdown["recompute"])
    # The down-projection is 8 of the 24 s h² FLOP of a layer's products.
    assert 0.2 < saved < 1 / 3
    plain = dataclasses.replace(layout, recompute=Recompute.NONE)
    assert float(estimate(told(gpt, stops_early=True), plain, a100s, coefficients).step_seconds) == float(
        estimate(told(gpt, stops_early=False), plain, a100s, coefficients).step_seconds
    )


def test_a_fused_loss_moves_and_keeps_less(gpt: Recipe, a100s: Cluster, coefficients: Coefficients) -> None:
    layout = Layout(data=64)
    eager, fused = (estimate(told(gpt, fused_loss=way), layout, a100s, coefficients) for way in (False, True))
    assert float(fused.breakdown["head and loss"]) < float(eager.breakdown["head and loss"])
    assert float(fused.memory_bytes) < float(eager.memory_bytes)


def test_collectives_a_layer_start_once_a_layer(gpt: Recipe, a100s: Cluster, coefficients: Coefficients) -> None:
    """Many starts cost, and nothing else does: fewer layers of equal size, or slower links, make them matter less."""
    layout = Layout(data=64, zero=1)
    flat, layered = (estimate(told(gpt, layer_units=way), layout, a100s, coefficients) for way in (False, True))
    assert 1 <= float(layered.step_seconds) / float(flat.step_seconds) < 1.02
    assert float(layered.memory_bytes) == float(flat.memory_bytes)


def test_replicas_of_shards_sum_their_gradients(gpt: Recipe, a100s: Cluster, coefficients: Coefficients) -> None:
    """HSDP over nodes: weights are gathered inside a node, and a shard's gradients cross between nodes once a step."""
    seconds = {
        shard: float(estimate(gpt, Layout(data=64, zero=3, shard=shard), a100s, coefficients).step_seconds)
        for shard in (8, 0)
    }
    memory = {
        shard: float(estimate(gpt, Layout(data=64, zero=3, shard=shard), a100s, coefficients).memory_bytes)
        for shard in (8, 0)
    }
    assert seconds[8] != seconds[0] and memory[8] > memory[0]
    whole = estimate(gpt, Layout(data=64, zero=3, shard=64), a100s, coefficients)
    assert float(whole.step_seconds) == pytest.approx(seconds[0], rel=1e-12)
