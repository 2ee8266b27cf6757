"""Read request traces: Azure's CSV, Mooncake's JSON lines, and a plain CSV. What is wrong is said by row and column.

- Azure (Patel et al. 2024, Splitwise): `TIMESTAMP,ContextTokens,GeneratedTokens`, times of day.
- Mooncake (Qin et al. 2025): one JSON object a line, `timestamp` in milliseconds, `input_length`, `output_length`, and
  `hash_ids`, one for each block of 512 tokens of the prompt: equal beginnings have equal ones.
- Plain: `arrival,input,output`, seconds and tokens, in any order of columns; `cached` is optional.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np

from outlay.errors import InputError
from outlay.serving.requests import Requests

MOST_SHOWN = 8
"""Problems that are listed; the others are counted."""

COLUMNS = {
    "azure": ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    "plain": ("arrival", "input", "output"),
    "mooncake": ("timestamp", "input_length", "output_length"),
}
OTHER_NAMES = {
    "arrived_at": "arrival",
    "arrival_seconds": "arrival",
    "time": "arrival",
    "num_prefill_tokens": "input",
    "input_tokens": "input",
    "prompt_tokens": "input",
    "num_decode_tokens": "output",
    "output_tokens": "output",
    "cached_tokens": "cached",
}
"""Usual names of the plain columns: Vidur's, and those of API bills."""

MOST_BYTES = 100 * 10**6
"""Of a file: a week of Azure's conversations is more, and would be played for hours."""
MOST_TOKENS = 1_000_000_000
HASH_TOKENS = 512
"""Tokens of a block that a Mooncake hash stands for."""
EMPTY = "a trace without a request"
NUMBERS = "write seconds from 0 for times, and whole numbers of 1 and more for tokens"
MOMENTS = "write dates as `2026-11-27 09:30:00.125`, or seconds from 0 under `arrival,input,output`"
CELLS = "write as many cells in each row as the first line has columns"
OBJECTS = 'write a line as `{"timestamp": 0, "input_length": 1024, "output_length": 256}`, milliseconds and tokens'
BLOCKS = "write `hash_ids` as a list with a number for each 512 tokens, or leave it out"
ORDER = "sort the rows by time"
Problems = dict[str, str]
"""What is wrong, and what to write instead, in the order of the file."""
Row = tuple[int, float, int, int, int]
"""Line of the file, seconds, input, output and cached tokens."""


def load_trace(path: Path | str, *, prefix_cache: bool = True) -> Requests:
    """The requests of a file, from time 0; `prefix_cache`: prompts find the beginnings of earlier ones in the cache.

    Raises
    ------
    InputError
        The file is not there or not text, has none of the known headers, or has wrong rows: all are listed, by row and column.
    """
    where = Path(path)
    try:
        with where.open("rb") as stream:  # a device may have no end
            raw = stream.read(MOST_BYTES + 1)
        text = raw.decode("utf-8-sig") if len(raw) <= MOST_BYTES else ""
    except (OSError, ValueError) as problem:  # a path with a null byte is a ValueError, and so is what is not UTF-8
        said = problem.strerror if isinstance(problem, OSError) else "not text"
        raise InputError(
            f"the trace `{where}` cannot be read: {said}", hint="give the path of a CSV or JSONL file"
        ) from problem
    if len(raw) > MOST_BYTES:
        raise InputError(
            f"the trace `{where}` has more than {MOST_BYTES / 1e6:,.0f} MB",
            expected="some millions of requests at most",
            hint="keep some hours of it, the busiest among them",
        )
    return read_trace(text.replace("\r\n", "\n"), source=where.name, prefix_cache=prefix_cache)


def read_trace(text: str, *, source: str = "trace", prefix_cache: bool = True) -> Requests:
    """The same from text.

    >>> found = read_trace("arrival,input,output\\n0.5,100,10\\n2.0,200,20\\n")
    >>> found.arrival.tolist(), found.input.tolist(), found.output.tolist()
    ([0.0, 1.5], [100, 200], [10, 20])
    """
    problems: Problems = {}
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        rows = list(_mooncake(text, problems, prefix_cache))
    else:
        rows = list(_table(text, source, problems))
    if not problems and not rows:
        problems[EMPTY] = "write a request a line: `arrival,input,output`"
    if problems:
        more = len(problems) - MOST_SHOWN
        said = [*problems]
        listed = said if more <= 0 else [*said[:MOST_SHOWN], f"and {more:,} more"]
        raise InputError(
            f"`{source}`: {said[0]}" if len(said) == 1 else f"`{source}` has {len(said):,} problems",
            details=() if len(said) == 1 else listed,
            hint="; ".join(dict.fromkeys(problems.values())),
        )
    start = rows[0][1]
    _, arrival, tokens, output, cached = zip(*rows, strict=True)
    columns = (np.asarray(column) for column in (tokens, output, cached))
    return Requests(np.asarray(arrival) - start, *columns)


def _table(text: str, source: str, problems: Problems) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text))
    try:
        header = list(reader.fieldnames or ())
    except csv.Error as problem:
        raise _unreadable(source, 1, problem) from problem
    spelled = [OTHER_NAMES.get((name or "").strip(), (name or "").strip()) for name in header]
    named = dict(zip(spelled, header, strict=True))
    kind = "azure" if "TIMESTAMP" in named or "ContextTokens" in named else "plain"
    time, tokens, output = COLUMNS[kind]
    read_columns = (*COLUMNS[kind], "cached")
    if twice := [name for name in dict.fromkeys(spelled) if name in read_columns and spelled.count(name) > 1]:
        listed = " and ".join(f"`{name}`" for name in twice)
        raise InputError(f"`{source}` has the column {listed} twice", hint="keep one of the two")
    if missing := [name for name in COLUMNS[kind] if name not in named]:
        raise InputError(
            f"`{source}` lacks the column{'s' if len(missing) > 1 else ''} {' and '.join(f'`{name}`' for name in missing)}",
            expected=f"a first line with {', '.join(f'`{name}`' for name in COLUMNS[kind])}",
            hint="an Azure trace has `TIMESTAMP,ContextTokens,GeneratedTokens`, a plain one `arrival,input,output`",
        )
    before = -math.inf
    for cells in _lines(reader, source):
        line = reader.line_num
        if not any((value or "").strip() for value in cells.values() if isinstance(value, str)):
            continue
        if any(str(value).strip() for value in cells.get(None) or ()):  # type: ignore[call-overload]
            problems[f"row {line}: {len(header) + len(cells[None])} cells under {len(header)} columns"] = CELLS  # type: ignore[index]
            continue
        read = _moment if kind == "azure" else _seconds
        at = read(cells[named[time]], line, named[time], problems)
        counts = [_count(cells[named[name]], line, named[name], problems) for name in (tokens, output)]
        cached = _count(cells[named["cached"]], line, named["cached"], problems, least=0) if "cached" in named else 0
        if at is not None and None not in (*counts, cached):
            before = _in_order(at, before, line, named[time], problems)
            yield line, at, counts[0] or 0, counts[1] or 0, cached or 0


def _lines(reader: csv.DictReader[str], source: str) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as problem:
        raise _unreadable(source, reader.line_num, problem) from problem


def _unreadable(source: str, line: int, problem: csv.Error) -> InputError:
    return InputError(f"`{source}`, row {line}: {problem}", hint="write one request a line, cells apart by commas")


def _mooncake(text: str, problems: Problems, prefix_cache: bool) -> Iterator[Row]:
    """Prompts share what earlier ones began with: as many blocks as are known from the beginning on."""
    known: set[int] = set()
    time, tokens, output = COLUMNS["mooncake"]
    before = -math.inf
    for line, written in enumerate(text.splitlines(), start=1):
        if not written.strip():
            continue
        try:
            cells = json.loads(written)
        except (ValueError, RecursionError) as problem:  # thousands of digits, and thousands of brackets, too
            said = getattr(problem, "msg", "it cannot be read")
            problems[f"row {line}: no JSON object ({said})"] = OBJECTS
            continue
        if not isinstance(cells, dict):
            problems[f"row {line}: no JSON object"] = OBJECTS
            continue
        if missing := [name for name in COLUMNS["mooncake"] if name not in cells]:
            problems[f"row {line} lacks {' and '.join(f'`{name}`' for name in missing)}"] = OBJECTS
            continue
        at = _seconds(cells[time], line, time, problems)
        counts = [_count(cells[name], line, name, problems) for name in (tokens, output)]
        hashes = cells.get("hash_ids") or []
        if not isinstance(hashes, list) or not all(isinstance(block, (int, str)) for block in hashes):
            problems[f"row {line}, `hash_ids`: not a list of numbers"] = BLOCKS
            continue
        shared = 0
        for block in hashes:
            if block not in known:
                break
            shared += 1
        known.update(hashes)
        if at is not None and None not in counts:
            before = _in_order(at / 1e3, before, line, time, problems)
            cached = min(shared * HASH_TOKENS, (counts[0] or 1) - 1) if prefix_cache else 0
            yield line, at / 1e3, counts[0] or 0, counts[1] or 0, cached


def _in_order(at: float, before: float, line: int, column: str, problems: Problems) -> float:
    """The latest time so far."""
    if at < before:
        problems[f"row {line}, `{column}`: earlier than the row above"] = ORDER
    return max(at, before)


def _moment(value: object, line: int, column: str, problems: Problems) -> float | None:
    """Seconds of a date and time, of one zone for the whole file; fractions may have seven digits."""
    written = str(value or "").strip()
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(\.\d+)?(?:Z|[+-]\d\d:?\d\d)?", written)
    try:
        if parts is None:
            raise ValueError(written)
        return (datetime.fromisoformat(parts[1]) - datetime(1970, 1, 1)).total_seconds() + float(parts[2] or 0.0)
    except ValueError:
        problems[f"row {line}, `{column}`: {_quoted(written)} is not a date and time"] = MOMENTS
        return None


def _seconds(value: object, line: int, column: str, problems: Problems) -> float | None:
    number = _number(value)
    if number is None or number < 0:
        wrong = "negative" if number is not None else "not a number"
        problems[f"row {line}, `{column}`: {_quoted(value)} is {wrong}"] = (
            OBJECTS if column in COLUMNS["mooncake"] else NUMBERS
        )
        return None
    return number


def _count(value: object, line: int, column: str, problems: Problems, *, least: int = 1) -> int | None:
    number = _number(value)
    if number is None or number != int(number) or not least <= number <= MOST_TOKENS:
        wrong = "not a number" if number is None else "not whole" if number != int(number) else ""
        wrong = wrong or (f"below {least}" if number is None or number < least else f"above {MOST_TOKENS:,}")
        problems[f"row {line}, `{column}`: {_quoted(value)} is {wrong}"] = (
            OBJECTS if column in COLUMNS["mooncake"] else NUMBERS
        )
        return None
    return int(number)


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _quoted(value: object) -> str:
    written = "".join(sign if sign.isprintable() else "?" for sign in str("" if value is None else value).strip())
    return f"`{written[:40]}`" if written else "an empty cell"
