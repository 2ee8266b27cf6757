"""What is asked of a deployment, from the words of a question: tokens of a request, and how requests come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outlay import units
from outlay.errors import InputError
from outlay.scenarios.problems import Problems
from outlay.scenarios.serving.rates import rate_words, read_rate
from outlay.serving import Load, Requests, load_trace
from outlay.serving.closed_loop import LOOSE
from outlay.statement import Assumption, Receipt
from outlay.units import format_quantity
from outlay.workload import Architecture

MOST_TURNS = 1000
HOURS = 24
"""Of a day: its busiest hour has at most all of its requests."""
MOST_PEOPLE = 10**9
MOST_CLIENTS = 10**6
"""Requests that are open at once: above, a number is a slip; all of ChatGPT's are fewer."""
EXAMPLE = "--input 1024 --output 256 --rate 5/s"

REQUEST = Receipt(
    "1,155 tokens in, 211 out",
    unit="",
    source="means of the 19,366 conversation requests of the Azure LLM inference trace 2023 (arXiv:2311.18677)",
    date="2023-11",
    basis="assumed",
)
"""Tokens of a request where nobody says."""
_INPUT, _OUTPUT = 1155, 211
MESSAGES = Receipt(
    18e9 / 7 / 700e6,
    unit="messages a day",
    source="18 billion messages a week by 700 million users of ChatGPT (NBER working paper 34255)",
    date="2025-09",
    basis="assumed",
)
"""Requests of a user in a day where nobody says."""
BUSIEST = Receipt(
    2.4,
    unit="",
    source="a tenth of a day's requests in its busiest hour, the usual ratio of telephone networks",
    date="",
    basis="assumed",
)
"""The busiest hour over the mean of a day where people are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The load of a whole deployment. Tokens, requests a second; shares from 0 to 1."""

    input: float
    """Mean tokens of a prompt, with the turns before it."""
    output: float
    rate: float | None
    """Mean requests a second; None where a number of clients is given."""
    concurrency: int | None
    peak: float
    """Requests of the busiest hour over the mean."""
    cached: float
    longest: float
    """Tokens of the longest request, answer included."""
    variation: float = 0.0
    """Standard deviation of the tokens over their mean."""
    requests: Requests | None = None
    """The requests of a trace, one by one."""
    burstiness: float = 1.0
    """Shape of the gamma distribution of the times between requests: 1 comes at random, less in bursts."""
    words: str
    """The load as a title says it."""
    assumed: tuple[Assumption, ...] = ()

    def load(self, replicas: object = 1, *, busiest: bool = True) -> Load:
        """What reaches one of `replicas` equal instances, a number or an array of numbers."""
        share = 1.0 / replicas  # type: ignore[operator]
        if self.rate is None:
            assert self.concurrency is not None
            return Load(
                input=self.input,
                output=self.output,
                # Where there are more instances than clients, a client has one of them.
                concurrency=np.maximum(self.concurrency * share, 1.0),
                cached=self.cached,
                # Answers of people differ in length, so that nothing keeps clients in step.
                variation=max(self.variation, LOOSE),
            )
        rate = self.rate * (self.peak if busiest else 1.0)
        return Load(
            input=self.input, output=self.output, rate=rate * share, cached=self.cached, variation=self.variation
        )


def sizes_of(demand: Demand, between: str = ",") -> str:
    """`1,024 tokens in, 256 out`."""
    prompt = f"{demand.input:,.0f}"
    return f"{prompt} token{'' if prompt == '1' else 's'} in{between} {demand.output:,.0f} out"


def read_demand(
    architecture: Architecture,
    *,
    input: str | int | None,
    output: str | int | None,
    rate: str | float | None,
    concurrency: str | int | None,
    trace: str | Path | Requests | None = None,
    users: str | int | None,
    requests_per_user: str | float | None,
    peak: str | float | None,
    prefix_hit: str | float | None,
    turns: str | int | None,
    burstiness: str | float | None = None,
) -> Demand:
    """Read the load; :class:`InputError` names all that cannot be read at once."""
    problems, assumed = Problems(), list[Assumption]()
    _one_load(problems, rate=rate, concurrency=concurrency, users=users, trace=trace)
    if trace is not None and not isinstance(trace, str | Path | Requests):
        raise InputError(
            f"`trace` is {repr(trace)[:40]}",
            expected="the path of a file, or requests",
            hint='write `trace="requests.csv"`',
        )
    if isinstance(trace, str) and not trace.strip():
        raise InputError("`--trace` is empty", hint="write `--trace requests.csv`, or leave it out")
    if trace is not None:
        beside = {"input": input, "output": output, "turns": turns, "prefix-hit": prefix_hit, "peak": peak}
        beside["burstiness"] = burstiness
        for flag in (name for name, value in beside.items() if value is not None):
            problems.add(f"`--{flag}` and `--trace`: the trace says it", hint=f"leave `--{flag}` out")
        played = problems.attempt(lambda: trace if isinstance(trace, Requests) else load_trace(trace))
        problems.settle()
        assert played is not None
        return _of_trace(architecture, played, "a trace" if isinstance(trace, Requests) else Path(trace).name)
    if requests_per_user is not None and users is None:
        problems.add("`--requests-per-user` goes with `--users`", hint="make `--users 10000` the load, or leave it out")
    if peak is not None and concurrency is not None:
        problems.add(
            "`--peak` says how much busier the busiest hour is, and `--concurrency` is the same all day",
            hint="write `--rate 5/s` in the place of `--concurrency`, or leave `--peak` out",
        )
    if burstiness is not None and concurrency is not None:
        problems.add(
            "`--burstiness` is of requests that come at a rate, and clients of `--concurrency` wait for their answers",
            hint="write `--rate 5/s` in the place of `--concurrency`, or leave `--burstiness` out",
        )
    shape = problems.attempt(lambda: _burstiness(burstiness))
    prompt = problems.attempt(lambda: _tokens(input, "--input"))
    answer = problems.attempt(lambda: _tokens(output, "--output"))
    requests = problems.attempt(lambda: read_rate(rate)) if rate is not None else None
    clients = problems.attempt(lambda: _count(concurrency, "--concurrency")) if concurrency is not None else None
    people = problems.attempt(lambda: _count(users, "--users")) if users is not None else None
    each = problems.attempt(lambda: _messages(requests_per_user))
    busy = problems.attempt(lambda: _peak(peak, assumed, people=users is not None))
    hit = problems.attempt(lambda: _share(prefix_hit)) if prefix_hit is not None else None
    rounds = problems.attempt(lambda: _turns(turns)) if turns is not None else 1
    problems.settle()
    if prompt is None and answer is None:
        prompt, answer, why = _usual_request(architecture, int(rounds or 1))
        value = f"{prompt:,} tokens in, {answer} out"
        assumed.append(Assumption("request", value=value, why=why, receipt=REQUEST))
    elif prompt is None or answer is None:
        raise _half(architecture, prompt, answer, int(rounds or 1))
    assert prompt is not None and answer is not None
    words = ""
    if people is not None and each is not None:
        requests = people * each / 86_400.0
        words = f"{people:,} user{'' if people == 1 else 's'} a day"
        if requests_per_user is None:
            value = f"{each:.3g} a user and day"
            why = "`--requests-per-user` says another number"
            assumed.append(Assumption("requests", value=value, why=why, receipt=MESSAGES))
    elif clients is not None:
        words = "1 request at a time" if clients == 1 else f"{clients:,} requests at a time"
    elif requests is not None:
        words = rate_words(requests)
    mean, cached = _conversation(prompt, answer, int(rounds or 1), hit, assumed)
    longest = prompt * int(rounds or 1) + answer * int(rounds or 1)
    _within_context(architecture, prompt, answer, int(rounds or 1), longest)
    return Demand(
        input=mean,
        output=float(answer),
        rate=requests,
        concurrency=clients,
        peak=busy or 1.0,
        cached=cached,
        longest=float(longest),
        burstiness=shape or 1.0,
        words=words,
        assumed=tuple(assumed),
    )


def _of_trace(architecture: Architecture, requests: Requests, name: str) -> Demand:
    """The means of a trace, which decide the layout; its requests are then played one by one."""
    whole = requests.input + requests.output
    most = architecture.max_length
    if most and int(whole.max()) > most:
        over = int((whole > most).sum())
        first = int(np.argmax(whole > most)) + 1
        raise InputError(
            f"{over:,} of {len(requests):,} requests of {name} are longer than {architecture.name} can read, "
            f"the first is request {first:,} with {int(whole[first - 1]):,} tokens",
            expected=f"at most {most:,} with the answer",
            hint="leave them out of the trace, or serve a model with a longer context",
        )
    if requests.rate <= 0:
        raise InputError(
            f"{name} has {len(requests):,} request{'s' if len(requests) > 1 else ''} at one moment",
            expected="requests over some time",
            hint="write more of them, or `--rate 5/s` with `--input` and `--output`",
        )
    assert requests.cached is not None
    return Demand(
        input=float(requests.input.mean()),
        output=float(requests.output.mean()),
        rate=requests.rate,
        concurrency=None,
        peak=1.0,
        cached=float(requests.cached.sum() / requests.input.sum()),
        longest=float(whole.max()),
        variation=float(requests.output.std() / requests.output.mean()),
        requests=requests,
        words=f"{len(requests):,} requests of {name}",
    )


def _one_load(problems: Problems, **given: object) -> None:
    """Exactly one way to give the load."""
    flags = [f"`--{name}`" for name, value in given.items() if value is not None]
    if not flags:
        problems.add(
            "the load is missing", hint=f"add `{EXAMPLE}`, `--concurrency 32`, `--users 10000` or `--trace FILE`"
        )
    elif len(flags) > 1:
        problems.add(f"{' and '.join(flags)} are {len(flags)} loads", hint="leave all but one of them out")


def _tokens(text: str | int | None, flag: str) -> int | None:
    example = {"--input": "1024", "--output": "256"}[flag]
    return None if text is None else int(units.parse(text, "tokens", name=flag, example=example))


def _count(text: str | int | None, flag: str) -> int:
    example = "10000" if flag == "--users" else "32"
    found = int(units.parse(text if text is not None else 0, "count", name=flag, example=example))
    most = MOST_PEOPLE if flag == "--users" else MOST_CLIENTS
    if found > most:
        raise InputError(f"`{flag}` is {text}", expected=f"at most {most:,}", hint=f"write `{flag} {example}`")
    return found


def _usual_request(architecture: Architecture, turns: int) -> tuple[int, int, str]:
    """Tokens in and out where nobody says, and why so many: as many as the model reads at most, in the usual proportion.

    Raises :class:`InputError` for conversations that the model cannot read: who talks so long says how much.
    """
    why, most = "`--input` and `--output` say others", architecture.max_length
    whole = _INPUT + _OUTPUT
    if not most or turns * whole <= most:
        return _INPUT, _OUTPUT, why
    room = most // turns
    answer = room * _OUTPUT // whole
    if turns == 1 and answer:
        return room - answer, answer, f"as many as {architecture.name} reads; {why}"
    raise InputError(
        f"{turns:,} turns of the usual {_INPUT:,} tokens in and {_OUTPUT:,} out are {turns * whole:,} tokens, "
        f"more than {architecture.name} can read",
        expected=f"at most {most:,} in a conversation",
        hint=f"write `--turns {most // whole}`, or say with `--input` and `--output` how long a turn is"
        if most >= whole
        else f"write `--input {room - answer} --output {answer}`"
        if answer
        else "leave `--turns` out, or name a model that reads more",
    )


def _half(architecture: Architecture, prompt: int | None, answer: int | None, turns: int) -> InputError:
    """The error for a request of which only prompt or answer was said, with what the model still reads of the other."""
    missing, there = ("--input", "--output") if prompt is None else ("--output", "--input")
    said, room = prompt or answer or 0, (architecture.max_length or 2**62) // turns
    if said >= room:
        each = "" if turns == 1 else f" in each of {turns:,} turns"
        other = max(min(512, room // 4), 1)
        both = {there: max(room - other, 1), missing: other}
        return InputError(
            f"`{there} {said}` is more than {architecture.name} can read, and `{missing}` is missing",
            expected=f"at most {room:,} tokens together{each}",
            hint=f"write `--input {both['--input']} --output {both['--output']}`",
        )
    return InputError(
        f"`{missing}` is missing", expected=f"it with `{there}`", hint=f"add `{missing} {min(512, room - said)}`"
    )


def _messages(text: str | float | None) -> float:
    if text is None:
        return float(MESSAGES.value or 0.0)
    found = units.parse(text, "", name="--requests-per-user", example="10")
    if not 1e-4 <= found <= 1e6:
        raise InputError(
            f"`--requests-per-user` is {text}",
            expected="from one in 10,000 days to a million a day",
            hint="write `--requests-per-user 10`",
        )
    return found


def _peak(text: str | float | None, assumed: list[Assumption], *, people: bool) -> float:
    if text is not None:
        found = units.parse(text, "", name="--peak", example="2.5")
        if not 1 <= found <= HOURS:
            raise InputError(
                f"`--peak` is {text}",
                expected=f"the busiest hour over the mean of a day, from 1 to {HOURS}",
                hint="write `--peak 2.5`",
            )
        return found
    if not people:
        return 1.0
    value = f"{BUSIEST.value:g} × the mean of the day"
    assumed.append(Assumption("busiest hour", value=value, why=f"{BUSIEST.source} (`--peak`)", receipt=BUSIEST))
    return float(BUSIEST.value or 1.0)


def _burstiness(text: str | float | None) -> float:
    if text is None:
        return 1.0
    found = units.parse(text, "", name="--burstiness", example="0.5")
    if not 0.01 <= found <= 100:
        raise InputError(
            f"`--burstiness` is {text}",
            expected="from 0.01 (long bursts) over 1 (at random) to 100 (even)",
            hint="write `--burstiness 0.5`",
        )
    return found


def _share(text: str | float) -> float:
    found = units.parse(text, "%", name="--prefix-hit", zero=True, example="40%")
    if found >= 1:
        raise InputError(f"`--prefix-hit` is {text}", expected="a share below 100%", hint="write `--prefix-hit 40%`")
    return found


def _turns(text: str | int) -> int:
    found = int(units.parse(text, "count", name="--turns", example="6"))
    if found > MOST_TURNS:
        raise InputError(f"`--turns` is {text}", expected=f"at most {MOST_TURNS:,}", hint="write `--turns 6`")
    return found


def _conversation(
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


def _within_context(architecture: Architecture, prompt: int, answer: int, turns: int, longest: int) -> None:
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
