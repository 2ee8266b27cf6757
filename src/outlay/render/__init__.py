"""Statements, tables and explanations as text, JSON, CSV, Markdown or HTML; this package knows nothing else."""

from __future__ import annotations

from typing import TypeAlias

from outlay.errors import UnknownName
from outlay.statement import Statement, Table, Tree, show_html_with, to_json

Renderable: TypeAlias = Statement | Table | Tree

FORMATS = ("text", "json", "csv", "md", "html")
NARROWEST = 40


def render(thing: Renderable, format: str = "text", *, width: int = 80, color: bool = False) -> str:
    """`thing` in one of `FORMATS`, ending in a newline.

    `width` (columns, at least 40) and `color` concern text alone: no line is wider, and without its colours a coloured
    text is the plain one.

    >>> print(render(Table("Peaks", columns=["Chip", "TFLOP/s"], rows=[("h100-sxm", 989)])), end="")
    Peaks
    <BLANKLINE>
     Chip      TFLOP/s
     h100-sxm      989

    :raises UnknownName: for another format.
    """
    if format == "json":
        return to_json(thing) + "\n"
    if format == "text":
        from outlay.render.text import text

        return text(thing, width=max(width, NARROWEST), color=color)
    if format == "csv":
        from outlay.render.delimited import delimited

        return delimited(thing)
    if format == "md":
        from outlay.render.markdown import markdown

        return markdown(thing)
    if format == "html":
        from outlay.render.html import page

        return page(thing)
    raise UnknownName("format", format, FORMATS, listing="outlay report --help")


def _notebook(thing: object) -> str:
    from outlay.render.html import fragment

    assert isinstance(thing, Statement | Table | Tree)
    return fragment(thing)


show_html_with(_notebook)

__all__ = ["FORMATS", "NARROWEST", "Renderable", "render"]
