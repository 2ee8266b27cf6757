"""A user's checked entry → the row that the tables read, with the columns that are the user's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outlay.catalog import rows
from outlay.catalog.devices import accelerator, index, spelled
from outlay.catalog.published import ModelFacts
from outlay.errors import InputError
from outlay.statement import Receipt

MAX_CONFIG_BYTES = 16 * 2**20

_NEEDED = ("memory_mib", "memory_bandwidth_gbs", "tdp_w")
_PEAKS = tuple(f"{key}_{'tops' if key.startswith('int') else 'tflops'}" for key in (
    "fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8", "int4"
))  # fmt: skip
_PLAIN = {
    "aliases": "",
    "families": "",
    "vendor": "yours",
    "generation": "unknown",
    "category": "datacenter-gpu",
    "year": "2026",
    "link": "PCIe",
    "link_gbs": "31.508",
    "domain": "1",
    "nic_gbps": "100",
    "pcie_gbs": "31.508",
    "basis": "assumed",
    "note": "",
}


def accelerator_row(values: Mapping[str, Any], path: Path) -> dict[str, str]:
    """A chip's row: its own columns over those of the chip it is like, of the same name, or of a plain card.

    A new chip needs memory, bandwidth, TDP and a peak; links and cards that it leaves out are assumed.
    """
    given = {key: value for key, value in values.items() if key not in ("like", "source", "date")}
    known = index()
    name = known.get(spelled(values["name"]), values["name"])
    base = values.get("like") or (name if spelled(values["name"]) in known else None)
    row: dict[str, str] = {}
    if base is not None:
        model = accelerator(base).name
        row = dict(next(row for row in rows.read("accelerators", "name") if row["name"] == model))
        row["like"] = row.get("like") or model
        if model != name:
            row.update(aliases="", families="")
    else:
        missing = [key for key in _NEEDED if key not in values]
        missing += [] if any(key in values for key in _PEAKS) else ["bf16_tflops or another peak"]
        if missing:
            listed = ", ".join(f"`{key}`" for key in missing)
            raise InputError(f"{listed} missing", hint='a new chip needs them, or `like = "h100-sxm"`')
        row = {**_PLAIN, "date": values.get("date", "2026"), "source": _source(values, path)}
    row = _over(row, {**given, "name": name}, values, path)
    if "memory_mib" in given:
        row["memory_source"] = ""
    return row


def server_row(values: Mapping[str, Any], path: Path) -> dict[str, str]:
    """A node's row; what it leaves out follows the accelerator and its usual server."""
    chip = accelerator(values["accelerator"])
    plain = {
        "aliases": "",
        "accelerator": chip.name,
        "domain": str(values["devices"]),
        "link": chip.link,
        "link_gbs": "",
        "nic_gbps": "",
        "host_w": "500",
        "idle_w": "",
        "work_w": "",
        "battery_wh": "",
        "assumed": "",
        "default": "1",
        "basis": "assumed",
        "note": "",
        "date": values.get("date", "2026"),
        "source": _source(values, path),
    }
    given = {key: value for key, value in values.items() if key not in ("source", "date", "accelerator", "default")}
    row = _over(plain, given, values, path)
    row["default"] = "1" if values.get("default", True) else ""
    return row


def price_row(values: Mapping[str, Any], path: Path) -> dict[str, str]:
    """A listing's row, of one device unless it says otherwise."""
    plain = {
        "provider": "",
        "instance": "",
        "devices": "1",
        "tier": "on-demand",
        "provider_class": "",
        "region": "",
        "regions": values.get("region", ""),
        "low": "",
        "high": "",
        "date": values.get("date", "2026"),
        "source": _source(values, path),
        "basis": "yours",
        "doubt": "",
        "note": "",
    }
    row = _over(plain, {key: value for key, value in values.items() if key not in ("source", "date")}, values, path)
    row["accelerator"] = accelerator(values["accelerator"]).name
    row["provider"] = spelled(values["provider"]).replace(".", "-")
    return row


def grid_row(values: Mapping[str, Any], path: Path) -> dict[str, str]:
    """A place's row."""
    plain = {
        "aliases": "",
        "title": values["name"],
        "kind": "site",
        "intensity_basis": "lifecycle",
        "reference_year": "",
        "date": values.get("date", "2026"),
        "source": _source(values, path),
        "basis": "yours",
        "electricity_dollars_per_kwh": "",
        "electricity_source": _source(values, path),
        "electricity_date": "",
        "note": "",
    }
    row = _over(plain, {key: value for key, value in values.items() if key not in ("source", "date")}, values, path)
    row["name"] = spelled(values["name"])
    return row


def model_facts(values: Mapping[str, Any], path: Path) -> ModelFacts:
    """A model from its config: a table in the file, or a path from the file's folder. `workload` reads what it means."""
    config = values["config"]
    if isinstance(config, str):
        file = path.parent / Path(config).expanduser()
        hint = "name the `config.json` of a model"
        try:
            if file.stat().st_size > MAX_CONFIG_BYTES:
                raise InputError(f"`config` names `{config}`, which is too large for a config", hint=hint)
            config = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise InputError(f"`config` names `{config}`: {said}", hint=hint) from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"`config` names `{config}`, which is not JSON", hint=hint) from error
        if not isinstance(config, dict):
            raise InputError(f"`config` names `{values['config']}`, which holds no object", hint=hint)
    receipt = Receipt(
        values["name"],
        unit="",
        source=_source(values, path),
        date=values.get("date", ""),
        basis="yours",
        note=values.get("note", ""),
    )
    return ModelFacts(values["name"], tuple(values.get("aliases", ())), config, receipt)


def _over(row: dict[str, str], given: Mapping[str, Any], values: Mapping[str, Any], path: Path) -> dict[str, str]:
    """`row` with the given columns as text, and a note of which columns those were."""
    text = {
        key: ";".join(value) if isinstance(value, list) else repr(value) if isinstance(value, float) else str(value)
        for key, value in given.items()
        if value is not None
    }
    return {
        **row,
        **text,
        "yours": ";".join(text),
        "yours_source": _source(values, path),
        "yours_date": values.get("date", ""),
    }


def _source(values: Mapping[str, Any], path: Path) -> str:
    return values.get("source") or str(path)
