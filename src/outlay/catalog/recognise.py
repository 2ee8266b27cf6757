"""What a record means by the name of an accelerator: any sensible spelling → the chip, and what was assumed.

On the command line a name must be one of ours; a measured record was written by somebody else, so here words decide:
the longest name of ours whose words all stand in the text, in order, then the memory and the form that it states.
"""

from __future__ import annotations

import re
from dataclasses import replace

from outlay.catalog import rows
from outlay.catalog.devices import LISTING, Accelerator, build, families, index, spelled
from outlay.errors import UnknownName
from outlay.statement import Receipt

_NOISE = frozenset(
    word
    for line in (
        "nvidia amd intel google cloud aws amazon apple huawei habana tesla geforce instinct radeon",
        "accelerator accelerators gpu gpus tensor core cores neuron graphics card chip chips corporation inc",
        "the of with on x tm r hbm hbm2 hbm2e hbm3 hbm3e gddr6 gddr6x gddr7 oam hgx dgx module devkit",
        "developer kit generation edition workstation",
    )
    for word in line.split()
)
_GLUED = (
    (re.compile(r"\((r|tm|c)\)"), " "),
    (re.compile(r"[^a-z0-9.+]+"), " "),
    (re.compile(r"(?<!mi )\b\d+ ?x(?!tx?\b) ?(?=[a-z])"), " "),
    (re.compile(r"\b(rtx|gtx|rx|tpu|gaudi|max|arc|mi)(?=\d{3,4})"), r"\1 "),
    (re.compile(r"\b(tpu)(?=v\d)"), r"\1 "),
    (re.compile(r"(?<=\d)(sxm\d?|pcie|nvl|oam)\b"), r" \1"),
    (re.compile(r"\b(sxm|pcie|oam)\d?(?=\d{2,3} ?g)"), r"\1 "),
    (re.compile(r"(?<=\d)(ti|super|xt|xtx)\b"), r" \1"),
    (re.compile(r"\b(m[1-9])(max|ultra|pro)\b"), r"\1 \2"),
    (re.compile(r"\b(\d+(?:\.\d+)?) (gb|gib|g|w)\b"), r"\1\2"),
    (re.compile(r"\b(trainium|inferentia|gaudi) (?=\d\b)"), r"\1"),
    (re.compile(r"\b(trn|inf)(\d)n?\b.*"), r"\1\2"),
    (re.compile(r"\bmi (?=\d{2,3}[ax]?\b)"), "mi"),
    (re.compile(r"\btpu (\d)([a-z]?)\b"), r"tpu v\1\2"),
    (re.compile(r"\btpu v(\d) ([ep])\b"), r"tpu v\1\2"),
    (re.compile(r"\bsxm\d\b"), "sxm"),
)
_MEMORY = re.compile(r"^(\d+(?:\.\d+)?)(?:gb|gib|g)$")
_CORES = re.compile(r"^(\d+)c$")
_UNIFIED = frozenset({"apple", "cpu", "edge"})


def resolve_accelerator(text: str) -> tuple[Accelerator, str | None]:
    """The accelerator that a record means, and a sentence on what was assumed (None: the name says it all).

    Where a record leaves memory or form open, the likeliest part is taken: SXM before PCIe, 80 GB before 40. A stated
    memory that no part of ours has replaces the memory of the nearest. Raises :class:`UnknownName` for anything else.

    >>> chip, assumed = resolve_accelerator("NVIDIA A100-SXM4-40GB")
    >>> chip.name, assumed
    ('a100-sxm-40gb', None)
    >>> chip, assumed = resolve_accelerator("8x Tesla V100")
    >>> chip.name, assumed
    ('v100-sxm-32gb', '`8x Tesla V100` taken as v100-sxm-32gb (could be v100-sxm-16gb, v100-pcie-32gb, v100-pcie-16gb)')
    """
    return _resolve(text)


@rows.cached
def _resolve(text: str) -> tuple[Accelerator, str | None]:
    known, words = index(), _words(text)
    stated = next((float(match[1]) for word in words if (match := _MEMORY.match(word))), None)
    for key in (spelled(text), "-".join(word for word in words if word not in _NOISE)):
        if key in known:
            chip = build(known[key])
            return _first(text, (chip.name,), stated if chip.category in _UNIFIED else None)
        if key in families():
            return _first(text, families()[key], None)
    plain = tuple(word for word in words if word not in _NOISE and not _MEMORY.match(word))
    candidates = _matching(plain) or _matching(words)
    if not candidates:
        raise UnknownName("accelerator", text, [*known, *families()], listing=LISTING)
    named = set(known.get("-".join(plain), "").split()) or set(families().get("-".join(plain), ()))
    if stated is None and named:  # exactly a name of ours: parts that only share its words are not meant
        candidates = tuple(name for name in candidates if name in named) or candidates
    return _first(text, candidates, stated)


def _words(text: str) -> tuple[str, ...]:
    text = text.lower().replace("_", " ")
    for pattern, by in _GLUED:
        text = pattern.sub(by, text)
    return tuple(text.split())


@rows.cached
def _spellings() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Words of every name, alias and family without memory → the chips they may mean, longest first."""
    meanings: dict[tuple[str, ...], dict[str, None]] = {}
    for name, members in [*families().items(), *((k, (v,)) for k, v in index().items())]:
        full = _words(name)
        bare = tuple(word for word in full if word not in _NOISE and not _MEMORY.match(word))
        for words in (full, bare) if full != bare else (full,):
            if words and not (len(words) == 1 and (len(words[0]) < 2 or (words[0].isdigit() and len(words[0]) < 4))):
                meanings.setdefault(words, {}).update(dict.fromkeys(members))
    return tuple(
        (words, tuple(names))
        for words, names in sorted(meanings.items(), key=lambda item: (-len(item[0]), -len("".join(item[0]))))
    )


def _matching(words: tuple[str, ...]) -> tuple[str, ...]:
    """The chips whose longest spelling stands in `words`, as neighbours if any does, else in order."""
    text = f" {' '.join(words)} "
    for spelling, members in _spellings():
        if f" {' '.join(spelling)} " in text:
            return members
    for spelling, members in _spellings():
        rest = iter(words)
        if len(spelling) > 1 and all(word in rest for word in spelling):
            return members
    return ()


def _first(text: str, candidates: tuple[str, ...], stated: float | None) -> tuple[Accelerator, str | None]:
    """The likeliest of the candidates, by stated memory and then in the order of the table."""
    chips = [build(name) for name in candidates]
    if stated is not None:
        fitting = [chip for chip in chips if _close(chip, stated)]
        if not fitting:
            nearest = min(chips, key=lambda chip: abs(chip.memory - stated * 2**30))
            said = Receipt(stated * 2**30, unit="B", source=f"the record: {text}", date="", basis="yours")
            chip = replace(nearest, memory=stated * 2.0**30, receipts={**nearest.receipts, "memory": said})
            return chip, f"`{text}` taken as {nearest.name} with the {stated:g} GB that the record states"
        chips = fitting
    if len(chips) == 1:
        return chips[0], None
    others = ", ".join(chip.name for chip in chips[1:5])
    return chips[0], f"`{text}` taken as {chips[0].name} (could be {others})"


def _close(chip: Accelerator, stated: float) -> bool:
    """Whether a stated size is this chip's: sizes are printed in GB or GiB, before or after what the system keeps."""
    named = any(_MEMORY.match(word) and float(word.rstrip("gib")) == stated for word in _words(chip.name))
    tolerance = 0.02 if chip.category in _UNIFIED else 0.09
    return named or abs(chip.memory / (stated * 2**30) - 1) < tolerance
