"""Engine, number format and cache of a deployment: as asked, else the usual ones of the accelerator and the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from outlay.catalog import Accelerator, rows
from outlay.errors import InputError, UnknownName
from outlay.scenarios.serving.published import published_for
from outlay.serving import Engine, Format, engine_for, format_for
from outlay.serving.engines import SGLANG_LIMITS, VLLM_LIMITS, engine_on
from outlay.serving.formats import CACHE_BYTES
from outlay.statement import Assumption, Receipt
from outlay.units import with_article
from outlay.workload import Architecture

_HOME = ("apple", "edge", "cpu")
"""Categories of machines on which llama.cpp is the usual engine."""
_MAKERS = {
    "trtllm": ("nvidia",),
    "neuronx": ("aws",),
    "optimum-habana": ("intel",),
    "jetstream": ("google",),
    "sambaflow": ("sambanova",),
}
"""Engines that are for one maker's chips, as their documentation says."""
_BEFORE_TURING = ("kepler", "maxwell", "pascal", "volta")
_TOO_OLD = {"vllm": _BEFORE_TURING, "sglang": _BEFORE_TURING, "trtllm": (*_BEFORE_TURING, "turing")}
"""Generations of NVIDIA that an engine's newest version has no kernels for: vLLM (docs.vllm.ai, installation on GPUs) and
SGLang (docs.sglang.io) ask for compute capability 7.5, TensorRT-LLM's support matrix begins with Ampere; read 2026-11."""
_SERVERS = ("datacenter-gpu", "workstation-gpu", "consumer-gpu")
_CACHES = {"auto": "bf16", "float16": "fp16", "f16": "fp16", "bfloat16": "bf16", "fp8_e4m3": "fp8", "fp8_e5m2": "fp8"}
_GGML_CACHES = ("fp32", "fp16", "bf16", "q8_0", "q4_0")
"""Of these formats what `llama-server --cache-type-k` takes (its README, 2026-11)."""
_OTHER = ("transformers", "huggingface", "hf")


def engine_of(asked: str | None, quant: str | None, chip: Accelerator, assumed: list[Assumption]) -> Engine:
    """The engine; unknown names are refused, though rows of measurements may have any."""
    if asked is not None:
        engine = engine_named(asked)
        if why_not := refuses(engine, chip):
            usual = _usual_engine(quant, chip)[0]
            raise InputError(
                f"{engine.name} does not run on {with_article(chip.name)}: {why_not}", hint=f"write `--engine {usual}`"
            )
        return limited(engine, chip, assumed)
    name, why = _usual_engine(quant, chip)
    assumed.append(Assumption("engine", value=name, why=why))
    return limited(engine_for(name), chip, assumed)


def refuses(engine: Engine, chip: Accelerator) -> str:
    """Why an engine does not run on an accelerator; empty where nothing is known against it.

    >>> refuses(engine_for("trtllm"), catalog.accelerator("mi300x")), refuses(engine_for("vllm"), catalog.accelerator("l4"))
    ('it is for chips of nvidia', '')
    """
    makers = _MAKERS.get(engine.name, ())
    if makers and chip.vendor not in makers:
        return f"it is for chips of {' and '.join(makers)}"
    if chip.vendor == "nvidia" and chip.generation in _TOO_OLD.get(engine.name, ()):
        return f"it has left the generation {chip.generation} behind"
    return ""


def limited(engine: Engine, chip: Accelerator, assumed: list[Assumption]) -> Engine:
    """The engine with the limits that it sets itself by the memory of a device, where they are not its usual ones."""
    changed = engine_on(engine, chip)
    if changed == engine:
        return engine
    value = f"{changed.chunk_tokens:,} tokens a step, {changed.most_sequences:,} requests together"
    why = f"what {engine.name} takes on {with_article(chip.name)} unless told"
    source = VLLM_LIMITS if engine.name == "vllm" else SGLANG_LIMITS
    receipt = Receipt(changed.chunk_tokens, unit="tokens", source=source, date="2026-11", basis="quoted")
    assumed.append(Assumption("limits of a step", value=value, why=why, receipt=receipt))
    return changed


def engine_named(name: str) -> Engine:
    """The engine that goes by `name`; records of runs may name any, a question only one that is known.

    >>> engine_named("vLLM").name, engine_named("TensorRT-LLM").name
    ('vllm', 'trtllm')
    """
    words = name.strip().lower()
    found = engine_for(words) if words else None
    if found is None or (found.name == "transformers" and not any(other in words for other in _OTHER)):
        raise UnknownName("serving engine", name, engine_names(), listing="outlay show engines")
    return found


def engine_names() -> tuple[str, ...]:
    """The engines that `--engine` takes.

    >>> {"vllm", "trtllm", "sglang", "llamacpp"} <= set(engine_names())
    True
    """
    named = dict.fromkeys(row["name"] for row in rows.read("engines"))
    return tuple(name for name in named if engine_for(name).name == name)  # those of other years go by today's name


def _usual_engine(quant: str | None, chip: Accelerator) -> tuple[str, str]:
    """The engine that is usual on a chip, and why."""
    if quant is not None and is_gguf(quant):
        return "llamacpp", f"it runs {quant.strip().lower()} files"
    if chip.category in _HOME:
        return "llamacpp", f"the usual one on {with_article(chip.name)}"
    usual = {"tpu": "jetstream", "trainium": "neuronx"}.get(chip.category)
    if chip.generation.startswith("gaudi"):
        usual = "optimum-habana"
    if usual:
        return usual, f"the usual one on {with_article(chip.name)}"
    if why_not := refuses(engine_for("vllm"), chip):
        return "llamacpp", f"vllm does not run on {with_article(chip.name)}: {why_not}"
    return "vllm", "the usual one on such accelerators"


def is_gguf(quant: str) -> bool:
    """Whether a format is one of llama.cpp's files.

    >>> is_gguf("Q4_K_M"), is_gguf("fp8")
    (True, False)
    """
    return bool(re.fullmatch(r"i?q[1-8]_[a-z0-9_]+", quant.strip().lower().replace("-", "_")))


def format_of(
    asked: str | None,
    architecture: Architecture,
    chip: Accelerator,
    engine: Engine,
    model: str | Mapping[str, object] | Architecture,
    assumed: list[Assumption],
) -> Format:
    """The weights' format; where the chip does not multiply in it, what it runs as, said."""
    if asked is None:
        name, receipt = published_for(model)
        why = f"as published ({receipt.source}); `--quant` says another"
        if name == "bf16" and not chip.has("bf16"):
            name = "fp16" if chip.has("fp16") else "fp32"
            why = f"{with_article(chip.name)} does not multiply in bf16"
        assumed.append(Assumption("weights", value=name, why=why, receipt=receipt))
    else:
        if not asked.strip():
            raise InputError("`--quant` is empty", hint="write `--quant fp8`, or leave it out")
        name = asked
    found = format_for(name)
    if found.scope == "experts" and not architecture.is_moe:
        raise InputError(
            f"`--quant {asked}` stores experts so, and {architecture.name} has none",
            hint="write `--quant nvfp4` or `--quant w4a16`",
        )
    if is_gguf(found.name) and engine.kernels != "ggml":
        raise InputError(
            f"`--quant {found.name}` is a format of llama.cpp, and {engine.name} is the engine",
            expected="a format that it runs",
            hint="write `--engine llamacpp`, or `--quant w4a16`",
        )
    return _on_chip(found, chip, engine, assumed)


def _on_chip(found: Format, chip: Accelerator, engine: Engine, assumed: list[Assumption]) -> Format:
    """The format as the chip runs it."""
    if engine.kernels == "ggml":  # widens each block itself, on any chip
        return found
    if chip.has(found.compute):
        return found
    runs = chip.runs_as(found.compute)
    if runs == "fp32" and found.compute != "fp32" and not chip.has("bf16") and not chip.has("fp16"):
        own = ", ".join(chip.peaks)
        raise InputError(
            f"{chip.name} does not multiply in {found.compute}", expected=f"one of {own}", hint="write `--quant fp32`"
        )
    if found.dequantized or found.weight_bits >= 16:
        assumed.append(
            Assumption("arithmetic", value=runs, why=f"{with_article(chip.name)} does not multiply in {found.compute}")
        )
        return replace(found, compute=runs, activation=runs)
    value = f"{found.name} weights, widened to {runs} before each product"
    why = f"{with_article(chip.name)} does not multiply in {found.compute}: it saves memory and traffic, not arithmetic"
    assumed.append(Assumption("arithmetic", value=value, why=why))
    return replace(found, compute=runs, activation=runs, dequantized=True)


def cache_of(asked: str | None, engine: Engine | None, assumed: list[Assumption]) -> str:
    """The number format of the key-value cache; of an `engine`, where it is known, only those that it has."""
    if asked is None:
        assumed.append(Assumption("cache", value="16 bits a number", why="what engines do unless told (`--kv`)"))
        return "bf16"
    name = asked.strip().lower()
    name = _CACHES.get(name, name)
    if name not in CACHE_BYTES:
        raise InputError(
            f"`--kv {asked}` is not a format of a cache that outlay knows",
            expected=f"one of {', '.join(CACHE_BYTES)}",
            hint=f"write `--kv {'q8_0' if engine is not None and engine.kernels == 'ggml' else 'fp8'}`, or leave it out",
        )
    if engine is not None and engine.kernels == "ggml" and name not in _GGML_CACHES:
        raise InputError(
            f"`--kv {asked}` is no cache of {engine.name}",
            expected=f"one of {', '.join(_GGML_CACHES)}",
            hint="write `--kv q8_0`, or leave it out",
        )
    if engine is not None and engine.kernels != "ggml" and is_gguf(name):
        raise InputError(
            f"`--kv {asked}` is a cache of llama.cpp, and {engine.name} is the engine",
            expected="a format that it has",
            hint="write `--kv fp8`, or leave it out",
        )
    return name
