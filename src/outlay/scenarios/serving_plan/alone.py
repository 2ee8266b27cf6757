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
from outlay.units import format_quantity

ALIKE = 0.02
"""Share by which seconds of the command may differ from the plan's without a word."""
_COUNTED = ("users", "requests_per_user", "peak", "turns", "prefix_hit")
_TERMS = (
    "kv",
    "max_num_seqs",
    "price",
    "discount",
    "hardware",
    "life",
    "use",
    "grid",
    "pue",
    "electricity",
    "egress",
    "people",
)
_SHARES = ("prefix_hit", "discount", "use")


def alone(model: object, found: ServingFound, coefficients: ServingCoefficients) -> str | None:
    """The hint, with what it answers else where that is not what the plan does; None where it would be answered with *no*."""
    best = found.best
    name = model if isinstance(model, str) else found.wanted.architecture.name
    asked: dict[str, Any] = dict(_flags(found))
    try:
        answer = cost_serving(name, coefficients=coefficients, **asked).answer
    except (DoesNotFit, InputError):
        return None
    words = " ".join(f"--{flag.replace('_', '-')} {shlex.quote(value)}" for flag, value in asked.items())
    said = f"`outlay cost serving {shlex.quote(name)} {words}` is these machines alone, line by line"
    if found.wanted.day is not None:
        said += ", with all of them on all day"
    ours = {"ttft": best.ttft, "e2e": best.e2e}
    if all(abs(answer[key].value.likely / seconds - 1.0) < ALIKE for key, seconds in ours.items() if key in answer):
        return said
    first, whole = (
        format_quantity(answer[key].value.likely if key in answer else seconds, "s") for key, seconds in ours.items()
    )
    return f"{said}, with {_differing(found)}: a first token after {first}, an answer after {whole}"


def _differing(found: ServingFound) -> str:
    """What one command cannot say of the plan, so that it answers otherwise."""
    best = found.best
    if best.prefill is not None and best.prefill.engine != best.decode.engine:
        return "one limit of a step for prompts and answers"
    return "what is rounded in it"


def _flags(found: ServingFound) -> Iterator[tuple[str, str]]:
    best, wanted = found.best, found.wanted
    said, demand = wanted.asked, wanted.demand
    layouts = [degrees(part.layout) for part in (best.prefill, best.decode) if part is not None]
    if best.prefill is None:
        yield "on", f"{best.chip}:{best.devices}"
    else:
        answering = best.replicas * int(best.decode.devices)
        yield "prefill_on", f"{best.chip}:{best.devices - answering}"
        yield "decode_on", f"{best.chip}:{answering}"
    if said.get("engine") is not None:
        yield "engine", best.block.engine.name
    yield "quant", best.block.form.name
    yield "layout", layouts[-1]
    if len(set(layouts)) > 1:
        yield "prefill_layout", layouts[0]
    # Where prompts are computed apart, theirs are the steps that a limit binds.
    if (chunk := int((best.prefill or best.decode).engine.chunk_tokens)) != engine_of(
        best.block.engine.name, None, best.block.chip, []
    ).chunk_tokens:
        yield "step_tokens", str(chunk)
    if best.prefill is None:
        yield "replicas", str(best.replicas)
    if said.get("turns") is None:
        yield from (("input", f"{demand.input:.0f}"), ("output", f"{demand.output:.0f}"))
    else:
        yield from ((name, str(said[name])) for name in ("input", "output") if said.get(name) is not None)
    if said.get("users") is None:
        assert demand.rate is not None
        yield "rate", _typed_rate(demand.rate)
    if wanted.day is not None and wanted.day.peak > 1.0:
        yield "peak", f"{wanted.day.peak:.4g}"
    for name in (*_COUNTED, *_TERMS):
        if name == "peak" and wanted.day is not None:
            continue
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
