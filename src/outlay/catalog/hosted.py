"""Prices of hosted APIs, from the package genai-prices: per million tokens, cached and batch prices with them.

The package carries its data with it, so nothing is fetched; it is imported when a price is asked for, because it takes a tenth
of a second. Its data has no date of its own: the latest day on which it says that a price was checked stands in for one.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from outlay.catalog import rows
from outlay.catalog.api_names import format_said, weights_of
from outlay.errors import AmbiguousName, UnknownName
from outlay.statement import Receipt

SOURCE = "https://github.com/pydantic/genai-prices"
LISTING = "outlay show apis"
ROUTERS = ("openrouter", "huggingface_", "github-copilot", "cursor", "quicksilverpro")
"""Sellers that pass requests on to others: their prices are those of whoever answers, so `any` leaves them out."""
_FIELDS = {"input": "input_mtok", "output": "output_mtok", "cached": "cache_read_mtok", "written": "cache_write_mtok"}
_DAY = re.compile(r"20\d\d-\d\d-\d\d")
_LOOKED = re.compile(r"(?:checked|verified)[^.;)]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPrice:
    """What one API asks for one model, in dollars of a million tokens; the mean of a day where hours differ."""

    seller: str
    model: str
    """As the seller calls it."""
    weights: str | None
    """The model of this catalog that it serves; None for any other."""
    format: str
    """The number format that its name tells; "" where it tells none."""
    input: float
    output: float
    cached: float | None
    """Of prompt tokens that the seller has in its cache; None where it does not price them apart."""
    written: float | None
    """Of prompt tokens that are put into the cache, where that is priced apart."""
    batch_input: float | None
    batch_output: float | None
    batch_cached: float | None
    swing: tuple[float, float]
    """The cheapest and the dearest hour over the mean; 1 and 1 where all hours cost the same."""
    tier_from: int | None
    """Tokens of a prompt from which all its tokens cost more; None where length does not matter."""
    withdrawn: bool
    """No longer listed by the seller, or about to go."""
    receipt: Receipt = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Seller and model, as `--api` takes them."""
        return f"{self.seller}/{self.model}" if self.model else self.seller

    @property
    def short(self) -> str:
        """The same without the path that some sellers put before a model's name."""
        return f"{self.seller}/{self.model.rpartition('/')[2]}" if self.model else self.seller

    def receipt_of(self, dollars: float) -> Receipt:
        """The receipt of one of the prices."""
        return dataclasses.replace(self.receipt, value=dollars)

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """Of the prices of input and output."""
        return tuple(self.receipt_of(dollars) for dollars in dict.fromkeys((self.input, self.output)))


@rows.cached
def sellers() -> tuple[str, ...]:
    """Everyone with a price of a model that answers in text."""
    return tuple(sorted(provider.id for provider in _providers()))


def is_router(seller: str) -> bool:
    """Whether a seller passes requests on.

    >>> is_router("openrouter"), is_router("huggingface_together"), is_router("groq")
    (True, True, False)
    """
    return seller.startswith(ROUTERS)


def same_weights(model: str, *, tokens: float, day: datetime.date, seller: str | None = None) -> tuple[ApiPrice, ...]:
    """What every host asks for the weights of `model` (a name of the catalog); of one seller, or of all but routers.

    >>> found = same_weights("llama-3.1-8b", tokens=1024, day=datetime.date(2026, 11, 26), seller="groq")
    >>> [(price.model, price.input, price.output) for price in found]
    [('llama-3.1-8b-instant', 0.05, 0.08)]
    """
    found = (
        _price(provider.id, entry, tokens, day)
        for provider in _providers()
        if (provider.id == seller if seller else not is_router(provider.id))
        for entry in provider.models
        if weights_of(entry.id) == model and not entry.id.endswith(":free") and not _a_router_s(entry)
    )
    return tuple(price for price in found if price is not None)


def _a_router_s(entry: Any) -> bool:
    """Whether a price under a maker's name is a router's, as the list says of it: the maker may sell no such thing."""
    return "imported from openrouter" in (entry.price_comments or "").lower()


def api_price(name: str, *, tokens: float, day: datetime.date) -> ApiPrice:
    """The price of `seller/model`, or of a model that one seller alone (its maker, if several sell it) is known by.

    :raises UnknownName: with the nearest names.
    :raises AmbiguousName: for a model that several sell and none makes.

    >>> price = api_price("openai/gpt-5-mini", tokens=1024, day=datetime.date(2026, 11, 26))
    >>> price.input, price.cached, price.output, price.batch_output
    (0.25, 0.025, 2.0, 1.0)
    """
    seller, _, model = name.strip().partition("/")
    for provider in _providers():
        if provider.id == seller.lower() and model:
            found = _match(provider, model)
            price = None if found is None else _price(provider.id, found, tokens, day)
            if price is None:
                known = [entry.id for entry in provider.models]
                raise UnknownName(f"model of {provider.id}", model, known, listing=f"{LISTING} {provider.id}")
            return price
    wanted = name.strip().lower()
    matches = [
        price
        for provider in _providers()
        if not is_router(provider.id)
        for entry in provider.models
        if wanted in (entry.id.lower(), entry.id.lower().rpartition("/")[2])
        if (price := _price(provider.id, entry, tokens, day)) is not None
    ]
    if len(matches) > 1:
        makers = [price for price in matches if wanted.startswith(_MODELS_OF.get(price.seller, ("\0",)))]
        matches = makers if len(makers) == 1 else matches
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = [price.name for price in matches]
        raise AmbiguousName("API", name, names, hint=f"write `--api {names[0]}`")
    everything = (*sellers(), *(f"{provider.id}/{entry.id}" for provider in _providers() for entry in provider.models))
    raise UnknownName("hosted API", name, everything, listing=LISTING)


_MODELS_OF = {
    "openai": ("gpt", "o1", "o3", "o4"),
    "anthropic": ("claude",),
    "google": ("gemini", "gemma"),
    "mistral": ("mistral", "ministral", "codestral", "mixtral", "magistral", "devstral"),
    "deepseek": ("deepseek",),
    "x-ai": ("grok",),
    "cohere": ("command",),
    "zai": ("glm",),
    "moonshotai": ("kimi",),
    "minimax": ("minimax",),
}
"""How the models of those who sell their own begin."""


def listed(seller: str, *, tokens: float, day: datetime.date) -> tuple[ApiPrice, ...]:
    """Everything that one seller asks a price for by input and output tokens; an unknown seller raises."""
    if seller not in sellers():
        raise UnknownName("hosted API", seller, sellers(), listing=LISTING)
    entries = next(provider for provider in _providers() if provider.id == seller).models
    found = (_price(seller, entry, tokens, day) for entry in entries)
    return tuple(price for price in found if price is not None)


@rows.cached
def as_of() -> str:
    """The latest day on which the data say that a price was checked."""
    return max((day for provider in _providers() for text in _comments(provider) for day in _checked(text)), default="")


def _checked(text: str) -> list[str]:
    """The days on which a comment says that somebody looked; other days are when a price begins or ends.

    >>> _checked("No longer listed (checked 2026-07-17 and 2026-08-27). Ends on 2026-12-31.")
    ['2026-07-17', '2026-08-27']
    """
    return [day for said in _LOOKED.findall(text) for day in _DAY.findall(said)]


def _comments(provider: Any) -> Iterator[str]:
    yield provider.price_comments or ""
    yield from (entry.price_comments or "" for entry in provider.models)


@rows.cached
def _providers() -> tuple[Any, ...]:
    from genai_prices.data import providers  # 0.1 s: only where a price is asked for

    return tuple(providers)


def _match(provider: Any, model: str) -> Any | None:
    exact = next((entry for entry in provider.models if entry.id.lower() == model.lower()), None)
    return exact or next((entry for entry in provider.models if entry.is_match(model)), None)


def _price(seller: str, entry: Any, tokens: float, day: datetime.date) -> ApiPrice | None:
    """Prices of one model for prompts of `tokens` on one day; None where it has none for input and output."""
    standard = _of_day(entry, tokens, day, None)
    if standard.get("input") is None or standard.get("output") is None:
        return None
    batch = _of_day(entry, tokens, day, {"processing": "batch"})
    # Batches may cost less from a day on only.
    reduced = any(variant.when == {"processing": "batch"} for variant in entry.price_variants or ())
    hours = [_at(entry, tokens, day, hour, None) for hour in _hours(entry)]
    # All prices of a model swing together, so those of answers stand for all.
    answers = [float(prices["output"] or 0.0) for prices in hours]
    mean = sum(answers) / len(answers)
    date = max(_checked(entry.price_comments or ""), default=as_of())
    return ApiPrice(
        seller=seller,
        model=entry.id,
        weights=weights_of(entry.id),
        format=format_said(entry.id),
        input=float(standard["input"] or 0.0),
        output=float(standard["output"] or 0.0),
        cached=standard["cached"],
        written=standard["written"],
        batch_input=batch["input"] if reduced else None,
        batch_output=batch["output"] if reduced else None,
        batch_cached=batch["cached"] if reduced else None,
        swing=(min(answers) / mean, max(answers) / mean) if min(answers) < max(answers) else (1.0, 1.0),
        tier_from=_tier(entry, day),
        withdrawn=bool(entry.deprecated),
        receipt=Receipt(
            float(standard["output"] or 0.0),
            unit="$/M tokens",
            source=f"{SOURCE} {version('genai-prices')}",
            date=date,
            basis="quoted",
            note=f"{seller}, {entry.id}: input {standard['input']:g}, output {standard['output']:g}",
        ),
    )


def _of_day(entry: Any, tokens: float, day: datetime.date, context: Any) -> dict[str, float | None]:
    """The mean of the hours of a day."""
    hours = [_at(entry, tokens, day, hour, context) for hour in _hours(entry)]
    return {name: _mean(prices[name] for prices in hours) for name in _FIELDS}


def _hours(entry: Any) -> tuple[int, ...]:
    """The hours that have to be asked: all, where some cost less than others."""
    conditions = (*(entry.prices if isinstance(entry.prices, list) else ()), *(entry.price_variants or ()))
    swings = any(hasattr(condition.constraint, "start_time") for condition in conditions)
    return tuple(range(24)) if swings else (12,)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return None if not known else known[0] if min(known) == max(known) else sum(known) / len(known)


def _at(entry: Any, tokens: float, day: datetime.date, hour: int, context: Any) -> dict[str, float | None]:
    moment = datetime.datetime(day.year, day.month, day.day, hour, tzinfo=datetime.UTC)
    prices = entry.get_prices(moment, context)
    return {name: _for_length(getattr(prices, key), tokens) for name, key in _FIELDS.items()}


def _for_length(price: Any, tokens: float) -> float | None:
    """A price for prompts of a length: past a tier's start, all tokens cost that tier's price."""
    if price is None:
        return None
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tokens > tier.start]
    return float(reached[-1] if reached else getattr(price, "base", price))


def _tier(entry: Any, day: datetime.date) -> int | None:
    moment = datetime.datetime(day.year, day.month, day.day, 12, tzinfo=datetime.UTC)
    tiers = getattr(entry.get_prices(moment, None).input_mtok, "tiers", None)
    return int(tiers[0].start) if tiers else None
