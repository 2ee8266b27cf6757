"""Write the tables that come from `transformers`, so that neither the package nor its tests need it.

    python scripts/truths_from_transformers.py defaults      # src/outlay/workload/defaults.json
    python scripts/truths_from_transformers.py parameters    # tests/truths/parameters.csv
    python scripts/truths_from_transformers.py flop          # tests/truths/flop.csv

Models are built from configs alone: no downloaded weights, no network.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
TRUTHS = ROOT / "tests" / "truths"
DEFAULTS = ROOT / "src" / "outlay" / "workload" / "defaults.json"
# Of every config class; they say nothing about a model's shape.
BEHAVIOUR = {
    *(
        "dtype",
        "id2label",
        "label2id",
        "problem_type",
        "output_hidden_states",
        "output_attentions",
        "return_dict",
        "architectures",
    ),
    *(
        "chunk_size_feed_forward",
        "is_encoder_decoder",
        "initializer_range",
        "use_cache",
        "rope_parameters",
        "hidden_act",
        "pretraining_tp",
    ),
    *(
        "rms_norm_eps",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "norm_epsilon",
        "norm_eps",
        "attention_dropout",
        "output_router_logits",
    ),
    *(
        "router_aux_loss_coef",
        "router_jitter_noise",
        "norm_topk_prob",
        "routed_scaling_factor",
        "topk_group",
        "n_group",
        "topk_method",
    ),
    *(
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "activation_function",
        "hidden_activation",
        "activation",
        "transformers_version",
    ),
}


def default_table() -> dict[str, Any]:
    """The static default of every shape-giving key, and the other names by which a key may go, for each model type."""
    from outlay.workload.config import FAMILIES
    from outlay.workload.families.numbers import TYPE

    types: dict[str, Any] = {}
    for model_type in sorted(set(FAMILIES) - {TYPE}):
        config_class = transformers.CONFIG_MAPPING[model_type]
        entry: dict[str, Any] = {"defaults": _static(config_class)}
        if config_class.attribute_map:
            entry["aliases"] = config_class.attribute_map
        for key, nested in getattr(config_class, "sub_configs", {}).items():
            if not key.endswith("vision_config"):
                entry["defaults"][key] = _static(nested)
        types[model_type] = entry
    return types


def defaults() -> None:
    """The table of defaults, one line a model type."""
    types = default_table()
    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in types.items()]
    source = f"config classes of transformers {transformers.__version__}"
    DEFAULTS.write_text(
        f'{{"source": {json.dumps(source)}, "types": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8"
    )


def _static(config_class: Any) -> dict[str, Any]:
    """What a config class takes for a key that is not given, before anything is derived from other keys."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config_class):
        value = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        plain = isinstance(value, bool | int | float | str) or (isinstance(value, list) and value)
        if field.name not in BEHAVIOUR and plain and not field.name.endswith(("token_id", "token_ids")):
            found[field.name] = value
    return found


def configs() -> dict[str, dict[str, Any]]:
    """Every published model of the catalog, and the settings in `tests/truths/configs.json` that no published one has."""
    from outlay.catalog.published import models
    from outlay.workload.families.numbers import TYPE

    published = {entry.name: dict(entry.config) for entry in models() if entry.config["model_type"] != TYPE}
    unpublished: dict[str, dict[str, Any]] = json.loads((TRUTHS / "configs.json").read_text(encoding="utf-8"))
    return published | unpublished


def model(config: dict[str, Any], *, device: str = "meta", **extra: Any) -> Any:
    """The model that a config names; on the meta device it has shapes and no weights."""
    given = {key: value for key, value in config.items() if key not in ("model_type", "architectures")}
    built = transformers.CONFIG_MAPPING[config["model_type"]](**given, **extra)
    names = config.get("architectures")
    with torch.device(device):
        if names:
            return getattr(transformers, names[0])(built)
        return transformers.AutoModelForCausalLM.from_config(built)


def counts(config: dict[str, Any]) -> tuple[int, int]:
    """All parameters, and those outside look-up tables; tied weights once."""
    built = model(config)
    built.tie_weights()
    every = {id(weight): weight.numel() for weight in built.parameters()}
    tables = {
        id(weight)
        for module in built.modules()
        if isinstance(module, torch.nn.Embedding)
        for weight in module.parameters()
    }
    return sum(every.values()), sum(count for key, count in every.items() if key not in tables)


def parameters() -> None:
    """Counts of all configs."""
    with (TRUTHS / "parameters.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["config", "model_type", "parameters", "non_embedding_parameters", "source"])
        for name, config in configs().items():
            writer.writerow([name, config["model_type"], *counts(config), f"transformers {transformers.__version__}"])


BATCH, LENGTH = 2, 48


def flop_counts(config: dict[str, Any]) -> tuple[int, int]:
    """FLOP of a forward and a backward pass over `BATCH` sequences of `LENGTH`, by torch's counter.

    The model runs on the CPU with unfused attention, whose products the counter sees whole: the full square, and with
    experts one by one, since the counter does not see a grouped product. Angles of
    rotary positions are a matrix product in `transformers`; it depends on no activation and is taken out.
    """
    built = model(config, device="cpu", attn_implementation="eager", experts_implementation="eager").train()
    tokens = torch.randint(3, config.get("vocab_size", 100), (BATCH, LENGTH))
    inputs = {"input_ids": tokens}
    if built.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = tokens
    counter = FlopCounterMode(display=False)
    with counter:
        outputs = built(**inputs, use_cache=False) if not built.config.is_encoder_decoder else built(**inputs)
        forward = counter.get_total_flops()
        sum(output.float().sum() for output in outputs.values() if torch.is_tensor(output)).backward()
    modules = counter.get_flop_counts()
    angles = sum(sum(count.values()) for name, count in modules.items() if name.endswith("rotary_emb"))
    return forward - angles, counter.get_total_flops() - forward


def runs(config: dict[str, Any]) -> bool:
    """Whether a model can run, and be counted.

    A default number of key-value heads may not divide the heads, nor do those of DeepSeek fit another width. A Mamba scan is
    element-wise products, which the counter does not see, and Llama 4's class multiplies every token with every expert.
    More than a few experts take minutes one by one.
    """
    from outlay.workload import Attention, Experts, from_config

    if config["model_type"] == "llama4_text":
        return False
    if config["model_type"].startswith("deepseek") and not {"num_experts_per_tok", "num_key_value_heads"} <= set(
        config
    ):
        return False
    layers = [block.layer for block in from_config(config).blocks]
    if any(isinstance(layer.feed_forward, Experts) and layer.feed_forward.count > 4 for layer in layers):
        return False
    if any(isinstance(layer.mixer, Attention) and layer.mixer.chosen for layer in layers):
        return False  # an index masks scores that its class multiplies all the same
    return all(isinstance(layer.mixer, Attention) and layer.mixer.heads % layer.mixer.kv_heads == 0 for layer in layers)


def flop() -> None:
    """FLOP of the small configs that run."""
    with (TRUTHS / "flop.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["config", "model_type", "batch", "sequence_length", "forward_flop", "backward_flop", "source"])
        for name, config in json.loads((TRUTHS / "configs.json").read_text(encoding="utf-8")).items():
            if runs(config):
                try:
                    numbers = (BATCH, LENGTH, *flop_counts(config))
                except RuntimeError as error:
                    print(f"{name} does not run in transformers: {error}", file=sys.stderr)
                    continue
                writer.writerow(
                    [name, config["model_type"], *numbers, f"torch {torch.__version__.split('+')[0]} flop_counter"]
                )


def main() -> None:
    jobs = {"defaults": defaults, "parameters": parameters, "flop": flop}
    for name in sys.argv[1:] or list(jobs):
        jobs[name]()


if __name__ == "__main__":
    main()
