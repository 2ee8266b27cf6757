"""What one step of relief would buy: a machine more, twice the memory, faster links; each planned by the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.fitting import Fitted, fit
from outlay.scenarios.lines import lines_of
from outlay.scenarios.question import Question
from outlay.scenarios.run import Run
from outlay.statement import Column, Figure, Interval, Table
from outlay.statement.line import total
from outlay.training import Coefficients

LEAST = 0.002
"""Changes of the time below this share are none."""


def relief_table(run: Run, again: Callable[[Question, Fitted], Run], coefficients: Coefficients) -> Table | None:
    """The run with a little more of each thing that it may lack, at the same price of a device-hour; None if nothing helps.

    `again` is the run of another question on the same terms.
    """
    rows = []
    for words, question in _reliefs(run.question):
        try:
            fitted = fit(question, coefficients, explain=False)
        except (InputError, DoesNotFit):
            continue
        changed = again(fitted.question, fitted)
        if changed.seconds > run.seconds * (1.0 - LEAST):
            continue
        amount, before = total(lines_of(changed)), total(lines_of(run))
        priced = run.terms.price is not None and amount is not None and before is not None
        rows.append(
            (
                words,
                Figure(Interval.of(changed.duration.likely), unit="s"),
                Figure(Interval.of(changed.seconds / run.seconds - 1.0), unit="%"),
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
