"""A run in stages: pre-training, context extension, annealing, post-training; read from a table, one stage a row.

The columns `stage` and `tokens` are required; `seq`, `batch`, `precision`, `optimizer`, `recompute`, `layout` and `on` may be
there, and say for one stage what the flag of that name says for all. Tokens are counts, or shares of `--tokens` in per cent.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from outlay import units
from outlay.errors import InputError

PARAMETERS = {
    "seq": "sequence_length",
    "batch": "global_batch",
    "precision": "precision",
    "optimizer": "optimizer",
    "recompute": "recompute",
    "layout": "layout",
    "on": "on",
}
"""Column → the parameter of a question that it says for its stage."""
REQUIRED = ("stage", "tokens")
EXAMPLE = "write a first line `stage,tokens,seq`, then rows such as `pre-training,15T,8192`"
MOST = 100
"""Stages of a run beyond which a file is something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a run."""

    name: str
    tokens: int
    asked: Mapping[str, str]
    """What it says for itself, by the parameters of a question; the rest is said for all stages."""
    line: int
    """Of the file, for errors."""

    @property
    def key(self) -> str:
        """The name as lines of a statement are called."""
        return slug(self.name) or f"line-{self.line}"

    def refuse(self, error: InputError) -> InputError:
        """An error about this stage alone."""
        return InputError(
            f"stage `{self.name}` (line {self.line}): {error.message}", details=error.details, hint=error.hint
        )


def slug(name: str) -> str:
    """A name in lower-case words joined by `-`.

    >>> slug("Context extension, 128K")
    'context-extension-128k'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def ask_stages(
    path: str | None, tokens: str | float | None, done: str | float | None = None
) -> tuple[tuple[Stage, ...], int]:
    """The stages that are left to train (none where the run has none), and all tokens that are.

    :raises InputError: for what cannot be read, and for tokens that contradict each other.
    """
    if path is None:
        if tokens is None:
            raise InputError(
                "`--tokens` is missing", expected="how many there are", hint="write `--tokens 1T`, or `--stages FILE`"
            )
        whole = int(units.parse(tokens, "tokens", name="--tokens"))
        return (), whole - trained(whole, done, said=f"`--tokens {tokens}`")
    said = None if tokens is None else int(units.parse(tokens, "tokens", name="--tokens"))
    stages = read_stages(path, said)
    whole = sum(stage.tokens for stage in stages)
    if said is not None and said != whole:
        raise InputError(
            f"the stages of `{path}` are {whole:,} tokens, and `--tokens` is {tokens}",
            expected="the same sum",
            hint="leave `--tokens` out, or write shares into the file: `90%`",
        )
    left = after(stages, trained(whole, done, said=f"the {units.format_quantity(whole, 'tokens')} of `{path}`"))
    return left, sum(stage.tokens for stage in left)


def trained(whole: int, done: str | float | None, *, said: str) -> int:
    """Tokens that are trained already, fewer than the `whole`."""
    if done is None:
        return 0
    count = int(units.parse(done, "tokens", name="--done", zero=True, example="3.2T"))
    if count >= whole:
        what = "all of" if count == whole else "more than"
        raise InputError(f"`--done {done}` is {what} {said}", expected="less", hint="nothing is left to train")
    return count


def after(stages: Iterable[Stage], done: int) -> tuple[Stage, ...]:
    """What is left once the first `done` tokens are trained: whole stages fall away, and a part of the one that has begun.

    >>> first, second = (Stage(name=name, tokens=10, asked={}, line=2) for name in "ab")
    >>> [(stage.name, stage.tokens) for stage in after((first, second), 13)]
    [('b', 7)]
    """
    left = []
    for stage in stages:
        used = min(done, stage.tokens)
        done -= used
        if used < stage.tokens:
            left.append(replace(stage, tokens=stage.tokens - used))
    return tuple(left)


def read_stages(path: str, tokens: int | None) -> tuple[Stage, ...]:
    """The stages of a CSV file; `tokens` are those of the whole run, of which shares are taken.

    :raises InputError: with every row and column that cannot be read.
    """
    rows = _rows(path)
    problems: list[str] = []
    shares = [str(row.get("tokens") or "").strip().endswith("%") for _, row in rows]
    if any(shares) and not all(shares):
        problems.append("some `tokens` are counts and some are shares in per cent")
    elif any(shares) and tokens is None:
        problems.append("`tokens` are shares, and `--tokens` does not say of what")
    found = [stage for line, row in rows if (stage := _stage(line, row, tokens, problems)) is not None]
    for key in sorted({stage.key for stage in found}):
        alike = [stage for stage in found if stage.key == key]
        if len(alike) > 1:
            problems.append(f"line {alike[1].line}, `stage`: `{alike[1].name}` is there already")
    if not problems and any(shares):
        found = _whole(found, rows, tokens or 0, problems)
    if problems:
        raise InputError(f"`--stages {path}` cannot be used", details=problems, hint=EXAMPLE)
    return tuple(found)


def _stage(line: int, row: Mapping[str, str], tokens: int | None, problems: list[str]) -> Stage | None:
    """One row; None where it is noted among the problems."""
    before = len(problems)
    name = row["stage"]
    if not name:
        problems.append(f"line {line}, `stage`: a name is missing")
    share = row["tokens"].endswith("%")
    count = 1
    try:
        number = units.parse(row["tokens"], "%" if share else "tokens", name="tokens")
        count = int(number * (tokens or 1)) if share else int(number)
    except InputError as error:
        problems.append(f"line {line}, {error.message}")
    for column, unit in (("seq", "count"), ("batch", "tokens" if "tok" in row.get("batch", "").lower() else "count")):
        if row.get(column):
            try:
                units.parse(row[column], unit, name=column)
            except InputError as error:
                problems.append(f"line {line}, {error.message}")
    asked = {parameter: row[column] for column, parameter in PARAMETERS.items() if row.get(column)}
    return None if len(problems) > before else Stage(name=name, tokens=count, asked=asked, line=line)


def _whole(
    stages: list[Stage], rows: list[tuple[int, dict[str, str]]], tokens: int, problems: list[str]
) -> list[Stage]:
    """Stages of which shares were said, with the rounding in the last one."""
    parts = sum(units.parse(row["tokens"], "%", name="tokens") for _, row in rows)
    if abs(parts - 1.0) > 1e-6:
        problems.append(f"`tokens`: the shares are {100 * parts:g}% in all, not 100%")
        return stages
    rest = tokens - sum(stage.tokens for stage in stages[:-1])
    if rest < 1 or any(stage.tokens < 1 for stage in stages):
        problems.append(f"`tokens`: a share of {tokens:,} tokens is less than one token")
        return stages
    return [*stages[:-1], replace(stages[-1], tokens=rest)]


def _rows(path: str) -> list[tuple[int, dict[str, str]]]:
    """Rows of the file with their lines, cells without spaces around them; empty lines are passed over."""
    known = (*REQUIRED, *PARAMETERS)
    if not path.strip():
        raise InputError("`--stages` is empty", expected="a CSV file", hint="write `--stages run.csv`, or leave it out")
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            heading = [name.strip().lower() for name in next(reader, [])]
            _check_heading(path, heading, known)
            rows = []
            for cells in reader:
                values = [cell.strip() for cell in cells]
                if not any(values):
                    continue
                if len(values) > len(heading):
                    raise InputError(
                        f"`--stages {path}`, line {reader.line_num}: {len(values)} cells for {len(heading)} columns",
                        hint='set a cell that has commas in quotes: `"tp=8,pp=4"`',
                    )
                values += [""] * (len(heading) - len(values))
                rows.append((reader.line_num, dict(zip(heading, values, strict=True))))
                if len(rows) > MOST:
                    raise InputError(f"`--stages {path}` has more than {MOST} rows", hint=EXAMPLE)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        why = getattr(error, "strerror", None) or (
            f"{error}" if isinstance(error, csv.Error) else "it is no text in UTF-8"
        )
        raise InputError(f"`--stages {path}` cannot be read: {why}", expected="a CSV file", hint=EXAMPLE) from None
    if not rows:
        raise InputError(f"`--stages {path}` has no stages", hint=EXAMPLE)
    return rows


def _check_heading(path: str, heading: list[str], known: tuple[str, ...]) -> None:
    problems = [f"there is no column `{name}`" for name in REQUIRED if name not in heading]
    problems += [f"`{name}` is no column of stages" for name in dict.fromkeys(heading) if name not in known]
    problems += [f"`{name}` is there twice" for name in dict.fromkeys(heading) if heading.count(name) > 1]
    if problems:
        raise InputError(
            f"`--stages {path}` cannot be used",
            expected=f"the columns {', '.join(known[:-1])}, {known[-1]}, of which stage and tokens must be there",
            details=problems,
            hint=EXAMPLE,
        )
