"""Engine, number format and cache of a deployment: as asked, else the usual ones of the accelerator and the model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from outlay import units
from outlay.catalog import Accelerator, rows
from outlay.errors import InputError, UnknownName
from outlay.scenarios.serving.published import published_for
from outlay.scenarios.serving.runs_on import caches, is_gguf, refuses, stores
from outlay.serving import Engine, Format, engine_for, format_for
from outlay.serving.engines import SGLANG_LIMITS, TODAY, VLLM_LIMITS, engine_on
from outlay.serving.formats import CACHE_BYTES
from outlay.statement import Assumption, Receipt
from outlay.units import with_article
from outlay.workload import Architecture

_HOME = ("apple", "edge", "cpu")
"""Categories of machines on which llama.cpp is the usual engine."""
_SPELLINGS = {
    "auto": "bf16",
    "float16": "fp16",
    "f16": "fp16",
    "bfloat16": "bf16",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
}
MOST_SEQUENCES = 1 << 16
"""Sequences that `--max-num-seqs` takes: more than any engine's documentation names."""
_OTHER = ("transformers", "huggingface", "hf")


def engine_of(asked: str | None, quant: str | None, chip: Accelerator, assumed: list[Assumption]) -> Engine:
    """The engine; unknown names are refused, though rows of measurements may have any."""
    if asked is not None:
        engine = engine_named(asked)
        if why_not := refuses(engine, chip):
            usual = _usual_engine(None, chip)[0]
            runs = not refuses(engine_for(usual), chip)
            raise InputError(
                f"{engine.name} does not run on {with_article(chip.name)}: {why_not}",
                hint=f"write `--engine {usual}`" if runs else OTHER_CHIPS,
            )
        return limited(engine, chip, assumed)
    name, why = _usual_engine(quant, chip)
    if why_not := refuses(engine_for(name), chip):
        raise _nothing_runs(quant, chip, name, why_not)
    assumed.append(Assumption("engine", value=name, why=why))
    return limited(engine_for(name), chip, assumed)


OTHER_CHIPS = "name a GPU, a TPU, a Mac, a board or a processor: `outlay show accelerators` lists them"


def _nothing_runs(quant: str | None, chip: Accelerator, name: str, why_not: str) -> InputError:
    """The error for a chip on which the engine that a format needs does not run, or none does."""
    usual = _usual_engine(None, chip)[0]
    if quant is None or not is_gguf(quant) or refuses(engine_for(usual), chip):
        return InputError(f"no engine that outlay knows runs on {chip.name}: {why_not}", hint=OTHER_CHIPS)
    return InputError(
        f"`--quant {quant}` is a format of {name}, which does not run on {chip.name}: {why_not}",
        expected=f"a format that {usual} runs there",
        hint="leave `--quant` out, or write `--quant w4a16`",
    )


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


def read_sequences(text: str | int | None) -> int | None:
    """`--max-num-seqs N`; None where nobody said."""
    if text is None:
        return None
    found = int(units.parse(text, "count", name="--max-num-seqs", example="64"))
    if found > MOST_SEQUENCES:
        raise InputError(
            f"`--max-num-seqs` is {text}",
            expected=f"at most {MOST_SEQUENCES:,} sequences",
            hint="write `--max-num-seqs 64`, or leave it out",
        )
    return found


def told(engine: Engine, chunk: int | None, sequences: int | None, assumed: list[Assumption]) -> Engine:
    """The engine with the limits that somebody states; what is said of those that it sets itself is of the others alone."""
    stated = (chunk, sequences)
    for place, entry in enumerate(assumed):
        if entry.name == "limits of a step" and stated != (None, None):
            left = [part for part, own in zip(entry.value.split(", "), stated, strict=True) if own is None]
            assumed[place : place + 1] = [replace(entry, value=part) for part in left]
            break
    engine = engine if chunk is None else replace(engine, chunk_tokens=chunk)
    return engine if sequences is None else replace(engine, most_sequences=sequences)


def engine_named(name: str) -> Engine:
    """The engine that goes by `name`, all of it; records of runs may say more, a question names one that is known.

    >>> engine_named("vLLM").name, engine_named("TensorRT-LLM").name
    ('vllm', 'trtllm')
    """
    words = name.strip().lower()
    if words in (*engine_names(), *_OTHER) or any(re.fullmatch(pattern, words) for pattern in _named()):
        return engine_for(words)
    several = [part.strip() for part in words.split(",")]
    if len(several) > 1 and all(several):
        first = engine_named(several[0]).name
        raise InputError(
            f"`--engine {name}` names {len(several)} engines",
            expected="one",
            hint=f"write `--engine {first}`; `outlay plan serving` looks at several",
        )
    raise UnknownName("serving engine", name, engine_names(), listing="outlay show engines")


def _named() -> Iterator[str]:
    """What today's engines are called; the last row's is any name."""
    for row in rows.read("engines")[:-1]:
        if float(row["since"]) <= TODAY < float(row["until"]):
            yield row["pattern"]


def engine_names() -> tuple[str, ...]:
    """The engines that `--engine` takes.

    >>> {"vllm", "trtllm", "sglang", "llamacpp"} <= set(engine_names())
    True
    """
    named = dict.fromkeys(row["name"] for row in rows.read("engines"))
    return tuple(name for name in named if engine_for(name).name == name)  # those of other years go by today's name


def usual_engine(quant: str | None, chip: Accelerator) -> Engine | None:
    """The engine that is usual on a chip for a format; None where it does not run there.

    >>> from outlay.catalog import accelerator
    >>> usual_engine("q4_k_m", accelerator("tpu-v5e")) is None, usual_engine(None, accelerator("l4")).name
    (True, 'vllm')
    """
    engine = engine_for(_usual_engine(quant, chip)[0])
    return None if refuses(engine, chip) else engine_on(engine, chip)


def _usual_engine(quant: str | None, chip: Accelerator) -> tuple[str, str]:
    """The engine that is usual on a chip, and why."""
    if quant is not None and is_gguf(quant):
        return "llamacpp", f"it runs {quant.strip().lower()} files"
    if chip.category in _HOME:
        return "llamacpp", f"the usual one on {with_article(chip.name)}"
    usual = {"tpu": "jetstream", "trainium": "neuronx"}.get(chip.category)
    usual = {"gaudi": "optimum-habana", "rdu": "sambaflow"}.get(chip.generation, usual)
    if usual:
        return usual, f"the usual one on {with_article(chip.name)}"
    if why_not := refuses(engine_for("vllm"), chip):
        return "llamacpp", f"vllm does not run on {with_article(chip.name)}: {why_not}"
    return "vllm", "the usual one on such accelerators"


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
        if not stores(engine, name):
            name, bits = ("q8_0", 8) if format_for(name).weight_bits > 6 else ("q4_0", 4)
            why = f"the published weights are of {bits} bits, and {engine.name} keeps those so"
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
    if not stores(engine, found.name):
        narrow = "q8_0" if found.weight_bits > 6 else "q4_k_m"
        raise InputError(
            f"`--quant {asked}` is no format of {engine.name}",
            expected="one of its own (q8_0, q4_k_m …), bf16, fp16 or mxfp4",
            hint=f"write `--quant {narrow}`",
        )
    if asked is not None:
        _multiplies(found, chip, engine, asked)
    return _on_chip(found, chip, engine, assumed)


def _multiplies(found: Format, chip: Accelerator, engine: Engine, asked: str) -> None:
    """Refuse a narrow format in which products are to run, on a chip that has no such products."""
    narrow = found.weight_bits < 16 and not found.dequantized
    if not narrow or engine.kernels == "ggml" or chip.has(found.compute):
        return
    wider = "w8a16" if found.weight_bits > 6 else "w4a16"
    raise InputError(
        f"{chip.name} does not multiply in {found.compute}, so `--quant {asked}` is no format for it",
        expected="one that is widened before each product",
        hint=f"write `--quant {wider}`: it saves as much memory and traffic, and no arithmetic",
    )


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
    name = _SPELLINGS.get(name, name)
    if name not in CACHE_BYTES:
        raise InputError(
            f"`--kv {asked}` is not a format of a cache that outlay knows",
            expected=f"one of {', '.join(CACHE_BYTES)}",
            hint=f"write `--kv {'q8_0' if engine is not None and engine.kernels == 'ggml' else 'fp8'}`, or leave it out",
        )
    if engine is not None and engine.kernels != "ggml" and is_gguf(name):
        raise InputError(
            f"`--kv {asked}` is a cache of llama.cpp, and {engine.name} is the engine",
            expected="a format that it has",
            hint="write `--kv fp8`, or leave it out",
        )
    known = None if engine is None else caches(engine)
    if engine is not None and known is not None and name not in known:
        narrow = "q8_0" if engine.kernels == "ggml" else "fp8"
        raise InputError(
            f"`--kv {asked}` is no cache of {engine.name}",
            expected=f"one of {', '.join(known)}",
            hint=f"write `--kv {narrow}`, or leave it out",
        )
    return name
