"""Parts make wholes; what has no price makes a total an *at least*; every figure is found and explained."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from tests.statement.samples import LISTED, SHEET, sample, statements

from outlay.errors import AmbiguousName, UnknownName
from outlay.statement import (
    Assumption,
    Column,
    Figure,
    Interval,
    Line,
    Receipt,
    Statement,
    Table,
    citations,
    cite,
    diff,
    explain,
)


@given(statements)
@settings(max_examples=30, deadline=None)
def test_the_total_is_the_sum_of_the_leaves(statement: Statement) -> None:
    leaves = [leaf for line in statement.lines for leaf in line.leaves()]
    priced = [leaf.quantity.likely * leaf.unit_price.likely for leaf in leaves if leaf.quantity and leaf.unit_price]
    total = statement.total
    assert total.at_least == (len(priced) < len(leaves))
    if total.amount is None:
        assert not priced
    else:
        assert total.amount.likely == pytest.approx(math.fsum(priced), rel=1e-12, abs=1e-12 * sum(map(abs, priced)))


@given(statements)
@settings(max_examples=30, deadline=None)
def test_every_parent_is_the_sum_of_its_children(statement: Statement) -> None:
    for line in statement.walk():
        if line.children:
            amounts = [child.amount.likely for child in line.children if child.amount is not None]
            assert (line.amount is None) == (not amounts)
            assert line.amount is None or line.amount.likely == math.fsum(amounts)


def test_the_sample_by_hand() -> None:
    total = sample().total
    assert total.at_least
    assert total.amount is not None
    assert total.amount.likely == pytest.approx((33_830 + 1692) * 2.69 + 1.12 * 23)
    assert total.amount.low is None
    assert not sample(transfer_price=0.0).total.at_least


def test_a_line_is_a_leaf_or_a_parent() -> None:
    leaf = Line("a", key="a", quantity=Interval.exact(1), unit_price=Interval.exact(2))
    with pytest.raises(ValueError, match="children"):
        Line("b", key="b", quantity=Interval.exact(1), children=(leaf,))
    with pytest.raises(ValueError, match="key"):
        Line("b", key="B and c")
    with pytest.raises(ValueError, match="more than one"):
        Statement("s", lines=(leaf, leaf))
    with pytest.raises(ValueError, match="dollars"):
        Statement("s", answer={"dollars": Figure(Interval.exact(1), unit="$")})
    with pytest.raises(FrozenInstanceError):
        leaf.name = "c"  # type: ignore[misc]


def test_receipts_need_a_source_a_date_and_a_basis() -> None:
    for wrong in ({"source": " "}, {"date": "May 2026"}, {"basis": "guess"}, {"value": math.nan}):
        with pytest.raises(ValueError):
            Receipt(**{"value": 1.0, "unit": "$", "source": "s", "date": "2026", "basis": "quoted", **wrong})
    assert type(Receipt(np.float64(2), unit="$", source="s", date="", basis="yours").value) is float


def test_inputs_are_a_copy_that_json_can_hold() -> None:
    choices: dict[str, object] = {"layout": {"tp": 8}, "shape": (1, 2)}
    statement = Statement("s", inputs=choices)  # type: ignore[arg-type]
    choices["layout"]["tp"] = 4  # type: ignore[index]
    assert statement.inputs == {"layout": {"tp": 8}, "shape": [1, 2]}
    with pytest.raises(ValueError):
        Statement("s", inputs={"x": math.nan})


def test_find_by_key_by_last_word_and_by_name() -> None:
    statement = sample()
    for key in ("accelerators.training-steps", "training-steps", "Training steps", "training steps"):
        found = statement.find(key)
        assert isinstance(found, Line)
        assert found.key == "accelerators.training-steps"
    assert isinstance(statement.find("seconds"), Figure)
    assert isinstance(statement.find("memory"), Table)
    with pytest.raises(UnknownName, match="training-step"):
        statement.find("training-stepz-x")
    twice = Statement("s", lines=tuple(Line("Fees", key=f"{side}.fees") for side in ("one", "two")))
    with pytest.raises(AmbiguousName) as caught:
        twice.find("fees")
    assert caught.value.details == ("one.fees", "two.fees")


def test_every_figure_is_explained_down_to_its_receipts() -> None:
    statement = sample()
    keys = [line.key for line in statement.walk()] + list(statement.answer) + ["memory", "total"]
    for key in keys:
        tree = explain(statement, key)
        assert tree.text
    words = _flat(explain(statement, "training-steps"))
    for part in (
        "33,830 GPU-h × $2.69/GPU-h = $91,003 (quoted)",
        "step time: 3.71 s (fitted)",
        LISTED.source,
        "data sheet, p. 2",
    ):
        assert part in words
    assert "data sheet, p. 2" in _flat(explain(statement, "seconds"))
    assert "not priced" in _flat(explain(statement, "total"))


def test_an_assumption_is_explained_where_something_stands_on_it_and_nowhere_else() -> None:
    layout, goodput = "assumed layout = dp=256", "assumed goodput = 95 %"
    for key, there in {
        "training-steps": {layout},
        "lost-work": {layout, goodput},
        "accelerators": {layout, goodput},  # a parent stands on what its children stand on
        "total": {layout, goodput},
        "checkpoints": set(),
        "memory": {layout},
        "seconds": {layout},  # by one of its parts
        "joules": set(),
    }.items():
        words = _flat(explain(sample(), key))
        assert {entry for entry in (layout, goodput) if entry in words} == there, key
    # A word that happens to be the name of an assumption links nothing.
    line = Line("Lost work (goodput)", key="lost", quantity=Interval.of(1), unit="h", unit_price=Interval.of(1))
    assert "assumed" not in _flat(explain(Statement("s", lines=(line,), assumed=sample().assumed), "lost"))


def test_what_stands_on_an_unsaid_assumption_is_refused() -> None:
    figure = Figure(Interval.of(1), unit="s", assumed=("batch",))
    line = Line("a", key="a", parts=(Figure(Interval.of(1), unit="s", parts=(figure,)),))
    table = Table("t", columns=("a",), rows=[(figure,)])
    for wrong in ({"lines": (line,)}, {"answer": {"seconds": figure}}, {"sections": (table,)}):
        with pytest.raises(ValueError, match="batch"):
            Statement("s", **wrong)  # type: ignore[arg-type]
        Statement("s", **wrong, assumed=(Assumption("batch", value="8", why="usual"),))  # type: ignore[arg-type]


def test_a_cell_is_explained_by_its_own_receipts() -> None:
    cell = Figure(Interval.of(307), unit="kg CO2e", receipts=(SHEET,))
    table = Table("Carbon", columns=("Of", "CO2e"), rows=[("making", cell), ("use", None)], key="carbon")
    rows = explain(Statement("s", sections=(table,)), "carbon").children
    assert [tip.text for tip in rows[0].children] == ["989 TFLOP/s: data sheet, p. 2, 2023 (quoted): dense"]
    assert rows[1].children == ()


def test_figures_are_called_by_what_they_are_not_by_their_units() -> None:
    statement = sample()
    for key, name in {"seconds": "Time", "joules": "Energy", "kg_co2e": "CO₂e", "mfu": "MFU"}.items():
        assert explain(statement, key).text.startswith(f"{name}: ")
        assert statement.find(name) is statement.answer[key]
    names = [row[0] for row in diff(statement, sample(1000)).sections[1].rows]
    assert names == ["Time", "Energy", "CO₂e", "MFU"]
    assert {"Time"} <= {use for entry in cite(statement) for use in entry.used_for}


@pytest.mark.parametrize("unit", ["s", "J", "kg CO2e", "tokens/s"])
def test_there_is_no_time_and_no_energy_below_zero(unit: str) -> None:
    for value in (Interval.of(-1), Interval.between(-1, 2, 3)):
        with pytest.raises(ValueError, match="below zero"):
            Statement("s", answer={"x": Figure(value, unit=unit)})
    Statement("s", answer={"x": Figure(Interval.of(0), unit=unit)})


def test_sources_once_each_with_their_dates() -> None:
    found = {entry.source: entry for entry in cite(sample())}
    assert set(found) == {"example.org/prices", "data sheet, p. 2", "fit to kernel times"}
    assert found["example.org/prices"].dates == ("2026-05-24",)
    assert found["example.org/prices"].used_for == ("Training steps", "Restarts, lost work (5 %)")
    assert len(citations(sample()).rows) == 3


def test_a_difference_adds_up() -> None:
    before, after = sample(), sample(30_000, goodput="97 %")
    lines, _, assumed, inputs = diff(before, after).sections
    assert lines.footer_label == "At least"
    assert lines.footer is not None
    change = lines.footer[3]
    assert isinstance(change, float)
    assert before.total.amount is not None
    assert after.total.amount is not None
    assert change == pytest.approx(after.total.amount.likely - before.total.amount.likely)
    assert assumed.rows == (("goodput", "95 %", "97 %", "changed"),)
    assert inputs.rows == (("hours", "33830.0", "30000", "changed"),)


def test_a_difference_names_what_came_and_went() -> None:
    before = sample(transfer_price=10.0)
    without = Statement(before.title, lines=before.lines[:2], assumed=before.assumed)
    states = {row[0]: row[-1] for row in diff(before, without).sections[0].rows}
    assert states["Network: Data transfer in"] == "removed"
    assert {row[0]: row[3] for row in diff(before, without).sections[0].rows}["Network: Data transfer in"] == -300.0
    assert {row[0]: row[-1] for row in diff(without, before).sections[0].rows}["Network: Data transfer in"] == "added"


def test_nothing_changes_between_equals() -> None:
    assert "Nothing changes." in diff(sample(), sample()).notes


@given(statements, statements)
@settings(max_examples=20, deadline=None)
def test_any_two_statements_can_be_subtracted(before: Statement, after: Statement) -> None:
    lines = [table for table in diff(before, after).sections if table.key == "lines"]
    for old, new, change in (row[1:4] for table in lines for row in table.rows):
        if isinstance(change, float):
            assert change == (new or 0.0) - (old or 0.0)  # type: ignore[operator]


def test_tables_hold_what_fits() -> None:
    with pytest.raises(ValueError, match="2 cells for 1 columns"):
        Table("t", columns=("a",), rows=[(1, 2)])
    with pytest.raises(ValueError, match="leave it empty"):
        Table("t", columns=("a",), rows=[(math.inf,)])
    with pytest.raises(TypeError):
        Table("t", columns=("a",), rows=[(object(),)])  # type: ignore[list-item]
    table = Table(
        "t", columns=("a", Column("b", total=True)), rows=[("x", np.float32(0.5)), ("y", None), ("z", np.int64(2))]
    )
    assert table.footer == ("Total", 2.5)
    assert type(table.rows[2][1]) is int


def _flat(tree: object) -> str:
    from outlay.statement import to_json

    return to_json(tree, indent=None)  # type: ignore[arg-type]


def test_what_cancels_out_is_no_change() -> None:
    """0.1 + 0.2 and 0.3 are the same amount, and so are a cell and what takes it away again."""

    def run(*hours: float) -> Statement:
        price = Interval.exact(1.0)
        lines = [
            Line(str(place), key=str(place), quantity=Interval.exact(size), unit="h", unit_price=price, basis="yours")
            for place, size in enumerate(hours)
        ]
        return Statement("Run", lines=lines)

    found = diff(run(0.1, 0.2, 277.4), run(0.2, 0.1, 277.4))
    assert not any("more" in note or "less" in note for note in found.notes)
    assert found.find("lines").footer[3] == 0.0
    assert (
        Table("T", columns=["A", Column("B", total=True)], rows=[("x", 0.1), ("y", 0.2), ("z", -0.3)]).footer[1] == 0.0
    )


def test_figures_of_a_difference_are_a_table_on_a_usual_screen() -> None:
    values = (Interval.between(9269.0, 10_920.0, 12_027.0), Interval.between(18_538.0, 21_840.0, 24_054.0))
    before, after = (
        Statement("Run", answer={"speed": Figure(value, unit="tokens/s", label="each device processes")})
        for value in values
    )
    row = diff(before, after).find("figures").rows[0]
    assert [row[place].value.likely for place in (1, 2, 3)] == [10_920.0, 21_840.0, 10_920.0]
    assert row[1].value.low is None
