"""Named units: SI inside, words at the edge.

Inside, a figure is a plain `float` (or array) in its base unit; the `NewType`s only say which. :func:`parse` turns what
a user writes into a base unit and :func:`format_quantity` turns it back into words; nothing else converts.
"""

from outlay.units.articles import with_article as with_article
from outlay.units.format import format_money as format_money
from outlay.units.format import format_number as format_number
from outlay.units.format import format_quantity as format_quantity
from outlay.units.names import Bytes as Bytes
from outlay.units.names import BytesPerSecond as BytesPerSecond
from outlay.units.names import DeviceSeconds as DeviceSeconds
from outlay.units.names import Dollars as Dollars
from outlay.units.names import DollarsPerDeviceHour as DollarsPerDeviceHour
from outlay.units.names import Flop as Flop
from outlay.units.names import FlopPerSecond as FlopPerSecond
from outlay.units.names import Joules as Joules
from outlay.units.names import KgCO2e as KgCO2e
from outlay.units.names import KilowattHours as KilowattHours
from outlay.units.names import Seconds as Seconds
from outlay.units.names import Tokens as Tokens
from outlay.units.names import Watts as Watts
from outlay.units.parse import parse as parse
from outlay.units.scales import UNITS as UNITS

__all__ = [
    "UNITS",
    "Bytes",
    "BytesPerSecond",
    "DeviceSeconds",
    "Dollars",
    "DollarsPerDeviceHour",
    "Flop",
    "FlopPerSecond",
    "Joules",
    "KgCO2e",
    "KilowattHours",
    "Seconds",
    "Tokens",
    "Watts",
    "format_money",
    "format_number",
    "format_quantity",
    "parse",
    "with_article",
]
