"""The cells of a serving row that say how much: tokens of a prompt and of an answer, requests, a rate."""

from __future__ import annotations

import re

from outlay.accuracy.records import Record
from outlay.accuracy.serving.manner import Manner
from outlay.errors import InputError

INPUT, OUTPUT = 512, 256
"""Tokens of a prompt and of an answer where nothing says."""


def lengths(record: Record, manner: Manner) -> tuple[float, float, list[str]]:
    prompt, answer = record.numbers.get("input_len"), number(record.word("output_len"))
    said = []
    usual = manner.lengths or (INPUT, OUTPUT)
    if prompt is None and manner.prompt is not None:
        prompt = float(manner.prompt)
    if prompt is None:
        prompt = float(usual[0])
        said.append(f"prompts of {usual[0]} tokens")
    if answer is None:
        answer = float(usual[1])
        said.append(f"answers of {usual[1]} tokens")
    return prompt, answer, said


def batch(record: Record) -> tuple[float | None, str]:
    text = record.word("batch_or_concurrency")
    if re.search(r"max|inf|unlimit|saturat", text.lower()) or not text:
        return None, ""
    value = number(text)
    if value is None or value <= 0:
        raise InputError(
            f"batch_or_concurrency `{text[:40]}` is no number",
            expected="a number above 0, or `max`",
            hint="correct the cell",
        )
    return value, ""


def number(text: str) -> float | None:
    """A number that a cell states, the middle of a span; None where it states none.

    >>> number("381.72"), number("1,024"), number("inf"), number("max")
    (381.72, 1024.0, None, None)
    >>> number("~200"), number("128-512"), number("64 (concurrency)"), number("2.5 req/s")
    (200.0, 320.0, 64.0, 2.5)
    """
    number = r"(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?"
    found = re.fullmatch(rf"\D{{0,12}}?{number}\s*(?:(?:-|–|to)\s*{number})?[^\d]*", text.strip())
    if not found:
        return None
    low = float(found.group(1).replace(",", "") + (found.group(2) or ""))
    high = float(found.group(3).replace(",", "") + (found.group(4) or "")) if found.group(3) else low
    return (low + high) / 2.0
