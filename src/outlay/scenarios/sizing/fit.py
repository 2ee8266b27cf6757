"""A law of the user's own, as tables: its constants with their intervals, and where it puts the best size."""

from __future__ import annotations

from pathlib import Path

from outlay import __version__
from outlay.scaling import Fit, Losses, exponent
from outlay.scaling.fit import CONSTANTS, DELTA
from outlay.statement import Assumption, Cell, Column, Figure, Interval, Receipt, Statement, Table
from outlay.training.ranges import percent
from outlay.units import format_number, format_quantity

_MEANINGS = {
    "E": "loss that nothing removes",
    "A": "of size: A ÷ N^alpha",
    "B": "of data: B ÷ D^beta",
    "alpha": "fall with parameters",
    "beta": "fall with tokens",
    "exponent": "best size ∝ FLOP to this",
}
_BUDGETS = (1.0, 10.0, 100.0)


def constants_of(fitted: Fit, level: float, receipt: Receipt) -> Table:
    """The constants and the exponent of the best size; intervals are those of resampled runs."""
    values = {name: float(getattr(fitted.curve, name)) for name in CONSTANTS} | {"exponent": exponent(fitted.curve)}
    rows: list[tuple[Cell, ...]] = []
    for name, value in values.items():
        low, high = fitted.interval(name, level)
        rows.append((name, value, low, high, fitted.standard_error(name), _MEANINGS[name]))
    runs = fitted.runs
    return Table(
        "Your law: loss = E + A ÷ N^alpha + B ÷ D^beta",
        columns=(
            "Constant",
            Column("Value", digits=4),
            Column("Low", digits=4),
            Column("High", digits=4),
            Column("Error", digits=2),
            "Meaning",
        ),
        rows=rows,
        notes=(
            f"{percent(level)} of {len(fitted.samples)} resamples of the runs lie between low and high; the error is one "
            "standard deviation of them.",
            f"Runs: {_extent(runs)}. The law misses their losses by {fitted.error:.2%} (median), {fitted.worst:.1%} at worst.",
            *_left_out(runs),
        ),
        receipts=(receipt,),
        key="constants",
        assumed=("fit",),
    )


def how_fitted() -> Assumption:
    """What the fit stands on."""
    return Assumption(
        "fit",
        value=f"Huber's loss of log losses, δ = {DELTA:g}, from 4,500 starts",
        why="as Chinchilla's (arXiv:2203.15556 §D.2), run to the end; intervals by bootstrap (arXiv:2404.10102)",
    )


def _extent(runs: Losses) -> str:
    low, high = (format_quantity(float(edge), "parameters") for edge in (runs.parameters.min(), runs.parameters.max()))
    least, most = (format_quantity(float(edge), "tokens") for edge in (runs.tokens.min(), runs.tokens.max()))
    return f"{len(runs):,}, of {low} to {high}, on {least} to {most}"


def _left_out(runs: Losses) -> tuple[str, ...]:
    return (f"{runs.left_out:,} rows say in `left_out` why they are not used.",) if runs.left_out else ()


def law_statement(
    fitted: Fit, *, level: float, path: str | Path, receipt: Receipt, notes: tuple[str, ...]
) -> Statement:
    """The law alone, where no budget is asked: constants, and what it makes of budgets about the largest run's."""
    curve, runs = fitted.curve, fitted.runs
    largest = float((6.0 * runs.parameters * runs.tokens).max())
    rows = []
    for factor in _BUDGETS:
        parameters, tokens = (float(value) for value in curve.optimum(largest * factor))
        rows.append(
            (
                largest * factor,
                parameters / 1e9,
                tokens / 1e9,
                tokens / parameters,
                float(curve.loss(parameters, tokens)),
            )
        )
    optimum = Table(
        "Compute-optimal by your law",
        columns=(
            Column("Budget", unit="FLOP"),
            Column("Size", unit="×10⁹"),
            Column("Tokens", unit="×10⁹"),
            Column("Each", digits=2),
            Column("Loss", digits=4),
        ),
        rows=rows,
        notes=("From the FLOP of your largest run, 6 × parameters × tokens, to a hundred times that.",),
        receipts=(receipt,),
        key="optimum",
        assumed=("fit",),
    )
    low, high = fitted.interval("exponent", level)
    grows = exponent(curve)
    value = Interval.between(min(low, grows), grows, max(high, grows))
    return Statement(
        f"A law from {len(runs):,} runs: loss = {format_number(curve.E)} + {format_number(curve.A)} ÷ N^"
        f"{format_number(curve.alpha)} + {format_number(curve.B)} ÷ D^{format_number(curve.beta)}",
        answer={
            "size_exponent": Figure(
                value,
                unit="",
                label="the best size grows with the FLOP to the power",
                note="beta ÷ (alpha + beta)",
                basis="yours",
                receipts=(receipt,),
                assumed=("fit",),
            )
        },
        sections=(constants_of(fitted, level, receipt), optimum),
        assumed=(how_fitted(),),
        notes=notes,
        hints=(f"with a budget, the law answers: `outlay size --fit {path} --flop {largest * 10:.0e}`",),
        inputs={"fit": str(path)},
        coverage=level,
        version=__version__,
    )
