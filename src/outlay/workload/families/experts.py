"""Feed-forwards of mixtures of experts: which layers are sparse, how many experts, how wide, how many a token visits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from outlay.workload.architecture import Experts, Mlp
from outlay.workload.families.reader import Reader

FeedForward: TypeAlias = Mlp | Experts
ExpertKeys: TypeAlias = tuple[str, str, str]
"""The keys for the number of experts, the number that a token visits, and the width of one."""

LOCAL: ExpertKeys = ("num_local_experts", "num_experts_per_tok", "intermediate_size")


def sparse_feed_forwards(read: Reader, depth: int) -> list[FeedForward] | None:
    """The feed-forward of each layer of a mixture of experts, or None for a dense family."""
    rule = RULES.get(read.model_type)
    return rule(read, depth) if rule else None


def experts(read: Reader, keys: ExpertKeys) -> Experts:
    """Experts as the config's own keys describe them."""
    count, active, width = keys
    number, visited = read.count(count), read.count(active)
    if visited > number:
        if read.stated(active):
            read.contradiction(f"`{active}` is {visited}: expected at most `{count}`, {number}", count, active)
        else:
            read.assume(active, number, f"all experts: the default of {read.model_type}, {visited}, exceeds `{count}`")
        visited = number
    return Experts(count=number, active=visited, width=read.count(width))


def _mixtral(read: Reader, depth: int) -> list[FeedForward]:
    return [experts(read, LOCAL)] * depth


def _granite_shared(read: Reader, depth: int) -> list[FeedForward]:
    shared = read.count("shared_intermediate_size", least=0)
    return [replace(experts(read, LOCAL), shared_width=shared)] * depth


def _olmoe(read: Reader, depth: int) -> list[FeedForward]:
    return [experts(read, ("num_experts", "num_experts_per_tok", "intermediate_size"))] * depth


def _gpt_oss(read: Reader, depth: int) -> list[FeedForward]:
    """Experts and router have biases."""
    biases = read.count("num_local_experts")
    return [replace(experts(read, LOCAL), bias=True, router_parameters_extra=biases)] * depth


def _qwen(read: Reader, depth: int) -> list[FeedForward]:
    """Each `decoder_sparse_step`-th layer is sparse, unless `mlp_only_layers` lists it; all but Qwen 3 share a gated expert."""
    alone = read.model_type == "qwen3_moe"
    count = "num_local_experts" if alone else "num_experts"
    shared = 0 if alone else read.count("shared_expert_intermediate_size", least=0)
    keys = (count, "num_experts_per_tok", "moe_intermediate_size")
    sparse = replace(experts(read, keys), shared_width=shared, shared_gate=not alone)
    if read.model_type == "qwen3_5_moe_text":
        return [sparse] * depth
    dense_layers = set(read.integers("mlp_only_layers") or ())
    step = read.count("decoder_sparse_step")
    dense = Mlp(width=read.count("intermediate_size"), gated=True)
    return [dense if i in dense_layers or (i + 1) % step else sparse for i in range(depth)]


def _deepseek(read: Reader, depth: int) -> list[FeedForward]:
    """The first `first_k_dense_replace` layers are dense."""
    if read.value("num_experts_per_tok") is None:
        read.defaults = {**read.defaults, "num_experts_per_tok": 6}
        read.assume("num_experts_per_tok", 6, "DeepSeek-V2 as published; transformers has no default")
    width = read.count("moe_intermediate_size")
    shared = read.optional_count("n_shared_experts", least=0) or 0
    keys = ("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size")
    bias = read.flag("mlp_bias") if read.model_type == "deepseek_v2" else False
    sparse = replace(experts(read, keys), shared_width=shared * width, shared_bias=bias and shared > 0)
    dense = Mlp(width=read.count("intermediate_size"), gated=True, bias=bias)
    first = read.count("first_k_dense_replace", least=0)
    return [dense if i < first else sparse for i in range(depth)]


def _llama4(read: Reader, depth: int) -> list[FeedForward]:
    """Sparse layers alternate with dense ones by `interleave_moe_layer_step`; a shared expert is as wide as the routed."""
    listed = read.integers("moe_layers")
    if listed is None:
        step = read.count("interleave_moe_layer_step")
        listed = list(range(step - 1, depth, step))
    where = set(listed)
    sparse = replace(experts(read, LOCAL), shared_width=read.count("intermediate_size")) if where else None
    dense = Mlp(width=read.count("intermediate_size_mlp"), gated=True)
    return [sparse if sparse is not None and i in where else dense for i in range(depth)]


RULES: dict[str, Callable[[Reader, int], list[FeedForward]]] = {
    "mixtral": _mixtral,
    "phimoe": _mixtral,
    "granitemoe": _mixtral,
    "granitemoeshared": _granite_shared,
    "minimax_m2": _mixtral,
    "olmoe": _olmoe,
    "gpt_oss": _gpt_oss,
    "qwen2_moe": _qwen,
    "qwen3_moe": _qwen,
    "qwen3_next": _qwen,
    "qwen3_5_moe_text": _qwen,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "deepseek_v32": _deepseek,
    "glm_moe_dsa": _deepseek,
    "glm4_moe": _deepseek,
    "llama4_text": _llama4,
}
