"""What a user did that cannot be answered, said in one way.

Every error that a user can cause is an :class:`InputError`: it names the thing, says what was expected and ends in a hint.
The command line prints it and exits with 2. Anything else that escapes is our bug (exit 70).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

_FEW = 9
"""Names that a message has room for; of more, it says where they are listed."""
_Name = TypeVar("_Name")
_Read = TypeVar("_Read")

_SHOWN = 40
"""Characters of what was written that an error repeats."""


class InputError(Exception):
    """A request that cannot be answered as it was put.

    >>> print(InputError("`--seq` is 0", expected="a positive whole number", hint="write `--seq 4096`").screen())
    error: `--seq` is 0: expected a positive whole number
    <BLANKLINE>
    hint: write `--seq 4096`
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str, expected: str = "", details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = f"{message}: expected {expected}" if expected else message
        self.details = tuple(details)
        self.hint = hint

    def screen(self) -> str:
        """The error as a user reads it: one sentence, the details indented, one hint."""
        lines = [f"error: {self.message}", *(f"  {detail}" for detail in self.details), "", f"hint: {self.hint}"]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.message


class UnknownName(InputError):
    """A name that no table lists; the nearest names are offered, and of few names all.

    >>> error = UnknownName("accelerator", "h100-smx", ["h100-sxm-80gb", "h100-pcie-80gb"], listing="outlay show accelerators")
    >>> print(error.hint)
    did you mean `h100-sxm-80gb`? `outlay show accelerators` lists all
    """

    def __init__(self, what: str, name: str, known: Iterable[str], *, listing: str = "", flag: str = "") -> None:
        import difflib  # only where a name is wrong: answers start without it

        spelt = {entry.lower(): entry for entry in known}
        close = [spelt[entry] for entry in difflib.get_close_matches(name.lower(), spelt, n=3, cutoff=0.6)]
        meant = " or ".join(f"`{flag} {entry}`" if flag else f"`{entry}`" for entry in close)
        guess = f"did you mean {meant}? " if close else ""
        article = "an" if what[0] in "aeiou" else "a"
        shown = name if len(name) <= _SHOWN else f"{name[: _SHOWN - 1]}…"
        message = f"`{shown}` is not {article} {what} that outlay knows" if name.strip() else f"the {what} is empty"
        few = 0 < len(spelt) <= _FEW and (not listing or listing.endswith("--help"))
        rest = (
            f"{guess}`{listing}` lists all"
            if listing
            else guess.strip() or f"write `{flag and f'{flag} '}{next(iter(spelt.values()), name)}`"
        )
        super().__init__(message, expected=f"one of {', '.join(spelt.values())}" if few else "", hint=rest)
        self.name = name


class AmbiguousName(InputError):
    """A name that means several things; the choices are listed, one line each."""

    def __init__(self, what: str, name: str, choices: Iterable[str], *, hint: str) -> None:
        choices = tuple(choices)
        super().__init__(f"`{name}` is {len(choices)} {what}s", details=choices, hint=hint)


def each(read: Callable[[_Name], _Read], names: Iterable[_Name]) -> list[_Read]:
    """What `read` makes of each name; all that cannot be read is said at once.

    >>> each(int, ["1", "2"])
    [1, 2]

    :raises InputError: the only one, or one that lists them all and hints at the first.
    """
    found, wrong = [], []
    for name in names:
        try:
            found.append(read(name))
        except InputError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise InputError(
            f"{len(wrong)} names cannot be read", details=[str(error) for error in wrong], hint=wrong[0].hint
        )
    return found


class DoesNotFit(Exception):
    """The question was understood and the answer is no (exit 1)."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str, need: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.need = need
        """Bytes that are needed over those that there are, where memory is what lacks."""
