"""Values out of a launch file, each checked; all that cannot be read is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from outlay.errors import InputError

Meaning = TypeVar("Meaning")


@dataclass(slots=True)
class Reading:
    """The keys of one file, and what was wrong with them."""

    tool: str
    source: str
    values: Mapping[str, object]
    prefix: str = ""
    problems: list[str] = field(default_factory=list)

    def shown(self, key: str) -> str:
        """A key with its value, as an error shows it."""
        value = str(self.values.get(key))
        return f"{self.prefix}{key} {value if len(value) <= 40 else value[:40] + '…'}".rstrip()

    def count(self, key: str, *, least: int = 1) -> int | None:
        """A whole number, or None where there is none."""
        value = self.values.get(key)
        if value is None or value == "auto":
            return None
        try:
            number = int(str(value))
            if isinstance(value, bool) or number < least or number > 10**12:
                raise ValueError
        except ValueError:
            self.problems.append(f"{self.shown(key)}: expected a whole number from {least}")
            return None
        return number

    def automatic(self, key: str) -> bool:
        """Whether a value is left to the tool."""
        return str(self.values.get(key)).lower() == "auto"

    def degree(self, key: str) -> int:
        """A degree of parallelism; 1 where nothing is said."""
        return self.count(key) or 1

    def share(self, key: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self.values.get(key)
        if value is None:
            return default
        try:
            number = float(str(value))
            if not 0 <= number <= 1:
                raise ValueError
        except ValueError:
            self.problems.append(f"{self.shown(key)}: expected a number from 0 to 1")
            return default
        return number

    def flag(self, key: str) -> bool:
        """Whether a switch is on."""
        value = self.values.get(key, False)
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in ("true", "false", "none", "auto", "1", "0", "yes", "no"):
            self.problems.append(f"{self.shown(key)}: expected true or false")
        return word in ("true", "1", "yes")

    def word(self, key: str, meanings: Mapping[str, Meaning], default: Meaning) -> Meaning:
        """What a word stands for."""
        value = self.values.get(key)
        if value is None or value == "auto":
            return default
        found = meanings.get(str(value), meanings.get(str(value).lower()))
        if found is None and str(value).lower() not in meanings:
            self.problems.append(f"{self.shown(key)}: outlay reads {', '.join(meanings)}")
            return default
        return found if found is not None else default

    def refuse(self, when: object, why: str) -> None:
        """Note a value that outlay has no word for."""
        if when:
            self.problems.append(why)

    def check(self) -> None:
        """:raises InputError: with all that could not be read."""
        if self.problems:
            raise InputError(
                f"`{self.source}` cannot be read as a run of {self.tool}",
                details=list(dict.fromkeys(self.problems)),
                hint="correct the values, or describe the run with `--layout`, `--seq` and `--batch`",
            )


def divided(reading: Reading, devices: int | None, parts: Mapping[str, int]) -> int | None:
    """Data-parallel replicas that are left when the devices are shared out; None if nobody said how many there are."""
    if devices is None:
        return None
    used = 1
    for degree in parts.values():
        used *= degree
    if devices % used:
        product = " × ".join(f"{name} {degree}" for name, degree in parts.items())
        reading.problems.append(f"{devices} devices cannot be shared by {product}")
        return None
    return devices // used
