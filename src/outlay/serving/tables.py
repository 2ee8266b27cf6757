r"""Steps from tables: what :func:`~outlay.serving.iteration.iteration` says at points of a grid, and straight lines between.

A step is projections and all else that only tokens decide, attention of prompts, attention of decoding sequences, and what
the engine takes. Each is a table of its own, by layout; x is tokens on one data-parallel device of one pipeline stage:

.. math:: t = \Delta(x_d) + R(x_d + x_p) + A_d(x_d, context) + \max(f, b + \nu\,m)(chunk, past) + e\,prompts

R are prompt tokens alone and Δ what as many decoding ones take otherwise (they have logits, latent attention absorbs them);
ν prompts on a device cost m each, b together and f at least. Straight lines in both directions are exact for a product
such as sequences × context. A host that launches kernels sets a floor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.layout import Layout
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import DEGREES, Deployment, Work
from outlay.serving.iteration import Iteration, iteration
from outlay.workload import Attention, Number

Array = npt.NDArray[np.float64]

LONGEST = 1 << 20
"""Tokens of the longest context in the tables; beyond, lines go on."""
FEW, MANY = 1.0 / 16.0, 64.0
"""Prompts on a device at which attention is measured: too few to fill it, and many."""
ROUTED = ("experts", "expert communication")
ELSEWHERE = ("prompt attention", "decode attention", "launches", "engine")


class Axis:
    """Points of a grid, multiples of the finest distance, and which two of them a number lies between."""

    __slots__ = ("_cells", "_finest", "_last", "points", "widths")

    def __init__(self, points: Any, finest: float = 1.0 / 16.0) -> None:
        # NumPy's own `unique` imports its masked arrays, which a cold answer waits for.
        whole_points = sorted({round(float(point) / finest) for point in points})
        self.points: Array = np.asarray(whole_points, dtype=float) * finest
        self.widths = np.diff(self.points)
        whole = np.arange(int(self.points[-1] / finest) + 1) * finest
        cells = np.searchsorted(self.points, whole, side="right") - 1
        self._cells = np.clip(cells, 0, len(self.points) - 2).astype(np.intp)
        self._last, self._finest = float(len(whole) - 1), 1.0 / finest

    def cell(self, x: Array) -> npt.NDArray[np.intp]:
        """The interval that x lies in; the last one for all beyond."""
        return self._cells.take(np.minimum(x * self._finest, self._last).astype(np.intp))


def token_axis(most: float) -> Axis:
    """Few tokens one by one; then both sides of the steps that tiles make, ever farther apart."""
    edges = np.concatenate([np.arange(64, 1024, 64), np.arange(1024, 4096, 128), np.arange(4096, 16384, 512)])
    edges = np.concatenate([edges, 16384 * 1.25 ** np.arange(1 + max(0, int(np.log(max(most, 1) / 16384) / 0.22) + 2))])
    edges = np.round(edges[: np.searchsorted(edges, most) + 1])
    few = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 3, 4, 6, 8, 9, 12, 16, 17, 24, 32, 33, 40, 48]
    return Axis([*few, *edges, *(edges + 1)])


def octaves(least: float, most: float, each: int) -> Array:
    """Points evenly apart in their logarithm."""
    count = int(np.ceil(np.log2(most / least) * each))
    return np.asarray(least * 2.0 ** (np.arange(count + 1) / each))


@dataclass(frozen=True, slots=True)
class Lines:
    """One table: in each interval of an axis (or two) a straight line (or a bilinear patch), for every layout."""

    parts: tuple[Array, ...]
    """Constant and slope; or constant, slope by the first axis, by the second, and by their product. Flat."""

    @staticmethod
    def along(axis: Axis, values: Array) -> Lines:
        """`values` of shape (layouts, points)."""
        slope = np.diff(values, axis=1) / axis.widths
        return Lines(((values[:, :-1] - slope * axis.points[:-1]).ravel(), slope.ravel()))

    @staticmethod
    def over(first: Axis, second: Axis, values: Array) -> Lines:
        """`values` of shape (layouts, points, points)."""
        x, y = first.points[:-1, None], second.points[None, :-1]
        wide, high = first.widths[:, None], second.widths[None, :]
        corner = values[:, :-1, :-1]
        by_x = (values[:, 1:, :-1] - corner) / wide
        by_y = (values[:, :-1, 1:] - corner) / high
        both = (values[:, 1:, 1:] - values[:, 1:, :-1] - values[:, :-1, 1:] + corner) / (wide * high)
        parts = (corner - by_x * x - by_y * y + both * x * y, by_x - both * y, by_y - both * x, both)
        return Lines(tuple(part.ravel() for part in parts))

    def line(self, cell: Any, x: Any) -> Array:
        return np.asarray(self.parts[0].take(cell) + self.parts[1].take(cell) * x)

    def patch(self, cell: Any, x: Any, y: Any) -> Array:
        constant, by_x, by_y, both = self.parts
        return np.asarray(constant.take(cell) + by_x.take(cell) * x + (by_y.take(cell) + both.take(cell) * x) * y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Every table of a deployment; `index` says which of its distinct layouts each of its layouts is."""

    index: npt.NDArray[np.intp]
    scale: Array
    """Data-parallel devices times groups in flight, by layout."""
    data: Array
    drafted: float
    tokens: Axis
    sequences: Axis
    context: Axis
    chunk: Axis
    past: Axis
    alone: Lines
    """R + Δ: decoding tokens alone, engine included."""
    difference: Lines
    """Δ."""
    prompts: Lines
    """R, without experts and their exchanges where `routed` has them."""
    routed: Lines | None
    """Experts and their exchanges of prompt tokens, which data-parallel devices share; None where nothing is shared so."""
    ends: Lines
    """What of `alone` is no layer: no kernel launched there is hidden."""
    decode_attention: Lines
    least: Lines
    """f."""
    together: Lines
    """b."""
    each: Lines
    """m."""
    fixed: float
    """Seconds of the engine in a step without decoding sequences; 0 where it overlaps with the device's."""
    each_prompt: float
    """e; 0 where the engine's time overlaps."""
    beside: tuple[float, float]
    """Seconds that an engine takes beside the device, and for each sequence and prompt: no step takes less."""
    host: Array
    """Seconds in which the host launches the kernels of all layers; 0 where that never takes longer than they do."""
    prompt_host: Array
    """The same of a step with prompts."""
    decode_watts: Lines
    prompt_watts: Lines


def tabulate(deployment: Deployment, coefficients: ServingCoefficients, *, drafted: float = 0.0) -> Tables:
    """Tables of a deployment whose layout holds numbers or arrays: about 3,000 steps for each distinct layout."""
    degrees = np.broadcast_arrays(*(np.asarray(getattr(deployment.layout, name)) for name in DEGREES))
    each_layout = list(zip(*(part.ravel().tolist() for part in degrees), strict=True))
    known = {layout: place for place, layout in enumerate(sorted(set(each_layout)))}
    distinct = np.asarray(list(known)).T
    index = np.asarray([known[layout] for layout in each_layout])
    columns = {name: distinct[row][:, None] for row, name in enumerate(DEGREES)}
    each = replace(deployment, layout=Layout(**columns))
    data = columns["data"].astype(float)
    scale = data * (1.0 if deployment.engine.sequential_layers else columns["pipeline"])
    most = float(deployment.engine.chunk_tokens + deployment.engine.most_sequences * (1.0 + drafted))
    mixers = [kind.layer.mixer for kind in deployment.architecture.kinds if isinstance(kind.layer.mixer, Attention)]
    windows = [float(mixer.window) for mixer in mixers if mixer.window is not None]
    chosen = [float(mixer.chosen + more) for mixer in mixers if mixer.chosen is not None for more in (0, 1)]
    tokens = token_axis(most)
    sequences = Axis(octaves(1 / 16, float(max(deployment.engine.most_sequences, 64)), 2))
    context = Axis([0.0, *octaves(16.0, float(LONGEST), 1), *windows], 16.0)
    few = np.arange(128, 1025, 128)
    most_chunk = max(float(deployment.engine.chunk_tokens), 1025.0)
    chunk = Axis([1.0, *few, *(few + 1), *octaves(8.0, most_chunk, 4), *chosen], 1.0)
    past = Axis([0.0, 16.0, 128.0, 1024.0, 8192.0, 65536.0, float(LONGEST), *windows, *chosen[::2]], 16.0)

    def step(**work: Any) -> Iteration:
        return iteration(each, Work(drafted=drafted, **work), coefficients)

    rows = tokens.points[None, :] * scale
    decoding = step(decoding=rows / (1.0 + drafted), context=1.0)
    prefill = step(prefill=rows, prompts=scale)
    # Launches that no work of the device hides cost the same in every step.
    unhidden = np.min(prefill.breakdown["launches"] + np.zeros_like(rows), axis=1, keepdims=True)
    rest = unhidden + _sum(decoding, decoding.breakdown.keys() - set(ELSEWHERE)) + np.zeros_like(rows)
    prompt_rest = unhidden + _sum(prefill, prefill.breakdown.keys() - set(ELSEWHERE)) + np.zeros_like(rows)
    shared = bool(deployment.architecture.is_moe and np.any(data > 1))
    routed = _sum(prefill, ROUTED) * shared + np.zeros_like(rows)
    # Beside prompts, the tokens of decoding sequences go to their experts by the way of prompts.
    way = decoding.breakdown["expert communication"] - prefill.breakdown["expert communication"]
    ends = _sum(decoding, {"head and sampling", "pipeline communication"}) + np.zeros_like(rows)
    beside = coefficients.step.fixed_of(deployment.engine)
    overlaps = deployment.engine.overlap_schedule
    fixed, each_sequence = (0.0, 0.0) if overlaps else beside
    engine = fixed + each_sequence * tokens.points[None, :] / (1.0 + drafted) + np.zeros_like(rows)
    widths = sequences.points[None, :, None] * scale[:, :, None]
    spread_out = replace(deployment, layout=Layout(**{name: part[:, :, None] for name, part in columns.items()}))
    reading = iteration(
        spread_out,
        Work(decoding=widths, context=context.points[None, None, :], drafted=drafted),
        coefficients,
    )
    grid = (len(scale), len(sequences.points), len(context.points))
    least, few, many = (
        np.broadcast_to(
            iteration(
                spread_out,
                Work(
                    prefill=chunk.points[None, :, None] * number * scale[:, :, None],
                    prompts=number * scale[:, :, None],
                    past=past.points[None, None, :],
                ),
                coefficients,
            ).breakdown["prompt attention"],
            (len(scale), len(chunk.points), len(past.points)),
        )
        for number in (FEW, MANY / 2.0, MANY)
    )
    marginal = (many - few) / (MANY / 2.0)

    def host_of(one: Iteration) -> Array:
        """Of a step with next to nothing for the device to do."""
        layers = one.seconds - _sum(one, {"head and sampling", "pipeline communication", "engine"})
        hidden = np.broadcast_to(one.breakdown["launches"], rows.shape) > unhidden
        return np.where(hidden, layers, 0.0)[:, 0]

    return Tables(
        index=index.reshape(degrees[0].shape).astype(np.intp),
        scale=scale[:, 0],
        data=data[:, 0],
        drafted=drafted,
        tokens=tokens,
        sequences=sequences,
        context=context,
        chunk=chunk,
        past=past,
        alone=Lines.along(tokens, rest + engine),
        difference=Lines.along(tokens, rest + engine - prompt_rest - way),
        prompts=Lines.along(tokens, prompt_rest - routed),
        routed=Lines.along(tokens, routed) if shared else None,
        ends=Lines.along(tokens, ends + engine),
        decode_attention=Lines.over(sequences, context, np.broadcast_to(reading.breakdown["decode attention"], grid)),
        least=Lines.over(chunk, past, least),
        together=Lines.over(chunk, past, many - MANY * marginal),
        each=Lines.over(chunk, past, marginal),
        fixed=fixed,
        each_prompt=each_sequence,
        beside=beside if overlaps else (0.0, 0.0),
        host=host_of(decoding),
        prompt_host=host_of(prefill),
        decode_watts=Lines.over(sequences, context, np.broadcast_to(reading.device_watts, grid)),
        prompt_watts=Lines.along(tokens, np.broadcast_to(prefill.device_watts, rows.shape)),
    )


def _sum(step: Iteration, names: Any) -> Number:
    return sum(step.breakdown[name] for name in sorted(names))
