"""All that is wrong with a question, said at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from outlay.errors import InputError

T = TypeVar("T")


class Problems:
    """Collects what cannot be read, so that a user repairs it in one go.

    >>> problems = Problems()
    >>> problems.add("`--input` is 0", hint="write `--input 512`")
    >>> problems.add("`--rate` is x", hint="write `--rate 5/s`")
    >>> try:
    ...     problems.settle()
    ... except InputError as error:
    ...     print(error.message, error.details)
    2 things cannot be read ('`--input` is 0', '`--rate` is x')
    """

    def __init__(self) -> None:
        self._found: list[InputError] = []

    def add(self, message: str, *, hint: str, expected: str = "") -> None:
        """One more."""
        self._found.append(InputError(message, expected=expected, hint=hint))

    def attempt(self, read: Callable[[], T]) -> T | None:
        """What `read` gives; None where it cannot, which is kept."""
        try:
            return read()
        except InputError as error:
            self._found.append(error)
            return None

    def settle(self) -> None:
        """Raise what was found: one problem as it is, several together."""
        if not self._found:
            return
        first = self._found[0]
        if len(self._found) == 1:
            raise first
        raise InputError(
            f"{len(self._found)} things cannot be read",
            details=[error.message for error in self._found],
            hint=first.hint,
        )
