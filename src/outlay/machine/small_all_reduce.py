r"""How long engines take to sum a small message among the devices of one node with kernels of their own.

Every device reads what the others hold, straight over the links. In one shot it reads all of it; in two it sums its own part
and reads the sums. Links of :math:`\beta` bytes/s are drawn to a share :math:`\sigma`, and a pair of devices to no more than
a share :math:`\pi`:

.. math:: t = a + b\,(n - 2) + \min\Bigl(\frac{(n-1)\,S}{\beta\min(\sigma_1, (n-1)\pi)},\;
              e + \frac{2 (n-1)\,S}{n\,\beta \min(\sigma_2, (n-1)\pi)}\Bigr)

up to a message of `most_bytes`; what is longer, or leaves the node, goes the way of
:func:`~outlay.machine.collectives.collective_seconds`, and so does what is faster there. Coefficients are fitted by
``python -m outlay.machine.fit``; docs/explanation/decode.md has the errors.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from outlay.machine.cluster import Cluster
from outlay.machine.collective_curve import CollectiveCurve, collective_coefficients
from outlay.machine.collectives import Array, Number, collective_seconds
from outlay.machine.silicon import silicon


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallAllReduceCurve:
    """What decides the speed of an engine's own all-reduce. Seconds, bytes, shares of a link's data sheet."""

    start_seconds: float = 4e-6
    """Kernel and barrier of two devices, inside a captured graph."""
    rank_seconds: float = 1e-7
    """Added by each device after the second."""
    one_shot_share: float = 0.6
    """Share of the link that reading everything from everybody draws."""
    pair_share: float = 0.6
    """Share of the link that two devices draw between each other at most."""
    two_shot_seconds: float = 3e-6
    """What the second barrier adds."""
    two_shot_share: float = 0.7
    most_bytes: float = 8.0 * 2**20
    """Longest message that goes this way."""
    most_ranks: float = 8.0
    basis: str = "assumed"
    source: str = ""


def small_all_reduce_seconds(
    message_bytes: Number,
    group: Number,
    *,
    stride: Number = 1,
    cluster: Cluster,
    curve: SmallAllReduceCurve,
    collective: CollectiveCurve,
) -> Array:
    """Seconds of an all-reduce as serving engines do it: their own kernel or the library's, whichever is faster.

    Parameters are those of :func:`~outlay.machine.collectives.collective_seconds`; `collective` is the library's curve.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine.cluster import cluster_for
    >>> from outlay.machine.collective_curve import collective_curve
    >>> h100 = accelerator("h100-sxm-80gb")
    >>> ways = dict(cluster=cluster_for(h100, 8), curve=SmallAllReduceCurve(), collective=collective_curve(h100))
    >>> round(float(small_all_reduce_seconds(2**17, 8, **ways)) * 1e6, 1)
    8.0
    """
    library = collective_seconds("all-reduce", message_bytes, group, stride=stride, cluster=cluster, curve=collective)
    size, ranks, apart = (np.asarray(number, dtype=np.float64) for number in (message_bytes, group, stride))
    inside = np.asarray(cluster.domain, dtype=np.float64)
    linked = inside > 1
    reach = np.where(linked, inside, cluster.node_size)
    rate = np.where(linked, cluster.link_bandwidth, cluster.host_bandwidth)
    others = np.maximum(ranks - 1.0, 0.0)
    pairs = np.maximum(others, 1.0) * curve.pair_share
    one = others * size / (np.minimum(curve.one_shot_share, pairs) * rate)
    parts = 2.0 * others / np.maximum(ranks, 1.0) * size
    two = curve.two_shot_seconds + parts / (np.minimum(curve.two_shot_share, pairs) * rate)
    own = curve.start_seconds + curve.rank_seconds * np.maximum(others - 1.0, 0.0) + np.minimum(one, two)
    fits = (size <= curve.most_bytes) & (ranks <= curve.most_ranks) & (ranks * apart <= reach)
    return np.asarray(np.where(fits, np.minimum(own, library), library))


class Linked(Protocol):
    """What of an accelerator decides its collectives."""

    @property
    def name(self) -> str: ...
    @property
    def link(self) -> str: ...


def small_all_reduce_curve(
    accelerator: Linked, coefficients: Mapping[str, Any] | None = None, *, engine: str | None = None
) -> SmallAllReduceCurve:
    """The curve of an accelerator: fitted on its chip, or carried over from the chip whose links are most like its own.

    `coefficients` is the content of the catalog's `small_all_reduce.json`; None reads it. `engine` is `vllm` (default) or
    `trtllm`.
    """
    content = small_all_reduce_coefficients() if coefficients is None else coefficients
    known = silicon(accelerator)
    name, link = known.name, known.link.lower()
    own = [record for record in content["curves"] if record["engine"] == (engine or "vllm")]
    record = next((candidate for candidate in own if name.startswith(candidate["chip"])), None)
    basis = "fitted"
    if record is None:
        basis = "assumed"
        relatives = collective_coefficients()["relatives"]
        wanted = next((entry["as"] for entry in relatives if link.startswith(entry["link"])), "a100-sxm")
        record = next((candidate for candidate in own if candidate["chip"] == wanted), None) or next(
            candidate for candidate in own if candidate["chip"] == "a100-sxm"
        )
    values = record["coefficients"]
    return SmallAllReduceCurve(
        **values,
        basis=basis,
        source=f"{record['engine']} on {record['chip']} ({content['source']})"
        if basis == "fitted"
        else f"carried over from {record['engine']} on {record['chip']}",
    )


@functools.cache
def small_all_reduce_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "small_all_reduce.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
