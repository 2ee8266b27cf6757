"""A launch script as its words: comments away, continued lines joined, the variables it sets filled in.

It reads the shell that launch scripts are written in (assignments, arrays, `${NAME:-default}`, whole-number arithmetic) and runs
nothing. A variable that the script does not set stays as it is written.
"""

from __future__ import annotations

import ast
import operator
import re
import shlex
from collections.abc import Mapping

from outlay.errors import InputError

Value = list[str]
LONGEST = 10**6
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_ASSIGNED = re.compile(rf"(?:export\s+|declare\s+(?:-\w+\s+)?|local\s+)?({_NAME})(\+?)=(.*)", re.DOTALL)
_REFERENCE = re.compile(rf"\$\{{({_NAME})(?:\[[@*]\])?(?::?-([^}}]*))?\}}|\$({_NAME})")
_ARITHMETIC = re.compile(r"\$\(\(([^()]*(?:\([^()]*\)[^()]*)*)\)\)")
_SUMS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}


def commands(text: str, *, source: str) -> tuple[list[str], dict[str, Value]]:
    """The words of all commands, in order, and the variables that were set.

    >>> commands('TP=8\\nARGS=(--tp $((TP / 2)))  # half\\nrun.py "${ARGS[@]}"', source="run.sh")[0]
    ['run.py', '--tp', '4']

    :raises InputError: for quotes or brackets that do not close.
    """
    variables: dict[str, Value] = {}
    words: list[str] = []
    for statement in _statements(text, source):
        found = _ASSIGNED.fullmatch(statement)
        if found:
            name, more, value = found.groups()
            if not value.startswith("(") and (rest := _after_assignment(statement)):
                words += _words(rest, variables, source)  # NAME=value before a command
                continue
            old = variables.get(name, []) if more else []
            if value.startswith("("):
                variables[name] = old + _words(value[1:-1], variables, source)
            else:
                new = _words(value, variables, source, split=False)
                variables[name] = [" ".join(filter(None, [*old, *new]))]
            continue
        words += _words(statement, variables, source)
    return words, variables


def _after_assignment(statement: str) -> str:
    """The command that follows `NAME=value` on one line; empty where there is none, or after `export`."""
    found = re.match(rf"(?:{_NAME}=(?:\"[^\"]*\"|'[^']*'|[^\s\"'])*\s+)+(?=\S)", statement)
    return statement[found.end() :] if found else ""


def _statements(text: str, source: str) -> list[str]:
    """Logical lines: continued, or inside quotes and brackets, they are one."""
    statements: list[str] = []
    current, quote, depth = "", "", 0
    text = text.replace("\r\n", "\n")
    place = 0
    while place < len(text):
        sign = text[place]
        if sign == "\\" and quote != "'" and text[place + 1 : place + 2] == "\n":
            current += " "
            place += 2
            continue
        if sign == "\\" and quote != "'":
            current += text[place : place + 2]
            place += 2
            continue
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "#" and (not current or current[-1] in " \t\n("):
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
            continue
        elif sign in "({":
            depth += sign == "("
        elif sign == ")":
            depth = max(depth - 1, 0)
        if not quote and not depth and sign in "\n;":
            statements.append(current.strip())
            current = ""
        else:
            current += sign
        place += 1
    if quote or depth:
        raise InputError(
            f"`{source}` cannot be read: a {'quote' if quote else 'bracket'} does not close",
            expected="a shell script or a list of arguments",
            hint="correct it; `bash -n` finds the line",
        )
    statements.append(current.strip())
    return [statement for statement in statements if statement]


def _words(text: str, variables: Mapping[str, Value], source: str, *, split: bool = True) -> Value:
    """The words of a statement, variables filled in; what a reference holds is split like the rest."""
    filled = _ARITHMETIC.sub(lambda found: _sum(found.group(1), variables, found.group(0)), text)
    filled = _filled(filled, variables)
    try:
        words = shlex.split(filled, comments=False)
    except ValueError as error:
        raise InputError(
            f"`{source}` cannot be read: {str(error).lower()}",
            expected="a shell script or a list of arguments",
            hint="correct it; `bash -n` finds the line",
        ) from error
    if not split:
        return [" ".join(words)]
    # An array or a string of arguments in quotes is many words in the script, and must be here.
    return [part for word in words for part in (word.split() if word.lstrip().startswith("--") else [word])]


def _filled(text: str, variables: Mapping[str, Value]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found.group(1) or found.group(3)
        if name in variables:
            return " ".join(variables[name])
        return found.group(2) if found.group(2) is not None else found.group(0)

    # In single quotes nothing is filled in, but arguments of launchers never hang on that.
    for _ in range(5):
        again = _REFERENCE.sub(value, text)
        if len(again) > LONGEST:
            raise InputError(
                "the variables of the script hold each other without end",
                expected=f"at most {LONGEST:,} letters a command",
                hint="give the list of arguments alone",
            )
        if again == text:
            break
        text = again
    return text


def _sum(text: str, variables: Mapping[str, Value], otherwise: str) -> str:
    """Whole-number arithmetic of `$(( … ))`; what it cannot do stays as it was written."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp):
            sum_of = _SUMS.get(ast.FloorDiv if isinstance(node.op, ast.Div) else type(node.op))
            if sum_of is not None:
                return int(sum_of(value(node.left), value(node.right)))
        raise ValueError

    numbers = re.sub(_NAME, lambda name: " ".join(variables.get(name.group(0), ["?"])), text.replace("$", ""))
    try:
        return str(value(ast.parse(numbers.strip(), mode="eval").body))
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, OverflowError):
        return re.sub(r"\s+", "", otherwise)
