"""Which model of this catalog a name at a host means: hosts write the same weights in a dozen ways.

What a host adds about its service (`turbo`, `versatile`, `fp8`) is taken off; what changes weights (`guard`, `distill`, a
tuner's name) stays, so that such a model is another one.
"""

from __future__ import annotations

import re

from outlay.catalog import rows
from outlay.catalog.published import models, squeeze

_MAKERS = r"(meta|mistral|mistralai|qwen|google|openai|deepseek|microsoft|nvidia|moonshotai|zai)"
_SERVICE = (
    r"(instruct|chat|it|hf|turbo|versatile|instant|lite|reference|fast|tput|base|"
    r"fp8|bf16|fp16|fp4|nvfp4|mxfp4|awq|int4|int8)"
)
_FORMATS = ("fp8", "bf16", "fp16", "nvfp4", "mxfp4", "fp4", "awq", "int4", "int8")


_LATER = re.compile(r"^(deepseek-v3-0324|deepseek-r1-0528|kimi-k2(-instruct)?-0905)")
"""Releases of the same shape as a model of the catalog, trained on: other weights."""


def weights_of(name: str) -> str | None:
    """The model of this catalog whose weights a host serves under `name`; None for any other model.

    >>> weights_of("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"), weights_of("llama-v3p3-70b-instruct")
    ('llama-3.1-8b', 'llama-3.3-70b')
    >>> weights_of("nvidia/llama-3.1-nemotron-70b-instruct"), weights_of("llama-guard-3-8b")
    (None, None)
    >>> weights_of("mistral.mistral-7b-instruct-v0:2"), weights_of("mistral-7b"), weights_of("deepseek/deepseek-r1-turbo")
    (None, 'mistral-7b', 'deepseek-r1')
    >>> weights_of("llama3-8b-8192"), weights_of("llama3-groq-8b-8192-tool-use-preview")
    ('llama-3-8b', None)
    >>> weights_of("deepseek/deepseek_v3"), weights_of("llama-3_1-8b-instruct")
    ('deepseek-v3', 'llama-3.1-8b')
    """
    known = _names()
    for form in _plain(name):
        plain = "" if _LATER.match(form) else form
        while plain:
            if (found := known.get(squeeze(plain))) is not None:
                return found
            shorter = re.sub(rf"[-_:.]{_SERVICE}$", "", plain)
            plain = "" if shorter == plain else shorter
    return None


def format_said(name: str) -> str:
    """The number format that a host's name for a model tells; "" where it tells none.

    >>> format_said("@cf/meta/llama-3.3-70b-instruct-fp8-fast"), format_said("llama-3.1-8b-instant")
    ('fp8', '')
    """
    parts = re.split(r"[-_:./ ]", name.lower())
    return next((part for part in _FORMATS if part in parts), "")


def _plain(name: str) -> tuple[str, ...]:
    """A host's name without its path and the host's own version behind it: as it is, and without the maker before it."""
    text = name.strip().lower().rpartition("/")[2]
    text = re.sub(r"(?<=\d)_(?=\d)", ".", text).replace("_", "-")
    text = re.sub(r"(-v1)?:\d+$|-\d+:\d+$|:(free|batch|extended|nitro|floor)$", "", text)  # Bedrock's, OpenRouter's
    text = re.sub(r"^databricks-", "", text)
    text = re.sub(r"-(8192|32768|128k|4k|8k)$", "", text)
    return tuple(_numbered(form) for form in (text, re.sub(rf"^{_MAKERS}[-.]", "", text)))


def _numbered(text: str) -> str:
    """Version numbers as their makers write them: llama-v3p1-8b, llama3-1-8b and llama3.1-8b are one."""
    text = re.sub(r"-v(\d+)p(\d+)-", r"-\1.\2-", text)
    return re.sub(r"^(llama|qwen)-?(\d)[-.](\d)-", r"\1-\2.\3-", text)


@rows.cached
def _names() -> dict[str, str]:
    """Every spelling of the catalog's own models → its name."""
    found: dict[str, str] = {}
    for entry in models():
        for alias in (*entry.aliases, *(alias.rpartition("/")[2] for alias in entry.aliases), entry.name):
            found[squeeze(alias)] = entry.name
    return found | {squeeze(entry.name): entry.name for entry in models()}
