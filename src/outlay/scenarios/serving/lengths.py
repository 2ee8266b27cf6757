"""How long requests are: the usual ones where nobody says, those of a conversation, and those that a model cannot read."""

from __future__ import annotations

from outlay.errors import InputError
from outlay.statement import Assumption, Receipt
from outlay.units import format_quantity
from outlay.workload import Architecture

REQUEST = Receipt(
    "1,155 tokens in, 211 out",
    unit="",
    source="means of the 19,366 conversation requests of the Azure LLM inference trace 2023 (arXiv:2311.18677)",
    date="2023-11",
    basis="assumed",
)
"""Tokens of a request where nobody says."""
_INPUT, _OUTPUT = 1155, 211


def usual_request(architecture: Architecture, turns: int) -> tuple[int, int, str]:
    """Tokens in and out where nobody says, and why so many: as many as the model reads at most, in the usual proportion."""
    why, most = "`--input` and `--output` say others", architecture.max_length
    if not most or turns * (_INPUT + _OUTPUT) <= most:
        return _INPUT, _OUTPUT, why
    room = max(most // turns, 2)
    answer = max(room * _OUTPUT // (_INPUT + _OUTPUT), 1)
    return room - answer, answer, f"as many as {architecture.name} reads; {why}"


def conversation(
    prompt: int, answer: int, turns: int, hit: float | None, assumed: list[Assumption]
) -> tuple[float, float]:
    """Mean tokens of a prompt over the turns of a conversation, and the share of them that the cache holds.

    Turn k brings `prompt` new tokens after k − 1 questions and answers.
    """
    past = (turns - 1) / 2.0 * (prompt + answer)
    mean = prompt + past
    if hit is not None:
        return mean, hit
    if turns == 1:
        return mean, 0.0
    share = past / mean
    value = f"{format_quantity(share, '%', digits=2)} of a prompt, all that was said before"
    assumed.append(
        Assumption("prefix cache", value=value, why="engines keep what a conversation said (`--prefix-hit`)")
    )
    return mean, share


def within_context(architecture: Architecture, prompt: int, answer: int, turns: int, longest: int) -> None:
    """Refuse a request that the model cannot read."""
    most = architecture.max_length
    if not most or longest <= most:
        return
    if turns > 1:
        fits = max(int(most // (prompt + answer)), 1)
        raise InputError(
            f"the last of {turns} turns has {longest:,} tokens, more than {architecture.name} can read",
            expected=f"at most {most:,} with the answer",
            hint=f"write `--turns {fits}`"
            if fits < turns and prompt + answer <= most
            else f"write `--input {most // 2}`",
        )
    room = most - answer
    raise InputError(
        f"`--input {prompt}` and `--output {answer}` are {longest:,} tokens, more than {architecture.name} can read",
        expected=f"at most {most:,}",
        hint=f"write `--input {room}`" if room > 0 else f"write `--input {most - most // 4} --output {most // 4}`",
    )
