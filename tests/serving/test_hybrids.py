"""Layers that are not plain attention: a state does not grow, and no query meets more keys than are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import Curves, cluster_for, curves_for
from outlay.machine.delta_rule import KERNELS
from outlay.serving import Deployment, ServingCoefficients, engine_for, format_for, iteration, sequence_bytes
from outlay.serving.choice import choosing, choosing_for_prompts, sparse
from outlay.serving.deployment import Work
from outlay.serving.kv_cache import index_bytes, state_bytes
from outlay.serving.memory import weight_bytes
from outlay.serving.mixing import kernels, mixing
from outlay.serving.passes import passes_seconds
from outlay.serving.products import dense, operators_of, product
from outlay.workload import (
    Architecture,
    Attention,
    GatedDelta,
    Layer,
    Matmul,
    MemoryBound,
    Shard,
    StateSpace,
    from_config,
    kv_bytes_per_token,
    layer_operators,
    parameters,
)

HYBRIDS = ("qwen3-next", "qwen3.5-397b-a17b", "qwen3.5-27b")
CHOOSING = ("glm-5", "deepseek-v3.2")


def deployment_of(model: str, tensor: int = 8, **changes: object) -> Deployment:
    """SGLang on B200s, with weights and cache of 8 bits."""
    return Deployment(
        architecture=from_config(model_config(model).config),
        cluster=cluster_for(accelerator("b200-sxm-180gb"), 8),
        layout=Layout(tensor=tensor),
        engine=engine_for("sglang", 2026.3),
        weights=format_for("fp8-block"),
        cache="fp8",
        **changes,  # type: ignore[arg-type]
    )


def curves_of(deployment: Deployment, coefficients: ServingCoefficients) -> Curves:
    chip = deployment.cluster.accelerator
    return curves_for(chip, "fp8-block", "bf16", coefficients.machine, kv_dtype=deployment.cache)


def layers_of(deployment: Deployment, kind: type) -> tuple[Layer, int]:
    """One of the layers with such a mixer, and how many there are."""
    found = [block for block in deployment.architecture.kinds if isinstance(block.layer.mixer, kind)]
    return found[0].layer, sum(block.count for block in found)


def stateful(architecture: Architecture) -> Architecture:
    """The same without the layers that attend."""
    blocks = tuple(block for block in architecture.blocks if isinstance(block.layer.mixer, GatedDelta))
    return replace(architecture, blocks=blocks)


@pytest.mark.parametrize("model", HYBRIDS)
def test_a_state_is_a_constant(model: str) -> None:
    deployment = deployment_of(model)
    alone = replace(deployment, architecture=stateful(deployment.architecture))
    assert float(sequence_bytes(alone, 1)) == float(sequence_bytes(alone, 1_000_000)) > 0
    layer, count = layers_of(deployment, GatedDelta)
    assert isinstance(layer.mixer, GatedDelta)
    assert float(sequence_bytes(alone, 1)) == pytest.approx(count * float(state_bytes(layer.mixer, deployment)))


def test_a_state_of_qwen3_5() -> None:
    """64 heads of 128 × 128 numbers in 32 bits, and three inputs of 12,288 channels in 16: 4.3 MB a layer and sequence."""
    layer, count = layers_of(deployment_of("qwen3.5-397b-a17b", tensor=1), GatedDelta)
    assert isinstance(layer.mixer, GatedDelta) and count == 45
    held = float(state_bytes(layer.mixer, deployment_of("qwen3.5-397b-a17b", tensor=1)))
    assert held == 64 * 128 * 128 * 4 + 3 * 12288 * 2


@pytest.mark.parametrize("model", HYBRIDS)
def test_one_layer_in_four_has_a_cache(model: str) -> None:
    deployment = deployment_of(model, tensor=1)
    layer, count = layers_of(deployment, Attention)
    assert isinstance(layer.mixer, Attention) and layer.mixer.gated
    assert count * 4 == deployment.architecture.depth
    each = layer.mixer.kv_heads * 2 * layer.mixer.head_dim
    assert kv_bytes_per_token(deployment.architecture) == 2 * count * each
    more = float(sequence_bytes(deployment, 16_384)) - float(sequence_bytes(deployment, 8_192))
    assert more == 8_192 * count * each  # 8 bits a number


@given(model=st.sampled_from(HYBRIDS + CHOOSING), tokens=st.integers(1, 200_000), more=st.integers(0, 50_000))
def test_memory_never_shrinks_with_a_longer_context(model: str, tokens: int, more: int) -> None:
    deployment = deployment_of(model)
    assert float(sequence_bytes(deployment, tokens)) <= float(sequence_bytes(deployment, tokens + more))


def test_decoding_with_a_state_takes_as_long_at_any_context(coefficients: ServingCoefficients) -> None:
    deployment = deployment_of("qwen3.5-397b-a17b", tensor=4)
    layer, _ = layers_of(deployment, GatedDelta)
    curves = curves_of(deployment, coefficients)
    short, long, many = (
        float(mixing(layer, deployment, Work(decoding=rows, context=context), curves)["decode attention"])
        for rows, context in ((16, 100), (16, 100_000), (256, 100))
    )
    assert short == long < many
    # 64 sequences of 16 heads: 23.6 µs (aiconfigurator-core 0.12.0, gdn_perf of SGLang on B200, with the convolution 26.5).
    quarter = mixing(layer, deployment, Work(decoding=64, context=100), curves)["decode attention"]
    assert float(quarter) * 1e6 == pytest.approx(23.6, rel=0.25)


def test_prompts_with_a_state_grow_with_their_tokens_alone(coefficients: ServingCoefficients) -> None:
    deployment = deployment_of("qwen3.5-397b-a17b", tensor=4)
    layer, _ = layers_of(deployment, GatedDelta)
    curves = curves_of(deployment, coefficients)

    def seconds(tokens: int, past: int = 0) -> float:
        return float(mixing(layer, deployment, Work(prefill=tokens, past=past), curves)["prompt attention"])

    assert seconds(4096) == seconds(4096, 100_000)
    assert seconds(8192) < seconds(16384) < 2.2 * seconds(8192)
    # 8,192 tokens, 16 heads: 433.5 µs (the same table).
    assert seconds(8192) * 1e6 == pytest.approx(433.5, rel=0.15)
    assert kernels(layer, Work(prefill=4096)) == kernels(layer, Work(decoding=4)) + KERNELS - 1


@pytest.mark.parametrize("model", CHOOSING)
def test_attention_does_not_grow_beyond_the_chosen_keys(model: str, coefficients: ServingCoefficients) -> None:
    deployment = deployment_of(model)
    layer, _ = layers_of(deployment, Attention)
    mixer, curves = layer.mixer, curves_of(deployment, coefficients)
    assert isinstance(mixer, Attention) and mixer.chosen == 2048

    def apart(context: int) -> tuple[float, float]:
        work = Work(decoding=32, context=context)
        index = float(choosing(mixer, deployment, work, curves))  # type: ignore[arg-type]
        return float(mixing(layer, deployment, work, curves)["decode attention"]) - index, index

    (fewer, _), (full, one), (same, more) = apart(1024), apart(2048), apart(65_536)
    assert fewer < full == pytest.approx(same)
    assert more > 4 * one


@pytest.mark.parametrize("model", CHOOSING)
def test_prompts_choose_once_they_see_more_than_may_be_chosen(model: str, coefficients: ServingCoefficients) -> None:
    deployment = deployment_of(model)
    layer, _ = layers_of(deployment, Attention)
    mixer, curves = layer.mixer, curves_of(deployment, coefficients)
    assert isinstance(mixer, Attention)
    assert not sparse(mixer, Work(prefill=2048)) and sparse(mixer, Work(prefill=2049))
    assert sparse(mixer, Work(prefill=16, past=4096)) and not sparse(mixer, Work(prefill=8192, prompts=4))

    def seconds(past: int) -> float:
        work = Work(prefill=4096, past=past)
        index = float(choosing_for_prompts(mixer, deployment, work, curves))  # type: ignore[arg-type]
        return float(mixing(layer, deployment, work, curves)["prompt attention"]) - index

    assert seconds(0) == pytest.approx(seconds(8192)) == pytest.approx(seconds(131_072))


@pytest.mark.parametrize(
    ("cache", "microseconds"),
    # A layer of GLM-5's attention over 8,192 tokens, 8 heads on a device (aiconfigurator-core 0.12.0, dsa_context_module_perf of
    # SGLang on B200): with a cache of 8 and of 16 bits.
    [("fp8", 2346.0), ("bf16", 4692.0)],
)
def test_a_sparse_prompt_takes_what_was_measured(
    cache: str, microseconds: float, coefficients: ServingCoefficients
) -> None:
    deployment = replace(deployment_of("glm-5"), cache=cache)
    layer, _ = layers_of(deployment, Attention)
    work, curves = Work(prefill=8192), curves_of(deployment, coefficients)
    bare = operators_of(replace(layer, feed_forward=None, norms=1), deployment, work)
    ours = float(
        mixing(layer, deployment, work, curves)["prompt attention"]
        + dense([[op for op in bare if isinstance(op, Matmul)]], deployment, curves)[0]
        + passes_seconds([op for op in bare if isinstance(op, MemoryBound)], curves, whole=False)
    )
    assert ours * 1e6 == pytest.approx(microseconds, rel=0.1)


def test_every_device_keeps_the_whole_index() -> None:
    deployment = deployment_of("glm-5")
    layer, count = layers_of(deployment, Attention)
    assert isinstance(layer.mixer, Attention) and layer.mixer.index is not None
    assert index_bytes(layer.mixer.index, deployment) == 132
    for tensor in (1, 8):
        held = float(sequence_bytes(deployment_of("glm-5", tensor=tensor), 64))
        assert held == 64 * count * (512 + 64 + 132)


def test_prompts_that_choose_do_not_widen_their_keys() -> None:
    deployment = deployment_of("deepseek-v3.2")
    layer, _ = layers_of(deployment, Attention)

    def rows(tokens: int, name: str) -> float:
        found = operators_of(layer, deployment, Work(prefill=tokens))
        return sum(float(np.asarray(op.rows)) for op in found if isinstance(op, Matmul) and op.name == name)

    assert (rows(2048, "key-value up-projection"), rows(2048, "query into latent")) == (2048, 0)
    assert (rows(4096, "key-value up-projection"), rows(4096, "query into latent")) == (0, 4096)
    assert rows(64, "index query projection") == 64


def test_a_layer_that_shares_an_index_has_none_of_its_own(coefficients: ServingCoefficients) -> None:
    """GLM-5.2 lets three of four layers take what the layer before them chose."""
    config = dict(model_config("glm-5").config) | {"index_topk_freq": 4, "index_skip_topk_offset": 3}
    shared = replace(deployment_of("glm-5"), architecture=from_config(config))
    own = deployment_of("glm-5")
    mixers = [block.layer.mixer for block in shared.architecture.blocks for _ in range(block.count)]
    assert [isinstance(mixer, Attention) and mixer.index is not None for mixer in mixers[:7]] == [
        *(True, True, True),
        *(False, False, False),
        True,
    ]
    work = Work(decoding=8, context=8192)
    assert iteration(shared, work, coefficients).seconds < iteration(own, work, coefficients).seconds
    assert float(sequence_bytes(shared, 4096)) < float(sequence_bytes(own, 4096))


@pytest.mark.parametrize(
    ("model", "billions"), [("deepseek-v3", 4.3), ("qwen3.5-397b-a17b", 5.3), ("qwen3-235b-a22b", 0.0)]
)
def test_four_bit_checkpoints_hold_latent_and_delta_projections_in_16(model: str, billions: float) -> None:
    """61 layers with 70 M parameters into and out of latent spaces, 45 with 118 M into and out of the delta rule; of plain
    attention nothing."""
    deployment = replace(deployment_of(model, tensor=1), weights=format_for("nvfp4"))
    architecture, form = deployment.architecture, deployment.weights
    ends = 2 * architecture.vocab * architecture.hidden
    body = parameters(architecture).total - ends - architecture.final_norm_parameters
    beyond = float(weight_bytes(deployment)) - body * form.weight_bytes - ends * 2.0
    assert beyond / (2.0 - form.weight_bytes) / 1e9 == pytest.approx(billions, abs=0.1)


def test_what_four_bit_checkpoints_leave_multiplies_in_16_bits(coefficients: ServingCoefficients) -> None:
    deployment = replace(deployment_of("deepseek-v3"), weights=format_for("nvfp4"))
    wide = replace(deployment, weights=format_for("bf16"))
    chip = deployment.cluster.accelerator
    narrow = curves_for(chip, "nvfp4", "bf16", coefficients.machine, kv_dtype="fp8")
    layer, _ = layers_of(deployment, Attention)
    work = {op.name: op for op in operators_of(layer, deployment, Work(prefill=4096)) if isinstance(op, Matmul)}

    plain = curves_for(chip, "bf16", "bf16", coefficients.machine, kv_dtype="fp8")

    def ratio(name: str) -> float:
        return float(product(work[name], deployment, narrow)) / float(product(work[name], wide, plain))

    assert ratio("latent down-projection") == ratio("query up-projection") == 1.0
    assert ratio("attention output projection") < 0.6


def test_a_mamba_layer_scans_prompts_alone(coefficients: ServingCoefficients) -> None:
    deployment = replace(deployment_of("nemotron-nano-9b-v2", tensor=1), weights=format_for("bf16"), cache="bf16")
    layer, _ = layers_of(deployment, StateSpace)
    curves = curves_of(deployment, coefficients)
    decoding, prompt = Work(decoding=8, context=1000), Work(prefill=1000)
    assert not any("scan" in op.name for op in operators_of(layer, deployment, decoding))
    assert float(mixing(layer, deployment, decoding, curves)["prompt attention"]) == 0.0
    assert float(mixing(layer, deployment, prompt, curves)["decode attention"]) == 0.0
    assert float(mixing(layer, deployment, prompt, curves)["prompt attention"]) > 0.0
    trained = layer_operators(layer, deployment.architecture.hidden, Shard(micro_batch=1, sequence_length=1000))
    assert sum("scan" in op.name for op in trained) == 2
