"""The statement of a run in stages: figures of the whole with those of its stages, a table of them, what each stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from outlay import __version__
from outlay.layout import describe
from outlay.scenarios.training.course import Course
from outlay.scenarios.training.course_lines import regrounded, renamings
from outlay.scenarios.training.lines import figures_of
from outlay.scenarios.training.run import Run
from outlay.scenarios.training.sections import sections_of
from outlay.scenarios.training.statement import assumed_of, notes_of, statement_of
from outlay.statement import Assumption, Column, Figure, Interval, Line, Statement, Table

_CHAINED = "stages, one after another"
STARTS = "Each stage starts anew: start and warm-up are counted for each."


def statement_of_course(
    course: Course,
    *,
    title: str,
    notes: tuple[str, ...],
    hints: tuple[str, ...],
    inputs: Mapping[str, str | int | float],
    before: tuple[Table, ...] = (),
) -> Statement:
    """The run line by line; tables `before` its own. A run without stages is stated as it is."""
    if not course.stages:
        return statement_of(course.main, title=title, notes=notes, hints=hints, inputs=inputs, before=before)
    course = replace(course, runs=tuple(replace(run, assumed=assumed_of(run)) for run in course.runs))
    return Statement(
        title,
        lines=course.lines,
        answer=_figures(course),
        sections=(*before, *_tables(course), *_sections(course)),
        assumed=tuple(_assumed(course)),
        notes=notes,
        hints=hints,
        inputs=inputs,
        coverage=course.main.level,
        version=__version__,
    )


def course_notes(course: Course) -> tuple[str, ...]:
    """What a reader of the run should know; of one stage alone with its name."""
    if not course.stages:
        return tuple(notes_of(course.main))
    each = [tuple(notes_of(run)) for run in course.runs]
    common = [note for note in each[0] if all(note in notes for notes in each)]
    own = [
        f"Stage {stage.name}: {note}"
        for stage, notes in zip(course.stages, each, strict=True)
        for note in notes
        if note not in common
    ]
    return (*((STARTS,) if len(course.stages) > 1 else ()), *own, *common)


def _assumed(course: Course) -> Iterator[Assumption]:
    """Each once; what stages differ in, with the stage."""
    seen = set()
    for run, names in zip(course.runs, renamings(course.stages, course.runs), strict=True):
        for entry in run.assumed:
            renamed = replace(entry, name=names[entry.name])
            if (said := (renamed.name, renamed.value, renamed.why)) not in seen:
                seen.add(said)
                yield renamed


def _figures(course: Course) -> dict[str, Figure]:
    """Sums over the stages of what adds up, means over the work of what does not."""
    each = [
        {name: regrounded(figure, names) for name, figure in figures_of(run).items()}
        for run, names in zip(course.runs, renamings(course.stages, course.runs), strict=True)
    ]
    found = {name: _chained([figures[name] for figures in each], course) for name in ("seconds", "joules", "kg_co2e")}
    tokens = sum(run.steps * float(run.question.recipe.tokens) for run in course.runs)
    flop = sum(run.steps * float(run.estimate.model_flop) for run in course.runs)
    for name, whole, per in (
        ("tokens_per_second_per_device", tokens, [1.0 for _ in course.runs]),
        ("model_flop_utilisation", flop, [run.peak for run in course.runs]),
    ):
        parts = tuple(
            replace(figures[name], label=stage.name) for stage, figures in zip(course.stages, each, strict=True)
        )
        found[name] = replace(
            each[0][name],
            value=_mean(whole, course.runs, per),
            note="of all stages ÷ device-seconds of their steps",
            parts=parts,
            assumed=tuple(dict.fromkeys(word for part in parts for word in part.assumed)),
        )
    return found


def _chained(figures: Sequence[Figure], course: Course) -> Figure:
    """The sum of a figure of each stage."""
    parts = tuple(replace(figure, label=stage.name) for stage, figure in zip(course.stages, figures, strict=True))
    value = sum((figure.value for figure in figures[1:]), figures[0].value)
    assumed = tuple(dict.fromkeys(word for figure in figures for word in figure.assumed))
    return Figure(value, unit=figures[0].unit, note=_CHAINED, parts=parts, assumed=assumed)


def _mean(whole: float, runs: Sequence[Run], per: Sequence[float]) -> Interval:
    """What was done ÷ device-seconds of steps (× what one could do in them), over the ranges of the steps."""
    work = [
        run.relative * (run.useful_seconds * run.question.working * each) for run, each in zip(runs, per, strict=True)
    ]
    taken = sum(work[1:], work[0])
    if taken.low is None or taken.high is None:
        return Interval.of(whole / taken.likely)
    return Interval.between(whole / taken.high, whole / taken.likely, whole / taken.low)


def _tables(course: Course) -> Iterator[Table]:
    """What each stage takes, and how it is run."""
    rows = list(zip(course.stages, course.runs, strict=True))
    lines = {line.key: line for top in course.lines for line in top.walk()}
    yield Table(
        "Stages",
        columns=(
            "Stage",
            Column("Tokens", unit="tokens", total=True, digits=3),
            "Length",
            "Batch",
            Column("Time", unit="s", total=True),
            Column("Cost", unit="$", total=True),
            "MFU",
        ),
        rows=[
            (
                stage.name,
                run.question.tokens,
                run.question.recipe.sequence_length,
                int(run.question.recipe.global_batch),
                run.seconds,
                _cost(stage.key, lines),
                Figure(Interval.of(run.utilisation), unit="%"),
            )
            for stage, run in rows
        ],
        notes=("Length is in tokens, the batch in sequences; the cost is that of accelerators and their power.",),
        key="stages",
        footer_label="Whole run",
    )
    yield Table(
        "How each stage is run",
        columns=("Stage", *(heading for heading, _ in _ways(course)), "Layout"),
        rows=[
            (stage.name, *(cell(run) for _, cell in _ways(course)), describe(run.fitted.chosen.layout))
            for stage, run in rows
        ],
        key="how",
    )


def _ways(course: Course) -> tuple[tuple[str, Callable[[Run], str]], ...]:
    """What stages differ in, beside layouts, and the precision."""

    def machines(run: Run) -> str:
        return f"{run.question.devices:,} × {run.question.accelerator.name}".replace(" ", "\N{NO-BREAK SPACE}")

    found: tuple[tuple[str, Callable[[Run], str]], ...] = (
        ("Accelerators", machines),
        ("Precision", lambda run: run.question.recipe.precision),
        ("Optimizer", lambda run: run.question.recipe.optimizer),
    )
    return tuple(
        (name, cell) for name, cell in found if name == "Precision" or len({cell(run) for run in course.runs}) > 1
    )


def _cost(stage: str, lines: Mapping[str, Line]) -> float | None:
    found = [lines[key].amount for top in ("accelerators", "power") if (key := f"{top}.{stage}") in lines]
    known = [amount.likely for amount in found if amount is not None]
    return sum(known) if len(known) == len(found) else None


def _sections(course: Course) -> Iterator[Table]:
    """A step and the memory of each stage, and the carbon of all."""
    carbon = []
    for stage, run, names in zip(course.stages, course.runs, renamings(course.stages, course.runs), strict=True):
        for table in sections_of(run):
            renamed = regrounded(table, names)
            if table.key == "carbon":
                carbon.append(renamed)
            else:
                yield called(renamed, f"{table.title}: {stage.name}", f"{table.key}.{stage.key}")
    rows = []
    for place, row in enumerate(carbon[0].rows):
        cells = [table.rows[place][1] for table in carbon]
        figures = [cell for cell in cells if isinstance(cell, Figure)]
        value = sum((figure.value for figure in figures[1:]), figures[0].value)
        receipts = tuple(dict.fromkeys(receipt for figure in figures for receipt in figure.receipts))
        rows.append((row[0], replace(figures[0], value=value, receipts=receipts), row[2]))
    assumed = tuple(dict.fromkeys(name for table in carbon for name in table.assumed))
    yield Table("Carbon", columns=carbon[0].columns, rows=rows, assumed=assumed, key="carbon")


def called(table: Table, title: str, key: str) -> Table:
    """The same table under another title and key."""
    return Table(
        title,
        columns=table.columns,
        rows=table.rows,
        notes=table.notes,
        receipts=table.receipts,
        key=key,
        footer_label=table.footer_label,
        assumed=table.assumed,
    )
