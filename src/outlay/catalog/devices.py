"""Accelerators: what a chip holds, moves and computes, with a receipt for every figure.

Figures live in `accelerators.csv` (columns and units: `docs/reference/catalog.md`). Peaks are dense, never the sparse
headline, and those of tensor cores that accumulate in fp32, as training does: a GeForce card shows half its fp16
headline. Memory is what the device reports to a program. A device is what a price counts: a TPU chip, one GPU of a
K80, a whole MI250X.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.errors import AmbiguousName, InputError, UnknownName
from outlay.statement import Receipt

MIB = 2.0**20
LISTING = "outlay show accelerators"
PEAKS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "int4")

_FALLBACK: Mapping[str, tuple[str, ...]] = {
    "fp64": ("fp64",),
    "fp32": ("fp32", "tf32", "bf16", "fp16"),
    "tf32": ("tf32", "fp32", "bf16", "fp16"),
    "fp16": ("fp16", "bf16", "fp32"),
    "bf16": ("bf16", "fp32", "fp16"),
    "fp8": ("fp8", "bf16", "fp16", "fp32"),
    "fp4": ("fp4", "fp8", "bf16", "fp16", "fp32"),
    "int8": ("int8", "bf16", "fp16", "fp32"),
    "int4": ("int4", "int8", "bf16", "fp16", "fp32"),
}
_DTYPES: Mapping[str, str] = {
    "amp": "fp16",
    "half": "fp16",
    "float16": "fp16",
    "fp16-mixed": "fp16",
    "bfloat16": "bf16",
    "bf16-mixed": "bf16",
    "float": "fp32",
    "float32": "fp32",
    "float64": "fp64",
    "double": "fp64",
    "fp8-block": "fp8",
    "fp8-tensor": "fp8",
    "mxfp8": "fp8",
    "float8": "fp8",
    "e4m3": "fp8",
    "e5m2": "fp8",
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "nf4": "bf16",
    "w4a16": "bf16",
    "w8a16": "bf16",
}
# field → (column, unit in the column as a multiple of SI, SI unit)
_FIGURES: Mapping[str, tuple[str, float, str]] = {
    "memory": ("memory_mib", MIB, "B"),
    "memory_bandwidth": ("memory_bandwidth_gbs", 1e9, "B/s"),
    "l2": ("l2_mib", MIB, "B"),
    "cores": ("cores", 1, ""),
    "tdp": ("tdp_w", 1, "W"),
    "boost_clock": ("boost_mhz", 1e6, "Hz"),
    "link_bandwidth": ("link_gbs", 1e9, "B/s"),
    "domain": ("domain", 1, ""),
    "nic_bandwidth": ("nic_gbps", 1e9 / 8, "B/s"),
    "pcie_bandwidth": ("pcie_gbs", 1e9, "B/s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device that computes. Units: bytes, bytes/s (one direction), FLOP/s (dense), watts, hertz."""

    name: str
    aliases: tuple[str, ...]
    vendor: str
    generation: str
    """The architecture: hopper, cdna3, tpu, …"""
    category: str
    """datacenter-gpu, workstation-gpu, consumer-gpu, tpu, trainium, npu, apple, edge, cpu or microcontroller."""
    year: int
    memory: float
    memory_bandwidth: float
    peaks: Mapping[str, float]
    """Dense FLOP/s (operations/s for int8 and int4) of each of :data:`PEAKS` that the chip has."""
    cores: int | None
    """Streaming multiprocessors, compute units, or what the vendor counts in their place."""
    l2: float | None
    tdp: float
    boost_clock: float | None
    link: str
    link_bandwidth: float
    """To its neighbours in the scale-up domain, all links together; without such links, that of PCIe."""
    domain: int
    """Devices in one scale-up domain; 1 where there are no links but PCIe."""
    nic_bandwidth: float
    """A device's usual share of its node's network cards."""
    pcie_bandwidth: float
    note: str
    receipts: Mapping[str, Receipt] = field(repr=False, compare=False)
    """Field → receipt; the peaks are `peaks.bf16` and so on."""
    relative: Accelerator | None = field(default=None, repr=False)
    """The chip, as shipped, that a user's entry is `like` or changes."""

    @property
    def silicon(self) -> Accelerator:
        """The chip under whose name kernels, servers and makers' figures are known: its relative, or itself.

        >>> chip = accelerator("h100-sxm")
        >>> chip.silicon is chip
        True
        """
        return self.relative or self

    def yours(self, figure: str) -> bool:
        """Whether the user gave that figure."""
        return figure in self.receipts and self.receipts[figure].basis == "yours"

    def runs_as(self, dtype: str) -> str:
        """The format in which products of `dtype` are multiplied here: its own, or the next one that the chip has.

        >>> accelerator("a100-sxm-80gb").runs_as("fp8"), accelerator("h100-sxm").runs_as("mxfp8")
        ('bf16', 'fp8')
        """
        name = dtype.strip().lower().replace("_", "-")
        name = _DTYPES.get(name, name)
        if name not in _FALLBACK:
            known = ", ".join(PEAKS)
            raise InputError(f"`{dtype}` is not a number format", expected=known, hint="write `bf16`, `fp8` or `fp4`")
        for candidate in _FALLBACK[name]:
            if candidate in self.peaks:
                return candidate
        raise InputError(
            f"`{self.name}` has no published {name} peak",
            details=[f"{key}: {value / 1e12:g} T/s" for key, value in self.peaks.items()],
            hint="add it in a file for `--catalog`: [[accelerator]] with name and "
            f"{name}_{'tops' if name.startswith('int') else 'tflops'}",
        )

    def has(self, dtype: str) -> bool:
        """Whether the chip multiplies in `dtype` itself; block-scaled formats count as their plain one.

        >>> accelerator("a100-sxm-80gb").has("fp8"), accelerator("h100-sxm").has("fp8-block")
        (False, True)
        """
        name = dtype.strip().lower().replace("_", "-")
        return _DTYPES.get(name, name) in self.peaks

    def peak(self, dtype: str) -> float:
        """Dense FLOP/s of matrix products in `dtype` on this chip.

        Block-scaled formats count as their plain one (mxfp8, fp8-block → fp8; nvfp4, mxfp4 → fp4), `amp` as fp16, and
        4-bit weights with 16-bit arithmetic (nf4, w4a16) as bf16. What a chip lacks runs at the next thing it has:

        - fp4 → fp8 → bf16 → fp16 → fp32, and int4 → int8 → bf16 …: the numbers are widened first;
        - bf16 → fp32, at the vector rate: before Ampere, libraries emulate it there;
        - fp16 → bf16 (a TPU) → fp32 (Pascal cards: fp16 arithmetic is 1/64 of fp32, libraries avoid it);
        - fp32 → bf16 on a chip with no other (TPUs run fp32 products in bf16 passes by default).

        >>> accelerator("a100-sxm-80gb").peak("fp8-block") == accelerator("a100-sxm-80gb").peak("bf16")
        True
        >>> accelerator("v100-sxm-32gb").peak("bf16") / 1e12
        15.7
        """
        return self.peaks[self.runs_as(dtype)]


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name or alias.

    Raises :class:`AmbiguousName` for a name that several share (`h100`), :class:`UnknownName` for one that none has.

    >>> accelerator("h100-sxm").memory / 2**20, accelerator("H100_SXM").peak("bf16") / 1e12
    (81559.0, 989.4)
    >>> accelerator("RTX4090").name
    'rtx-4090'
    """
    key = spelled(name)
    index = _index()
    if key in index:
        return build(index[key])
    family = families().get(key, ())
    if len(family) == 1:
        return build(family[0])
    if family:
        chips = [build(entry) for entry in family]
        shown = [(_short(chip, key), chip) for chip in chips]
        width = max(len(short) for short, _ in shown)
        raise AmbiguousName(
            "accelerator",
            name,
            [
                f"{short:<{width}}  {chip.memory / 2**30:>3.0f} GiB  {chip.memory_bandwidth / 1e12:.2f} TB/s"
                f"  {chip.peak('bf16' if 'bf16' in chip.peaks else 'fp16') / 1e12:>5.0f} TFLOP/s"
                for short, chip in shown
            ],
            hint=f"write `{shown[0][0]}`, for example `--on {shown[0][0]}:8`",
        )
    together = [entry for entry in (*index, *families()) if entry.replace("-", "") == key.replace("-", "")]
    if len({index.get(entry, entry) for entry in together}) == 1 and together[0] != key:
        return accelerator(together[0])  # rtx4090
    raise UnknownName("accelerator", name, [*index, *families()], listing=LISTING)


@rows.cached
def accelerators() -> tuple[Accelerator, ...]:
    """All accelerators, datacenter parts first; the user's own last."""
    return tuple(build(row["name"]) for row in rows.read("accelerators", "name"))


def spelled(name: str) -> str:
    """A name as the table spells it: lower-case, hyphens between words."""
    return "-".join(name.strip().lower().replace("_", " ").replace("-", " ").split())


@rows.cached
def families() -> Mapping[str, tuple[str, ...]]:
    """Names that several accelerators share (`h100`, `a100-sxm`) → theirs, the likeliest first."""
    shared: dict[str, list[str]] = {}
    for row in rows.read("accelerators", "name"):
        for family in rows.names(row.get("families")):
            shared.setdefault(family, []).append(row["name"])
    return {family: tuple(members) for family, members in shared.items()}


@rows.cached
def build(name: str) -> Accelerator:
    """The accelerator of exactly that name in the table."""
    row = _rows()[name]
    like = row.get("like")
    if not like:
        return _from(row)
    shipped = next((known for known in rows.shipped("accelerators") if known["name"] == like), None)
    return _from(row, relative=_from(_rows()[like] if shipped is None else shipped))


def _from(row: Mapping[str, str], relative: Accelerator | None = None) -> Accelerator:
    """The accelerator of a row."""
    figures: dict[str, float | None] = {}
    receipts: dict[str, Receipt] = {}
    assumed = rows.names(row.get("assumed"))
    for figure, (column, scale, unit) in _FIGURES.items():
        value = rows.number(row.get(column))
        figures[figure] = None if value is None else value * scale
        if value is None:
            continue
        memory = figure == "memory" and row.get("memory_source")
        receipts[figure] = rows.receipt(
            row,
            column,
            value * scale,
            unit=unit,
            source=row["memory_source"] if memory else "",
            basis=row["memory_basis"] if memory else ("assumed" if figure in assumed else ""),
            note="" if memory else None,
        )
    peaks: dict[str, float] = {}
    for dtype in PEAKS:
        column = f"{dtype}_{'tops' if dtype.startswith('int') else 'tflops'}"
        value = rows.number(row.get(column))
        if value is not None:
            peaks[dtype] = value * 1e12
            basis = "assumed" if "peaks" in assumed else ""
            receipts[f"peaks.{dtype}"] = rows.receipt(row, column, value * 1e12, unit="FLOP/s", basis=basis)
    receipts["link"] = rows.receipt(row, "link", row["link"], unit="")
    receipts["year"] = rows.receipt(row, "year", int(row["year"]), unit="")
    cores, domain = figures["cores"], figures["domain"]
    return Accelerator(
        name=row["name"],
        aliases=rows.names(row.get("aliases")),
        vendor=row["vendor"],
        generation=row["generation"],
        category=row["category"],
        year=int(row["year"]),
        memory=figures["memory"] or 0.0,
        memory_bandwidth=figures["memory_bandwidth"] or 0.0,
        peaks=peaks,
        cores=None if cores is None else int(cores),
        l2=figures["l2"],
        tdp=figures["tdp"] or 0.0,
        boost_clock=figures["boost_clock"],
        link=row["link"],
        link_bandwidth=figures["link_bandwidth"] or 0.0,
        domain=int(domain or 1),
        nic_bandwidth=figures["nic_bandwidth"] or 0.0,
        pcie_bandwidth=figures["pcie_bandwidth"] or 0.0,
        note=row.get("note", ""),
        receipts=receipts,
        relative=relative,
    )


@rows.cached
def _rows() -> Mapping[str, Mapping[str, str]]:
    return {row["name"]: row for row in rows.read("accelerators", "name")}


@rows.cached
def _index() -> Mapping[str, str]:
    """Every name and alias, as spelled, → the name in the table."""
    index: dict[str, str] = {}
    for row in rows.read("accelerators", "name"):
        for alias in (row["name"], *rows.names(row.get("aliases"))):
            index[spelled(alias)] = row["name"]
    return index


def index() -> Mapping[str, str]:
    """Every name and alias → the name in the table."""
    return _index()


def _short(chip: Accelerator, family: str) -> str:
    """The shortest name of a chip that still begins with what the user wrote."""
    fitting = [alias for alias in (chip.name, *chip.aliases) if alias.startswith(family) and alias != family]
    return min(fitting, key=len, default=chip.name)
