"""Reading records: what is read, what spoils a row, what spoils a file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from outlay.accuracy.columns import COLUMNS, MEASURED, SCORED_ELSEWHERE
from outlay.accuracy.records import Record, number, read_records
from outlay.errors import InputError

HEADER = "id,source,layers,hidden,global_batch,step_time_s,notes\n"
DATA = Path(__file__).parents[2] / "validation" / "training"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "runs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_empty_cells_are_absent_and_numbers_are_read(tmp_path: Path) -> None:
    found = read_records(write(tmp_path, HEADER + 'a,s,24,,"1,024",1.5e-1,\n'))
    (record,) = found.records
    assert record.numbers == {"layers": 24, "global_batch": 1024, "step_time_s": 0.15}
    assert record.whole("hidden") is None and record.word("notes") == ""


def test_a_bad_cell_spoils_its_row_alone_and_names_row_and_column(tmp_path: Path) -> None:
    rows = "a,s,24,1024,8,1,\nb,s,many,1024,x8,1,\nc,s,24,1024,8,2,\n"
    found = read_records(write(tmp_path, HEADER + rows))
    assert [record.id for record in found.records] == ["a", "c"]
    (spoilt,) = found.unread
    assert spoilt.id == "b"
    assert all(part in spoilt.reason for part in ("row 2", "line 3", "`layers`", "many", "`global_batch`", "x8"))


@pytest.mark.parametrize(
    "cell", ["0", "-1", "2.5", "inf", "-inf", "1e400", "1e30", "text", "1_000", "0x10", "1,2", "８k", "'8"]
)
def test_what_is_no_count(cell: str) -> None:
    with pytest.raises(ValueError):
        number(cell, "count")


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "nan", "null", "-", "?"])
def test_what_is_empty(cell: str) -> None:
    assert number(cell, "positive") is None


@pytest.mark.parametrize("cell", ["0", "-3", "inf", "nan%", "12s", "1e-300", "5e-324", "9e-13", "1e16"])
def test_a_measured_number_is_positive_and_finite(cell: str) -> None:
    with pytest.raises(ValueError):
        number(cell, "positive")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not text"),
        (gzip.compress(b"id,source"), "not text"),
        (b"PAR1\x15\x04\x15", "not text"),
        (b"24,1024,8,1.5\n24,2048,8,2.5\n", "no header"),
        (b'{"rows": [1, 2]}', "no header"),
        (b"id,model,layers\na,b,3\n", "no measured column"),
        (HEADER.encode(), "no rows"),
    ],
)
def test_files_that_say_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        read_records(write(tmp_path, content))
    assert raised.value.exit_code == 2 and raised.value.hint


def test_no_file_and_a_directory(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv", Path("a\0b")):
        with pytest.raises(InputError):
            read_records(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_other_ways_to_write_the_same(tmp_path: Path, delimiter: str, encoding: str, newline: str) -> None:
    lines = [["ID", " Source", "step-time s", "layers", "Comment"], ["a", "Zürich", "2.5", "3", ""]]
    text = newline.join(delimiter.join(line) for line in lines) + newline
    found = read_records(write(tmp_path, text.encode(encoding)))
    assert found.records[0].numbers == {"step_time_s": 2.5, "layers": 3}
    assert found.records[0].source == "Zürich"
    assert found.ignored_columns == ("Comment",)


def test_quoted_cells_hold_lines_and_separators(tmp_path: Path) -> None:
    found = read_records(write(tmp_path, HEADER + 'a,"s, t",1,1,1,1,"one\ntwo; CHECK: x"\nb,s,1,1,1,1,checked\n'))
    first, second = found.records
    assert first.source == "s, t" and first.flagged and not second.flagged
    assert (first.line, second.line) == (3, 4)


def test_short_rows_are_padded_and_long_ones_refused(tmp_path: Path) -> None:
    found = read_records(write(tmp_path, HEADER + "a,s,1\nb,s,1,1,1,1,n,extra\n,,1,1,1,1,\n"))
    assert [(r.id, r.source) for r in found.records] == [("a", "s"), ("row-3", "(not stated)")]
    assert found.unread[0].id == "b" and "8 cells under 7 columns" in found.unread[0].reason


def test_configuration_hides_every_measured_column_and_notes() -> None:
    numbers = {column: 2.0 for column, kind in COLUMNS.items() if kind != "text"}
    words = {column: "x" for column, kind in COLUMNS.items() if kind == "text"}
    seen = Record(id="a", source="s", line=2, words=words, numbers=numbers).configuration()
    assert not {*seen.numbers, *seen.words} & {*MEASURED, *SCORED_ELSEWHERE, "notes"}
    assert seen.measured == {}
    assert len(seen.numbers) + len(seen.words) == len(COLUMNS) - len(MEASURED) - len(SCORED_ELSEWHERE) - 1


def test_the_projects_own_rows_are_read_whole_and_each_names_its_source() -> None:
    count = 0
    for path in sorted(DATA.glob("*.csv")):
        found = read_records(path)
        assert not found.unread and not found.ignored_columns
        assert all(
            record.source == path.stem and record.word("source_url").startswith("http") for record in found.records
        )
        count += len(found.records)
    assert count == 2419


def test_the_documentation_lists_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "records.md").read_text(encoding="utf-8")
    assert [column for column in COLUMNS if f"`{column}`" not in page] == []


def test_a_cell_that_says_unknown_is_empty_and_a_name_is_not(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("id,source,precision,optimizer,step_time_s\n-,unknown,n/a,Unknown,1\n", encoding="utf-8")
    (record,) = read_records(path).records
    assert (record.id, record.source) == ("-", "unknown")
    assert record.word("precision") == record.word("optimizer") == ""


def test_a_column_twice_is_refused(tmp_path):
    (tmp_path / "twice.csv").write_text("id,layers,layers,step_time_s\na,32,16,1.0\n")
    with pytest.raises(InputError, match="`layers` twice"):
        read_records(tmp_path / "twice.csv")


def test_digits_of_other_scripts_spoil_their_row_alone(tmp_path):
    (tmp_path / "digits.csv").write_text("id,layers,step_time_s\na,٣٢,1.0\nb,32,1.0\n", encoding="utf-8")
    read = read_records(tmp_path / "digits.csv")
    assert [record.id for record in read.records] == ["b"]
    assert "column `layers`: `٣٢`" in read.unread[0].reason
