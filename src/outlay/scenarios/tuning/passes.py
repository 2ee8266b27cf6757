"""What a tuning is for: answers to imitate, a teacher to follow, answers to prefer; and the passes that each adds to a step."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outlay import units
from outlay.errors import InputError
from outlay.scenarios.frameworks import no_such
from outlay.scenarios.named import read_model
from outlay.training.recipe import Passes
from outlay.workload import Architecture

OBJECTIVES = {
    "sft": "imitating examples",
    "continue": "continued pre-training",
    "distill": "following a teacher",
    "dpo": "preferring one answer of two",
    "grpo": "rewarded answers, a group a prompt",
    "ppo": "rewarded answers, with a critic",
}
_ONLINE = ("grpo", "ppo")
GROUP = 8
"""Answers to a prompt where nobody says: between the 4 and 64 of published recipes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What is learnt, and from whom."""

    name: str
    teacher: Architecture | None = None
    reward: Architecture | None = None
    group: int = 1
    """Answers that are generated for a prompt."""
    answer_length: float | None = None
    """Tokens of a generated answer; an example is then a prompt."""
    rate: float | None = None
    """Tokens a second and device at which answers are generated."""

    @property
    def sequences(self) -> int:
        """Sequences that the trained model sees for an example."""
        return 2 if self.name == "dpo" else self.group

    def passes(self, architecture: Architecture) -> Passes | None:
        """What a step does beside the trained model's passes."""
        if self.name in ("sft", "continue"):
            return None
        scored: list[Architecture] = []
        if self.teacher is not None:
            scored.append(self.teacher)
        if self.name in ("dpo", *_ONLINE):
            scored.append(architecture)
        if self.reward is not None:
            scored.append(self.reward)
        return Passes(
            scored=tuple(scored),
            answer_tokens=self.answer_length or 0.0,
            generation_rate=self.rate or 1.0,
            critic=self.name == "ppo",
        )


def read_objective(
    objective: str | None,
    teacher: str | None,
    reward: str | None,
    answers: str | int | None,
    answer_length: str | int | None,
    generation_rate: str | float | None,
) -> Objective:
    """Read what the tuning is for; flags of another objective are refused."""
    name = "sft" if objective is None else objective.strip().lower()
    if name not in OBJECTIVES:
        raise no_such("objective", name, OBJECTIVES, "sft")
    for flag, value, where in (
        ("--teacher", teacher, ("distill",)),
        ("--reward", reward, _ONLINE),
        ("--answers", answers, _ONLINE),
        ("--answer-length", answer_length, _ONLINE),
        ("--generation-rate", generation_rate, _ONLINE),
    ):
        if value is not None and name not in where:
            raise InputError(
                f"`{flag} {value}` and `--objective {name}` contradict each other",
                hint=f"write `--objective {where[0]}`, or leave `{flag}` out",
            )
    if name == "distill":
        if teacher is None:
            raise InputError(
                "`--teacher` is missing", expected="the model to follow", hint="add `--teacher llama-3-70b`"
            )
        followed = read_model(teacher)[0]
        if followed.family != "decoder":
            raise InputError(
                f"`--teacher {teacher}` foretells no next token: it is an {followed.family}",
                expected="a decoder, whose answers can be followed",
                hint="write `--teacher llama-3-70b`",
            )
        return Objective(name=name, teacher=followed)
    if name not in _ONLINE:
        return Objective(name=name)
    if generation_rate is None or answer_length is None:
        asked = (("--generation-rate", generation_rate), ("--answer-length", answer_length))
        missing = [flag for flag, value in asked if value is None]
        listed = " and ".join(f"`{flag}`" for flag in missing)
        raise InputError(
            f"{listed} {'is' if len(missing) == 1 else 'are'} missing",
            expected="how fast a device generates (tokens a second), and how long answers are",
            hint="add `--generation-rate 2500 --answer-length 512`; `outlay` does not predict generation here",
        )
    group = (
        (GROUP if name == "grpo" else 1)
        if answers is None
        else int(units.parse(answers, "count", name="--answers", example="8"))
    )
    return Objective(
        name=name,
        reward=None if reward is None else read_model(reward)[0],
        group=group,
        answer_length=float(units.parse(answer_length, "count", name="--answer-length", example="512")),
        rate=_rate(generation_rate),
    )


def _rate(asked: str | float) -> float:
    """Tokens a second, with or without saying so.

    >>> _rate("2500"), _rate("2500 tokens/s"), _rate("2,500/s")
    (2500.0, 2500.0, 2500.0)
    """
    bare = re.sub(r"\s*(tokens?|tok)?\s*/\s*s(ec(ond)?)?\s*$", "", asked) if isinstance(asked, str) else asked
    try:
        return units.parse(bare, "", name="--generation-rate", example="2500")
    except InputError as error:
        expected = error.message.partition(": expected ")[2]
        raise InputError(
            f"`--generation-rate` is {asked}", expected=f"tokens a second, {expected}", hint=error.hint
        ) from None
