"""Every format of every statement: nothing wider than the screen, nothing taken for markup or for a formula."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.statement.samples import nasty, sample, statements, tables

from outlay.errors import InputError
from outlay.render import FORMATS, render
from outlay.render.width import cells, clean, wrap
from outlay.statement import (
    Assumption,
    Column,
    Figure,
    Interval,
    Line,
    Statement,
    Table,
    Tree,
    citations,
    diff,
    explain,
    from_json,
    to_json,
)

_ANSI = re.compile(r"\x1b\[[0-9]+m")
SCREEN = """\
Training llama-3-8b on 1 T tokens with 256 × H100-SXM
At least $95,580 · 5.8 days · 55 MWh · 21 t CO₂e
MFU 41 %

 Line                               Quantity  Unit          At   Amount  Basis
 Accelerators                                                   $95,554
 ├─ Training steps                    33,830  GPU-h      $2.69  $91,003  quoted
 └─ Restarts, lost work (5 %)          1,692  GPU-h      $2.69   $4,551  assumed
 Storage                                                            $26
 └─ Checkpoints, 20 kept                1.12  TB·month  $23.00      $26  quoted
 Network                                                              –
 └─ Data transfer in                       ?  TB             –        –  missing
 ───────────────────────────────────────────────────────────────────────────────
 At least                                                       $95,580

Memory on the fullest device

 Part        Bytes  Share
 weights    16 GiB   25 %
 optimizer  48 GiB   75 %
 ────────────────────────
 Total      64 GiB

Prices: example, 2026-05-24.

Assumed:
  goodput = 95 %: published runs lose 3 to 10 %
  layout = dp=256: the fastest

hint: half as many cost $5,621 less: `outlay cost training llama-3-8b --tokens
  1T --on h100-sxm:128`
"""


def test_the_screen() -> None:
    assert render(sample()) == SCREEN


def test_ranges_are_said_once_they_are_known() -> None:
    line = Line(
        "Training", key="training", quantity=Interval.between(90, 100, 120), unit="h", unit_price=Interval.exact(2)
    )
    free = Line("Transfer", key="transfer")
    seconds = {"seconds": Figure(Interval.between(3600, 7200, 10_800), unit="s")}
    whole = Statement("Run", lines=(line,), answer=seconds, coverage=0.8)
    assert "$200 (80 % range: $180 to $240) · 2 h (60 min to 3 h)" in render(whole)
    assert "At least $200 (range of the priced lines: $180 to $240)" in render(Statement("Run", lines=(line, free)))
    assert "Not priced" in render(Statement("Run", lines=(free,)))


def test_small_amounts_keep_their_cents_and_never_become_zero() -> None:
    def of(*amounts: float) -> str:
        lines = tuple(
            Line(f"l{place}", key=f"l{place}", quantity=Interval.exact(1), unit="h", unit_price=Interval.exact(amount))
            for place, amount in enumerate(amounts)
        )
        return render(Statement("Run", lines=lines))

    assert "$0.42" in of(0.42)
    assert "$0.0004" in of(0.0004, 5000)
    assert "$5,000" in of(0.0004, 5000)
    assert "-$12.00" in of(-12.0)
    assert re.search(r"\$0\.0823 +\$0\.08", of(0.0823))


@given(statements, st.integers(min_value=40, max_value=120))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_line_is_wider_than_the_screen(statement: Statement, width: int) -> None:
    for thing in (statement, diff(statement, sample()), citations(statement), explain(statement, "total")):
        plain = render(thing, width=width)
        assert max(map(cells, plain.split("\n"))) <= width
        assert max(map(cell_len, plain.split("\n"))) <= width
        assert _ANSI.sub("", render(thing, width=width, color=True)) == plain
        assert "\x1b" not in plain
        assert not any(line.endswith(" ") for line in plain.split("\n"))


def test_no_sign_is_wider_than_it_is_counted() -> None:
    for code in range(0x110000):
        if unicodedata.category(char := chr(code)) in ("Cf", "Mn", "Me"):
            assert cells(char) >= cell_len(char), hex(code)


@given(st.lists(nasty, min_size=1, max_size=9), st.lists(nasty, min_size=9, max_size=9))
@settings(deadline=None, max_examples=40)
def test_wide_tables_fall_back_to_lists(headings: list[str], row: list[str]) -> None:
    table = Table("Wide", columns=headings, rows=[row[: len(headings)]])
    for line in render(table, width=40).split("\n"):
        assert cells(line) <= 40


def test_many_columns_become_a_list() -> None:
    columns = [Column(f"Column {place}", unit="B/s") for place in range(12)]
    shown = render(Table("Wide", columns=columns, rows=[[1e12 + place for place in range(12)]] * 2))
    assert " Column 11: 1 TB/s" in shown
    assert max(map(cells, shown.split("\n"))) <= 80


def test_deep_trees_keep_room_for_words() -> None:
    tree = Tree("tip " * 30)
    for _ in range(40):
        tree = Tree("branch", children=(tree, Tree("leaf")))
    assert max(map(cells, render(tree).split("\n"))) <= 80


@given(nasty, st.integers(min_value=12, max_value=60))
def test_wrapping_loses_no_word(text: str, width: int) -> None:
    lines = wrap(text, width, first="* ", rest="  ")
    assert all(cells(line) <= width for line in lines)
    assert "".join(line[2:] for line in lines).replace(" ", "") == clean(text).replace(" ", "")


def test_wide_and_combining_characters() -> None:
    assert wrap("漢字漢字", 5) == ["漢字", "漢字"]
    assert wrap("e\u0301" * 4, 2) == ["e\u0301" * 2] * 2
    assert wrap("lost work (5 %)", 12) == ["lost work", "(5 %)"]
    shown = render(Table("表", columns=("名前", "n"), rows=[("コスト", 1), ("a", 22)])).split("\n")
    assert len({cells(line) for line in shown[2:-1]}) == 1


def test_color_marks_what_matters() -> None:
    colored = render(sample(), color=True)
    assert "\x1b[31mmissing\x1b[0m" in colored
    assert "\x1b[36mhint:\x1b[0m" in colored
    assert "\x1b[33massumed\x1b[0m" in colored


@given(statements)
@settings(deadline=None, max_examples=25)
def test_json_is_the_published_one(statement: Statement) -> None:
    assert from_json(render(statement, "json")) == statement


# --- csv


@given(st.one_of(statements, tables))
@settings(deadline=None, max_examples=25)
def test_csv_holds_no_formula_and_no_control_character(thing: Statement | Table) -> None:
    for row in csv.reader(io.StringIO(render(thing, "csv"))):
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "＝"))
            assert not cell.startswith("-") or float(cell) <= 0
            assert cell == clean(cell)


def test_csv_of_a_statement_adds_up() -> None:
    rows = list(csv.DictReader(io.StringIO(render(sample(), "csv"))))
    assert [row["key"] for row in rows][-1] == "total"
    assert rows[-1]["line"] == "At least"
    leaves = [row for row in rows if row["quantity"] and row["amount"]]
    assert sum(float(row["amount"]) for row in leaves) == pytest.approx(float(rows[-1]["amount"]))
    for row in leaves:
        assert float(row["quantity"]) * float(row["unit_price"]) == pytest.approx(float(row["amount"]))
    assert rows[1]["sources"] == "example.org/prices"


def test_csv_of_a_table_and_a_difference() -> None:
    table = Table("t", columns=("name", Column("size", unit="B")), rows=[("=1+1", -5.5), ("@x", None), ("a,b", True)])
    assert render(table, "csv") == "name,size (B)\n'=1+1,-5.5\n'@x,\n\"a,b\",yes\n"
    assert render(diff(sample(), sample(1.0)), "csv").startswith("Line,Before ($),After ($),Change ($),State\n")


def test_csv_says_per_cent_in_per_cent() -> None:
    share = Figure(Interval.of(0.569), unit="%")
    table = Table("t", columns=("name", Column("share", unit="%")), rows=[(share, 0.07), (share, None), (share, "all")])
    assert render(table, "csv") == "name,share (%)\n56.9 %,7.0\n56.9 %,\n56.9 %,all\n"


# --- Markdown and HTML


@given(tables)
@settings(deadline=None, max_examples=25)
def test_markdown_tables_keep_their_columns(table: Table) -> None:
    rows = [line for line in render(Table("", columns=table.columns, rows=table.rows), "md").split("\n") if line]
    for line in rows:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == len(table.columns) + 1
        assert "<" not in line


def test_markdown_escapes_text_and_keeps_code() -> None:
    statement = Statement("# *a* | <b>", notes=("run `a_b | c` on _this_",), hints=("say `x",))
    shown = render(statement, "md")
    assert "## \\# \\*a\\* \\| &lt;b&gt;" in shown
    assert "run `a_b | c` on \\_this\\_" in shown
    assert "say \\`x" in shown
    assert "| ├─\u00a0Training steps | 33,830 | GPU-h | $2.69 | $91,003 | quoted |" in render(sample(), "md")


class _Reader(HTMLParser):
    """Tags that are open, and all tags that were seen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


_MARKUP = st.text(st.sampled_from("<>\"'&/ab scriptonload=`{}()"), max_size=40)


@given(st.one_of(nasty, _MARKUP), statements)
@settings(deadline=None, max_examples=25)
def test_html_is_well_formed_and_runs_nothing(text: str, other: Statement) -> None:
    line = Line(text, key="a", quantity=Interval.exact(1), unit=text, unit_price=Interval.exact(1))
    spoken = Statement(
        text, lines=(line,), notes=(text,), hints=(text,), assumed=(Assumption(text, value=text, why=text),)
    )
    for thing in (
        spoken,
        other,
        Tree(text, children=(Tree(text),)),
        Table(text, columns=(text,), rows=[(text,)], notes=(text,)),
    ):
        reader = _Reader()
        reader.feed(render(thing, "html"))
        reader.close()
        assert not reader.open
        assert not reader.seen & {"script", "img", "a", "iframe", "link"}


def test_html_loads_nothing_and_labels_its_tables() -> None:
    page = render(sample(), "html")
    assert "http" not in page
    assert '<html lang="en">' in page
    assert page.count("<caption>") == page.count("<table>") == 2
    assert 'scope="col"' in page
    assert 'scope="row"' in page


def test_notebooks_show_html_once_render_is_there() -> None:
    html = sample()._repr_html_()
    assert html is not None
    assert html.startswith("<section")
    assert explain(sample(), "total")._repr_html_()
    assert sample().sections[0]._repr_html_()
    alone = "from outlay.statement import Statement; assert Statement('s')._repr_html_() is None"
    subprocess.run([sys.executable, "-c", alone], check=True)


# --- all


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_everything_ends_in_a_newline(format: str) -> None:
    for thing in (
        sample(),
        sample().sections[0],
        explain(sample(), "total"),
        Statement("Nothing"),
        Table("", columns=(), rows=()),
    ):
        shown = render(thing, format)
        assert shown.endswith("\n")
        shown.encode()
    if format == "json":
        assert json.loads(render(sample(), format))["schema"] == "outlay/statement/1"


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        render(sample(), "jsn")
    assert "`json`" in caught.value.hint


def test_text_needs_no_rich() -> None:
    code = "import sys; from outlay.render import render; from outlay.statement import Table; "
    code += (
        "render(Table('t', columns=('a',), rows=[(1,)])); assert not {'rich', 'pydantic', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_json_of_half_characters_can_be_written() -> None:
    statement = Statement("broken \ud800 name")
    assert from_json(to_json(statement).encode()) == statement
    for format in FORMATS:
        render(statement, format).encode()


def test_a_long_name_is_broken_at_its_joints_rather_than_the_table_given_up() -> None:
    name = "together/meta-llama/Meta-Llama-3-8B-Instruct-Turbo"
    columns = ["Model", *(Column(f"Column {place}", unit="$/M") for place in range(5))]
    lines = render(Table("T", columns=columns, rows=[(name, 1, 2, 3, 4, 5)]), format="text", width=80).splitlines()
    assert lines[2].split()[0] == "Model" and max(map(len, lines)) <= 80
    pieces = [line[1:].split("  ")[0] for line in lines[3:] if line.strip()]
    assert "".join(pieces) == name
    assert all(piece[-1] in "-/" for piece in pieces[:-1])


def test_a_name_in_a_first_column_ends_its_line_at_a_joint() -> None:
    machines = "128\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}b300-sxm-288gb"
    row = (machines, "4 × tp=8,pp=4 in bf16 and more", 1, 2, 3, 1_663_419)
    columns = ["Accelerators", "Instances", *(Column(f"Column {place}", unit="$") for place in range(4))]
    lines = render(Table("T", columns=columns, rows=[row]), format="text", width=80).splitlines()
    assert [line[1:].split("  ")[0] for line in lines[2:]] == ["Accelerators", machines.removesuffix("288gb"), "288gb"]


def test_names_are_broken_at_their_joints_where_there_is_room() -> None:
    """The widest column gives way, not a word of a narrower one."""
    from outlay.render.grid import Entry, grid

    rows = [[Entry("a"), Entry("databricks-meta-instruct"), Entry("one two three four five six seven eight nine")]]
    lines = grid(["Name", "Sold as", "Why"], rows, right=[False] * 3, width=44)
    assert any("databricks-" in line for line in lines)
    assert max(map(len, lines)) <= 44
