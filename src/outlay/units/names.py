"""One name for each unit in which figures are kept, so that a checker sees bytes passed for seconds."""

from __future__ import annotations

from typing import NewType

Seconds = NewType("Seconds", float)
Bytes = NewType("Bytes", float)
Flop = NewType("Flop", float)
"""Floating-point operations; a multiply–add is two."""
FlopPerSecond = NewType("FlopPerSecond", float)
BytesPerSecond = NewType("BytesPerSecond", float)
Joules = NewType("Joules", float)
Watts = NewType("Watts", float)
Dollars = NewType("Dollars", float)
"""US dollars of the day of the price."""
KgCO2e = NewType("KgCO2e", float)
"""Kilograms of CO₂ equivalent."""
Tokens = NewType("Tokens", int)
DeviceSeconds = NewType("DeviceSeconds", float)
"""Devices × seconds: what a job rents."""
DollarsPerDeviceHour = NewType("DollarsPerDeviceHour", float)
"""The unit of price lists: it stays per hour, because that is what its receipt says."""
KilowattHours = NewType("KilowattHours", float)
"""The unit of electricity bills and of a grid's carbon intensity."""
