r"""How long devices take to exchange a message: rings and trees inside the scale-up domain, inside a node and across the network.

A group of :math:`n` ranks that stand `stride` apart has :math:`r` of them in one node. The bus carries
:math:`V = f(n)\,S` bytes past every device (:math:`f = 2(n-1)/n` for an all-reduce, :math:`(n-1)/n` for all-gather,
reduce-scatter and all-to-all, 1 for a broadcast or a send). The slowest level that the group crosses sets the rate
:math:`\beta`: links of the domain, PCIe in the node, or the network cards of its :math:`r` ranks together. Small messages take
a protocol of low latency and a share :math:`\rho` of the rate, large ones a protocol with a higher start :math:`\alpha + b`:

.. math:: t = \min\Bigl(\alpha + \frac{V}{\rho\beta},\ \alpha + b + \frac{V}{\beta}\Bigr), \qquad
          \alpha = a_0 + a_1 (n - N) + \text{steps}(N)\,\alpha_{net}

over :math:`N` nodes; an all-reduce takes the faster of a ring (:math:`2(N-1)` steps) and a tree (:math:`2\log_2 N`).
Coefficients are fitted by ``python -m outlay.machine.fit.collectives``.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.cluster import Cluster

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "broadcast", "send")

TREE_SHARE = 0.9
"""Rate of a tree all-reduce over that of a ring, as NCCL's own tuning model has it (src/graph/tuning.cc)."""


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
    large_start_seconds: float = 4e-5
    """What the protocol of large messages adds to the start."""
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


def collective_seconds(
    kind: str,
    message_bytes: Number,
    group: Number,
    *,
    stride: Number = 1,
    cluster: Cluster,
    curve: CollectiveCurve,
) -> Array:
    """Seconds until the last rank of a group has finished; everything broadcasts, a group of one takes none.

    Parameters
    ----------
    kind
        One of :data:`KINDS`.
    message_bytes
        The whole buffer of one device: what an all-reduce sums, what an all-gather ends with, what a reduce-scatter begins
        with, what a device sends to all others together in an all-to-all (its own part included), what a send passes on.
    group
        Ranks that take part. For `send`: 2 for one hop; a pipeline's number of stages gives its slowest hop.
    stride
        Distance between neighbours in rank order: 1 for the innermost group (tensor), the product of the inner degrees for
        others. All groups of the cluster are taken to exchange at once, so each rank has its own share of the node's cards.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine.cluster import cluster_for
    >>> h100 = accelerator("h100-sxm-80gb")
    >>> cluster, curve = cluster_for(h100, 64), collective_curve(h100)
    >>> inside = collective_seconds("all-gather", 2**28, 8, cluster=cluster, curve=curve)
    >>> across = collective_seconds("all-gather", 2**28, 8, stride=8, cluster=cluster, curve=curve)
    >>> bool(0.5e-3 < inside < 1e-3 < across < 8e-3)
    True
    """
    if kind not in KINDS:
        raise InputError(f"`{kind}` is not a collective", hint="take one of " + ", ".join(KINDS))
    size, ranks, apart = (np.asarray(number, dtype=np.float64) for number in (message_bytes, group, stride))
    for name, number, least in (("bytes", size, 0.0), ("ranks", ranks, 1.0), ("stride", apart, 1.0)):
        if not ((number >= least) & np.isfinite(number)).all():
            raise InputError(
                f"a collective has {name} = {np.atleast_1d(number)[0]:g}",
                expected=f"a finite number, {least:g} or more",
                hint="check the degrees of the layout",
            )
    near = np.clip(np.floor(cluster.domain / apart), 1.0, ranks)
    node = np.maximum(cluster.node_size, cluster.domain)
    local = np.clip(np.floor(node / apart), near, ranks)
    nodes = np.ceil(ranks / local)
    volume = _bus_factor(kind, ranks) * size

    link_rate, start, extra, small = _level(kind, curve.link, near, cluster.link_bandwidth, cluster, curve)
    host_rate, host_start, host_extra, host_small = _level(kind, curve.host, local, cluster.host_bandwidth, cluster, curve)
    over_host, over_network = local > near, nodes > 1
    rate = np.where(near > 1, link_rate, np.inf)
    rate = np.minimum(rate, np.where(over_host, host_rate, np.inf))
    fabric = cluster.network_bandwidth * cluster.network_efficiency * curve.network_share[kind] / cluster.oversubscription
    if kind == "all-to-all":  # only what is meant for other nodes passes the cards
        cards = np.divide(ranks - 1.0, ranks - local, out=np.ones_like(ranks * local), where=over_network)
        links = np.divide(ranks - 1.0, near - 1.0, out=np.ones_like(ranks * near), where=near > 1)
        rate = np.where(near > 1, link_rate * links, np.inf)
        rate = np.minimum(rate, np.where(over_host, host_rate, np.inf))
    else:
        cards = np.ones_like(local) if kind == "send" else local
    if kind == "send":
        rate = np.where(over_network | over_host, np.inf, rate)
        rate = np.where(over_host & ~over_network, host_rate, rate)
    rate = np.minimum(rate, np.where(over_network, cards * fabric, np.inf))
    start = np.where(over_host | (near <= 1), np.maximum(start, host_start), start)
    start = start + cluster.link_latency * (near > 1)
    extra = np.where(over_host, host_extra, extra)
    small = np.where(over_host, host_small, small)
    within, large = _steps(kind, ranks, nodes, local)
    hop = np.where(over_host, _of(curve.host, kind).rank_seconds, _of(curve.link, kind).rank_seconds)
    latency = cluster.network_latency * over_network
    seconds = _protocols(start + hop * within + latency * large, extra, small, volume, rate)
    if kind == "all-reduce":
        tree = start + hop * (local - 1.0) + latency * 2.0 * np.ceil(np.log2(np.maximum(nodes, 1.0)))
        seconds = np.minimum(seconds, _protocols(tree, extra, small, volume, rate * np.where(over_network, TREE_SHARE, 1.0)))
    return np.asarray(np.where((ranks <= 1) | (size == 0), 0.0, seconds))


def _bus_factor(kind: str, ranks: Array) -> Array:
    """Bytes past every device per byte of the message.

    >>> float(_bus_factor("all-reduce", np.array(8.0)))
    1.75
    """
    if kind in ("broadcast", "send"):
        return np.ones_like(ranks)
    return np.asarray((2.0 if kind == "all-reduce" else 1.0) * (ranks - 1.0) / ranks)


def _of(curves: Mapping[str, KindCurve], kind: str) -> KindCurve:
    """The kind's own curve; a broadcast and a send move like an all-gather."""
    return curves.get(kind) or curves["all-gather"]


def _level(
    kind: str, curves: Mapping[str, KindCurve], members: Array, bandwidth: Number, cluster: Cluster, curve: CollectiveCurve
) -> tuple[Array, Array, float, float]:
    """Rate, start, and the protocols' extra start and share of one level that `members` of the group share."""
    own = _of(curves, kind)
    share = np.interp(np.log2(np.maximum(members, 1.0)), np.log2(own.sizes), own.share)
    if kind == "all-reduce" and curves is curve.link:
        ring = np.interp(2.0, np.log2(own.sizes), own.share)  # four ranks: never summed in the switch
        plain = np.where(members >= curve.switched_size, np.minimum(share, ring), share)
        share = np.where(np.asarray(cluster.in_switch_reduction, dtype=bool), share, plain)
    rate = bandwidth * share
    if curves is curve.link and cluster.topology != "switch":
        rate = rate * _used_links(kind, members, cluster)
    return rate, np.asarray(own.start_seconds + 0.0 * members), own.large_start_seconds, own.small_share


def _used_links(kind: str, members: Array, cluster: Cluster) -> Array:
    """Share of a device's links that a group can use where links are wired device to device.

    mesh: each pair has its own link, so two ranks of eight use one link of seven. torus: a group that lies along some of the
    axes uses the links of those; an all-to-all on a ring of m crosses its middle with m/8 of every device's message per link.
    """
    if cluster.topology == "mesh":
        return np.minimum((members - 1.0) / np.maximum(cluster.domain - 1.0, 1.0), 1.0)
    axes = float(cluster.torus_axes)
    side = 16.0
    used = np.clip(np.ceil(np.log(np.maximum(members, 2.0)) / np.log(side)), 1.0, axes)
    share = used / axes
    if kind == "all-to-all":
        length = np.maximum(members, 1.0) ** (1.0 / used)
        share = share * np.minimum(4.0 / np.maximum(length, 1.0), 1.0)
    return np.asarray(share)


def _steps(kind: str, ranks: Array, nodes: Array, local: Array) -> tuple[Array, Array]:
    """Hops inside nodes and between nodes that the first byte makes, one after another."""
    if kind == "send":
        return np.ones_like(ranks), np.ones_like(ranks)
    if kind == "broadcast":
        return np.asarray(local - 1.0), np.ceil(np.log2(np.maximum(nodes, 1.0)))
    if kind == "all-to-all":
        return np.asarray(ranks - nodes), np.ones_like(ranks)
    return np.asarray(ranks - nodes), np.asarray((2.0 if kind == "all-reduce" else 1.0) * (nodes - 1.0))


def _protocols(start: Array, extra: Any, small: Any, volume: Array, rate: Array) -> Array:
    """The faster of the protocol for small messages and the one for large ones (seconds)."""
    moving = volume / rate
    return np.asarray(start + np.minimum(moving / small, extra + moving))


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
    name, link = accelerator.name, accelerator.link.lower()
    record, basis = None, "fitted"
    for candidate in content["chips"]:
        if name.startswith(candidate["chip"]):
            record = candidate
    if record is None:
        basis = "assumed"
        wanted = next((entry["as"] for entry in content["relatives"] if link.startswith(entry["link"])), "default")
        record = next(candidate for candidate in (*content["chips"], *content["assumed"]) if candidate["chip"] == wanted)
    host = next(candidate for candidate in content["assumed"] if candidate["chip"] == "pcie")
    source = record["source"] if basis == "fitted" else f"as {record['chip']}: {record['source']}"
    return CollectiveCurve(
        link=_kinds(record["kinds"]),
        host=_kinds(host["kinds"]),
        network_share=content["network_share"],
        switched_size=record.get("switched_size") or math.inf,
        basis=basis,
        source=source,
    )


def _kinds(records: Mapping[str, Any]) -> dict[str, KindCurve]:
    return {
        kind: KindCurve(
            sizes=tuple(values["sizes"]),
            share=tuple(values["share"]),
            start_seconds=values["start_seconds"],
            rank_seconds=values["rank_seconds"],
            large_start_seconds=values["large_start_seconds"],
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
