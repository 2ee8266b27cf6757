"""The words of a serving record, read as our names: formats of weights and caches, and the year of an engine."""

from __future__ import annotations

import re
from typing import Final

from outlay.catalog import Accelerator
from outlay.errors import InputError, UnknownName
from outlay.serving import Format, format_for, formats
from outlay.serving.engines import TODAY

_RELEASES: Final = {
    "vllm": (
        *(
            ("0.1", 2023.5),
            ("0.2", 2023.75),
            ("0.3", 2024.05),
            ("0.4", 2024.25),
            ("0.5", 2024.45),
            ("0.6", 2024.7),
            ("0.7", 2025.1),
        ),
        *(("0.8", 2025.2), ("0.9", 2025.4), ("0.10", 2025.6), ("0.11", 2025.8), ("0.12", 2025.95), ("0.13", 2026.0)),
        *(
            ("0.14", 2026.05),
            ("0.15", 2026.1),
            ("0.16", 2026.15),
            ("0.17", 2026.2),
            ("0.18", 2026.25),
            ("0.19", 2026.3),
        ),
    ),
    "sglang": (("0.1", 2024.05), ("0.2", 2024.55), ("0.3", 2024.7), ("0.4", 2024.95), ("0.5", 2025.65)),
    "tensorrt": (
        *(
            ("0.5", 2023.8),
            ("0.6", 2023.95),
            ("0.7", 2024.0),
            ("0.8", 2024.15),
            ("0.9", 2024.3),
            ("0.10", 2024.45),
            ("0.11", 2024.55),
        ),
        *(
            ("0.12", 2024.65),
            ("0.13", 2024.8),
            ("0.14", 2024.85),
            ("0.15", 2024.95),
            ("0.16", 2025.0),
            ("0.17", 2025.15),
        ),
        *(("0.18", 2025.25), ("0.19", 2025.35), ("0.20", 2025.45), ("0.21", 2025.55), ("1.0", 2025.7), ("1.1", 2025.9)),
        *(("1.2", 2026.1), ("1.3", 2026.25)),
    ),
}
"""Years of releases, from the tags of the projects' repositories."""

_PLAIN: Final = (
    (r"(?:\b|_|-)(iq\d_[a-z]+|q\d_k(?:_[a-z]+)?|q\d_[01k])(?:\b|_|-)", ""),
    (r"(?:gguf|ggml)[ _-]*q?([1-8])(?![0-9])|^q([2-8])$|(?<![\w.])([1-8])(?:\.\d+)? ?bpw", "gguf"),
    (r"mxfp4|mx_?fp4", "mxfp4"),
    (r"nvfp4|fp4|e2m1|w4a4", "nvfp4"),
    (r"w4a8", "w4a16"),
    (r"nf4|bnb|bitsandbytes", "nf4"),
    (r"awq|gptq|w4a16|int-?4|4[- ]?bit|u4|marlin|exl2|eetq-?4", "w4a16"),
    (r"fp8.*block|block.*fp8", "fp8-block"),
    (r"mxfp8|fp8|float8|e4m3|e5m2", "fp8"),
    (r"smooth|w8a8|sq8", "int8"),
    (r"w8a16|eetq|int-?8|(?<![\d.])8[- ]?bit", "w8a16"),
    (r"fp-?6|int-?6|6[- ]?bit", "q6_k"),
    (r"int-?5|5[- ]?bit", "q5_k_m"),
    (r"int-?3|3[- ]?bit", "q3_k_l"),
    (r"int-?2|2[- ]?bit", "q2_k"),
    (r"1\.58|ternary|bitnet|\btq[12]|1[- ]?bit", "iq1_m"),
    (r"hqq|4(?=$|[^0-9.])", "w4a16"),
    (r"bf-?16|bfloat|mixed|amp", "bf16"),
    (r"fp-?16|float16|half|\b16[- ]?bit|\bf16\b", "fp16"),
    (r"fp-?32|float32|\bf32\b|tf-?32", "fp32"),
)


def weights(text: str, chip: Accelerator, *, model: str, engine: str, submission: bool) -> tuple[Format, str]:
    """The format of weights that a cell means, and what was assumed.

    DeepSeek's published 8-bit weights have scales by block, gpt-oss's 4-bit ones are MXFP4 in the experts alone; a run
    entered in a benchmark takes the narrowest format that the chip multiplies in, whatever the checkpoint began as.

    Raises `InputError` for a word that names no format.
    """
    lowered, ours = text.strip().lower(), re.sub(r"[^a-z0-9]", "", model.lower())
    oss = "gptoss" in ours
    if not lowered or lowered in ("auto", "default"):
        name = "mxfp4" if oss else "fp8-block" if re.search(r"deepseek(v3|r1)", ours) and chip.has("fp8") else "bf16"
        if "llamacpp" in engine:
            name = "q4_k_m"
        return format_for(name), f"weights {name}"
    if submission and lowered in ("fp16", "fp8", "bf16") and chip.has("fp8") and chip.category == "datacenter-gpu":
        name = "nvfp4" if chip.has("nvfp4") else "fp8"
        return format_for(name), f"weights {name}, as entries in a benchmark have them"
    name = _named(lowered)
    if not name:
        raise InputError(
            f"weight_precision `{text[:40]}` is no format that outlay knows",
            expected=", ".join(form.name for form in formats()),
            hint="write one of these, or leave the cell empty",
        )
    if name in ("nvfp4", "fp8") and oss:
        name = "mxfp4"
    if name == "fp8" and re.search(r"deepseek(v3|r1)|kimik2|glm5", ours):
        name = "fp8-block"
    if name == "fp8" and engine != "trtllm" and re.search(r"qwen3|minimaxm2", ours):
        name = "fp8-block"
    if name == "nvfp4" and re.search(r"nemotron3(super|ultra)", ours):
        return format_for("nvfp4-fp8"), "8 bits beside the experts, as published"
    if name == "w4a16" and "kimik2" in ours:
        return format_for(name), "4-bit experts"
    if not chip.has(format_for(name).compute) and name in ("fp8", "fp8-block", "nvfp4"):
        # Where the chip does not multiply in a format, weights are widened (Marlin kernels).
        return format_for("w8a16" if name.startswith("fp8") else "w4a16"), f"{name} weights are widened on {chip.name}"
    return format_for(name), ""


def _named(text: str) -> str:
    for pattern, name in _PLAIN:
        found = re.search(pattern, text)
        if not found:
            continue
        if name and name != "gguf":
            return name
        text = next(filter(None, found.groups()))
        try:
            return format_for(text).name
        except UnknownName:
            bits = next(letter for letter in text if letter.isdigit())
            return {
                "2": "q2_k",
                "3": "q3_k_l",
                "4": "q4_k_m",
                "5": "q5_k_m",
                "6": "q6_k",
                "8": "q8_0",
                "1": "iq1_m",
            }.get(bits, "q4_k_m")
    try:
        return format_for(text).name
    except UnknownName:
        return ""


def cache(text: str, weights: Format, engine: str, *, submission: bool = False) -> tuple[str, str]:
    """The format of the cache that a cell means. TensorRT-LLM's 8- and 4-bit checkpoints carry an 8-bit cache, and so do those
    of a `submission` to a benchmark.

    >>> cache("fp8 (skip sliding window)", format_for("bf16"), "vllm"), cache("", format_for("fp8"), "trtllm")
    (('fp8', ''), ('fp8', 'cache fp8'))
    """
    lowered = text.strip().lower()
    for pattern, name in (
        (r"nvfp4|fp4|int4|4[- ]?bit", "fp4"),
        (r"q4_0", "q4_0"),
        (r"q8_0", "q8_0"),
        (r"int8|8[- ]?bit(?!.*float)", "int8"),
        (r"fp8|float8|e4m3|e5m2", "fp8"),
        (r"16|half", "bf16"),
        (r"32", "fp32"),
    ):
        if re.search(pattern, lowered):
            return name, ""
    narrow = weights.compute in ("fp8", "nvfp4", "fp8-block")
    name = "fp8" if narrow and (engine == "trtllm" or submission) else "bf16"
    return name, f"cache {name}"


UNDATED: Final = "an engine of today"
"""What is assumed of a row that does not say when it ran: who measures and leaves the date out has just done so."""


def year(date: str, version: str, engine: str) -> tuple[float, str]:
    """The year of an engine: of its date, else of its version, else today's.

    >>> year("2025-09", "", "vllm")[0], year("", "0.4.2", "vLLM")[0], year("", "", "vllm")
    (2025.71, 2024.25, (2026.5, 'an engine of today'))
    """
    for text in (date, version):
        found = re.search(r"(?<!\d)(20[0-4]\d)(?:[-/.](0?[1-9]|1[0-2]))?(?!\d)", text)
        if found:
            return round(int(found.group(1)) + ((int(found.group(2)) - 0.5) / 12 if found.group(2) else 0.5), 2), ""
    releases = next((table for name, table in _RELEASES.items() if name in engine.lower()), ())
    stated = re.search(r"(\d+)\.(\d+)", version)
    if stated and releases:
        wanted = (int(stated.group(1)), int(stated.group(2)))
        dated = [(_parts(release), when) for release, when in releases]
        before = [when for release, when in dated if release <= wanted]
        return (before[-1] if before else dated[0][1]), ""
    return TODAY, UNDATED


def _parts(release: str) -> tuple[int, int]:
    """Major and minor of a release."""
    major, _, minor = release.partition(".")
    return int(major), int(minor)
