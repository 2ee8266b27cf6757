"""What is compared, from the words of a question: APIs, shares of the load, and what no price list has."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from outlay import units
from outlay.catalog import hosted
from outlay.catalog.hosted import ApiPrice
from outlay.errors import AmbiguousName, InputError, UnknownName
from outlay.scenarios.named import read_model
from outlay.scenarios.people import People, read_people
from outlay.scenarios.problems import Problems
from outlay.scenarios.serving.question import check_served
from outlay.scenarios.today import today as today_of
from outlay.statement import Receipt
from outlay.workload import Architecture

HINT = "write `--api any`, `--api groq,together`, `--api openai/gpt-5-mini`, or your own price: `--api mine=0.10/0.40`"
BESIDE = ("quality_difference", "lock_in", "data_leaving")
_OWN = re.compile(r"(?P<name>[^=]+)=\$?(?P<input>[0-9.]+)/\$?(?P<output>[0-9.]+)(/\$?(?P<cached>[0-9.]+))?")
MOST_APIS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Dollars of a month that are on neither bill; None where nobody said."""

    people: People | None
    """Of running own machines, beyond what using an API takes."""
    quality_difference: float | None
    """What the API's answers cost beside one's own; its lock-in, and that data leave the house."""
    lock_in: float | None
    data_leaving: float | None

    @property
    def of_api(self) -> float:
        """What is said to come with buying."""
        return sum(value or 0.0 for value in (self.quality_difference, self.lock_in, self.data_leaving))

    @property
    def of_own(self) -> float:
        """What is said to come with machines of one's own."""
        return 0.0 if self.people is None else self.people.month


def read_share(text: str | float | None, flag: str, *, below_one: bool = False) -> float | None:
    """A share of the load; None where nobody said.

    >>> read_share("40%", "--cached"), read_share(None, "--cached")
    (0.4, None)
    """
    if text is None:
        return None
    share = units.parse(text, "%", name=flag, zero=True, example="40%")
    if below_one and share >= 1:
        raise InputError(f"`{flag}` is {text}", expected="a share below 100%", hint=f"write `{flag} 40%`")
    return share


def read_beside(
    people: str | float | None,
    quality_difference: str | float | None,
    lock_in: str | float | None,
    data_leaving: str | float | None,
    problems: Problems,
) -> Beside:
    """Dollars of a month, as somebody says them; what cannot be read is added to `problems`."""

    def dollars(text: str | float | None, flag: str) -> float | None:
        if text is None:
            return None
        return problems.attempt(lambda: units.parse(text, "$", name=flag, zero=True, example="500"))

    return Beside(
        people=None if people is None else problems.attempt(lambda: read_people(people)),
        quality_difference=dollars(quality_difference, "--quality-difference"),
        lock_in=dollars(lock_in, "--lock-in"),
        data_leaving=dollars(data_leaving, "--data-leaving"),
    )


_BRANDS = {"chatgpt": "openai/gpt-5-mini"}
"""What people call a service whose models have other names."""
_OPEN = "llama-3.3-70b"
"""Open weights for a hint."""


def read_weights(model: Any, *, users: str | int | None, rate: str | float | None) -> Architecture:
    """The model that own machines would run; one that is sold by the token alone is what it is held against."""
    try:
        architecture = read_model(model)[0]
    except UnknownName as error:
        if isinstance(model, str) and "/" not in model and (name := _sold(model)):
            load = f"--users {users}" if users is not None else f"--rate {rate}"
            raise InputError(
                f"`{model}` is sold by the token, and nobody else has its weights",
                expected="a model with open weights, and after `--api` what it is held against",
                hint=f"write `outlay compare {_OPEN} --api {name} {load}`",
            ) from error
        raise
    check_served(architecture)
    return architecture


def _sold(model: str) -> str:
    """Seller and name of a model that is sold by the token; "" for what nobody sells."""
    name = model.strip().lower()
    try:
        return hosted.api_price(_BRANDS.get(name, name), tokens=1000.0, day=today_of()).name
    except AmbiguousName as error:
        return error.details[0].split()[0]
    except InputError:
        return ""


def read_apis(text: str | None, model: str, *, tokens: float, day: datetime.date) -> tuple[ApiPrice, ...]:
    """The APIs that are asked for, each once: `any` is every host of the same weights.

    A seller's name alone is the same weights there; `seller/model` is any model, the same or another; `name=in/out` is a
    price of the user's own, for the same weights.

    :raises InputError: for what cannot be read; unknown names come with the nearest.
    """
    words = [word.strip() for word in ("any" if text is None else text).split(",")]
    if not any(words):
        raise InputError("`--api` is empty", hint=HINT)
    problems, found = Problems(), list[ApiPrice]()
    for word in filter(None, words):
        read = problems.attempt(lambda word=word: _read(word, model, tokens, day))  # type: ignore[misc]
        found += read or ()
    problems.settle()
    unique = {price.name: price for price in found}
    if not unique:
        raise InputError(
            f"no host lists a price of {model}",
            expected="an API to compare with",
            hint="name another model: write `--api openai/gpt-5-mini`, or your own price: `--api mine=0.10/0.40`",
        )
    if len(unique) > MOST_APIS:
        raise InputError(f"`--api` names {len(unique)} APIs", expected=f"at most {MOST_APIS}", hint=HINT)
    return tuple(unique.values())


def _read(word: str, model: str, tokens: float, day: datetime.date) -> tuple[ApiPrice, ...]:
    if "=" in word:
        return (_yours(word, model),)
    if word.lower() == "any":
        every = hosted.same_weights(model, tokens=tokens, day=day)
        return tuple(price for price in every if not price.withdrawn)
    if word.lower() in hosted.sellers():
        there = hosted.same_weights(model, tokens=tokens, day=day, seller=word.lower())
        there = tuple(price for price in there if not price.withdrawn) or there
        if not there:
            raise InputError(
                f"{word} lists no price of {model}",
                expected="a seller of the same model, or another model of it",
                hint=f"`outlay show apis {word}` lists what it sells: write `--api {word}/MODEL`",
            )
        return there
    return (hosted.api_price(word, tokens=tokens, day=day),)


def _yours(word: str, model: str) -> ApiPrice:
    match = _OWN.fullmatch(word)
    try:
        prices = {name: float(match[name]) if match and match[name] else None for name in ("input", "output", "cached")}
    except ValueError:
        match, prices = None, {}
    if match is None or prices["input"] is None or prices["output"] is None:
        raise InputError(
            f"`--api {word[:40]}`",
            expected="dollars of a million tokens: NAME=INPUT/OUTPUT, or NAME=INPUT/OUTPUT/CACHED",
            hint="write `--api mine=0.10/0.40`",
        )
    return ApiPrice(
        seller=match["name"].strip(),
        model="",
        weights=model,
        format="",
        input=prices["input"],
        output=prices["output"],
        cached=prices["cached"],
        written=None,
        batch_input=None,
        batch_output=None,
        batch_cached=None,
        swing=(1.0, 1.0),
        tier_from=None,
        withdrawn=False,
        receipt=Receipt(prices["output"], unit="$/M tokens", source=f"--api {word}", date="", basis="yours"),
    )
