r"""How long devices take to exchange a message: rings and trees inside the scale-up domain, inside a node and across the network.

A group of :math:`n` ranks that stand `stride` apart has :math:`r` of them in one node. The bus carries
:math:`V = f(n)\,S` bytes past every device (:math:`f = 2(n-1)/n` for an all-reduce, :math:`(n-1)/n` for all-gather,
reduce-scatter and all-to-all, 1 for a broadcast or a send). The slowest level that the group crosses sets the rate
:math:`\beta`: links of the domain, PCIe in the node, or the network cards of its :math:`r` ranks together. Small messages take
a protocol of low latency and a share :math:`\rho` of the rate, large ones a protocol with a higher start :math:`\alpha + b`:

.. math:: t = \min\Bigl(\alpha + \frac{V}{\rho\beta},\ \alpha + b(r) + \frac{V}{\beta}\Bigr), \qquad
          \alpha = a_0 + a_1 (n - N) + \text{steps}(N)\,\alpha_{net}

over :math:`N` nodes; an all-reduce takes the faster of a ring (:math:`2(N-1)` steps) and a tree (:math:`2\log_2 N`).
Coefficients are fitted by ``python -m outlay.machine.fit``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.cluster import Cluster
from outlay.machine.collective_curve import CollectiveCurve, KindCurve
from outlay.machine.sizes import sound

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "broadcast", "send")

TORUS_SIDE = 16.0
"""Devices along one axis of a full TPU torus."""

TREE_SHARE = 0.9
"""Rate of a tree all-reduce over that of a ring, as NCCL's own tuning model has it (src/graph/tuning.cc)."""


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
    >>> from outlay.machine.collective_curve import collective_curve
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
        if not sound(number, least):
            raise InputError(
                f"a collective has {name} = {np.atleast_1d(number)[0]:g}",
                expected=f"a finite number, {least:g} or more",
                hint="check the degrees of the layout",
            )
    if ranks.max(initial=1.0) == 1.0:
        return np.zeros(np.broadcast_shapes(size.shape, ranks.shape, apart.shape))
    seconds = np.asarray(
        functools.reduce(np.minimum, (_way(kind, size, ranks, apart, way, curve) for way in ways(cluster)))
    )
    seconds = np.asarray(np.where(size == 0, 0.0, seconds))
    if ranks.ndim == apart.ndim == 0:
        return seconds
    # Groups that are all alike share one plan, which has no axes.
    return np.broadcast_to(seconds, np.broadcast_shapes(seconds.shape, ranks.shape, apart.shape))


def ways(cluster: Cluster) -> tuple[Cluster, ...]:
    """The ways between fast domains: over the cards; where one node holds several of them, over its PCIe too.

    A node that is larger than its domain can always do what smaller nodes do, so it is never slower than they are.
    """
    if _fixed(cluster):  # NumPy takes its time for single numbers
        return (
            (cluster, replace(cluster, node_size=cluster.domain))
            if cluster.node_size > cluster.domain > 1
            else (cluster,)
        )
    inside = np.greater(cluster.node_size, cluster.domain) & np.greater(cluster.domain, 1)
    if not np.any(inside):
        return (cluster,)
    return (cluster, replace(cluster, node_size=np.where(inside, cluster.domain, cluster.node_size)[()]))


def _way(kind: str, size: Array, ranks: Array, apart: Array, cluster: Cluster, curve: CollectiveCurve) -> Array:
    """Seconds of one way, by the faster of rings and trees."""
    plan = _plan_of_each(kind, ranks, apart, cluster, curve)
    seconds = _protocols(plan.start, plan, size, plan.rate)
    if kind == "all-reduce":
        seconds = np.minimum(seconds, _protocols(plan.tree_start, plan, size, plan.tree_rate))
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a group's exchange costs per message and per byte; arrays of the groups' shape."""

    start: Array
    extra: Array
    small: Array
    """Inverse share of the rate that the protocol of small messages has."""
    rate: Array
    """Seconds per byte of the message."""
    tree_start: Array
    tree_rate: Array


def _protocols(start: Array, plan: _Plan, size: Array, rate: Array) -> Array:
    """The faster of the protocol for small messages and the one for large ones (seconds)."""
    moving = size * rate
    return np.asarray(start + np.minimum(moving * plan.small, plan.extra + moving))


def _plan_of_each(kind: str, ranks: Array, apart: Array, cluster: Cluster, curve: CollectiveCurve) -> _Plan:
    """The plan of every group. Many layouts have few different groups: each is worked out once."""
    if _alike(ranks) and _alike(apart):
        return _plan_of_one(kind, ranks.flat[0], apart.flat[0], cluster, curve)
    if max(ranks.size, apart.size) < MANY or not _fixed(cluster):
        return _plan(kind, ranks, apart, cluster, curve)
    if max(ranks.size, apart.size) <= FEW:
        whole = (kind, ranks.shape, ranks.tobytes(), apart.shape, apart.tobytes())
        return _remembered(whole, cluster, curve, lambda: _spread(kind, ranks, apart, cluster, curve))
    return _spread(kind, ranks, apart, cluster, curve)


def _spread(kind: str, ranks: Array, apart: Array, cluster: Cluster, curve: CollectiveCurve) -> _Plan:
    """The plan of many groups, of which few differ."""
    (some_ranks, rank_index), (some_apart, apart_index) = _distinct(ranks), _distinct(apart)
    key = (kind, some_ranks.tobytes(), some_apart.tobytes())
    groups = some_ranks[:, None], some_apart[None, :]
    table = _remembered(key, cluster, curve, lambda: _flat(_plan(kind, *groups, cluster, curve), *groups))
    place = rank_index * len(some_apart) + apart_index
    columns = {name: getattr(table, name) for name in _Plan.__slots__}
    return _Plan(**{name: column[place] if column.ndim else column for name, column in columns.items()})


def _alike(numbers: Array) -> bool:
    """Whether there is one number, however often."""
    return numbers.size == 1 or (numbers.size > 1 and bool((numbers == numbers.flat[0]).all()))


def _plan_of_one(kind: str, ranks: float, apart: float, cluster: Cluster, curve: CollectiveCurve) -> _Plan:
    """The plan of one group."""
    if not _fixed(cluster):
        return _plan(kind, np.asarray(ranks), np.asarray(apart), cluster, curve)
    groups = np.asarray(ranks), np.asarray(apart)
    key = (kind, float(ranks), float(apart))
    return _remembered(key, cluster, curve, lambda: _flat(_plan(kind, *groups, cluster, curve), *groups))


def _remembered(key: tuple[object, ...], cluster: Cluster, curve: CollectiveCurve, make: Callable[[], _Plan]) -> _Plan:
    """A plan, or what it was before: who asks for one layout after another asks for the same groups again."""
    key = (*key, id(curve), _measures(cluster))
    known = _PLANS.get(key)
    if known is None:
        if len(_PLANS) >= KEPT:
            _PLANS.clear()
        # The curve is kept with its plan, so that nothing else can get its identity.
        known = _PLANS[key] = (make(), curve)
    return known[0]


def _flat(plan: _Plan, ranks: Array, apart: Array) -> _Plan:
    """The plan with one row for each figure, or one number where all groups have the same."""

    def flat(figure: Array) -> Array:
        row = np.broadcast_to(figure, np.broadcast_shapes(ranks.shape, apart.shape)).ravel()
        return np.asarray(row[0]) if (row == row[0]).all() else row

    return _Plan(**{name: flat(getattr(plan, name)) for name in _Plan.__slots__})


_PLANS: dict[tuple[object, ...], tuple[_Plan, CollectiveCurve]] = {}

_MEASURED = tuple(name for name in Cluster.__slots__ if name not in ("accelerator", "count", "assumed"))
"""What of a cluster a plan follows from."""

_measures = operator.attrgetter(*_MEASURED)


def _fixed(cluster: Cluster) -> bool:
    """Whether a cluster is one cluster, not an array of them."""
    return not any(isinstance(measure, np.ndarray) for measure in _measures(cluster))


MANY = 4
"""Groups from which it pays to look for equal ones."""
FEW = 256
"""Groups of which a plan is remembered as a whole: a search asks for the same layouts of an instance again."""
KEPT = 2048
"""Plans that are remembered."""


def _distinct(numbers: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """The different numbers, and the place of each: by a table where they are whole and small, else by sorting."""
    top = float(numbers.max(initial=0.0))
    whole = numbers.astype(np.int64)
    if top > 2**22 or not np.array_equal(whole, numbers):
        values, index = np.unique(numbers, return_inverse=True)
        return values, index.reshape(numbers.shape)
    seen = np.zeros(int(top) + 1, dtype=np.int64)
    seen[whole] = 1
    places = np.flatnonzero(seen)
    seen[places] = np.arange(len(places))
    return places.astype(np.float64), seen[whole]


def _plan(kind: str, ranks: Array, apart: Array, cluster: Cluster, curve: CollectiveCurve) -> _Plan:
    near = np.clip(np.floor(cluster.domain / apart), 1.0, ranks)
    node = np.maximum(cluster.node_size, cluster.domain)
    local = np.clip(np.floor(node / apart), near, ranks)
    nodes = np.ceil(ranks / local)
    over_host, over_network = local > near, nodes > 1
    own, host = curve.link[_as(kind, curve.link)], curve.host[_as(kind, curve.host)]
    within, between = _steps(kind, ranks, nodes, local)
    if cluster.topology == "torus":
        within = np.minimum(within, _torus_hops(kind, near, cluster) + ranks - nodes - (near - 1.0) * nodes)

    rate = np.where(near > 1, _link_rate(kind, near, cluster, curve), np.inf)
    host_rate = np.where(over_host, cluster.host_bandwidth * _share(host, local), np.inf)
    fabric = (
        cluster.network_bandwidth * cluster.network_efficiency * curve.network_share[kind] / cluster.oversubscription
    )
    cards = np.ones_like(local) if kind == "send" else local
    if kind == "all-to-all":  # what stays in the domain spares PCIe, what stays in the node spares the cards
        rate = rate * np.maximum(ranks - 1.0, 1.0) / np.maximum(near - 1.0, 1.0)
        cards = np.maximum(ranks - 1.0, 1.0) / np.maximum(ranks - local, 1.0)
    if kind == "send":  # one hop takes one way only
        rate = np.where(over_network | over_host, np.inf, rate)
        host_rate = np.where(over_network, np.inf, host_rate)
    rate = np.minimum(np.minimum(rate, host_rate), np.where(over_network, cards * fabric, np.inf))

    slow = over_host | ((near <= 1) & ~over_network)
    start = np.where(slow, host.start_seconds, own.start_seconds) + cluster.link_latency * (near > 1)
    hop = np.where(slow, host.rank_seconds, own.rank_seconds)
    latency = cluster.network_latency * over_network
    factor = np.where(ranks > 1, _bus_factor(kind, ranks), 0.0)
    alone = ranks <= 1
    hops_of_tree = np.minimum(local, curve.switched_size if cluster.in_switch_reduction else np.inf) - 1.0
    tree = start + hop * hops_of_tree + latency * 2.0 * np.ceil(np.log2(np.maximum(nodes, 1.0)))
    return _Plan(
        start=np.where(alone, 0.0, start + hop * within + latency * between),
        extra=np.where(slow, _large_start(host, local), _large_start(own, near)),
        small=np.where(slow, 1.0 / host.small_share, 1.0 / own.small_share),
        rate=factor / rate,
        tree_start=np.where(alone, 0.0, tree),
        tree_rate=factor / (rate * np.where(over_network, TREE_SHARE, 1.0)),
    )


def _bus_factor(kind: str, ranks: Array) -> Array:
    """Bytes past every device per byte of the message.

    >>> float(_bus_factor("all-reduce", np.array(8.0)))
    1.75
    """
    if kind in ("broadcast", "send"):
        return np.ones_like(ranks)
    return np.asarray((2.0 if kind == "all-reduce" else 1.0) * (ranks - 1.0) / ranks)


def _large_start(curve: KindCurve, members: Array) -> Array:
    """Seconds that the protocol of large messages adds among `members`: no more than among the eight that were measured."""
    return np.asarray(curve.large_start_seconds + curve.large_rank_seconds * np.clip(members - 1.0, 1.0, 7.0))


def _as(kind: str, curves: Mapping[str, KindCurve]) -> str:
    """The kind whose curve serves: a broadcast and a send without their own move like an all-gather."""
    return kind if kind in curves else "all-gather"


def _share(curve: KindCurve, members: Array) -> Array:
    """Share of the link's bandwidth that a group of `members` draws."""
    return np.asarray(np.interp(np.log2(np.maximum(members, 1.0)), np.log2(curve.sizes), curve.share))


def _link_rate(kind: str, members: Array, cluster: Cluster, curve: CollectiveCurve) -> Array:
    """Bytes/s past each device inside the domain."""
    own = curve.link[_as(kind, curve.link)]
    share = _share(own, members)
    if kind == "all-reduce" and not cluster.in_switch_reduction:  # four ranks are never summed in the switch
        share = np.where(members >= curve.switched_size, np.minimum(share, _share(own, np.array(4.0))), share)
    rate = cluster.link_bandwidth * share
    return np.asarray(rate if cluster.topology == "switch" else rate * _used_links(kind, members, cluster))


def _used_links(kind: str, members: Array, cluster: Cluster) -> Array:
    """Share of a device's links that a group can use where links are wired device to device.

    mesh: each pair has its own link, so two ranks of eight use one link of seven. torus: a group that lies along some of the
    axes uses the links of those; an all-to-all on a ring of m crosses its middle with m/8 of every device's message per link.
    """
    if cluster.topology == "mesh":
        return np.minimum((members - 1.0) / np.maximum(cluster.domain - 1.0, 1.0), 1.0)
    used = _axes(members, cluster)
    share = used / cluster.torus_axes
    if kind == "all-to-all":
        length = np.maximum(members, 1.0) ** (1.0 / used)
        share = share * np.minimum(4.0 / np.maximum(length, 1.0), 1.0)
    return np.asarray(share)


def _axes(members: Array, cluster: Cluster) -> Array:
    """Axes of the torus that a group lies along: sixteen devices fill one."""
    filled = np.ceil(np.log(np.maximum(members, 2.0)) / np.log(TORUS_SIDE))
    return np.asarray(np.clip(filled, 1.0, cluster.torus_axes))


def _torus_hops(kind: str, members: Array, cluster: Cluster) -> Array:
    """Hops one after another in a torus: once round each axis, not past every device."""
    used = _axes(members, cluster)
    return np.asarray(used * (members ** (1.0 / used) - 1.0))


def _steps(kind: str, ranks: Array, nodes: Array, local: Array) -> tuple[Array, Array]:
    """Hops inside nodes and between nodes that the first byte makes, one after another."""
    if kind == "send":
        return np.ones_like(ranks), np.ones_like(ranks)
    if kind == "broadcast":
        return np.asarray(local - 1.0), np.ceil(np.log2(np.maximum(nodes, 1.0)))
    if kind == "all-to-all":
        return np.asarray(ranks - nodes), np.ones_like(ranks)
    return np.asarray(ranks - nodes), np.asarray((2.0 if kind == "all-reduce" else 1.0) * (nodes - 1.0))
