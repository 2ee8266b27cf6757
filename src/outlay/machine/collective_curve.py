"""What decides the speed of collectives between accelerators of one kind: fitted on its chip, or carried over by its links."""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from outlay.machine.silicon import silicon


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCurve:
    """One kind of collective over one kind of link."""

    sizes: tuple[float, ...] = (2.0, 8.0)
    """Group sizes at which `share` is given; between them by the logarithm of the size, beyond them the last."""
    share: tuple[float, ...] = (0.7, 0.75)
    """Bus bandwidth of a large message over the link's data sheet."""
    start_seconds: float = 7e-6
    rank_seconds: float = 1.3e-6
    """Added by each rank after the first."""
    large_start_seconds: float = 1e-5
    """What the protocol of large messages adds to the start."""
    large_rank_seconds: float = 3e-6
    """And what each rank after the first adds to that, up to the eighth."""
    small_share: float = 0.4
    """Rate of the protocol of small messages over that of large ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectiveCurve:
    """What decides the speed of collectives between accelerators of one kind."""

    link: Mapping[str, KindCurve]
    """Inside the scale-up domain, by kind."""
    host: Mapping[str, KindCurve]
    """Between devices of one node that only PCIe joins, by kind."""
    network_share: Mapping[str, float]
    """Rate over the network by kind, over what the fabric gives to a large all-gather."""
    switched_size: float = math.inf
    """Ranks from which the fitted all-reduce is summed inside the switch; infinite where it never is."""
    basis: str = "assumed"
    source: str = ""


class Linked(Protocol):
    """What of an accelerator decides its collectives."""

    @property
    def name(self) -> str: ...
    @property
    def link(self) -> str: ...


def collective_curve(accelerator: Linked, coefficients: Mapping[str, Any] | None = None) -> CollectiveCurve:
    """The curve of an accelerator: fitted on its chip, carried over from a relative by its links, or assumed.

    `coefficients` is the content of the catalog's `collectives.json`; None reads it.
    """
    content = collective_coefficients() if coefficients is None else coefficients
    known = silicon(accelerator)
    name, link = known.name, known.link.lower()
    record, basis = None, "fitted"
    for candidate in content["chips"]:
        if name.startswith(candidate["chip"]):
            record = candidate
    if record is None:
        basis = "assumed"
        wanted = next((entry["as"] for entry in content["relatives"] if link.startswith(entry["link"])), "default")
        record = next(
            candidate for candidate in (*content["chips"], *content["assumed"]) if candidate["chip"] == wanted
        )
    host = next(candidate for candidate in content["assumed"] if candidate["chip"] == "pcie")
    source = record["source"] if basis == "fitted" else f"as {record['chip']}: {record['source']}"
    return CollectiveCurve(
        link=_kinds(record["kinds"], ranks=ranks_of(accelerator)),
        host=_kinds(host["kinds"]),
        network_share=content["network_share"],
        switched_size=record.get("switched_size") or math.inf,
        basis=basis,
        source=source,
    )


def ranks_of(accelerator: Linked) -> float:
    """Members of a group on one chip: the cores of Trainium and Inferentia have memory and work of their own, and each sends.

    Since Trainium2 two act as one unless told otherwise (AWS Neuron's documentation, `NEURON_LOGICAL_NC_CONFIG`, 2026-11).

    >>> from outlay.catalog import accelerator
    >>> [ranks_of(accelerator(chip)) for chip in ("inferentia2", "trainium2", "h100-sxm")]
    [2.0, 4.0, 1.0]
    """
    if getattr(accelerator, "category", "") != "trainium":
        return 1.0
    cores = float(getattr(accelerator, "cores", None) or 1)
    return cores / 2.0 if getattr(accelerator, "year", 0) >= 2024 else cores


def _kinds(records: Mapping[str, Any], *, ranks: float = 1.0) -> dict[str, KindCurve]:
    return {
        kind: KindCurve(
            sizes=tuple(values["sizes"]),
            share=tuple(values["share"]),
            start_seconds=values["start_seconds"],
            rank_seconds=ranks * values["rank_seconds"],
            large_start_seconds=values["large_start_seconds"],
            large_rank_seconds=values["large_rank_seconds"],
            small_share=values["small_share"],
        )
        for kind, values in records.items()
    }


@functools.cache
def collective_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "collectives.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
