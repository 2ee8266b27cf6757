"""YAML: written without a library (maps, lists, words and numbers are all that is needed), read with PyYAML if it is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from outlay.errors import InputError
from outlay.training.launch import keys


def dump(document: Mapping[str, object], *, indent: int = 0) -> str:
    """A mapping as YAML; strings of several lines become blocks.

    >>> print(dump({"a": {"b": 1, "c": "x: y"}, "d": True}), end="")
    a:
      b: 1
      c: "x: y"
    d: true
    """
    return "".join(f"{line}\n" for line in _lines(document, " " * indent))


def _lines(document: Mapping[str, object], margin: str) -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield f"{margin}{key}:"
            yield from _lines(value, margin + "  ")
        elif isinstance(value, str) and "\n" in value:
            yield f"{margin}{key}: |"
            yield from (f"{margin}  {line}".rstrip() for line in value.rstrip("\n").split("\n"))
        else:
            yield f"{margin}{key}: {_scalar(value)}"


def _scalar(value: object) -> str:
    """A word is bare where YAML cannot take it for anything else."""
    if isinstance(value, str):
        plain = value.replace("_", "").replace("-", "").replace(".", "").isalnum() and value[0].isalpha()
        return (
            value
            if plain and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
            else json.dumps(value)
        )
    return json.dumps(value)


def load(text: str, *, source: str, what: str) -> dict[str, Any]:
    """The mapping in a YAML text.

    :raises InputError: if PyYAML is missing, or the text is no YAML or no mapping.
    """
    try:
        import yaml
    except ImportError:
        raise InputError(
            f"reading `{source}` needs PyYAML, which is not installed",
            hint="`pip install 'outlay[launch]'`, or convert the file to JSON",
        ) from None

    class Once(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML is optional, and has no types
        """A loader that lets no key stand in a mapping twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            names = [(str(key.value), None) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            keys.once([name for name in names if name[0] != "<<"], source=source)
            return dict(super().construct_mapping(node, deep=deep))

    try:
        document = yaml.load(text, Loader=Once)
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"`{source}` is not YAML: {reason}", expected=what, hint="correct it, or name another file"
        ) from error
    if not isinstance(document, dict):
        raise InputError(f"`{source}` holds no mapping", expected=what, hint="name another file")
    return {str(key): value for key, value in document.items()}
