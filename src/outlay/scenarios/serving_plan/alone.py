"""The command that prices the machines of a serving plan by themselves: it is tried before it is offered."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.serving.cost import cost_serving
from outlay.scenarios.serving.software import engine_of
from outlay.scenarios.serving_plan.search import ServingFound
from outlay.scenarios.serving_plan.words import degrees
from outlay.serving import ServingCoefficients

_COUNTED = ("users", "requests_per_user", "peak", "turns", "prefix_hit")
_TERMS = ("kv", "price", "discount", "hardware", "life", "use", "grid", "pue", "electricity", "egress", "people")
_SHARES = ("prefix_hit", "discount", "use")


def alone(model: object, found: ServingFound, coefficients: ServingCoefficients) -> str | None:
    """The hint; None where one command cannot say it, or where it would be answered with *no*."""
    best = found.best
    name = model if isinstance(model, str) else found.wanted.architecture.name
    if best.prefill is not None:
        return None
    asked: dict[str, Any] = dict(_flags(found))
    try:
        cost_serving(name, coefficients=coefficients, **asked)
    except (DoesNotFit, InputError):  # the engine's own limits of a step may carry less than those of the plan
        return None
    words = " ".join(f"--{flag.replace('_', '-')} {shlex.quote(value)}" for flag, value in asked.items())
    usual = engine_of(best.block.engine.name, None, best.block.chip, [])
    own = best.decode.engine.chunk_tokens, best.decode.engine.most_sequences
    limits = "" if own == (usual.chunk_tokens, usual.most_sequences) else f", with {usual.name}'s own limits of a step"
    return f"`outlay cost serving {shlex.quote(name)} {words}` is these machines alone, line by line{limits}"


def _flags(found: ServingFound) -> Iterator[tuple[str, str]]:
    best, wanted = found.best, found.wanted
    said, demand = wanted.asked, wanted.demand
    yield "on", f"{best.chip}:{best.devices}"
    if said.get("engine") is not None:
        yield "engine", best.block.engine.name
    yield "quant", best.block.form.name
    yield "layout", degrees(best.decode.layout)
    yield "replicas", str(best.replicas)
    if said.get("turns") is None:
        yield from (("input", f"{demand.input:.0f}"), ("output", f"{demand.output:.0f}"))
    else:
        yield from ((name, str(said[name])) for name in ("input", "output") if said.get(name) is not None)
    by_users = wanted.day is None and said.get("users") is not None
    if not by_users:
        assert demand.rate is not None
        yield "rate", _typed_rate(wanted.rate if wanted.day is not None else demand.rate)
    for name in (*(_COUNTED if wanted.day is None else _COUNTED[3:]), *_TERMS):
        if said.get(name) is not None:
            yield name, _typed(name, said[name])
    if wanted.money.price is None and best.offer.provider:
        yield "provider", best.offer.provider
    if best.offer.tier != "on-demand":
        yield "tier", best.offer.tier


def _typed(name: str, value: object) -> str:
    return f"{100 * value:g}%" if name in _SHARES and isinstance(value, int | float) else str(value)


def _typed_rate(rate: float) -> str:
    return f"{rate:.4g}/s" if rate >= 0.01 else f"{rate * 86_400:.4g}/day"
