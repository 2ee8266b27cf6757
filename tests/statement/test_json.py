"""Statements survive JSON to the last digit; anything else is refused with the place where it went wrong."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from tests.statement.samples import sample, statements, tables

from outlay.errors import InputError
from outlay.statement import MAX_BYTES, Statement, Table, citations, diff, explain, from_json, load, to_json


def schema(name: str) -> jsonschema.Draft202012Validator:
    document = json.loads(files("outlay").joinpath("schemas", f"{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


STATEMENT, TABLE = schema("statement-1"), schema("table-1")


@given(statements)
@settings(max_examples=30, deadline=None)
def test_round_trip_and_schema(statement: Statement) -> None:
    text = to_json(statement)
    STATEMENT.validate(json.loads(text))
    assert from_json(text) == from_json(text.encode()) == statement
    assert to_json(from_json(text)) == text


@given(tables)
@settings(max_examples=20, deadline=None)
def test_tables_keep_their_schema(table: Table) -> None:
    TABLE.validate(json.loads(to_json(table)))


def test_the_sample_its_difference_and_its_explanation() -> None:
    for statement in (sample(), diff(sample(), sample(1000))):
        STATEMENT.validate(json.loads(to_json(statement)))
        assert from_json(to_json(statement).encode()) == statement
    TABLE.validate(json.loads(to_json(citations(sample()))))
    schema("explanation-1").validate(json.loads(to_json(explain(sample(), "total"))))
    schema("validation-1")


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    for path in (
        ["title"],
        ["lines", 0, "key"],
        ["lines", 0, "children", 0, "quantity", "likely"],
        ["total", "at_least"],
    ):
        document = json.loads(to_json(sample()))
        _at(document, path[:-1]).pop(path[-1])
        assert not STATEMENT.is_valid(document), path
        with pytest.raises(InputError, match="not a statement"):
            from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["schema"], "outlay/statement/2", "outlay/statement/2"),
        (["schema"], None, "names no schema"),
        (["title"], 3, "title"),
        (["lines"], {}, "lines"),
        (["lines", 0, "children", 0, "quantity"], "many", r"lines\[0\].children\[0\].quantity"),
        (["lines", 0, "children", 0, "quantity", "likely"], True, "finite number"),
        (["lines", 0, "children", 0, "quantity", "likely"], 10**400, "."),
        (["lines", 0, "children", 0, "quantity", "likely"], 1.0, "not quantity × unit price"),
        (["lines", 0, "children", 0, "amount", "likely"], 1.0, "not quantity × unit price"),
        (["lines", 0, "amount", "likely"], 1.0, "not the sum of its children"),
        (["total", "amount", "likely"], 1.0, "not the sum of the lines"),
        (["total", "at_least"], False, "not the sum of the lines"),
        (["lines", 0, "children", 0, "receipts", 0, "basis"], "guess", "guess"),
        (["lines", 0, "children", 0, "receipts", 0, "date"], "tomorrow", "tomorrow"),
        (["lines", 0, "children", 0, "receipts", 0, "source"], "", "source"),
        (["lines", 0, "key"], "No Key", "No Key"),
        (["lines", 1, "key"], "accelerators", "more than one line"),
        (["lines", 0, "surprise"], 1, "surprise"),
        (["sections", 0, "rows", 0], [1], "cells"),
        (["sections", 0, "rows", 0, 0], [1], "list"),
        (["answer", "seconds", "value"], 3.0, "not an object"),
        (["answer", "dollars"], {}, "answer.dollars"),
        (["answer", "seconds", "value", "likely"], -3.0, "`seconds` is below zero"),
        (["lines", 0, "children", 0, "assumed"], ["weather"], "no assumption is called 'weather'"),
        (["lines", 0, "children", 0, "assumed"], [1], r"assumed\[0\] is not text"),
        (["inputs"], [], "inputs"),
        (["assumed", 0, "receipt"], 1, "receipt"),
    ],
)
def test_what_is_wrong_is_named(path: list[Any], value: object, said: str) -> None:
    document = json.loads(to_json(sample()))
    _at(document, path[:-1])[path[-1]] = value
    if value is None:
        document.pop("schema")
    with pytest.raises(InputError, match=said) as caught:
        from_json(json.dumps(document), name="old.json")
    assert caught.value.message.startswith("`old.json` is not a statement")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "nonsense", "null", "[]", "3", '"text"', "{}", '{"schema": 1}', "[" * 100_000, '{"a":' * 100_000,
        '{"schema": "outlay/statement/1"}', "\ufeff{}", "\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", '{"schema": NaN}',
        '{"x": ' + "9" * 5000 + "}", to_json(citations(sample())), to_json(explain(sample(), "total")),
    ],
)  # fmt: skip
def test_foreign_text_is_refused(text: str | bytes) -> None:
    with pytest.raises(InputError) as caught:
        from_json(text)
    assert caught.value.hint


def test_deeply_nested_lines_figures_and_inputs_are_refused() -> None:
    for key in ("children", "parts"):
        document = json.loads(to_json(sample()))
        line = document["lines"][0]["children"][0] if key == "parts" else document["lines"][0]
        inner = line[key][0]
        for _ in range(400):
            line[key] = [json.loads(json.dumps(inner)) if key == "children" else dict(inner)]
            line = line[key][0]
        with pytest.raises(InputError):
            from_json(json.dumps(document))
    deep = to_json(sample()).replace('"layout": {', '"layout": {"x": ' + "[" * 900 + "]" * 900 + ", ")
    try:
        from_json(deep)
    except InputError as error:
        assert "nested" in error.message  # noqa: PT017 - either is right: read, or refused


def test_too_big_is_refused_before_it_is_read() -> None:
    with pytest.raises(InputError, match="more than 32 MiB"):
        from_json(" " * (MAX_BYTES + 1))


def test_files(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text(to_json(sample()), "utf-8")
    assert load(good) == sample()
    with pytest.raises(InputError, match="folder"):
        load(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "missing.json")
    with pytest.raises(InputError, match="cannot be read"):
        load("nul\0byte")
    big = tmp_path / "big.json"
    with big.open("wb") as file:
        file.truncate(60 * 2**20)
    with pytest.raises(InputError, match="MiB"):
        load(big)


def _at(document: Any, path: list[Any]) -> Any:
    for step in path:
        document = document[step]
    return document
