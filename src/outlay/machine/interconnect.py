"""Reading the words in which people write down an interconnect: `NVLink4; 8x ConnectX-7 IB NDR 400Gb/s per node`."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """What a kind of network gives: share of its data sheet to a large all-gather, seconds of one step between nodes."""

    words: tuple[str, ...]
    efficiency: float
    latency: float
    source: str


FABRICS = {
    "tcpx": Fabric(
        words=("tcpx", "tcpxo"),
        efficiency=0.6,
        latency=25e-6,
        source="nccl-tests over GPUDirect-TCPX in Google Cloud's guides, 2023-2024",
    ),
    "efa": Fabric(
        words=("efa", "elastic fabric"), efficiency=0.8, latency=15e-6, source="nccl-tests over EFA in AWS's guides"
    ),
    "dcn": Fabric(words=("dcn", "data center network"), efficiency=0.8, latency=50e-6, source="assumed"),
    "roce": Fabric(
        words=("roce", "rdma", "ib/roce"), efficiency=0.85, latency=8e-6, source="assumed, below InfiniBand"
    ),
    "omni-path": Fabric(words=("omni-path", "omnipath", "opa"), efficiency=0.85, latency=8e-6, source="assumed"),
    "infiniband": Fabric(
        words=("infiniband", "ib", "hdr", "ndr", "edr", "xdr", "hdr200", "connectx", "quantum", "selene", "mt2910"),
        efficiency=0.9,
        latency=6e-6,
        source="nccl-tests on rail-optimised InfiniBand reach 0.88 to 0.95 of the cards (Azure NDv4, NDv5 guides)",
    ),
    "ethernet": Fabric(
        words=("ethernet", "gbe", "10g", "25g", "100g", "giga", "gigabit"),
        efficiency=0.7,
        latency=40e-6,
        source="assumed: sockets without RDMA",
    ),
}

_SPEEDS = {"sdr": 8, "ddr": 16, "qdr": 32, "fdr": 56, "edr": 100, "hdr": 200, "hdr200": 200, "ndr": 400, "xdr": 800}

_RATE = r"(\d+(?:\.\d+)?)\s*-?\s*(?:G(?:(?-i:b)(?:it)?\s*/?\s*(?:s(?:ec)?|ps)|bps|be|(?-i:b))\b|G(?=\b|[\s,)]))"
_TIMES = re.compile(r"(\d+)\s*[x×]\s*(?:[^,;|]*?[\s\-/(])??" + _RATE, re.IGNORECASE)
_TOTAL = re.compile(_RATE + r"\s*(?:/\s*|per[\s-]+)?(node)", re.IGNORECASE)
_EACH = re.compile(_RATE + r"\s*(?:/\s*|per[\s-]+)(gpu|device|accelerator|chip)", re.IGNORECASE)
_BARE = re.compile(_RATE, re.IGNORECASE)
_LINK_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(GB|TB)\s*/\s*s(?:ec)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interconnect:
    """What was read; None where the words say nothing. Bytes/s of one device in one direction."""

    link: str | None = None
    """nvlink, xgmi, pcie or ici."""
    link_bandwidth: float | None = None
    domain: int | None = None
    host_bandwidth: float | None = None
    network_bandwidth: float | None = None
    fabric: str | None = None
    slices: int | None = None
    """Pods of a TPU run that only the data-centre network joins."""
    notes: tuple[str, ...] = ()

    @property
    def understood(self) -> bool:
        """Whether anything was read."""
        return any(
            value is not None for value in (self.link, self.network_bandwidth, self.fabric, self.domain, self.slices)
        )


def fabric_of(name: str) -> Fabric:
    """The fabric of that name."""
    return FABRICS[name]


def read_interconnect(text: str | None, *, devices: int) -> Interconnect:
    """What free text says of links, with `devices` in a node; never an error.

    >>> read = read_interconnect("NVLink3; 4x Omni-Path 100Gb/s per node (Jean Zay)", devices=8)
    >>> read.link, read.fabric, read.network_bandwidth * 8 / 1e9
    ('nvlink', 'omni-path', 50.0)
    >>> read_interconnect("1600 Gbps node-node RoCE", devices=8).network_bandwidth * 8 / 1e9
    200.0
    >>> read_interconnect("NVLink5 NVL72 domain (72 GPUs); 4 GPUs per tray", devices=4).domain
    72
    """
    words = (text or "").strip()
    if not words:
        return Interconnect()
    lowered = words.lower()
    notes: list[str] = []
    network, note = _network(words, devices)
    if note:
        notes.append(note)
    domain = re.search(r"nvl\s*-?(\d+)|(\d+)[\s-]*gpu\w*\s+(?:nvlink\s+)?domain", lowered)
    slices = re.search(r"between\s+(\d+)\s+slices|(\d+)\s+pods", lowered)
    link = _link(lowered)
    return Interconnect(
        link=link,
        link_bandwidth=_link_bandwidth(lowered) if link in ("nvlink", "xgmi") else None,
        domain=int(next(filter(None, domain.groups()))) if domain else None,
        host_bandwidth=_pcie(lowered),
        network_bandwidth=network or None,
        fabric=_fabric(lowered),
        slices=int(next(filter(None, slices.groups()))) if slices else None,
        notes=tuple(notes),
    )


def _link(lowered: str) -> str | None:
    """The fast link that is named; PCIe only where it is the first part and nothing faster is named."""
    if "nvlink" in lowered or "nvswitch" in lowered:
        return "nvlink"
    if "xgmi" in lowered or "infinity fabric" in lowered:
        return "xgmi"
    if re.search(r"\bici\b", lowered):
        return "ici"
    return "pcie" if re.match(r"\s*pcie", lowered) else None


def _link_bandwidth(lowered: str) -> float | None:
    """Bytes/s one way from a vendor's figure, which counts both ways; only figures that one device can have."""
    first = re.split(r"[|;]", lowered)[0]
    found = _LINK_RATE.search(first)
    if not found or "aggregat" in first or re.search(r"\d\s*x\s*nvlink", first):
        return None
    rate = float(found[1]) * (1e12 if found[2].lower() == "tb" else 1e9)
    return rate / 2.0 if 50e9 <= rate <= 4e12 else None


def _pcie(lowered: str) -> float | None:
    """Bytes/s one way of a PCIe slot, from its generation and width."""
    found = re.match(r"\s*pcie\s*(?:gen)?\s*(\d)(?:\.0)?\s*(?:x\s*(\d+))?", lowered)
    if not found:
        return None
    lanes = {1: 0.25e9, 2: 0.5e9, 3: 0.985e9, 4: 1.969e9, 5: 3.938e9, 6: 7.56e9}.get(int(found[1]))
    return lanes * int(found[2] or 16) if lanes else None


def _fabric(lowered: str) -> str | None:
    tokens = set(re.findall(r"[a-z0-9/\-]+", lowered)) | set(re.findall(r"[a-z]+", lowered))
    outside = re.sub(r"nvlink\d?", " ", lowered)
    for name, fabric in FABRICS.items():
        if any(word in tokens or (len(word) > 4 and word in outside) or f"{word}-" in outside for word in fabric.words):
            return name
    return None


def _network(words: str, devices: int) -> tuple[float | None, str]:
    """Bytes/s of one device out of its node, and what had to be assumed to say so."""
    clause = _compute_clause(words)
    each = _EACH.search(clause)
    if each:
        return float(each[1]) * 1e9 / 8, ""
    times = [min(int(found[1]), devices) * float(found[2]) for found in _TIMES.finditer(clause)]
    if times:
        return max(times) * 1e9 / 8 / devices, ""
    named = re.search(r"(\d+)\s*[x×][^,;|]*?\b(hdr200|edr|hdr|ndr|xdr)\b", clause, re.IGNORECASE)
    if named:
        return int(named[1]) * _SPEEDS[named[2].lower()] * 1e9 / 8 / devices, ""
    total = _TOTAL.search(clause)
    if total:
        return float(total[1]) * 1e9 / 8 / devices, ""
    bare = [float(found[1]) for found in _BARE.finditer(clause)]
    if bare:
        rate = max(bare)
        if rate >= 200.0:
            return rate * 1e9 / 8, f"{rate:g} Gb/s between nodes is taken as that of each device"
        return rate * 1e9 / 8 / devices, f"{rate:g} Gb/s between nodes is taken as that of the whole node"
    if re.search(r"\bgiga?\s*ethernet|gigabit ethernet", clause, re.IGNORECASE):
        return 1e9 / 8 / devices, "1 Gb/s Ethernet is taken as that of the whole node"
    return None, ""


def _compute_clause(words: str) -> str:
    """The part that speaks of the compute network: after `|` or `Compute:`, without figures of NVLink."""
    marked = re.search(r"compute:\s*([^;|]*?)(?:,\s*\w[\w+ ]*:|$)", words, re.IGNORECASE)
    if marked:
        return marked[1]
    parts = words.split("|")
    clause = parts[-1] if len(parts) > 1 else words
    return re.sub(r"\d+\s*[x×]\s*(?:\w+ gen )?nvlink[^;,|]*", " ", clause, flags=re.IGNORECASE)
