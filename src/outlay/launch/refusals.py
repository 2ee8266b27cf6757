"""What a tool cannot do with a plan, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from outlay.errors import InputError


@dataclass(slots=True)
class Refusals:
    """Collects why `tool` cannot run a plan.

    >>> refusals = Refusals("llama.cpp")
    >>> refusals.refuse(True, "it splits layers, not heads", "`--engine llamacpp`")
    >>> try:
    ...     refusals.check()
    ... except InputError as error:
    ...     print(error.message, error.hint)
    llama.cpp cannot run this plan write `--engine llamacpp`
    """

    tool: str
    problems: list[str] = field(default_factory=list)
    instead: list[str] = field(default_factory=list)

    def refuse(self, when: object, why: str, instead: str = "") -> None:
        """Note `why` if `when` holds, and what would be accepted."""
        if when:
            self.problems.append(why)
            if instead and instead not in self.instead:
                self.instead.append(instead)

    def check(self) -> None:
        """:raises InputError: if anything was noted."""
        if self.problems:
            hint = (
                f"write {' or '.join(self.instead)}" if self.instead else "change the plan, or export to another tool"
            )
            raise InputError(f"{self.tool} cannot run this plan", details=self.problems, hint=hint)
