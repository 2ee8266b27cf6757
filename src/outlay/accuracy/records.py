"""Measured training runs as they stand in a CSV file: one configuration and what it reached, a row each.

A cell that cannot be read spoils its own row and no other. A file from which nothing can be read is an
:class:`~outlay.errors.InputError`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outlay.accuracy.columns import COLUMNS, EXPECTED, MEASURED, SCORED_ELSEWHERE, Kind
from outlay.accuracy.tuning_rows import ALIASES, is_table, normalised
from outlay.errors import InputError

_EMPTY = frozenset({"", "na", "n/a", "nan", "null", "-", "–", "—", "?", "not stated", "unknown"})
TUNING_TASKS = frozenset({"lora", "qlora", "sft"})
"""Tasks whose remarks are read for facts of the configuration."""
_FREE = frozenset({"id", "source", "source_url", "notes"})
"""Columns whose words are nobody's setting, and stay as they are."""
_YES = frozenset({"1", "1.0", "true", "yes", "on"})
_NO = frozenset({"0", "0.0", "false", "no", "off"})
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_SMALLEST, _LARGEST = 1e-12, 1e15
MOST_FOREIGN = 0.3
"""Of the letters of a table, those beyond ASCII: more of them are no text of one byte a letter."""
_HINT = (
    "the first line of the file must name columns: `docs/reference/records.md`, `serving-records.md` and `whole-runs.md` list "
    "them"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row: its words and its numbers, each under the name of its column; an empty cell is under neither."""

    id: str
    source: str
    line: int
    """Line of the file on which the row ends; the header is line 1."""
    words: Mapping[str, str]
    numbers: Mapping[str, float]

    def word(self, column: str) -> str:
        """Text of a cell, or the empty string.

        >>> Record(id="a", source="s", line=2, words={"model": "gpt"}, numbers={}).word("framework")
        ''
        """
        return self.words.get(column, "")

    def whole(self, column: str) -> int | None:
        """A whole number, or None where the row says nothing."""
        value = self.numbers.get(column)
        return None if value is None else int(value)

    @property
    def measured(self) -> dict[str, float]:
        """What was measured of this run, by column name."""
        return {column: self.numbers[column] for column in MEASURED if column in self.numbers}

    @property
    def flagged(self) -> bool:
        """The row's notes say that its source contradicts itself (`CHECK`, `OUTLIER`)."""
        return re.search(r"\b(CHECK|OUTLIER)\b", self.word("notes")) is not None

    @property
    def allocated(self) -> bool:
        """The row's memory is what the framework's allocator counted, as its notes say or as its tool prints it."""
        return (
            "allocated" in self.word("notes").lower()
            or re.search("lit-?gpt|torchtune|peft", self.word("framework").lower()) is not None
        )

    def configuration(self) -> Record:
        """The same row without anything that was measured, and without its notes: all that a prediction may see."""
        hidden = {*MEASURED, *SCORED_ELSEWHERE, "notes"}
        return Record(
            id=self.id,
            source=self.source,
            line=self.line,
            words={key: text for key, text in self.words.items() if key not in hidden},
            numbers={key: value for key, value in self.numbers.items() if key not in hidden},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A row that gives no answer, and why."""

    id: str
    reason: str
    line: int = 0
    """Line of the file; 0 where the reason says it."""

    @property
    def said(self) -> str:
        """The row, its line and the reason.

        >>> Unread(id="a", reason="`accelerator` is empty", line=7).said
        'a (line 7): `accelerator` is empty'
        """
        return f"{self.id} (line {self.line}): {self.reason}" if self.line else f"{self.id}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """A file of records: those that could be read, those that could not, and columns that mean nothing here."""

    records: tuple[Record, ...]
    unread: tuple[Unread, ...] = ()
    ignored_columns: tuple[str, ...] = ()

    def __add__(self, other: Records) -> Records:
        return Records(
            records=self.records + other.records,
            unread=self.unread + other.unread,
            ignored_columns=tuple(dict.fromkeys(self.ignored_columns + other.ignored_columns)),
        )


def number(text: str, kind: Kind) -> float | None:
    """A cell as a number; None if it is empty; ValueError if it is neither.

    >>> number("1,024", "count"), number("", "count"), number("yes", "flag")
    (1024.0, None, 1.0)
    """
    text = text.strip()
    if text.lower() in _EMPTY:
        return None
    if kind == "flag":
        if text.lower() in _YES | _NO:
            return float(text.lower() in _YES)
        raise ValueError(text)
    if "_" in text or not text.isascii():  # `float` also reads 1_000 and digits of other scripts
        raise ValueError(text)
    value = float(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    least = 0.0 if kind == "whole" else 1.0 if kind == "count" else _SMALLEST
    if not least <= value <= _LARGEST or (kind != "positive" and not value.is_integer()):
        raise ValueError(text)
    return value


def read_records(
    path: str | Path, *, columns: Mapping[str, Kind] = COLUMNS, measured: Sequence[str] = MEASURED
) -> Records:
    """The records of a CSV file, in its order; `columns` are those that mean something, `measured` those compared.

    Raises `InputError` if there is no such file, or it is a directory, empty, not text, without a header that names
    columns, without a measured column, or without rows.
    """
    text = _text_of(Path(path))
    delimiter = _delimiter(re.split(r"[\r\n]", text, maxsplit=1)[0])
    rows = _rows(text, delimiter, str(path))
    _, header = next(rows)
    names = [_column(name) for name in header]
    table = is_table(names)
    if table:
        names = [ALIASES.get(name, name) for name in names]
        columns, measured = (
            {**columns, "time_value": "text", "time_unit": "text", "tokens_per_s": "text"},
            (
                *measured,
                "time_value",
                "tokens_per_s",
            ),
        )
    known = [name for name in names if name in columns]
    if len(set(known)) < 2:
        raise InputError(f"`{path}` has no header: its first line names no column of a record", hint=_HINT)
    if twice := sorted({name for name in known if known.count(name) > 1}):
        listed = " and ".join(f"`{name}`" for name in twice)
        raise InputError(
            f"`{path}` has the column {listed} twice", hint="keep one of the two, and say the other in `notes`"
        )
    if not set(known) & set(measured):
        raise InputError(f"`{path}` has no measured column", expected=" or ".join(measured), hint=_HINT)
    records: list[Record] = []
    unread: list[Unread] = []
    for count, (line, cells) in enumerate(rows, start=1):
        outcome = _record(names, cells, count, line, columns, table=table)
        if isinstance(outcome, Record):
            records.append(outcome)
        else:
            unread.append(outcome)
    if not records and not unread:
        raise InputError(f"`{path}` has a header and no rows", hint="write one measured run a line below the header")
    ignored = tuple(dict.fromkeys(raw.strip() for raw, name in zip(header, names, strict=True) if name not in columns))
    return Records(records=tuple(records), unread=tuple(unread), ignored_columns=ignored)


def header_of(path: str | Path) -> frozenset[str]:
    """The columns that the first line of a file names, as records spell them; InputError if it is no text."""
    text = _text_of(Path(path))
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    return frozenset(_column(name) for name in first.split(_delimiter(first)))


def _column(text: str) -> str:
    """A column's name as records spell it.

    >>> _column(" Device-Hours ")
    'device_hours'
    """
    return re.sub(r"[\s-]+", "_", text.strip().strip('"').lower())


def _text_of(path: Path) -> str:
    hint = "give a CSV file of measured runs, for example one of `validation/training/`"
    if path.is_dir():
        raise InputError(f"`{path}` is a directory", expected="a CSV file", hint=hint)
    try:
        if path.is_fifo():  # it would be waited for, perhaps for ever
            raise InputError(f"`{path}` is not a plain file", expected="a CSV file", hint=hint)
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}", hint=hint) from None
    except ValueError as error:
        raise InputError(f"`{path}` cannot be read: {error}", hint=hint) from None
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
        if sum(byte >= 0x80 for byte in raw) > MOST_FOREIGN * len(raw):
            raise InputError(f"`{path}` is not text", expected="a CSV file", hint=hint) from None
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise InputError(f"`{path}` is not text", expected="a CSV file", hint=hint)
    text = text.lstrip("\r\n")
    if not text.strip():
        raise InputError(f"`{path}` is empty", expected="a CSV file", hint=hint)
    return text


def _delimiter(header: str) -> str:
    """The separator of which the header shows most; a comma if none is there."""
    return max(",;\t", key=header.count)


def _rows(text: str, delimiter: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"`{path}` is not CSV: line {reader.line_num}: {error}", hint=_HINT) from None
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _record(
    columns: list[str], cells: list[str], count: int, line: int, kinds: Mapping[str, Kind], *, table: bool = False
) -> Record | Unread:
    """A row as a record, or why it is none: every bad cell is named."""
    named: dict[str, str] = {}
    for name, cell in zip(columns, cells, strict=False):
        if name in kinds:
            named.setdefault(name, cell.strip())
    if table or named.get("task", "").lower() in TUNING_TASKS:
        named = normalised(named)
    identity = named.get("id") or f"row-{count}"
    where = f"row {count} (line {line})"
    if any(cell.strip() for cell in cells[len(columns) :]):
        return Unread(id=identity, reason=f"{where}: {len(cells)} cells under {len(columns)} columns")
    words: dict[str, str] = {}
    numbers: dict[str, float] = {}
    problems = []
    for name, cell in named.items():
        kind = kinds[name]
        if kind == "text":
            if cell and (name in _FREE or cell.lower() not in _EMPTY):
                words[name] = cell
            continue
        try:
            value = number(cell, kind)
        except ValueError:
            shown = cell if len(cell) <= 40 else f"{cell[:37]}…"
            problems.append(f"column `{name}`: `{shown}` is not {EXPECTED[kind]}")
            continue
        if value is not None:
            numbers[name] = value
    if problems:
        return Unread(id=identity, reason=f"{where}, {'; '.join(problems)}")
    return Record(id=identity, source=named.get("source") or "(not stated)", line=line, words=words, numbers=numbers)
