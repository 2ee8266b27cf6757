"""Which :class:`~outlay.machine.decode.DecodeCurve` an accelerator gets: its own fit, its nearest relative's, or a prior.

Coefficients are shares of the data sheet, lengths in keys and a few times, so that they carry over between chips. A measured
chip gets its own; another one of the same makers those of the measured chip that is nearest in memory bandwidth and
generation; a kind of chip without tables the pooled ones, with the share of its bandwidth that is published for it.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any, Protocol

from outlay.errors import InputError
from outlay.machine.decode import DecodeCurve
from outlay.machine.silicon import Chip, distance, family, is_chip, silicon

KV_BYTES = {
    "bf16": 2.0,
    "fp16": 2.0,
    "tf32": 4.0,
    "fp32": 4.0,
    "fp8": 1.0,
    "fp8-block": 1.0,
    "mxfp8": 1.03125,
    "int8": 1.0,
    "nvfp4": 0.5625,
    "mxfp4": 0.53125,
    "int4": 0.5625,
}
"""Bytes of an element of the cache, its scales included. Everything narrower than 16 bits shares the fit of fp8."""

ENGINES = ("vllm", "trtllm")
"""Serving engines whose kernels were timed: the default first."""

USUAL_CORES = 132
MOST_CORES = 1024
"""More are single lanes, not processors that hold a tile of their own."""


TILE_ROWS = 64.0
VECTOR_ROWS = 8.0
"""Queries of a tile on measured chips and their relatives, and on other makers': theirs hold a few vectors, and chips with little
arithmetic for each byte would show a tile of 64."""


class Device(Chip, Protocol):
    """What of an accelerator decides its decode attention."""

    @property
    def cores(self) -> int | None: ...


def decode_curve(
    accelerator: Device,
    kv_dtype: str = "bf16",
    coefficients: Mapping[str, Any] | None = None,
    *,
    latent: bool = False,
    engine: str | None = None,
) -> DecodeCurve:
    """The curve of an accelerator with a type of cache.

    Parameters
    ----------
    kv_dtype
        One of :data:`KV_BYTES`.
    coefficients
        The content of the catalog's `decode.json`; None reads it.
    latent
        True for the kernels of latent attention (:func:`~outlay.machine.decode.mla_decode_seconds`).
    engine
        One of :data:`ENGINES`; None takes the first that the chip was measured with.
    """
    if kv_dtype not in KV_BYTES:
        raise InputError(f"no cache in `{kv_dtype}`", hint="take one of " + ", ".join(KV_BYTES))
    if engine is not None and engine not in ENGINES:
        raise InputError(f"`{engine}` is not an engine with decode kernels", hint="take one of " + ", ".join(ENGINES))
    content = decode_coefficients() if coefficients is None else coefficients
    kind = "latent" if latent else "heads"
    surface = "bf16" if KV_BYTES[kv_dtype] >= 2.0 else "fp8"
    record, basis, source, values = _record(content, silicon(accelerator), kind, surface, engine)
    cores = float(accelerator.cores or record.get("cores") or USUAL_CORES)
    cores = cores if cores <= MOST_CORES else USUAL_CORES
    if "chip" not in record:
        # A chip of few large processors (a TPU has one or two) works on several caches at once: what a tile costs belongs to
        # small ones.
        values = {**values, "tile_seconds": values["tile_seconds"] * min(1.0, cores / USUAL_CORES)}
    return DecodeCurve(
        flops=_peak(accelerator),
        bandwidth=accelerator.memory_bandwidth * values["bandwidth_fraction"],
        cores=cores,
        efficiency=values["efficiency"],
        tile_rows=TILE_ROWS if "chip" in record else VECTOR_ROWS,
        tile_seconds=values["tile_seconds"],
        split_keys=values["split_keys"],
        split_seconds=values["split_seconds"],
        window_splits=bool(values["window_splits"]),
        skipped_share=values["skipped_share"],
        ramp_seconds=values["ramp_seconds"],
        ramp_bytes=values["ramp_bytes"],
        overlap=values["overlap"],
        launch_seconds=values["launch_seconds"],
        kv_bytes=KV_BYTES[kv_dtype],
        basis=basis if kv_dtype in ("bf16", "fp16", "fp8") else "assumed",
        source=source,
    )


def latent_prefill_ratio(accelerator: Device, coefficients: Mapping[str, Any] | None = None) -> float:
    """Time of latent attention over a prompt, its copy into the cache included, over what `attention_seconds` says.

    The chip's own ratio, or the median of the measured ones.
    """
    content = decode_coefficients() if coefficients is None else coefficients
    known = {record["chip"]: float(record["ratio"]) for record in content["latent_prefill"]}
    own = [ratio for chip, ratio in known.items() if is_chip(silicon(accelerator).name, chip)]
    middle = sorted(known.values())[len(known) // 2]
    return own[0] if own else middle


def _peak(accelerator: Device) -> float:
    """16-bit FLOP/s, or what a chip without that type has instead."""
    for dtype in ("bf16", "fp16", "int8"):
        try:
            return accelerator.peak(dtype)
        except InputError:
            continue
    return accelerator.peak("fp32")


def _record(
    content: Mapping[str, Any], accelerator: Device, kind: str, surface: str, engine: str | None
) -> tuple[Mapping[str, Any], str, str, dict[str, float]]:
    """A record, its basis, its source and its coefficients."""
    alike = [record for record in content["curves"] if record["kind"] == kind and record["kv_dtype"] == surface]
    order = (engine, *(name for name in ENGINES if name != engine))
    alike.sort(key=lambda record: order.index(record["engine"]))
    for record in alike:
        if is_chip(accelerator.name, record["chip"]):
            return (
                record,
                "fitted",
                f"{record['engine']} on {record['chip']} ({content['source']})",
                record["coefficients"],
            )
    prior = _prior(content["priors"], accelerator)
    if prior is not None or family(accelerator) is None:
        pooled = content["pooled"][f"{kind} {surface}"]
        changes = {name: prior[name] for name in ("bandwidth_fraction", "launch_seconds")} if prior else {}
        source = prior["source"] if prior else "pooled over all measured chips"
        return pooled, "assumed", source, {**pooled, **changes}
    nearest = min(alike, key=lambda record: (distance(record, accelerator), order.index(record["engine"])))
    return nearest, "assumed", f"carried over from {nearest['engine']} on {nearest['chip']}", nearest["coefficients"]


def _prior(priors: Any, accelerator: Device) -> Any:
    """The first prior whose names, generations or categories are the accelerator's."""
    words = set(accelerator.generation.lower().replace(" ", "-").split("-"))
    category = getattr(accelerator, "category", "")
    for entry in priors:
        if accelerator.name.startswith(tuple(entry.get("prefixes", ()))):
            return entry
        if words & set(entry.get("generations", ())) or category in entry.get("categories", ()):
            return entry
    return None


@functools.cache
def decode_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "decode.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
