"""What one step of relief would buy: a machine more, twice the memory, faster links; each planned by the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.training.course import Course
from outlay.scenarios.training.question import Question
from outlay.statement import Column, Figure, Interval, Table
from outlay.statement.line import total

LEAST = 0.002
"""Changes of the time below this share are none."""


def relief_table(course: Course, again: Callable[[Sequence[Question]], Course]) -> Table | None:
    """The run with a little more of each thing that it may lack, at the same price of a device-hour; None if nothing helps.

    `again` is the run of other questions, one a stage, on the same terms. Stages on machines of their own stay as they are.
    """
    rows = []
    before = total(course.lines)
    for words, questions in _of_all(course):
        try:
            changed = again(questions)
        except (InputError, DoesNotFit):
            continue
        if changed.seconds > course.seconds * (1.0 - LEAST):
            continue
        amount = total(changed.lines)
        priced = all(run.terms.price is not None for run in course.runs) and amount is not None and before is not None
        rows.append(
            (
                words,
                Figure(Interval.of(changed.duration.likely), unit="s"),
                Figure(Interval.of(changed.seconds / course.seconds - 1.0), unit="%"),
                amount.likely if priced and amount is not None else None,
            )
        )
    if not rows:
        return None
    return Table(
        "What one step of relief would buy, at the same price of a device-hour",
        columns=("With", "Time", "Change", Column("Cost", unit="$")),
        rows=rows,
        key="relief",
    )


def _of_all(course: Course) -> Iterator[tuple[str, tuple[Question, ...]]]:
    """For each relief of the machines that are planned, the questions of all stages."""
    own = [bool(stage.asked.get("on")) for stage in course.stages] or [False]
    changes = [dict(_reliefs(run.question)) for run in course.runs]
    free = [change for change, stays in zip(changes, own, strict=True) if not stays]
    for words in free[0]:
        if all(words in change for change in free):
            yield (
                words,
                tuple(
                    run.question if stays else change[words]
                    for run, change, stays in zip(course.runs, changes, own, strict=True)
                ),
            )


def _reliefs(question: Question) -> Iterator[tuple[str, Question]]:
    """Questions that differ in one thing."""
    cluster, chip = question.cluster, question.accelerator
    node = int(cluster.node_size)
    if "data" not in question.fixed:
        more = question.devices + node
        yield f"{node} more" if node > 1 else "one more", question.on_count(more)
    yield (
        "twice the memory",
        replace(question, cluster=replace(cluster, accelerator=replace(chip, memory=2 * chip.memory))),
    )
    if question.devices > 1:
        link, host = 2 * cluster.link_bandwidth, 2 * cluster.host_bandwidth
        fast = replace(cluster, link_bandwidth=link, host_bandwidth=host)
        yield "links twice as fast", replace(question, cluster=fast)
    if question.devices > max(node, int(cluster.domain)):
        wide = 2 * cluster.network_bandwidth
        yield "network twice as fast", replace(question, cluster=replace(cluster, network_bandwidth=wide))
