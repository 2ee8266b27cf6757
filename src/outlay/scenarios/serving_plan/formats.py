"""In which number formats a plan may serve a model: as it was published, those that are named, or any that a chip has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.scenarios.inventory import names_in
from outlay.scenarios.serving.quality import quality_note
from outlay.scenarios.serving.runs_on import is_gguf
from outlay.serving import Engine, Format, format_for
from outlay.workload import Architecture

ANY = ("bf16", "fp8", "int8", "w4a16", "nvfp4")
"""What `--quant any` looks at on GPUs: formats that engines quantize to, or find ready on model hubs."""
ANY_GGUF = ("bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m")
"""What it looks at where llama.cpp runs the model."""


def read_formats(text: str | None, published: str) -> tuple[Format, ...] | None:
    """The formats of `--quant`: None is any, the published one where nobody says.

    :raises UnknownName: for a name that no format has.
    """
    if text is None:
        return (format_for(published),)
    if text.strip().lower() == "any":
        return None
    return tuple(dict.fromkeys(format_for(name) for name in names_in(text, "--quant", "write `--quant fp8,w4a16`")))


def left_out(
    architecture: Architecture, published: str, worse: float, named: Sequence[Format] | None
) -> dict[str, str]:
    """Formats that were published to be worse by more than a share, or of which nothing is published; with the reason.

    Of several results, of this model or of near ones, the worst counts.

    >>> from outlay.catalog import model_config
    >>> from outlay.workload import from_config
    >>> llama = from_config(model_config("llama-3-70b").config, name="llama-3-70b")
    >>> list(left_out(llama, "bf16", 0.01, None)), "fp8" in left_out(llama, "bf16", 0.001, None)
    (['int8', 'w4a16', 'nvfp4', 'q5_k_m', 'q4_k_m'], True)
    """
    names = dict.fromkeys((*ANY, *ANY_GGUF)) if named is None else dict.fromkeys(form.name for form in named)
    found = {}
    for name in names:
        note = quality_note(architecture, name, published=published)
        if note.scope == "as published":
            continue
        if not note.effects:
            found[name] = "nothing is published"
        elif max(effect.worse.high or 0.0 for effect in note.effects) > worse:
            found[name] = "; ".join(effect.words() for effect in note.effects)
    return found


def formats_on(
    wanted: tuple[Format, ...] | None,
    published: str,
    chip: Accelerator,
    engine: Engine,
    *,
    barred: Collection[str] = (),
) -> tuple[tuple[Format, ...], int]:
    """Those that the chip multiplies in and the engine reads, and how many are left out.

    Those that are `barred` are not looked at. A checkpoint in bf16 runs in fp16 on a chip without bf16, as engines do.

    >>> from outlay.catalog import accelerator
    >>> from outlay.serving import engine_for
    >>> [form.name for form in formats_on(None, "bf16", accelerator("a100-sxm-80gb"), engine_for("vllm"))[0]]
    ['bf16', 'int8', 'w4a16']
    """
    names = ANY_GGUF if engine.name == "llamacpp" else ANY
    listed = wanted if wanted is not None else tuple(format_for(name) for name in dict.fromkeys((published, *names)))
    if "bf16" not in chip.peaks and "fp16" in chip.peaks:
        listed = tuple(format_for("fp16") if form.name == "bf16" else form for form in listed)
    listed = tuple(form for form in listed if form.name not in barred)
    kept = tuple(form for form in listed if runs(form, chip, engine))
    return kept, len(listed) - len(kept)


def runs(form: Format, chip: Accelerator, engine: Engine) -> bool:
    """Whether a chip multiplies in a format, and an engine reads it."""
    gguf = form.scope == "all" and form.dequantized
    plain = form.name in ("bf16", "fp16", "fp32")
    if not plain and gguf != (engine.name == "llamacpp"):
        return False
    if form.dequantized:
        return bool({"bf16", "fp16"} & set(chip.peaks)) and ("bf16" in chip.peaks or gguf)
    return chip.has(form.compute)


def check_formats(
    wanted: tuple[Format, ...] | None,
    chips: Sequence[str],
    *,
    kept: int,
    lacking: int,
    engines: Sequence[Engine] | None = None,
) -> None:
    """Refuse formats that none of the machines has, or none of the `engines` asked for: `lacking` were left out, and none was
    `kept`."""
    if kept or not lacking or wanted is None:
        return
    names = ", ".join(form.name for form in wanted)
    if engines is not None and all(
        is_gguf(form.name) != (engine.kernels == "ggml") for form in wanted for engine in engines
    ):
        raise InputError(
            f"{' and '.join(engine.name for engine in engines)} does not read {names}",
            expected="a format of the engine that is asked for",
            hint="write `--quant w4a16`, or the engine that reads it: `--export llamacpp`, `--engine llamacpp`"
            if any(is_gguf(form.name) for form in wanted)
            else "write `--quant q4_k_m`, or leave `--quant` out",
        )
    raise InputError(
        f"none of the accelerators asked for runs {names}: {', '.join(chips[:4])}",
        expected="a format that one of them multiplies in, and its engine reads",
        hint="write `--quant any`, which looks at those that each has",
    )
