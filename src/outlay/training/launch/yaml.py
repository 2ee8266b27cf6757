"""YAML: written by :mod:`outlay.launch.yaml`, read with PyYAML if it is there."""

from __future__ import annotations

from typing import Any

from outlay.errors import InputError
from outlay.launch.yaml import dump as dump
from outlay.training.launch import keys


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
