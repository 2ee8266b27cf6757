"""The config door: a Hugging Face `config.json` (as a mapping or a file) becomes an :class:`Architecture`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from outlay.errors import InputError
from outlay.workload.architecture import Architecture
from outlay.workload.families import bert, dbrx, delta, gpt, hybrid, latent, llama, numbers, t5
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Keys

LARGEST_FILE = 10_000_000
"""Bytes; the largest published config has some 100 kB."""

Builder = Callable[[Reader], Architecture]

FAMILIES: dict[str, tuple[Keys, Builder]] = {
    **dict.fromkeys(llama.STYLES, (llama.KEYS, llama.build)),
    **dict.fromkeys(latent.TYPES, (latent.KEYS, latent.build)),
    **gpt.BUILDERS,
    **bert.BUILDERS,
    **dict.fromkeys(t5.TYPES, (t5.KEYS, t5.build)),
    "dbrx": (dbrx.KEYS, dbrx.build),
    **hybrid.BUILDERS,
    **dict.fromkeys(delta.TYPES, (delta.KEYS, delta.build)),
    numbers.TYPE: (numbers.KEYS, numbers.build),
}
SAME_AS = {"kimi_k2": "deepseek_v3"}
"""Types that `transformers` lacks and that publish another type's model under a name of their own."""
TEXT_TYPES = {
    "gemma3": "gemma3_text",
    "llama4": "llama4_text",
    "mistral3": "mistral",
    "llava": "llama",
    "kimi_vl": "deepseek_v3",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
}
"""What the text part of a multimodal config is where it does not say so."""
EARLIER_NAMES = {"bloom": {"n_embed": "hidden_size"}, "falcon": {"n_embed": "hidden_size"}}
"""Keys of older published configs that `transformers` still reads."""


def supported() -> tuple[str, ...]:
    """Every `model_type` that :func:`from_config` reads.

    >>> "llama" in supported() and "deepseek_v3" in supported()
    True
    """
    return tuple(sorted({*FAMILIES, *SAME_AS, *TEXT_TYPES}))


def from_config(config: Mapping[str, Any], *, name: str = "", source: str = "") -> Architecture:
    """The architecture that a config describes.

    Width, depth, heads and vocabulary must be there under the family's own names. What else is missing takes the default
    of that `model_type` in `transformers`, and is listed in `assumed`. A multimodal config is read for its text part.

    Raises :class:`InputError`, which names `source` (a file, or the model's name), every missing key and every bad value.

    >>> tiny = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100}
    >>> model = from_config(tiny)
    >>> model.depth, model.vocab, model.assumed["n_positions"]
    (2, 100, '1024 (default of gpt2)')
    """
    where = f"`{source or name or 'the config'}`" if source or name else "the config"
    if not isinstance(config, Mapping):
        raise InputError(f"{where} is no config", expected="a JSON object", hint=_HINT)
    assumed: dict[str, str] = {}
    config = _text_part(config, where, assumed)
    model_type = _model_type(config, where, assumed)
    keys, build = FAMILIES[model_type]
    table = _table().get(model_type, {})
    aliases = {**table.get("aliases", {}), **EARLIER_NAMES.get(model_type, {})}
    own = dict(config)
    for alias, key in aliases.items():
        if own.get(key) is None and own.get(alias) is not None:
            own[key] = own[alias]
    if model_type in hybrid.BUILDERS:
        own = hybrid.with_pattern(own)
    defaults = {aliases.get(key, key): value for key, value in table.get("defaults", {}).items()}
    defaults = {key: value for key, value in defaults.items() if key not in keys.all()}
    read = Reader(config=own, model_type=model_type, defaults=defaults, assumed=assumed)
    missing = [key for key in keys.all() if own.get(key) is None]
    built = build(read)
    problems = list(dict.fromkeys(read.problems))
    if missing:
        others = [problem for problem in problems if not any(problem == f"`{key}` is missing" for key in missing)]
        named = " and ".join(filter(None, [", ".join(f"`{key}`" for key in missing[:-1]), f"`{missing[-1]}`"]))
        raise InputError(f"{where} lacks {named}, which a {model_type} config must state", details=others, hint=_HINT)
    if len(problems) == 1:
        raise InputError(f"{where}: {problems[0]}", hint="correct the value, or leave the key out to take its default")
    if problems:
        raise InputError(
            f"{where} has {len(problems)} values that cannot be used",
            details=problems,
            hint="correct the values, or leave the keys out to take their defaults",
        )
    return replace(built, name=name or str(config.get("_name_or_path") or "") or model_type, assumed=assumed)


def load_config(path: str | Path) -> dict[str, Any]:
    """The object in a `config.json`; whatever else the file may be is refused by an :class:`InputError` that names it."""
    file = Path(path)
    shown = f"`{path}`"
    try:
        if file.is_dir():
            raise InputError(
                f"{shown} is a directory", expected="a config.json", hint=f"write `{file / 'config.json'}`"
            )
        if not file.exists():
            raise InputError(f"{shown} does not exist", hint="give the path of a Hugging Face config.json")
        if not file.is_file():
            raise InputError(f"{shown} is not a plain file", hint="give the path of a Hugging Face config.json")
        if (size := file.stat().st_size) > LARGEST_FILE:
            raise InputError(f"{shown} has {size / 1e6:.0f} MB", expected="a config.json of at most 10 MB", hint=_HINT)
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{shown} cannot be read: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    except ValueError as error:  # a null character in the path
        raise InputError(f"{shown} is no path: {error}", hint="give the path of a Hugging Face config.json") from error
    try:
        config = json.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise InputError(f"{shown} is nested too deep to be a config", hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{shown} is not text in UTF-8", expected="a JSON object", hint=_HINT) from error
    except ValueError as error:
        raise InputError(f"{shown} is not JSON: {error}", hint=_HINT) from error
    if not isinstance(config, dict):
        raise InputError(f"{shown} holds no object", expected="a Hugging Face config.json", hint=_HINT)
    return config


_HINT = "a Hugging Face config.json states `model_type` and the model's width, depth, heads and vocabulary"


def _text_part(config: Mapping[str, Any], where: str, assumed: dict[str, str]) -> Mapping[str, Any]:
    """The text part of a multimodal config; what the whole says of its class and of tied weights holds for the part."""
    for key in ("text_config", "llm_config", "language_config"):
        text = config.get(key)
        if isinstance(text, Mapping):
            outer = config.get("model_type")
            part = dict(text)
            if not part.get("model_type") and isinstance(outer, str) and outer in TEXT_TYPES:
                part["model_type"] = TEXT_TYPES[outer]
            for inherited in ("tie_word_embeddings", "architectures"):
                if part.get(inherited) is None and config.get(inherited) is not None:
                    part[inherited] = config[inherited]
            assumed[key] = "the text part alone is counted (the config is multimodal)"
            return part
    return config


def _model_type(config: Mapping[str, Any], where: str, assumed: dict[str, str]) -> str:
    stated = config.get("model_type")
    if stated is None:
        guess = _type_of_class(config.get("architectures"))
        if guess is None:
            raise InputError(
                f"{where} lacks `model_type`", expected="a Hugging Face config.json", hint=_HINT, details=_listing()
            )
        assumed["model_type"] = f"{guess} (from `architectures`)"
        return guess
    model_type = SAME_AS.get(stated, stated) if isinstance(stated, str) else None
    model_type = TEXT_TYPES.get(model_type, model_type) if model_type else None
    if model_type not in FAMILIES:
        shown = f'"{stated}"' if isinstance(stated, str) else str(stated)[:40]
        raise InputError(
            f"{where} has `model_type` {shown[:60]}, which outlay does not read",
            details=_listing(),
            hint='a model of another family can be given by numbers: {"model_type": "transformer", "hidden": …, "layers": …, '
            '"heads": …, "vocab": …}',
        )
    return model_type


def _type_of_class(stated: Any) -> str | None:
    """The family that a class name belongs to: `LlamaForCausalLM` is a llama."""
    if not isinstance(stated, list | tuple) or not stated or not isinstance(stated[0], str):
        return None
    name = stated[0].lower()
    squeezed = {model_type.replace("_", "").replace("-", ""): model_type for model_type in FAMILIES}
    matches = [squeezed[key] for key in squeezed if name.startswith((f"{key}for", f"{key}lmhead", f"{key}model"))]
    return max(matches, key=len) if matches else None


def _listing() -> list[str]:
    names, lines = supported(), []
    for start in range(0, len(names), 6):
        lines.append(", ".join(names[start : start + 6]))
    return ["outlay reads:", *lines]


@cache
def _table() -> dict[str, Any]:
    """Defaults and key aliases of each `model_type` in `transformers`, as `scripts/truths_from_transformers.py` wrote them."""
    text = resources.files("outlay.workload").joinpath("defaults.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)["types"]
    return table
