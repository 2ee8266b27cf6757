"""The commands that a comparison offers to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

import numpy as np

from outlay.scenarios.buying.own import Own
from outlay.scenarios.buying.question import Beside
from outlay.scenarios.serving.hints import unpriced

_ALIKE = (
    *(
        "input",
        "output",
        "rate",
        "users",
        "requests_per_user",
        "peak",
        "turns",
        "engine",
        "quant",
        "kv",
        "ttft",
        "tpot",
    ),
    *("provider", "tier", "price", "discount", "grid", "pue", "electricity", "hardware", "life", "use", "people"),
)
"""What `outlay cost serving` is asked by the same names."""


def _typed(name: str, value: str | int | float) -> str:
    """A value as it is typed after its flag; numbers are in base units.

    >>> _typed("rate", 2), _typed("cached", 0.2), _typed("ttft", "500ms"), _typed("tpot", 0.05)
    ('2/s', '20%', '500ms', '0.05s')
    """
    if isinstance(value, str):
        return value
    if name in ("cached", "discount", "use"):
        return f"{100 * value:g}%"
    return f"{value:g}" + {"rate": "/s", "ttft": "s", "tpot": "s"}.get(name, "")


def hints_of(own: Own, beside: Beside, asked: Mapping[str, str | int | float]) -> Iterator[str]:
    """What puts people on the bill, and what prices the machines alone."""
    question = own.run.question
    yield from unpriced(own.run)
    if beside.people is None:
        yield "`--people '40h/month:$90'` puts people on the bill of own machines"
    flags = {"on": f"{question.accelerator.name}:{question.devices}"}
    flags |= {"layout": own.unit.layout, "replicas": str(own.unit.count)}
    if any(entry.name == "tokens of a step" for entry in own.run.question.assumed):
        flags["step_tokens"] = str(own.unit.step_tokens)
    flags |= {name: _typed(name, asked[name]) for name in _ALIKE if name in asked}
    if own.unit.peak != 1.0 or "peak" in asked or "users" in asked:
        flags["peak"] = f"{np.floor(own.unit.peak * 1e4) / 1e4:g}"  # what waits has left the busiest hour
    if own.run.terms.choice is not None and own.run.terms.provider is not None:
        flags["provider"] = own.run.terms.provider
    if "cached" in asked:
        flags["prefix_hit"] = _typed("cached", asked["cached"])
    words = " ".join(f"--{name.replace('_', '-')} {shlex.quote(value)}" for name, value in flags.items())
    yield (
        f"`outlay cost serving {shlex.quote(str(asked['model']))} {words}` has every line and latency of the machines"
    )
