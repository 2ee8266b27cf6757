"""A clock for one instance: seconds and watts of single steps as plain numbers, from the tables, a microsecond or two each.

The simulator asks hundreds of thousands of times for steps of whole sequences and tokens. What depends on the number of
decoding sequences alone is worked out once for each number and kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.speculation import Speculation
from outlay.serving.steps import DraftedSteps, Mixture, TabledSteps, timed
from outlay.serving.tables import Axis, Lines, Tables

Piece = tuple[int, int]
"""Prompt tokens of one sequence in a step, and its tokens in the cache before."""


class Timer:
    """Steps of one instance with one layout.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> timer = Timer(Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1)), load_serving())
    >>> base, slope = timer.decoding(8, 1000.0)
    >>> bool(5e-3 < base + 1000 * slope < 1.2 * timer.step(8, 1000.0, [(16, 0)]))
    True
    """

    __slots__ = (
        "_beside",
        "_chunk",
        "_data",
        "_draft",
        "_each",
        "_kept",
        "_least",
        "_past",
        "_prompts",
        "_routed",
        "_scale",
        "_steps",
        "_together",
        "_tokens",
        "_watts",
        "_whole",
        "drafted",
    )  # fmt: skip

    def __init__(
        self, deployment: Deployment, coefficients: ServingCoefficients, *, speculation: Speculation | None = None
    ) -> None:
        whole = timed(deployment, coefficients, speculation, tabled=True)
        steps = whole.verifying if isinstance(whole, DraftedSteps) else whole
        assert isinstance(steps, TabledSteps)
        drafted = 0.0 if speculation is None else float(speculation.drafted)
        draft = None if speculation is None else speculation.draft
        self._whole = whole
        self._draft = None if draft is None else Timer(draft, coefficients)
        tables: Tables = steps.tables
        if tables.index.size != 1:
            raise ValueError("a timer is for one layout, not for an array of them")
        self._steps, self.drafted = steps, drafted
        self._scale, self._data = float(tables.scale[0]), float(tables.data[0])
        self._tokens = _Line(tables.tokens, tables.prompts)
        self._routed = None if tables.routed is None else _Line(tables.tokens, tables.routed)
        self._watts = _Line(tables.tokens, tables.prompt_watts)
        self._chunk, self._past = tables.chunk.points[1:-1].tolist(), tables.past.points[1:-1].tolist()
        width = len(tables.past.widths)
        self._least, self._together, self._each = (
            _patches(lines, width) for lines in (tables.least, tables.together, tables.each)
        )
        self._prompts = tables.each_prompt
        self._beside = tables.beside
        self._kept: dict[tuple[int, int], _Decoding] = {}

    def decoding(self, sequences: int, context: float) -> tuple[float, float]:
        """Seconds of a step of `sequences` that decode alone, as base and slope: base + slope · mean context."""
        about = self._about(sequences, context)
        return (about.least, 0.0) if context < about.bend else (about.base, about.slope)

    def decoding_watts(self, sequences: int, context: float) -> float:
        """Of one device."""
        return self._about(sequences, context).watts

    def step(self, sequences: int, context: float, pieces: Sequence[Piece]) -> float:
        """Seconds of a step that computes pieces of prompts while `sequences` decode."""
        return self.step_and_watts(sequences, context, pieces)[0]

    def step_and_watts(self, sequences: int, context: float, pieces: Sequence[Piece]) -> tuple[float, float]:
        """The same, with the watts of one device."""
        about = self._about(sequences, context)
        # The fullest of the data-parallel devices decides, as if all were as full.
        count = max(float(len(pieces)), self._data)
        share = count / len(pieces) / self._scale
        prefill = sum(tokens for tokens, _ in pieces) * share
        both = prefill + sequences * (1.0 + self.drafted) / self._scale
        least = together = each = 0.0
        for tokens, past in pieces:
            row, column = bisect_right(self._chunk, tokens), bisect_right(self._past, past)
            least = max(least, _patch(self._least[row][column], tokens, past))
            together = max(together, _patch(self._together[row][column], tokens, past))
            each += _patch(self._each[row][column], tokens, past)
        reading = about.reading + about.reading_slope * context
        total = about.difference + self._tokens(both) + reading + self._prompts * count / self._scale
        if self._routed is not None:
            total += self._routed(both - prefill * (1.0 - len(pieces) / count))
        fixed, each_beside = self._beside
        beside = fixed + each_beside * (sequences + count) / self._scale
        total = max(total + max(least, together + each * share), about.floor, beside)
        if self._draft is not None:
            total += self._draft.step(0, 0.0, pieces)
        busy = reading / total
        return total, busy * about.watts + (1.0 - busy) * self._watts(both)

    def _about(self, sequences: int, context: float) -> _Decoding:
        """What is known of so many sequences, in the octave of the context."""
        place = max(int(context).bit_length(), 5)
        found = self._kept.get((sequences, place))
        if found is None:
            found = self._kept[sequences, place] = self._worked_out(sequences, float(1 << (place - 1)))
        return found

    def _worked_out(self, sequences: int, context: float) -> _Decoding:
        tables, steps = self._steps.tables, self._steps
        if sequences == 0:
            idle = tables.fixed
            return _Decoding(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, idle, 0.0, float(tables.prompt_host[0]) + idle)
        some, ends = np.array([float(sequences)]), np.array([context, 2.0 * context])
        seconds = np.asarray(self._whole.seconds(Mixture(decoding=some, context=ends)), dtype=float)
        reading = steps.reading(some / self._scale, ends)
        drafting = seconds - np.asarray(steps.seconds(Mixture(decoding=some, context=ends)), dtype=float)
        reading = reading + drafting
        slope, reading_slope = (float(part[1] - part[0]) / context for part in (seconds, reading))
        least, bend = float(seconds[0]), 0.0
        if slope < (1.0 - 1e-6) * reading_slope:  # the host takes longer at first, the device from some context on
            bend = 2.0 * context - float(seconds[1] - seconds[0]) / reading_slope
            slope = reading_slope
        tokens = some * (1.0 + self.drafted) / self._scale
        row = tables.tokens.cell(tokens)
        host = float(tables.prompt_host[0])
        floor = host + float(tables.ends.line(row, tokens)[0]) if host else 0.0
        return _Decoding(
            float(seconds[1]) - slope * 2.0 * context,
            slope,
            least,
            bend,
            float(reading[0]) - reading_slope * context,
            reading_slope,
            float(tables.difference.line(row, tokens)[0]),
            float(np.mean(self._whole.watts(Mixture(decoding=some, context=ends)))),
            floor,
        )


class _Decoding(NamedTuple):
    """A number of decoding sequences in an octave of contexts."""

    base: float
    slope: float
    least: float
    """Seconds up to a context of `bend`, while the host launches the step."""
    bend: float
    reading: float
    """Attention at no context, along the octave's line, and drafting."""
    reading_slope: float
    difference: float
    """Δ of :mod:`~outlay.serving.tables`."""
    watts: float
    floor: float
    """Seconds in which the host launches the step with prompts."""


class _Line:
    """One row of a table along an axis."""

    __slots__ = ("_constants", "_points", "_slopes")

    def __init__(self, axis: Axis, lines: Lines) -> None:
        self._points = axis.points[1:-1].tolist()
        self._constants, self._slopes = (part.tolist() for part in lines.parts)

    def __call__(self, x: float) -> float:
        cell = bisect_right(self._points, x)
        return float(self._constants[cell] + self._slopes[cell] * x)


def _patches(lines: Lines, width: int) -> list[list[tuple[float, ...]]]:
    """A table over two axes as rows of cells."""
    cells = list(zip(*(part.tolist() for part in lines.parts), strict=True))
    return [cells[start : start + width] for start in range(0, len(cells), width)]


def _patch(cell: tuple[float, ...], x: float, y: float) -> float:
    constant, by_x, by_y, both = cell
    return constant + by_x * x + (by_y + both * x) * y
