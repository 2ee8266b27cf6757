"""Accelerators, how many of them stand together, and the links between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from outlay.catalog import Accelerator, server_for
from outlay.errors import InputError
from outlay.machine.interconnect import Interconnect, fabric_of, read_interconnect

Number = float | int | npt.NDArray[Any]
Topology = Literal["switch", "mesh", "torus"]

LINK_LATENCY = 0.0
"""Seconds a message waits on a link of the domain beyond what the fitted start of a collective holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """`count` equal accelerators in nodes. Bandwidths are bytes/s of one device in one direction; numbers or arrays."""

    accelerator: Accelerator
    count: Number
    node_size: Number
    """Devices in one node."""
    domain: Number
    """Devices that fast links join (NVLink, xGMI, ICI): more than a node in an NVL72, 1 where only PCIe joins them."""
    link_bandwidth: Number
    """Inside the domain, all links of the device together."""
    host_bandwidth: Number
    """Between devices of one node that no fast link joins."""
    network_bandwidth: Number
    """A device's share of the cards that leave the node, as the data sheet has it."""
    network_latency: Number = 7e-6
    """Seconds of one step from node to node."""
    link_latency: Number = LINK_LATENCY
    network_efficiency: Number = 0.9
    """Share of `network_bandwidth` that a large all-gather draws."""
    oversubscription: Number = 1.0
    """Cards' bandwidth over that of the network's narrowest level."""
    in_switch_reduction: bool = False
    """The domain's switch can sum (NVLink SHARP)."""
    topology: Topology = "switch"
    """Of the domain: any to any through switches, a link for each pair (mesh), or rings along axes (torus)."""
    torus_axes: int = 3
    assumed: tuple[str, ...] = ()
    """What nobody said and was taken from the usual server or from the words of the interconnect."""


def cluster_for(
    accelerator: Accelerator,
    count: int,
    *,
    gpus_per_node: int | None = None,
    interconnect: str | None = None,
) -> Cluster:
    """The cluster of `count` accelerators in their usual server, corrected by what is known of it.

    `interconnect` is free text as records of runs have it (`NVLink3; 8x HDR 200Gb/s per node`). What cannot be read from it
    keeps the default, and `Cluster.assumed` says so.

    >>> from outlay.catalog import accelerator
    >>> cluster = cluster_for(accelerator("a100-sxm-80gb"), 512, interconnect="NVLink3; 4x Omni-Path 100Gb/s per node")
    >>> cluster.network_bandwidth * 8 / 1e9
    50.0
    """
    for name, value in (("count of accelerators", count), ("number of accelerators in a node", gpus_per_node)):
        if value is not None and not (
            isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0
        ):
            raise InputError(f"the {name} is {value}", expected="a positive whole number", hint="write `h100-sxm:64`")
    server = server_for(accelerator, int(count))
    assumed: list[str] = []
    size = int(gpus_per_node or server.devices)
    if gpus_per_node is None and count > 1:
        assumed.append(f"{server.devices} device{'' if server.devices == 1 else 's'} in a node ({server.name})")
    read = read_interconnect(interconnect, devices=size)
    linked = not server.link.lower().startswith(("pcie", "serial"))
    link_bandwidth, domain = server.link_bandwidth, server.domain if linked else 1
    if read.link_bandwidth is not None:
        link_bandwidth = read.link_bandwidth
    if read.link == "nvlink" and not linked and accelerator.domain > 1:  # bridges that the usual box leaves out
        linked, domain = True, accelerator.domain
        link_bandwidth = read.link_bandwidth or accelerator.link_bandwidth
    elif read.link == "pcie" and domain < 4:  # boards with a switch keep it, whatever the words say of the host
        linked, domain = False, 1
    if read.domain is not None:
        domain = read.domain
    elif read.slices is not None:
        domain = max(int(count) // read.slices, 1)
    elif domain <= server.devices:
        domain = min(domain, size)
    fabric = fabric_of(read.fabric or ("dcn" if accelerator.category == "tpu" else "infiniband"))
    network, crosses = read.network_bandwidth, count > (domain if domain > 1 else size)
    if network is None:
        network = server.nic_bandwidth
        if crosses:
            assumed.append(f"{network * 8 / 1e9:g} Gb/s a device between nodes ({server.name})")
    assumed += _unread(read, interconnect)
    if crosses:
        assumed.append(f"{fabric.efficiency:.0%} of the network's bandwidth is reached ({fabric.source})")
    link = server.link.lower() if linked else "pcie"
    if _topology(link) == "mesh" and 1 < count < domain:  # a part of a server uses the links among its own
        link_bandwidth *= (count - 1) / (domain - 1)
    return Cluster(
        accelerator=accelerator,
        count=count,
        node_size=min(size, int(count)),
        domain=min(domain, int(count)),
        link_bandwidth=link_bandwidth if linked else accelerator.pcie_bandwidth,
        host_bandwidth=read.host_bandwidth or accelerator.pcie_bandwidth,
        network_bandwidth=network,
        network_latency=fabric.latency,
        network_efficiency=fabric.efficiency,
        in_switch_reduction=link.startswith("nvlink") and _generation(link) >= 4 and domain >= 8,
        topology=_topology(link),
        torus_axes=2 if "2d" in link else 3,
        assumed=tuple(assumed),
    )


def _unread(read: Interconnect, text: str | None) -> list[str]:
    """What the words left open."""
    if not text or read.understood:
        return list(read.notes)
    return [*read.notes, f"the usual links: nothing could be read from the interconnect `{text[:60]}`"]


def _generation(link: str) -> int:
    """The number of an NVLink generation, 0 without one.

    >>> _generation("nvlink4 bridge")
    4
    """
    digits = "".join(letter for letter in link.removeprefix("nvlink")[:1] if letter.isdigit())
    return int(digits) if digits else 0


def _topology(link: str) -> Topology:
    """How the links of a domain are wired."""
    if link.startswith(("ici", "neuronlink")):
        return "torus"
    if link.startswith(("xgmi", "roce", "xe link")):
        return "mesh"
    return "switch"


def nodes_of(cluster: Cluster) -> int:
    """Nodes that hold the devices.

    >>> from outlay.catalog import accelerator
    >>> nodes_of(cluster_for(accelerator("h100-sxm-80gb"), 20))
    3
    """
    return math.ceil(int(np.max(cluster.count)) / int(np.max(cluster.node_size)))
