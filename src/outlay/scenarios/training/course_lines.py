"""The lines of a run in stages: accelerators and power by stage, what is kept over the whole run, what is paid once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from outlay.scenarios.training.lines import lines_of
from outlay.scenarios.training.run import Run
from outlay.scenarios.training.stages import Stage
from outlay.statement import Figure, Interval, Line, Table

_BY_STAGE = ("accelerators", "power")
"""Top lines below which each stage has its own."""
_ONCE = ("network.data-transfer", "network.egress", "beside.people")
"""Lines of the run, not of a stage."""

Thing = TypeVar("Thing", Line, Figure, Table)


def lines_of_stages(stages: Sequence[Stage], runs: Sequence[Run], main: Run) -> tuple[Line, ...]:
    """All lines; what is said once is that of the `main` stage. Names of assumptions are those of `renamings`."""
    names = renamings(stages, runs)
    each = [
        {line.key: regrounded(line, renamed) for line in lines_of(run)}
        for run, renamed in zip(runs, names, strict=True)
    ]
    keys = dict.fromkeys(key for lines in each for key in lines)
    first = runs.index(main)
    return tuple(
        _by_stage(key, stages, each) if key in _BY_STAGE else _together(key, stages, each, first) for key in keys
    )


def renamings(stages: Sequence[Stage], runs: Sequence[Run]) -> tuple[dict[str, str], ...]:
    """For each stage, what its assumptions are called in the statement: with the stage where stages differ in them."""
    each = [_said(run) for run in runs]
    everywhere = {name for name, values in each[0].items() if all(other.get(name) == values for other in each)}
    return tuple(
        {entry.name: entry.name if entry.name in everywhere else f"{entry.name}, {stage.name}" for entry in run.assumed}
        for stage, run in zip(stages, runs, strict=True)
    )


def _said(run: Run) -> dict[str, list[tuple[str, str]]]:
    """What is assumed of each name; of some there are several."""
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in run.assumed:
        found.setdefault(entry.name, []).append((entry.value, entry.why))
    return found


def regrounded(thing: Thing, names: Mapping[str, str]) -> Thing:
    """The same line, figure or table, its assumptions under other names."""
    assumed = tuple(names.get(name, name) for name in thing.assumed)
    if isinstance(thing, Line):
        return replace(
            thing,
            assumed=assumed,
            parts=tuple(regrounded(part, names) for part in thing.parts),
            children=tuple(regrounded(child, names) for child in thing.children),
        )
    if isinstance(thing, Figure):
        return replace(thing, assumed=assumed, parts=tuple(regrounded(part, names) for part in thing.parts))
    return Table(
        thing.title,
        columns=thing.columns,
        rows=[[regrounded(cell, names) if isinstance(cell, Figure) else cell for cell in row] for row in thing.rows],
        notes=thing.notes,
        receipts=thing.receipts,
        key=thing.key,
        footer_label=thing.footer_label,
        assumed=assumed,
    )


def _by_stage(key: str, stages: Sequence[Stage], each: Sequence[Mapping[str, Line]]) -> Line:
    """One line a stage, with the stage's own below it."""
    name = next(lines[key].name for lines in each if key in lines)
    return Line(
        name,
        key=key,
        children=tuple(
            replace(_under(lines[key], f"{key}.{stage.key}"), name=stage.name)
            for stage, lines in zip(stages, each, strict=True)
            if key in lines
        ),
    )


def _under(line: Line, key: str) -> Line:
    """The same line under another key, and those below it."""
    below = tuple(_under(child, f"{key}.{child.key.rpartition('.')[2]}") for child in line.children)
    return replace(line, key=key, children=below)


def _together(key: str, stages: Sequence[Stage], each: Sequence[Mapping[str, Line]], first: int) -> Line:
    """What is kept over the stages is added up; what is paid once stays as one stage has it."""
    lines = [group[key] for group in each if key in group]
    own = each[first].get(key, lines[0])
    return replace(own, children=tuple(_added(own, lines)))


def _added(own: Line, lines: Sequence[Line]) -> Iterator[Line]:
    keys = dict.fromkeys(child.key for line in lines for child in line.children)
    mine = {child.key: child for child in own.children}
    for key in keys:
        alike = [child for line in lines for child in line.children if child.key == key]
        kept = mine.get(key, alike[0])
        quantities = [child.quantity for child in alike]
        known = [quantity for quantity in quantities if quantity is not None]
        if key in _ONCE or len(known) < len(quantities) or len(alike) == 1:
            yield kept
            continue
        assumed = tuple(dict.fromkeys(name for child in alike for name in child.assumed))
        if all(child.unit_price == kept.unit_price for child in alike):
            yield replace(kept, quantity=_sum(known), assumed=assumed)
        else:
            children = tuple(
                replace(child, name=f"{child.name}, stage {place}", key=f"{key}.stage-{place}")
                for place, child in enumerate(alike, start=1)
            )
            yield Line(kept.name, key=key, children=children)


def _sum(values: Sequence[Interval]) -> Interval:
    return sum(values[1:], values[0])
