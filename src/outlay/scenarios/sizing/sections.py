"""The tables beside the best size: other sizes, other budgets, other laws; serving, repeats and experts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from outlay import catalog
from outlay.scaling import Best, Routed, at, cheapest, law, tokens_for, worth
from outlay.scaling.curve import Curve
from outlay.scaling.laws import ROUTED_TOKENS
from outlay.scenarios.sizing.question import Sizing, spread
from outlay.statement import Cell, Column, Receipt, Table
from outlay.units import format_number

SIZE, TOKENS = Column("Size", unit="×10⁹"), Column("Tokens", unit="×10⁹")
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
BUDGETS = (1 / 64, 1 / 16, 1 / 4, 1.0, 4.0, 16.0, 64.0)
_DENSE_OF = {"krajewski": "krajewski-dense"}


def sections_of(question: Sizing) -> tuple[Table, ...]:
    """The tables that the question has an answer to."""
    found = [
        _sizes(question),
        _serving(question),
        _repeats(question),
        _curve(question),
        _laws(question),
        _experts(question),
    ]
    return tuple(table for table in found if table is not None)


def budget_column(question: Sizing, name: str) -> Column:
    return Column(name, unit="FLOP" if question.dollars is None else "$")


def curve_of(question: Sizing) -> Curve | None:
    """The formula behind the answer: of a law that leaves choices, the one that was best."""
    return next((curve for curve in question.law.curves if curve.label == question.found.label), None)


def with_all(question: Sizing, curve: Curve, parameters: float) -> Best | None:
    """Another size, trained on all that the budget leaves beside its serving; None if it leaves nothing."""
    each = float(curve.flop_per_token(parameters))
    tokens = question.flop / each - question.serving_price * question.tokens_served / 3.0
    return at(curve, parameters, tokens, tokens_served=question.tokens_served) if tokens >= 1.0 else None


def for_the_same(question: Sizing, curve: Curve, parameters: float) -> float | None:
    """FLOP in which another size reaches the loss of the best one, serving at its price; None if it never does."""
    if question.found.loss is None:
        return None
    tokens = float(tokens_for(curve, np.array([parameters]), question.found.loss)[0])
    if not np.isfinite(tokens):
        return None
    return float(curve.flop_per_token(parameters)) * (tokens + question.serving_price * question.tokens_served / 3.0)


def _sizes(question: Sizing) -> Table | None:
    curve = curve_of(question)
    if curve is None or isinstance(curve, Routed):
        return None
    rows: list[tuple[Cell, ...]] = []
    for factor in FACTORS:
        size = question.found.parameters * factor
        there = with_all(question, curve, size)
        same = for_the_same(question, curve, size) if factor != 1.0 else question.flop
        rows.append(
            (
                f"× {format_number(factor)}",
                size / 1e9,
                None if there is None else there.tokens / 1e9,
                None if there is None else there.ratio,
                None if there is None else there.loss,
                None if same is None else question.priced(same),
            )
        )
    return Table(
        "Other sizes for the same budget",
        columns=(
            "Best",
            SIZE,
            TOKENS,
            Column("Each", digits=2),
            Column("Loss", digits=4),
            budget_column(question, "Same loss for"),
        ),
        rows=rows,
        notes=(
            "Size: parameters; each: tokens of an active one. Same loss for: what this size needs to be as good as the best.",
        ),
        receipts=(question.law_receipt,),
        key="sizes",
    )


def _serving(question: Sizing) -> Table | None:
    """What weighing the demand changes: as good a model, chosen for training alone."""
    if not question.tokens_served or question.found.loss is None:
        return None
    plain = cheapest_plain(question)
    if plain is None:
        return None
    rows = []
    for name, entry in (("this one", question.found), ("cheapest to train", plain)):
        serving = entry.serving_flop * question.serving_price
        rows.append(
            (
                name,
                entry.parameters / 1e9,
                entry.tokens / 1e9,
                question.priced(entry.training_flop),
                question.priced(serving),
                question.priced(entry.training_flop + serving),
            )
        )
    return Table(
        "Weighing what is served: two models of the same loss",
        columns=(
            "Model",
            SIZE,
            TOKENS,
            budget_column(question, "Training"),
            budget_column(question, "Serving"),
            budget_column(question, "Both"),
        ),
        rows=rows,
        receipts=(question.law_receipt,),
        key="serving-and-training",
        assumed=_names(question, "serving utilisation"),
    )


def cheapest_plain(question: Sizing) -> Best | None:
    """The model of the same loss that is cheapest to train, and what it then costs to serve."""
    curve = curve_of(question)
    if curve is None or question.found.loss is None or isinstance(curve, Routed):
        return None
    plain = cheapest(curve, question.found.loss)
    return None if plain is None else at(curve, plain.parameters, plain.tokens, tokens_served=question.tokens_served)


def _repeats(question: Sizing) -> Table | None:
    if question.unique_tokens is None:
        return None
    facts = catalog.law("muennighoff")
    decay, unique = facts.constants["token_decay"], question.unique_tokens
    curve = curve_of(question)
    assert curve is not None
    rows: list[tuple[Cell, ...]] = []
    said = question.found.tokens / unique
    epochs = sorted({1.0, 2.0, 4.0, 8.0, 16.0, 40.0, float(f"{said:.4g}")})
    for times in epochs:
        tokens = times * unique
        parameters = question.found.parameters
        loss = float(curve.loss(parameters, tokens))
        rows.append((times, tokens / 1e9, float(worth(tokens, unique, decay)) / 1e9, loss))
    return Table(
        f"Repeating the data, at {format_number(question.found.parameters / 1e9)} B parameters",
        columns=(
            Column("Epochs"),
            Column("Tokens seen", unit="×10⁹"),
            Column("Worth, fresh", unit="×10⁹"),
            Column("Loss", digits=4),
        ),
        rows=rows,
        notes=(f"The best model sees the data {format_number(said)} times.",),
        receipts=(question.law_receipt, facts.receipt),
        key="repeats",
        assumed=_names(question, "decay of repeats"),
    )


def _curve(question: Sizing) -> Table:
    ranged = question.fitted is not None or len(question.others(question.flop)) > 1
    rows: list[tuple[Cell, ...]] = []
    for factor in BUDGETS:
        flop = question.flop * factor
        found = question.best(flop)
        if found is None:
            continue
        row = (question.priced(flop), found.parameters / 1e9, found.tokens / 1e9, found.loss)
        loss = spread(question, flop).get("loss") if ranged else None
        rows.append((*row, *(() if not ranged else (None, None) if loss is None else (loss.low, loss.high))))
    note = "Nats a token."
    if ranged:
        note = f"Nats a token; low and high over the {'laws' if question.fitted is None else 'resamples'}."
    if question.dollars is not None:
        note += " The utilisation is that of the budget asked for."
    return Table(
        "Loss against cost",
        columns=(
            budget_column(question, "Budget"),
            SIZE,
            TOKENS,
            Column("Loss", digits=4),
            *((Column("Low", digits=4), Column("High", digits=4)) if ranged else ()),
        ),
        rows=rows,
        notes=(note,),
        receipts=(question.law_receipt,),
        key="curve",
        assumed=_names(question, "law", "utilisation"),
    )


def _laws(question: Sizing) -> Table | None:
    if question.fitted is not None or len(question.panel) < 2:
        return None
    rows: list[tuple[Cell, ...]] = []
    receipts: list[Receipt] = []
    for entry, found in question.others(question.flop):
        assert entry.facts is not None
        beyond = len(entry.beyond(found))
        rows.append(
            (
                entry.name,
                found.parameters / 1e9,
                found.tokens / 1e9,
                found.ratio,
                found.loss,
                "beyond" if beyond else "within",
            )
        )
        receipts.append(entry.facts.receipt)
    return Table(
        "Laws side by side",
        columns=(
            "Law",
            SIZE,
            TOKENS,
            Column("Each", digits=2),
            Column("Loss", digits=4),
            "Its runs",
        ),
        rows=rows,
        notes=("Each law's loss is on its own text, so sizes compare and losses only roughly.",),
        receipts=receipts,
        key="laws",
    )


def _experts(question: Sizing) -> Table | None:
    """Mixtures for the same FLOP, each against the dense models of its own law."""
    facts = question.law.facts
    if facts is None or facts.domain != "language" or question.is_mixture or question.unique_tokens is not None:
        return None
    optimised, beyond = _optimised(question)
    rows = [*optimised, *_routed(question)]
    names = dict.fromkeys(str(row[0]) for row in rows)
    return Table(
        "Mixtures of experts for the same budget",
        columns=(
            "Law",
            "Experts",
            Column("In all", unit="×10⁹"),
            Column("Active", unit="×10⁹"),
            TOKENS,
            Column("Worth", digits=2, unit="×"),
        ),
        rows=rows,
        notes=(
            "Worth: FLOP that dense models of the same law need for that loss, over the budget; for clark, the size of the "
            "dense model that is as good after 130 B tokens, over the active one. Memory for all experts is not counted.",
            *beyond,
            *_beyond_routed(question),
        ),
        receipts=tuple(catalog.law(name).receipt for name in names),
        key="experts",
    )


def _optimised(question: Sizing) -> tuple[list[tuple[Cell, ...]], list[str]]:
    """The best of the laws that divide a budget, and how far they were never tried."""
    rows: list[tuple[Cell, ...]] = []
    notes: list[str] = []
    for name in ("krajewski", "abnar"):
        mixture = law(name)
        found = question.best(question.flop, by=mixture)
        if found is None or found.loss is None:
            continue
        dense = law(_DENSE_OF[name]).curves[0] if name in _DENSE_OF else mixture.curves[0]
        same = cheapest(dense, found.loss, tokens_served=question.tokens_served, serving_price=question.serving_price)
        gain = None
        if same is not None:
            gain = (same.training_flop + question.serving_price * same.serving_flop) / question.flop
        rows.append(
            (name, found.label, found.parameters / 1e9, found.active_parameters / 1e9, found.tokens / 1e9, gain)
        )
        if beyond := mixture.beyond(found):
            notes.append(f"Beyond the runs of {name}: {', '.join(beyond)}.")
    return rows, notes


def _routed(question: Sizing) -> Iterator[tuple[Cell, ...]]:
    """Routed models on the best dense size as their base."""
    base = question.found.active_parameters
    for curve in law("clark-rl").curves:
        assert isinstance(curve, Routed)
        if curve.experts in (8.0, 64.0):
            yield ("clark-rl", curve.label, None, base / 1e9, ROUTED_TOKENS / 1e9, curve.dense_equal(base) / base)


def _beyond_routed(question: Sizing) -> Iterator[str]:
    span = catalog.law("clark-rl").parameters
    times = 0.0 if span is None else question.found.active_parameters / span[1]
    if times > 1.0:
        yield f"Beyond the runs of clark-rl: {format_number(times, digits=2)} × the largest base."


def _names(question: Sizing, *names: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in question.assumed if entry.name in names)
