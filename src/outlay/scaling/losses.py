"""A table of measured losses: parameters, tokens and loss of one training run a row."""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from outlay import units
from outlay.errors import InputError

COLUMNS = ("parameters", "tokens", "loss")
LEFT_OUT = "left_out"
"""A column with the reason why a row is not to be used; empty in the others."""
_SPELLINGS = {
    "parameters": ("parameters", "params", "n", "model_size", "size"),
    "tokens": ("tokens", "d", "training_tokens", "tokens_seen"),
    "loss": ("loss", "l", "val_loss", "final_loss"),
    "left_out": (LEFT_OUT,),
}
_LARGEST = 1e18
_MOST_BYTES = 32 * 10**6
_MOST_SHOWN = 8
_HINT = "the first line names the columns `parameters`, `tokens` and `loss`; each row below is one run"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Runs, one entry each: total parameters, training tokens, nats a token."""

    parameters: Array
    tokens: Array
    loss: Array
    left_out: int = 0
    """Rows that the file itself leaves out."""

    def __len__(self) -> int:
        return len(self.loss)

    def take(self, places: npt.NDArray[np.int64]) -> Losses:
        """The runs at `places`, any of them as often as it is named."""
        return Losses(parameters=self.parameters[places], tokens=self.tokens[places], loss=self.loss[places])


def read_losses(path: str | Path) -> Losses:
    """The runs of a CSV file.

    :raises InputError: for a file that cannot be read, without its columns, or with rows that are not numbers above 0: all of
        them are named.
    """
    text = _text(Path(path))
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text.partition("\n")[0]))
    header = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in next(reader, [])]
    places = _places(header, str(path))
    values: list[tuple[float, ...]] = []
    problems: list[str] = []
    left_out = 0
    for row in _rows(reader, str(path)):
        if LEFT_OUT in places and places[LEFT_OUT] < len(row) and row[places[LEFT_OUT]].strip():
            left_out += 1
            continue
        found = [_cell(row, places[column], column, reader.line_num, problems) for column in COLUMNS]
        values.append(tuple(found))
    if problems:
        more = [f"and {len(problems) - _MOST_SHOWN} more"] if len(problems) > _MOST_SHOWN else []
        count = "a cell" if len(problems) == 1 else f"{len(problems)} cells"
        raise InputError(
            f"`{path}` has {count} that cannot be a run's",
            details=[*problems[:_MOST_SHOWN], *more],
            hint="mend them, or say in a column `left_out` why a row is not to be used",
        )
    if not values:
        raise InputError(f"`{path}` has no runs", hint=_HINT)
    table = np.array(values, dtype=float)
    return Losses(parameters=table[:, 0], tokens=table[:, 1], loss=table[:, 2], left_out=left_out)


def _rows(reader: Iterator[list[str]], path: str) -> Iterator[list[str]]:
    try:
        yield from (row for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise InputError(f"`{path}` cannot be read: {error}", hint=_HINT) from error


def _text(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"`{path}` is a folder", expected="a CSV file of losses", hint=_HINT)
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise InputError(f"`{path}` is larger than {_MOST_BYTES // 10**6} MB", hint="keep one row a run")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}", hint=_HINT) from error
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(f"`{path}` is not a text file", expected="CSV in UTF-8", hint=_HINT) from error


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _places(header: list[str], path: str) -> dict[str, int]:
    found = {
        column: header.index(spelling)
        for column, spellings in _SPELLINGS.items()
        for spelling in reversed(spellings)
        if spelling in header
    }
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        near = [
            f"`{close[0]}` may be `{column}`"
            for column in missing
            if (close := difflib.get_close_matches(column, header, n=1, cutoff=0.6))
        ]
        listed = " and ".join(f"`{column}`" for column in missing)
        raise InputError(
            f"`{path}` lacks the column{'s' if len(missing) > 1 else ''} {listed}", details=near, hint=_HINT
        )
    return found


def _cell(row: list[str], place: int, column: str, line: int, problems: list[str]) -> float:
    """A number above 0, as `1.4e9`, or with a letter, as `1.4B`; what is wrong with it goes to `problems`."""
    text = row[place].strip() if place < len(row) else ""
    shown = "".join(char if char.isprintable() else "�" for char in text)[:40]
    if not text:
        problems.append(f"line {line}, `{column}`: empty")
        return math.nan
    try:
        value = float(text)
    except ValueError:
        try:
            value = float(units.parse(text, "count" if column != "loss" else "", name=column))
        except InputError:
            problems.append(f"line {line}, `{column}`: `{shown}` is not a number above 0")
            return math.nan
    if "_" in text or not text.isascii() or not 0.0 < value < _LARGEST:
        problems.append(f"line {line}, `{column}`: `{shown}` is not a number above 0")
    return value
