"""The magnitudes that whole serving steps show: where each stands before a fit, how far it may go, which rows it touches."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from outlay.accuracy.records import Record
from outlay.accuracy.serving.resolve import Question
from outlay.serving.awq import awq_runs
from outlay.serving.coefficients import StepCoefficients
from outlay.serving.ggml import backend_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured number, and the question that its row's configuration asks."""

    record: Record
    question: Question
    metric: str
    measured: float
    sign: float
    """1 for a time, −1 for a rate: ln(predicted / measured) as that of a time."""

    @property
    def source(self) -> str:
        return self.record.source

    @property
    def generation(self) -> str:
        return self.question.deployment.cluster.accelerator.generation

    @property
    def family(self) -> str:
        return self.question.deployment.engine.family

    @property
    def backend(self) -> str:
        """Of llama.cpp; empty for other engines."""
        one = self.question.deployment
        return backend_of(one.cluster.accelerator, one.engine.name) if one.engine.kernels == "ggml" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude:
    """One fitted number: its place in the coefficients, its prior, and how far (in its logarithm) it is free to go."""

    path: tuple[str, ...]
    prior: float
    spread: float
    affects: Callable[[Row], bool] = lambda _: True
    own: bool = True
    """It belongs to a group of rows, and without any of them it is not known."""

    @property
    def name(self) -> str:
        return "/".join(self.path)


def magnitudes(rows: Sequence[Row], start: StepCoefficients) -> list[Magnitude]:
    """What the rows can tell: host, kernels by generation, engines by family, llama.cpp's kernels by backend."""
    hosts = sorted({host for row in rows if not row.backend for host in _hosts(row)})
    found = [
        *(
            Magnitude(path=("launch", host), prior=prior, spread=0.7, affects=partial(_launched_by, host))
            for host, prior in (
                ("eager", 8e-6),
                ("compiled", 3e-6),
                ("graph", 1e-6),
                ("pieces", 2e-4),
                ("experts", 1e-3),
            )
            if host in hosts
        ),
        Magnitude(path=("attention_slowdown", "other"), prior=1.0, spread=0.2, affects=_known, own=False),
        Magnitude(path=("prompt_slowdown",), prior=1.1, spread=0.2, affects=_known, own=False),
        Magnitude(path=("request_gap",), prior=4e-3, spread=0.7, affects=_in_step, own=False),
    ]
    for family in sorted({row.family for row in rows if not row.backend}):

        def of(row: Row, family: str = family) -> bool:
            return row.family == family

        fixed = start.step_fixed.get(family, start.step_fixed["other"])
        each = start.step_sequence.get(family, start.step_sequence["other"])
        found += (
            Magnitude(path=("step_fixed", name), prior=fixed, spread=1.0, affects=partial(_scheduled_by, name))
            for name in _schedulers(family, rows)
        )
        if each > 0:
            found.append(Magnitude(path=("step_sequence", family), prior=each, spread=1.0, affects=of))
        spread = TABLED if any(of(row) and _known(row) for row in rows) else 0.12
        found.append(Magnitude(path=("family", family), prior=1.0, spread=spread, affects=of))
    found += list(_awq(rows, start))
    for family in ("llamacpp-server", "llamacpp-webui"):

        def served(row: Row, family: str = family) -> bool:
            return row.family == family

        if any(map(served, rows)):
            prior = start.step_fixed[family]
            found.append(Magnitude(path=("step_fixed", family), prior=prior, spread=0.7, affects=served))
    for family in ("exllama", "transformers"):

        def widens(row: Row, family: str = family) -> bool:
            return row.family == family and row.question.deployment.widened

        if any(widens(row) for row in rows):
            found.append(Magnitude(path=("widening", family), prior=2.5, spread=0.5, affects=widens))
    for family in sorted({row.family for row in rows if _fronted(row)}):

        def fronted(row: Row, family: str = family) -> bool:
            return row.family == family and _fronted(row)

        found.append(Magnitude(path=("front_end", family), prior=0.02, spread=1.3, affects=fronted))
    found.append(Magnitude(path=("front_request",), prior=start.front_request, spread=0.7, affects=_fronted, own=False))
    found.append(Magnitude(path=("front_token",), prior=start.front_token, spread=0.7, affects=_fronted, own=False))
    for generation in sorted({row.generation for row in rows if not row.backend}):

        def at(row: Row, generation: str = generation) -> bool:
            return not row.backend and row.generation == generation

        if not any(_known(row) for row in rows if at(row)):
            # No kernels were measured: what an engine reaches of the data sheet, and attention apart from it.
            found.append(Magnitude(path=("projections", generation), prior=1.05, spread=0.25, affects=at))
            found.append(Magnitude(path=("attention_slowdown", generation), prior=1.0, spread=0.6, affects=at))
            for family in sorted({row.family for row in rows if at(row)}):

                def both(row: Row, family: str = family, generation: str = generation) -> bool:
                    return row.family == family and row.generation == generation

                found.append(Magnitude(path=("family", f"{family}/{generation}"), prior=1.0, spread=0.6, affects=both))
    for backend in sorted({row.backend for row in rows} - {""}):
        found += list(_ggml(backend, start))
    return found


TABLED = 0.05
"""How far a family of engines is free to go that runs the kernels of the tables."""


def _known(row: Row) -> bool:
    """Kernels were measured on the row's chip or on its relatives."""
    return not row.backend and row.question.deployment.cluster.accelerator.vendor == "nvidia"


def _in_step(row: Row) -> bool:
    """The row's requests are sent in rounds that may stay together."""
    return row.question.protocol == "client" and not row.question.random_lengths and not row.question.scattered


def _launched_by(host: str, row: Row) -> bool:
    return host in _hosts(row)


def _schedulers(family: str, rows: Sequence[Row]) -> list[str]:
    """Who schedules steps in the engines of a family: told apart where some wait for a step to end, and some do not."""
    found = sorted({row.question.deployment.engine.scheduler for row in rows if row.family == family})
    return found if len(found) > 1 else [family]


def _scheduled_by(name: str, row: Row) -> bool:
    return name in (row.family, row.question.deployment.engine.scheduler)


def _hosts(row: Row) -> frozenset[str]:
    """Who launches kernels in the steps of a row; of a processor, whose kernels end in barriers, nobody that others have."""
    one = row.question.deployment
    if one.cluster.accelerator.category == "cpu":
        return frozenset()
    if one.eager:
        return frozenset({"eager"})
    experts = {"experts"} if one.engine.prompt_host == "eager" and one.architecture.is_moe else set[str]()
    return frozenset({one.engine.host, one.engine.prompt_host, *experts})


def _fronted(row: Row) -> bool:
    """Whether clients stood behind a front end."""
    return row.question.protocol == "client" and row.question.deployment.engine.front_end


LOOPS = frozenset({"other", "llamacpp", "llamacpp-server", "llamacpp-webui", "autoawq"})
"""Families without a scheduler of many requests, which tell nothing of other engines' time between steps."""


def _awq(rows: Sequence[Row], start: StepCoefficients) -> Iterable[Magnitude]:
    """AutoAWQ's kernels, and the first call of a process."""

    def runs(row: Row) -> bool:
        return awq_runs(row.question.deployment)

    def cold(row: Row) -> bool:
        return row.question.cold

    if any(map(runs, rows)):
        for path, value in _leaves(("awq",), start.awq):
            yield Magnitude(path=path, prior=value, spread=0.15 if "bandwidth_share" in path else 0.5, affects=runs)
    if any(map(cold, rows)):
        yield Magnitude(path=("first_call",), prior=start.first_call, spread=0.7, affects=cold)


def _leaves(path: tuple[str, ...], values: Mapping[str, Any]) -> Iterable[tuple[tuple[str, ...], float]]:
    """Numbers of nested tables, by their paths."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves((*path, name), value)
        else:
            yield (*path, name), float(value)


_SPREADS = {"bandwidth_share": 0.1, "library": 0.15, "prompt_seconds": 1.0}
"""How far fields of a backend may go: tables tell how fast a library is, and nothing how long many small kernels take."""
_GUESSED, _HOPS = 1.0, 3.0
"""The same where a backend begins as any other: of its kernels not even the order of magnitude is known, and less of its copies
from device to device, which go over the host and wait for it."""


def _ggml(backend: str, start: StepCoefficients) -> Iterable[Magnitude]:
    fields = start.ggml.get(backend, start.ggml["other"])

    def runs(row: Row) -> bool:
        return row.backend == backend

    for name, value in fields.items():
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        for part, number in parts:
            path = ("ggml", backend, name, part) if part else ("ggml", backend, name)
            guessed = _HOPS if name == "hop_seconds" else _GUESSED
            spread = _SPREADS.get(name, 0.5 if backend in start.ggml else guessed)
            if isinstance(number, int | float) and number > 0:
                yield Magnitude(path=path, prior=float(number), spread=spread, affects=runs)


def assembled(start: StepCoefficients, chosen: Sequence[Magnitude], point: Sequence[float] | Any) -> StepCoefficients:
    """Coefficients with every magnitude at its place; what a group has no rows for takes the mean of the groups."""
    tree: dict[str, Any] = {name: copy.deepcopy(getattr(start, name)) for name in StepCoefficients.__dataclass_fields__}
    for group in ("family", "projections"):
        tree[group] = {name: value for name, value in tree[group].items() if name == "other"}
    for magnitude, at in zip(chosen, point, strict=True):
        *path, last = magnitude.path
        place = tree
        for step in path:
            if step not in place and path[0] == "ggml":
                place[step] = copy.deepcopy(place["other"])
            place = place.setdefault(step, {})
        place[last] = math.exp(float(at))
    for group in ("front_end", "step_fixed", "step_sequence", "projections"):
        values = [value for name, value in tree[group].items() if name not in LOOPS]
        if values:
            tree[group]["other"] = math.exp(math.fsum(map(math.log, values)) / len(values))
    return start.replace(**tree)
