"""Plots as SVG text: a parity plot, and spans of errors. Greys read on light and dark pages alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH = 760
_GREY, _DOT, _BAR = "#888888", "#3f6fd1", "#7d9fe6"


def parity(points: Sequence[tuple[float, float]], *, title: str, unit: str) -> str:
    """Predicted over measured on two logarithmic axes; a point is measured and predicted. Lines: equal, ±25 %."""
    left, top, side = 70.0, 40.0, 560.0
    low = math.floor(min(math.log10(value) for one in points for value in one))
    high = math.ceil(max(math.log10(value) for one in points for value in one))

    def place(value: float) -> float:
        return (math.log10(value) - low) / (high - low) * side

    def line(factor: float, dash: str) -> str:
        start, end = max(1.0, 1.0 / factor) * 10.0**low, min(1.0, 1.0 / factor) * 10.0**high
        ends = [(left + place(x), top + side - place(x * factor)) for x in (start, end)]
        (x1, y1), (x2, y2) = ends
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_GREY}"{dash}/>'

    parts = [_text(left, 22, title, size=15), _frame(left, top, side, side)]
    for power in range(low, high + 1):
        at = place(10.0**power)
        parts.append(_text(left + at, top + side + 18, f"{10.0**power:g}", anchor="middle"))
        parts.append(_text(left - 6, top + side - at + 4, f"{10.0**power:g}", anchor="end"))
    parts.append(_text(left + side / 2, top + side + 38, f"measured, {unit}", anchor="middle"))
    parts.append(_text(left, top - 6, f"predicted, {unit}"))
    parts += [line(1.0, ""), line(1.25, ' stroke-dasharray="4 4"'), line(0.8, ' stroke-dasharray="4 4"')]
    dots = [f'<circle cx="{left + place(x):.1f}" cy="{top + side - place(y):.1f}" r="2.5"/>' for x, y in points]
    parts += [f'<g fill="{_DOT}" fill-opacity="0.35">', *dots, "</g>"]
    return _svg(WIDTH, top + side + 50, parts, title)


def spans(rows: Sequence[tuple[str, int, float, float, float]], *, title: str, limit: float = 0.6) -> str:
    """A bar from low to high with a mark in the middle for each row: its name, how many, and three errors.

    Errors beyond `limit` are cut off there, and said.
    """
    left, top, side, step = 250.0, 44.0, 460.0, 22.0
    height = step * len(rows)

    def place(error: float) -> float:
        return left + (min(max(error, -limit), limit) + limit) / (2 * limit) * side

    parts = [_text(10, 22, title, size=15), _frame(left, top, side, height)]
    for tick in range(-6, 7, 2):
        error = tick / 6 * limit
        stroke = "" if tick == 0 else ' stroke-opacity="0.25"'
        parts.append(
            f'<line x1="{place(error):.1f}" y1="{top}" x2="{place(error):.1f}" y2="{top + height:.1f}" stroke="{_GREY}"{stroke}/>'
        )
        parts.append(_text(place(error), top + height + 16, f"{error:+.0%}", anchor="middle"))
    for index, (name, count, low, middle, high) in enumerate(rows):
        y = top + step * (index + 0.5)
        said = f"{name}: {count:,} runs, 10th percentile {low:+.0%}, median {middle:+.0%}, 90th percentile {high:+.0%}"
        width = max(place(high) - place(low), 1.0)
        parts.append(_text(left - 8, y + 4, f"{name} ({count:,})", anchor="end"))
        parts.append(
            f'<rect x="{place(low):.1f}" y="{y - 5:.1f}" width="{width:.1f}" height="10" fill="{_BAR}">'
            f"<title>{escape(said)}</title></rect>"
        )
        parts.append(f'<circle cx="{place(middle):.1f}" cy="{y:.1f}" r="4" fill="{_DOT}"/>')
    return _svg(WIDTH, top + height + 30, parts, title)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{_GREY}">{escape(words)}</text>'
    )


def _frame(x: float, y: float, width: float, height: float) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height:.1f}" fill="none" stroke="{_GREY}" stroke-opacity="0.5"/>'


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", *parts, "</svg>", ""])
