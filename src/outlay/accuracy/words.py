"""The words of a record, read as our names: precision, optimizer, framework, year, sharding, recomputation.

Records come from many hands. A word that no table lists is answered with the nearest thing that is known, and the
second half of every answer here says what was taken for granted (empty where nothing was). A number format decides too
much for that: one of a width that nothing multiplies in is refused.
"""

from __future__ import annotations

import re
from typing import Final

from outlay.errors import InputError

PRECISIONS: Final = ("fp32", "tf32", "amp", "fp16", "bf16", "fp8", "fp8-block", "mxfp8", "nvfp4")
OPTIMIZERS: Final = ("adam", "adam-8bit", "adam-bf16", "adafactor", "lion", "muon", "lamb", "momentum")

_PRECISION_PATTERNS: Final = (
    (r"fp[-_ ]?4(?!\d)|e2m1|(?<!\d)4[- ]?bit", "nvfp4"),
    (r"mx_?-?fp8(?!\d)|fp8[-_ ]?mx|mx[-_ ]?8(?!\d)|mx[-_ ]?fp6(?!\d)", "mxfp8"),
    (r"((fp|float)8(?!\d)|e4m3).*(block|sub)|1x128|(block|sub).*fp8(?!\d)", "fp8-block"),
    (r"(fp|float|int)[-_ ]?8(?!\d)|e4m3|e5m2|(?<!\d)8[- ]?bit|w8a8", "fp8"),
    (r"tf[-_ ]?32(?!\d)|tensorfloat", "tf32"),
    (r"bf[-_ ]?16(?!\d)|bfloat(16)?(?!\d)|brain", "bf16"),
    (r"\bamp\b|autocast|mixed|\bo[12]\b", "amp"),
    (r"(?<!\d)16(?!\d)|half", "fp16"),
    (r"(?<!\d)(32|64)(?!\d)|^float$|single|double|full", "fp32"),
)
_WIDTHS: Final = {4: "nvfp4", 5: "fp8", 6: "fp8", 7: "fp8", 8: "fp8", 19: "bf16", 24: "bf16", 128: "fp32"}
"""Bits of formats that somebody multiplies in, in words that no pattern reads, → the next format of ours."""
_DEFAULTS: Final = frozenset({"default", "auto", "usual", "standard"})

_OPTIMIZER_PATTERNS: Final = (
    (r"8[- ]?bit|int8", "adam-8bit"),
    (r"adafactor|\bcame\b|galore|\bsm3\b", "adafactor"),
    (r"(bf16|bfloat16|16-bit) (moment|state)", "adam-bf16"),
    (r"adam", "adam"),
    (r"lion", "lion"),
    (r"muon|shampoo|\bsoap\b|dion|scion|psgd", "muon"),
    (r"lamb", "lamb"),
    (r"sgd|lars|momentum|nesterov|rmsprop|adagrad", "momentum"),
)


_RECOMPUTE_PATTERNS: Final = (
    (r"^(none|no|off|0|false|never)\b", "none"),
    (r"full|all|^(1|true|yes|on)$", "full"),
    (r"select|core|attn|partial", "selective"),
)


def _match(text: str, patterns: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for pattern, name in patterns if re.search(pattern, text.lower())), None)


def precision(
    text: str, *, year: float, fastest: str, submission: bool = False, tensor_float: bool = False
) -> tuple[str, str]:
    """Number format of the matrix products.

    `fastest` is the narrowest format that the chip multiplies in: `nvfp4`, `fp8`, `bf16`, `fp16` or `fp32`. `submission`
    says that the run was entered in a benchmark, where an unlogged format is mostly the narrowest one in use that year, and
    `tensor_float` that the software multiplies fp32 matrices in tf32 unless told otherwise.

    >>> precision("BF16-mixed", year=2024, fastest="fp8")
    ('bf16', '')
    >>> precision("posit8", year=2024, fastest="fp8")
    ('fp8', 'precision `posit8` taken as fp8')

    Raises `InputError` for a word that names no format, and for a width that none has.
    """
    if text.strip().lower() in ("", *_DEFAULTS):
        name = "bf16" if fastest in ("nvfp4", "fp8") else fastest
        if submission and fastest in ("nvfp4", "fp8"):
            name = "nvfp4" if fastest == "nvfp4" and year >= 2026 else "fp8"
        return name, f"precision {name}"
    name = _match(text.strip(), _PRECISION_PATTERNS) or ""
    if name == "fp32" and tensor_float:
        return "tf32", f"precision `{text}` is tf32 by default there"
    if name:
        return name, ""
    width = re.search(r"[0-9]{1,4}", text)
    name = _WIDTHS.get(int(width.group()), "") if width else ""
    if not name:
        raise InputError(
            f"precision `{text[:40]}` is no number format that outlay knows",
            expected=", ".join(PRECISIONS),
            hint="write one of these, or leave the cell empty",
        )
    if name == "bf16" and fastest in ("fp16", "fp32"):
        name = fastest
    return name, f"precision `{text}` taken as {name}"


def optimizer(text: str, *, fine_tuning: bool = False, encoder: bool = False) -> tuple[str, str]:
    """The optimizer whose states and update come nearest.

    >>> optimizer("adam (fp32 master)"), optimizer("sophia")
    (('adam', ''), ('adam', 'optimizer `sophia` taken as adam'))
    """
    if not text:
        name = "lamb" if encoder and not fine_tuning else "adam"
        return name, f"optimizer {name}"
    # Where a cell names a choice ("decoupled_lionw/adamw"), the states are bounded by the one that keeps more.
    name = _match(text, _OPTIMIZER_PATTERNS) or ""
    return (name, "") if name else ("adam", f"optimizer `{text}` taken as adam")


def year(date: str, software: str, *, chip: int) -> tuple[float, str]:
    """Year of the software: of the date (of a range, the middle), else of a `24.07`-like version, else a year after the chip's.

    >>> year("2023-2024", "Composer", chip=2022), year("v25.02", "NeMo", chip=2022), year("", "x", chip=2020)
    ((2023, ''), (2025.12, ''), (2021, 'software of 2021'))
    """
    for text in (date, software):
        full = [int(found) for found in re.findall(r"(?<!\d)(20[0-4]\d)(?!\d)", text)]
        if full:
            return (min(full) + max(full)) // 2, ""
        short = re.search(r"(?<![\d.])(1[6-9]|2\d|3\d)\.(0[1-9]|1[0-2])(?!\d)", text)
        if short:
            return round(2000 + int(short.group(1)) + (int(short.group(2)) - 0.5) / 12, 2), ""
    return chip + 1, f"software of {chip + 1}"


def zero_stage(text: str, *, usual: int) -> tuple[int, str]:
    """ZeRO stage: what the cell says, else `usual`, what the framework does unless told otherwise.

    >>> zero_stage("fsdp", usual=0), zero_stage("", usual=1)
    ((3, ''), (1, 'zero_stage 1'))
    """
    lowered = text.lower().strip()
    if not lowered:
        return usual, f"zero_stage {usual}"
    found = re.search(r"(?<!\d)[0-3](?!\d)", lowered)
    if re.search(r"fsdp|full|hsdp", lowered):
        return 3, ""
    if found:
        return int(found.group()), ""
    if re.search(r"ddp|none|off|^no", lowered):
        return 0, ""
    return usual, f"zero_stage `{text}` taken as {usual}"


def recompute(text: str) -> tuple[str | None, str]:
    """`none`, `selective` or `full`; None where nothing is stated.

    >>> recompute("full (every layer)"), recompute(""), recompute("some")
    (('full', ''), (None, ''), ('selective', 'activation_recompute `some` taken as selective'))
    """
    lowered = text.lower().strip()
    if not lowered:
        return None, ""
    for pattern, name in _RECOMPUTE_PATTERNS:
        if re.search(pattern, lowered):
            return name, ""
    return "selective", f"activation_recompute `{text}` taken as selective"
