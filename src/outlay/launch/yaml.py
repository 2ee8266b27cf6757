"""YAML as far as launch files need it, written without a library: maps, lists, words, numbers and blocks of text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence


def dump(document: Mapping[str, object], *, indent: int = 0) -> str:
    """A mapping as YAML; strings of several lines become blocks, lists stand under their key.

    >>> print(dump({"a": {"b": 1, "c": "x: y"}, "d": True, "e": ["f", {"g": 2, "h": []}]}), end="")
    a:
      b: 1
      c: "x: y"
    d: true
    e:
    - f
    - g: 2
      h: []
    """
    return "".join(f"{line}\n" for line in _lines(document, " " * indent))


def _lines(document: Mapping[str, object], margin: str) -> Iterator[str]:
    for key, value in document.items():
        name = _scalar(key)
        if isinstance(value, Mapping) and value:
            yield f"{margin}{name}:"
            yield from _lines(value, margin + "  ")
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield f"{margin}{name}:"
            yield from _entries(value, margin)
        elif isinstance(value, str) and "\n" in value:
            yield f"{margin}{name}: |"
            yield from (f"{margin}  {line}".rstrip() for line in value.rstrip("\n").split("\n"))
        else:
            yield f"{margin}{name}: {_scalar(value)}"


def _entries(values: Sequence[object], margin: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *rest = _lines(value, margin + "  ")
            yield f"{margin}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{margin}- {_scalar(value)}"


def _scalar(value: object) -> str:
    """A word is bare where YAML cannot take it for anything else."""
    if isinstance(value, str):
        plain = (
            value.replace("_", "").replace("-", "").replace(".", "").replace("/", "").isalnum() and value[0].isalpha()
        )
        return (
            value
            if plain and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
            else json.dumps(value, ensure_ascii=False)
        )
    return json.dumps(value)
