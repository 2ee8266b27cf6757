"""The tables' columns as a schema, for files of the user: types, units and bounds of every key.

Keys are those of the CSV columns, units in their names. The shipped rows are held against the same schema by a test.
pydantic is imported here alone, and this module only when a user's file is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[^\s;][^;]{0,79}$")]
Positive = Annotated[float, Field(gt=0, lt=1e18, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, lt=1e18, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]


class Entry(BaseModel):
    """What every entry may say about itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str = ""
    date: Date = ""
    note: str = ""


class AcceleratorEntry(Entry):
    """`[[accelerator]]`: a new chip, a changed one (same name), or one `like` another."""

    name: Name
    like: Name | None = None
    aliases: list[Name] = []
    vendor: Name | None = None
    generation: Name | None = None
    category: Name | None = None
    year: Annotated[int, Field(ge=1970, le=2100)] | None = None
    memory_mib: Positive | None = None
    memory_bandwidth_gbs: Positive | None = None
    fp64_tflops: Positive | None = None
    fp32_tflops: Positive | None = None
    tf32_tflops: Positive | None = None
    fp16_tflops: Positive | None = None
    bf16_tflops: Positive | None = None
    fp8_tflops: Positive | None = None
    fp4_tflops: Positive | None = None
    int8_tops: Positive | None = None
    int4_tops: Positive | None = None
    cores: Count | None = None
    l2_mib: NotNegative | None = None
    tdp_w: Positive | None = None
    boost_mhz: Positive | None = None
    link: Name | None = None
    link_gbs: Positive | None = None
    domain: Count | None = None
    nic_gbps: Positive | None = None
    pcie_gbs: Positive | None = None


class ServerEntry(Entry):
    """`[[server]]`: a node around an accelerator; `default = true` makes it that accelerator's usual one."""

    name: Name
    aliases: list[Name] = []
    accelerator: Name
    devices: Count
    domain: Count | None = None
    link: Name | None = None
    link_gbs: Positive | None = None
    nic_gbps: Positive | None = None
    host_w: NotNegative | None = None
    idle_w: Positive | None = None
    work_w: Positive | None = None
    battery_wh: Positive | None = None
    default: bool = True


class PriceEntry(Entry):
    """`[[price]]`: dollars for one device for one hour."""

    provider: Name
    accelerator: Name
    dollars_per_device_hour: NotNegative
    tier: Literal["on-demand", "spot", "reserved", "owned"] = "on-demand"
    instance: str = ""
    devices: Positive = 1.0
    provider_class: str = ""
    region: str = ""
    low: NotNegative | None = None
    high: NotNegative | None = None


class GridEntry(Entry):
    """`[[grid]]`: grams of CO₂e per kWh of a place, and dollars per kWh."""

    name: Name
    aliases: list[Name] = []
    title: str = ""
    kind: Name = "site"
    g_per_kwh: Annotated[float, Field(ge=0, le=3000, allow_inf_nan=False)]
    intensity_basis: Literal["lifecycle", "direct", "location-based"] = "lifecycle"
    reference_year: str = ""
    electricity_dollars_per_kwh: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None


class ModelEntry(Entry):
    """`[[model]]`: a name for a Hugging Face `config.json`: its path (from the file's folder), or the table itself."""

    name: Name
    aliases: list[Name] = []
    config: str | dict[str, Any]


TABLES: dict[str, type[Entry]] = {
    "accelerator": AcceleratorEntry,
    "server": ServerEntry,
    "price": PriceEntry,
    "grid": GridEntry,
    "model": ModelEntry,
}
