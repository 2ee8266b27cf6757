"""A model's dimensions as Megatron's arguments, and back."""

from __future__ import annotations

import ast

from outlay.training.launch.plan import Limits
from outlay.training.launch.reading import Reading
from outlay.workload import Architecture, Attention, Experts, Mlp


def model_arguments(architecture: Architecture, sequence_length: int, limits: Limits) -> tuple[list[str], list[str]]:
    """Arguments that make this decoder, and remarks on what they leave out."""
    remarks: list[str] = []
    layers = [block.layer for block in architecture.blocks]
    mixers = [layer.mixer for layer in layers]
    attention = mixers[0]
    if architecture.family != "decoder" or not isinstance(attention, Attention):
        limits.refuse(True, f"`pretrain_gpt.py` trains decoders with attention, not {architecture.name}")
        return [], remarks
    if any(not isinstance(mixer, Attention) or mixer.gated for mixer in mixers) or any(
        layer.cross_attention for layer in layers
    ):
        limits.refuse(True, f"{architecture.name} has layers that `pretrain_gpt.py` does not know")
        return [], remarks
    if any(layer.parallel for layer in layers):
        remarks.append(
            "attention and feed-forward read the same input in this model; Megatron runs one after the other"
        )
    if any(isinstance(mixer, Attention) and mixer.window for mixer in mixers):
        remarks.append("windows of attention are left out: `--window-size` and `--window-attn-skip-freq` set them")
    if any(isinstance(mixer, Attention) and mixer.chosen for mixer in mixers):
        remarks.append("the index that chooses keys is left out: attention meets all of them")
    lines = [
        f"--num-layers {architecture.depth}",
        f"--hidden-size {architecture.hidden}",
        f"--num-attention-heads {attention.heads}",
    ]
    lines += _attention(attention, sequence_length)
    lines += _feed_forward(architecture)
    dense = next((layer.feed_forward for layer in layers if isinstance(layer.feed_forward, Mlp)), None)
    parts = [layer.feed_forward for layer in layers]
    if any(isinstance(part, Mlp | Experts) and part.gated for part in parts):
        lines.append("--swiglu")
    if not (dense.bias if dense else attention.output_bias):
        lines.append("--disable-bias-linear")
        if attention.query_bias:
            lines.append("--add-qkv-bias")
    lines.append(f"--normalization {'LayerNorm' if layers[0].norm_bias else 'RMSNorm'}")
    if architecture.rotary:
        lines.append("--position-embedding-type rope")
    elif not architecture.learned_positions:
        remarks.append("positions of this model are neither rotary nor learned: set `--position-embedding-type`")
    if not architecture.tied:
        lines.append("--untie-embeddings-and-output-weights")
    if architecture.multi_token_prediction:
        lines.append(f"--mtp-num-layers {architecture.multi_token_prediction}")
    lines += [
        f"--max-position-embeddings {max(architecture.max_length or 0, sequence_length)}",
        f"--vocab-size {architecture.vocab}",
    ]
    return lines, remarks


def _attention(attention: Attention, sequence_length: int) -> list[str]:
    if attention.kv_rank is not None:
        query = [f"--q-lora-rank {attention.query_rank}"] if attention.query_rank else []
        return [
            "--multi-latent-attention",
            *query,
            f"--kv-lora-rank {attention.kv_rank}",
            f"--qk-head-dim {attention.head_dim - attention.rope_dim}",
            f"--qk-pos-emb-head-dim {attention.rope_dim}",
            f"--v-head-dim {attention.value_dim}",
        ]
    lines = [f"--kv-channels {attention.head_dim}"]
    if attention.kv_heads != attention.heads:
        lines += ["--group-query-attention", f"--num-query-groups {attention.kv_heads}"]
    return lines


def _feed_forward(architecture: Architecture) -> list[str]:
    """Widths of dense layers and of experts, and which layers have which."""
    parts = [(block.count, block.layer.feed_forward) for block in architecture.blocks]
    dense = [part for _, part in parts if isinstance(part, Mlp)]
    experts = [part for _, part in parts if isinstance(part, Experts)]
    lines = [f"--ffn-hidden-size {dense[0].width if dense else experts[0].width}"] if dense or experts else []
    if not experts:
        return lines
    one = experts[0]
    lines += [
        f"--num-experts {one.count}",
        f"--moe-router-topk {one.active}",
        f"--moe-ffn-hidden-size {one.width}",
        "--moe-grouped-gemm",
        "--moe-token-dispatcher-type alltoall",
    ]
    if one.shared_width:
        lines.append(f"--moe-shared-expert-intermediate-size {one.shared_width}")
    if dense:
        runs = "+".join(f"[{int(isinstance(part, Experts))}]*{count}" for count, part in parts)
        lines.append(f'--moe-layer-freq "({runs})"')
    return lines


def read_model(reading: Reading) -> dict[str, object] | None:
    """The closed-form config of the dimensions that are stated; None where they are not."""
    values = reading.values
    layers = reading.count("num-layers") or reading.count("decoder-num-layers")
    hidden, heads = reading.count("hidden-size"), reading.count("num-attention-heads")
    if layers is None or hidden is None or heads is None:
        return None
    vocab = reading.count("vocab-size") or reading.count("padded-vocab-size")
    gated = reading.flag("swiglu")
    facts: dict[str, object] = {"model_type": "transformer", "layers": layers, "hidden": hidden, "heads": heads}
    if vocab:
        facts["vocab"] = vocab
    experts = reading.count("num-experts")
    optional = {
        "ffn_hidden": reading.count("ffn-hidden-size"),
        "kv_heads": reading.count("num-query-groups") if reading.flag("group-query-attention") else None,
        "head_dim": reading.count("kv-channels"),
        "max_length": reading.count("max-position-embeddings"),
        "experts": experts,
        "experts_per_token": (reading.count("moe-router-topk") or 2) if experts else None,
        "expert_ffn_hidden": reading.count("moe-ffn-hidden-size"),
    }
    facts |= {name: value for name, value in optional.items() if value is not None}
    shared = reading.count("moe-shared-expert-intermediate-size")
    width = reading.count("moe-ffn-hidden-size") or reading.count("ffn-hidden-size")
    if shared and width:
        facts["shared_experts"] = shared // width
        reading.refuse(
            shared % width, f"{reading.shown('moe-shared-expert-intermediate-size')}: expected whole experts"
        )
    facts |= {"gated": gated, "bias": not reading.flag("disable-bias-linear")}
    facts["tied"] = not reading.flag("untie-embeddings-and-output-weights")
    if reading.flag("multi-latent-attention"):
        return _latent(reading, facts)
    if dense_layers(reading, layers):
        return facts | {"dense_layers": dense_layers(reading, layers)}
    return facts if values else None


def _latent(reading: Reading, facts: dict[str, object]) -> dict[str, object]:
    """A model with latent attention, under the keys that DeepSeek-V3 publishes."""
    layers = facts["layers"]
    assert isinstance(layers, int)
    names = {
        "hidden": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "vocab": "vocab_size",
        "ffn_hidden": "intermediate_size",
        "experts": "n_routed_experts",
        "experts_per_token": "num_experts_per_tok",
        "expert_ffn_hidden": "moe_intermediate_size",
        "shared_experts": "n_shared_experts",
        "max_length": "max_position_embeddings",
        "tied": "tie_word_embeddings",
    }
    config: dict[str, object] = {"model_type": "deepseek_v3"} | {
        there: facts[here] for here, there in names.items() if here in facts
    }
    config["num_key_value_heads"] = facts["heads"]
    ranks = {
        "q_lora_rank": reading.count("q-lora-rank"),
        "kv_lora_rank": reading.count("kv-lora-rank") or 32,
        "qk_nope_head_dim": reading.count("qk-head-dim") or 128,
        "qk_rope_head_dim": reading.count("qk-pos-emb-head-dim") or 64,
        "v_head_dim": reading.count("v-head-dim") or 128,
    }
    config |= ranks
    config["num_nextn_predict_layers"] = reading.count("mtp-num-layers") or 0
    config["first_k_dense_replace"] = dense_layers(reading, layers) if "experts" in facts else layers
    return config


def dense_layers(reading: Reading, layers: int) -> int:
    """Layers at the start that have no experts, from `--moe-layer-freq`: a step, or a list of zeros and ones."""
    text = str(reading.values.get("moe-layer-freq", "1"))
    pattern = _pattern(text, layers)
    first = next((place for place, flag in enumerate(pattern) if flag), layers)
    if len(pattern) != layers or any(not flag for flag in pattern[first:]):
        reading.problems.append(
            f"{reading.shown('moe-layer-freq')}: outlay reads dense layers at the start, then experts in all"
        )
        return 0
    return first


def _pattern(text: str, layers: int) -> list[int]:
    """Zeros and ones, one a layer, of `2`, `[0,1]*4` or `([0]*3+[1]*58)`; empty where it is none of these.

    >>> _pattern("([0]*1+[1]*3)", 4), _pattern("1", 2)
    ([0, 1, 1, 1], [1, 1])
    """

    def value(node: ast.expr) -> object:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.List):
            return [value(entry) for entry in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
                return left + right
            if isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int) and right <= 10**4:
                return left * right
        raise ValueError

    try:
        found = value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError):
        return []
    if isinstance(found, int) and found > 0:
        return [int(layer % found == 0) for layer in range(layers)]
    return [int(flag) for flag in found if isinstance(flag, int)] if isinstance(found, list) else []
