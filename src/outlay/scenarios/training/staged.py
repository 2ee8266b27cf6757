"""What a training in stages costs, on machines that are named for all of it or for a stage."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.named import read_model
from outlay.scenarios.terms import Terms, agree, price_notes
from outlay.scenarios.training.course import Course, course_of, fit_all, questions_of, seller_for
from outlay.scenarios.training.course_statement import course_notes, statement_of_course
from outlay.scenarios.training.question import Question, ask
from outlay.scenarios.training.run import Run
from outlay.scenarios.training.stages import Stage
from outlay.scenarios.training.statement import run_of
from outlay.statement import Statement
from outlay.statement.line import total
from outlay.training import Coefficients
from outlay.units import format_money, format_quantity

RECIPE = (
    *("layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute", "framework"),
    *("gpus_per_node", "interconnect"),
)
TERMS = (
    *("provider", "tier", "price", "discount", "grid", "pue", "electricity", "data", "checkpoints", "lost_work"),
    *("hardware", "life", "use", "egress", "exploration", "people"),
)
LEAST = 0.005
"""Changes of cost below this share are said to be none."""


def cost_stages(
    stages: tuple[Stage, ...],
    asked: Mapping[str, Any],
    *,
    coefficients: Coefficients,
    level: float,
    notes: tuple[str, ...],
    today: datetime.date,
    path: str,
) -> Statement:
    """The statement of :func:`~outlay.scenarios.training.cost.cost_training` for a run in `stages`; `path` is their file.

    :raises InputError: for anything that cannot be read, or that nobody sells.
    :raises DoesNotFit: if a stage has no layout that fits in memory.
    """
    questions = _questions(stages, asked)

    machines = {stage.asked.get("on") for stage in stages}

    def terms(question: Question) -> Terms:
        said = {name: asked.get(name) for name in TERMS}
        if len(machines) > 1 and said["price"] is None:
            said["provider"], said["tier"] = seller_for(
                question.accelerator.name, said["provider"], said["tier"] or "on-demand"
            )
        return agree(question, **said)

    def run(question: Question, fitted: Any, agreed: Terms) -> Run:
        return run_of(question, fitted, agreed, coefficients, level)

    course = course_of(stages, fit_all(stages, questions, coefficients), terms, run)

    def changed(count: int) -> Course:
        others = [each.on_count(count) for each in questions]
        return course_of(stages, fit_all(stages, others, coefficients), terms, run)

    prices = dict.fromkeys(note for part in course.runs for note in price_notes(part.terms, today))
    return statement_of_course(
        course,
        title=title_of(course, path),
        notes=(*prices, *course_notes(course), *notes),
        hints=tuple(_hints(course, changed, asked)),
        inputs=inputs_of(asked),
    )


def _questions(stages: tuple[Stage, ...], asked: Mapping[str, Any]) -> tuple[Question, ...]:
    model, _ = read_model(asked["model"])  # a model that cannot be read is the fault of no stage

    def one(said: Mapping[str, Any], tokens: int | None) -> Question:
        recipe = {name: said.get(name) for name in RECIPE}
        return ask(asked["model"], tokens=tokens or 0, on=said["on"], **recipe)

    assert model.depth
    return questions_of(stages, asked, one)


def title_of(course: Course, path: str) -> str:
    """What is trained, in how many stages, and on what."""
    tokens = format_quantity(sum(run.question.tokens for run in course.runs), "tokens")
    count = len(course.stages)
    stages = "1 stage" if count == 1 else f"{count} stages"
    machines = list(dict.fromkeys(f"{run.question.devices:,} × {run.question.accelerator.name}" for run in course.runs))
    return (
        f"Training {course.main.question.architecture.name} on {tokens} in {stages} ({path}) with {', '.join(machines)}"
    )


def _hints(course: Course, changed: Callable[[int], Course], asked: Mapping[str, Any]) -> Iterator[str]:
    """Half and twice the accelerators, where all stages use the same; and what would complete the statement."""
    run = course.main
    devices = {each.question.devices for each in course.runs}
    if len(devices) == 1 and not any("data" in each.question.fixed for each in course.runs):
        said = []
        count = devices.pop()
        for other in (count // 2, count * 2):
            if other < 1 or (count % 2 and other < count):
                continue
            try:
                said.append(f"{other:,} {against(changed(other), course)}")
            except (InputError, DoesNotFit):
                continue
        if said:
            yield f"of the same accelerators, {'; '.join(said)}"
    if run.terms.price is None:
        yield "`--price 2.10` gives the accelerators a price of yours (dollars of a device-hour)"
    if asked.get("data") is None and not run.terms.owned:
        yield "`--data 4TB` fills the missing line"


def against(changed: Course, before: Course) -> str:
    """`cost $3,100 less and take 4 days more`."""
    words = ""
    then, now = total(changed.lines), total(before.lines)
    if changed.priced and before.priced and then is not None and now is not None:
        difference = then.likely - now.likely
        words = f"cost {format_money(abs(difference))} {'less' if difference < 0 else 'more'} and "
        if abs(difference) < LEAST * abs(now.likely):
            words = "cost the same and "
    longer = changed.seconds - before.seconds
    if abs(longer) < LEAST * before.seconds:
        return f"{words}take as long"
    return f"{words}take {format_quantity(abs(longer), 's', digits=2)} {'less' if longer < 0 else 'more'}"
