"""Write the tables that come from `transformers`, so that neither the package nor its tests need it.

    python scripts/truths_from_transformers.py defaults      # src/outlay/workload/defaults.json
    python scripts/truths_from_transformers.py parameters    # tests/truths/parameters.csv
    python scripts/truths_from_transformers.py flop          # tests/truths/flop.csv

Models are built on the meta device from `tests/truths/configs.json`: no weights, no network.
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

ROOT = Path(__file__).resolve().parent.parent
TRUTHS = ROOT / "tests" / "truths"
DEFAULTS = ROOT / "src" / "outlay" / "workload" / "defaults.json"
# Of every config class; they say nothing about a model's shape.
BEHAVIOUR = {
    *("dtype", "id2label", "label2id", "problem_type", "output_hidden_states", "output_attentions", "return_dict", "architectures"),
    *("chunk_size_feed_forward", "is_encoder_decoder", "initializer_range", "use_cache", "rope_parameters", "hidden_act", "pretraining_tp"),
    *("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps", "attention_dropout", "output_router_logits"),
    *("router_aux_loss_coef", "router_jitter_noise", "norm_topk_prob", "routed_scaling_factor", "topk_group", "n_group", "topk_method"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "activation_function", "hidden_activation", "activation", "transformers_version"),
}


def defaults() -> None:
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
    lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in types.items()]
    source = f"config classes of transformers {transformers.__version__}"
    DEFAULTS.write_text(f'{{"source": {json.dumps(source)}, "types": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8")


def _static(config_class: Any) -> dict[str, Any]:
    """What a config class takes for a key that is not given, before anything is derived from other keys."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config_class):
        value = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        plain = isinstance(value, bool | int | float | str) or (isinstance(value, list) and value)
        if field.name not in BEHAVIOUR and plain and not field.name.endswith(("token_id", "token_ids")):
            found[field.name] = value
    return found


def model(config: dict[str, Any]) -> Any:
    """The model that a config names, on the meta device."""
    given = {key: value for key, value in config.items() if key not in ("model_type", "architectures")}
    built = transformers.CONFIG_MAPPING[config["model_type"]](**given)
    names = config.get("architectures")
    with torch.device("meta"):
        if names:
            return getattr(transformers, names[0])(built)
        return transformers.AutoModelForCausalLM.from_config(built)


def counts(config: dict[str, Any]) -> tuple[int, int]:
    """All parameters, and those outside look-up tables; tied weights once."""
    built = model(config)
    built.tie_weights()
    return built.num_parameters(), built.num_parameters(exclude_embeddings=True)


def parameters() -> None:
    configs = json.loads((TRUTHS / "configs.json").read_text(encoding="utf-8"))
    with (TRUTHS / "parameters.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["config", "model_type", "parameters", "non_embedding_parameters", "source"])
        for name, config in configs.items():
            writer.writerow([name, config["model_type"], *counts(config), f"transformers {transformers.__version__}"])


def main() -> None:
    wanted = sys.argv[1:] or ["defaults", "parameters", "flop"]
    for name in wanted:
        {"defaults": defaults, "parameters": parameters}[name]()


if __name__ == "__main__":
    main()
