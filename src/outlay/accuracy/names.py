"""Which known models a free-text name may mean.

A name is read as words and numbers, without case, separators, owner and remarks: "Llama 3.1 405B", `LLAMA3.1_405B` and
`meta-llama/Llama-3.1-405B-Instruct` are one. Where none is equal, a name that begins with the other may be meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

_REMARKS = frozenset(
    "instruct chat base it hf sft dpo pretrain pretrained pretraining uncased cased model lm mlperf causal preview proxy "
    "truncated release finetune finetuning squad meta nvidia google pretty".split()
)
_TRUNCATED = re.compile(r"[-_ ](l|layers)[-_ ]?\d{1,3}$|[-_ ]\d{1,3}[-_ ]?(l|layers)$")
_TOKEN = re.compile(r"\d+(?:\.\d+)?[bmt](?![a-z])|\d+(?:\.\d+)?|[a-z]+")
_SIZE = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)([bmt])")


@cache
def tokens(name: str) -> tuple[str, ...]:
    """Words and numbers of a name; neighbouring words are one, a size keeps its unit.

    >>> tokens("meta-llama/Llama-3.1-70B-Instruct"), tokens("Llama 2 7 B")
    (('llama', '3.1', '70b'), ('llama', '2', '7b'))
    >>> tokens("DeepSeekV3 (w/o MTP)"), tokens("llama3-70b-L12"), tokens("tiny-llama")
    (('deepseekv', '3'), ('llama', '3', '70b'), ('tinyllama',))
    """
    text = re.sub(r"\(.*?\)|\[.*?\]", " ", name.lower()).strip().rsplit("/", 1)[-1].strip()
    text = re.sub(r"[-_ ]v0\.\d+", "", _TRUNCATED.sub("", text))
    text = re.sub(r"(\d)[ _-]([bmt])\b", r"\1\2", text)
    parts = [part for part in _TOKEN.findall(text) if part not in _REMARKS]
    merged: list[str] = []
    for part in parts:
        if merged and part.isalpha() and merged[-1].isalpha():
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def candidates(name: str, known: Iterable[str]) -> list[str]:
    """Known models that `name` may mean, the likeliest first.

    >>> candidates("LLAMA3_70B", ["llama-3-8b", "llama-3-70b"]), candidates("gpt-3.6B", ["gpt-3"])
    (['llama-3-70b'], [])
    >>> candidates("grok1-314b", ["grok-1"]), candidates("llama3", ["llama-3-70b", "llama-3-8b"])
    (['grok-1'], ['llama-3-8b', 'llama-3-70b'])
    """
    wanted = tokens(name)
    if not wanted or sum(map(len, wanted)) < 3:
        return []
    ranked: list[tuple[int, float, str]] = []
    for entry in known:
        form = tokens(entry)
        short, long = sorted((wanted, form), key=len)
        if form == wanted:
            ranked.append((0, 0, entry))
        elif short and long[: len(short)] == short and sum(map(len, short)) >= 4:
            ranked.append((1, -len(short) + len(long) / 100, entry))
    return [entry for _, _, entry in sorted(ranked, key=lambda rank: (rank[0], rank[1], len(rank[2]), rank[2]))]


def parameters_in(name: str) -> float | None:
    """Parameters that a name states, such as the `7B` of "Llama 2 7 B"; None where it states none.

    >>> parameters_in("llama-13b"), parameters_in("mpt-125m"), parameters_in("qwen3-30b-a3b"), parameters_in("grok")
    (13000000000.0, 125000000.0, 30000000000.0, None)
    """
    text = re.sub(r"(\d)[ _-]([bmt])\b", r"\1\2", name.lower())
    found = re.search(r"(?<![\d.])" + _SIZE.pattern + r"(?![a-z0-9])", text)
    if not found:
        return None
    times = int(found.group(1) or 1)
    return times * float(found.group(2)) * {"m": 1e6, "b": 1e9, "t": 1e12}[found.group(3)]
