"""What a change would do, computed by the same model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.lines import lines_of
from outlay.scenarios.training.run import Run
from outlay.statement.line import total
from outlay.training import Coefficients
from outlay.units import format_money, format_quantity

LEAST = 0.005
"""Changes of cost below this share are said to be none."""


def hints_of(run: Run, coefficients: Coefficients, *, data_said: bool) -> tuple[str, ...]:
    """Half and twice the accelerators, and what would complete the statement."""
    return (*_counts(run, coefficients), *_missing(run, data_said=data_said))


def _counts(run: Run, coefficients: Coefficients) -> Iterator[str]:
    question = run.question
    if "data" in question.fixed or (question.devices == 1 and question.accelerator.category == "apple"):
        return
    said = []
    for count in (question.devices // 2, question.devices * 2):
        if count < 1 or (question.devices % 2 and count < question.devices):
            continue
        try:
            other = question.on_count(count)
            fitted = fit(other, coefficients, explain=False)
            changed = replace(run, question=fitted.question, fitted=fitted)
        except (InputError, DoesNotFit):
            continue
        said.append(f"{count:,} {_cost(run, changed)}take {_time(run, changed)}")
    if said:
        yield f"of the same accelerators, {'; '.join(said)}"


def _cost(run: Run, changed: Run) -> str:
    """What it costs more or less; nothing where the accelerators have no price, since the rest says little of the whole."""
    before, after = (total(lines_of(side)) for side in (run, changed))
    if run.terms.price is None or before is None or after is None:
        return ""
    difference = after.likely - before.likely
    if abs(difference) < LEAST * abs(before.likely):
        return "cost the same and "
    return f"cost {format_money(abs(difference))} {'less' if difference < 0 else 'more'} and "


def _time(run: Run, changed: Run) -> str:
    difference = changed.seconds - run.seconds
    if abs(difference) < LEAST * run.seconds:
        return "as long"
    return f"{format_quantity(abs(difference), 's', digits=2)} {'less' if difference < 0 else 'more'}"


def _missing(run: Run, *, data_said: bool) -> Iterator[str]:
    if run.terms.price is None:
        yield "`--price 2.10` gives the accelerators a price of yours (dollars of a device-hour)"
    if not data_said and not run.terms.owned:
        yield "`--data 4TB` fills the missing line"
