r"""How long tokens take to reach their experts and to come back, by the kernels that serving engines use for it (DeepEP).

Two ways. *Low latency*: every token is sent to each of its :math:`k` experts as it is. *Throughput*: tokens are counted
first, and sent once to each device that holds one of their experts, :math:`n\,(1 - (1 - 1/n)^k)` of :math:`n` devices.
With :math:`c` copies of :math:`h` elements of :math:`b` bytes, over links that give a share :math:`\sigma` of :math:`\beta`,

.. math:: t = a + \frac{T\,c\,h\,b}{\sigma\,\beta}\,\frac{n - 1}{n}

Coefficients are fitted inside one fast domain by ``python -m outlay.machine.fit``; what leaves it goes the way of
:func:`~outlay.machine.collectives.collective_seconds`.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.silicon import silicon
from outlay.machine.sizes import sound

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]

WAYS = ("low-latency", "throughput")
PHASES = ("dispatch", "combine")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCurve:
    """What decides the speed of the exchange, by way and phase (`low-latency dispatch`). Seconds; shares of the link."""

    start_seconds: Mapping[str, float]
    """Kernel, barriers and, for throughput, counting; of low latency as where a graph launches it."""
    share: Mapping[str, float]
    """Of the link's data sheet, that payload draws."""
    basis: str = "assumed"
    source: str = ""


def expert_exchange_seconds(
    phase: str,
    tokens: Number,
    choices: Number,
    hidden: Number,
    group: Number,
    *,
    way: str = "low-latency",
    element_bytes: Number = 2.0,
    link_bandwidth: Number,
    curve: ExchangeCurve,
) -> Array:
    """Seconds to send the tokens of each device to their experts (`dispatch`) or back (`combine`); everything broadcasts.

    Parameters
    ----------
    tokens, choices, hidden
        Tokens of one device, experts of each, elements of a token.
    group
        Devices over which the experts are spread, all in one fast domain; one alone takes no time.
    way
        One of :data:`WAYS`: the first for decoding, the second for prompts.
    link_bandwidth
        Bytes/s of one device in one direction: that of the cluster.

    >>> curve = ExchangeCurve(start_seconds={"low-latency dispatch": 4e-5}, share={"low-latency dispatch": 0.5})
    >>> round(float(expert_exchange_seconds("dispatch", 128, 8, 7168, 8, link_bandwidth=450e9, curve=curve)) * 1e6)
    97
    """
    kind = f"{way} {phase}"
    if way not in WAYS or phase not in PHASES:
        raise InputError(
            f"`{kind}` is not an exchange with experts", hint=f"take {' or '.join(WAYS)}, and {' or '.join(PHASES)}"
        )
    sizes = (tokens, choices, hidden, group, element_bytes)
    tokens, choices, hidden, group, element = (np.asarray(size, dtype=np.float64) for size in sizes)
    if not (sound(tokens) and sound(choices) and sound(hidden) and sound(group, 1.0) and sound(element)):
        raise InputError(
            "an exchange with experts has a size that is negative or endless, or no device",
            expected="tokens, choices, hidden, bytes ≥ 0 and group ≥ 1",
            hint="check the model's dimensions and the layout",
        )
    copies = choices if way == "low-latency" else group * -np.expm1(choices * np.log1p(-1.0 / np.maximum(group, 1.001)))
    payload = tokens * copies * hidden * element * (group - 1.0) / group
    seconds = curve.start_seconds[kind] + payload / (curve.share[kind] * np.asarray(link_bandwidth, dtype=np.float64))
    return np.asarray(np.where((group <= 1.0) | (tokens * choices == 0.0), 0.0, seconds))


LINKED: Mapping[str, tuple[str, ...]] = {
    "h100-sxm": ("h100-sxm", "h200-sxm"),
    "b200-sxm": ("b200-sxm", "b300-sxm", "gb200", "gb300"),
}
"""Chips with like links. Exchanges of decoding steps are launched by a graph, and each of the measured calls by its host, which
waits for it: of chips with like links the one with the quickest host says what kernel and barriers take. (Grace's processors
make 67 to 147 µs of what takes 47 to 62 µs beside x86.)"""


class Linked(Protocol):
    """What of an accelerator decides its exchange."""

    @property
    def name(self) -> str: ...
    @property
    def link(self) -> str: ...


def exchange_curve(accelerator: Linked, coefficients: Mapping[str, Any] | None = None) -> ExchangeCurve:
    """The curve of an accelerator: fitted on its chip, or carried over from the chip whose links are most like its own.

    `coefficients` is the content of the catalog's `expert_exchange.json`; None reads it.
    """
    content = exchange_coefficients() if coefficients is None else coefficients
    known = silicon(accelerator)
    name, link = known.name, known.link.lower()
    own = next((record for record in content["curves"] if name.startswith(record["chip"])), None)
    lender = "b200-sxm" if link.startswith(("nvlink5", "nvlink6")) else "h100-sxm"
    record = own or next(record for record in content["curves"] if record["chip"] == lender)
    alike = LINKED[lender]
    quickest = {
        kind: min(one["start_seconds"][kind] for one in content["curves"] if one["chip"] in alike)
        for kind in record["start_seconds"]
        if kind.startswith(WAYS[0])
    }
    return ExchangeCurve(
        start_seconds={**record["start_seconds"], **quickest},
        share=record["share"],
        basis="fitted" if own else "assumed",
        source=f"{'' if own else 'carried over from '}DeepEP in vLLM on {record['chip']} ({content['source']})",
    )


@functools.cache
def exchange_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "expert_exchange.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
