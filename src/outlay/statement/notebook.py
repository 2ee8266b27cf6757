"""The hook by which statements show themselves in a notebook; `render` fills it, so statements know no renderer."""

from __future__ import annotations

from collections.abc import Callable

_renderers: list[Callable[[object], str]] = []


def show_html_with(renderer: Callable[[object], str]) -> None:
    """From now on, notebooks show statements, tables and explanations by `renderer`."""
    _renderers[:] = [renderer]


def html(thing: object) -> str | None:
    """`thing` in HTML; None (the notebook then shows its `repr`) while no renderer is known."""
    return _renderers[0](thing) if _renderers else None
