"""Prices of device-seconds, joules and bytes: dollars, kilowatt-hours, kilograms of CO₂e. It knows no training.

Every function is pure, takes numbers or NumPy arrays, and broadcasts. An API's tariff is in :mod:`outlay.economics.api`.
"""

from outlay.economics.carbon import carbon as carbon
from outlay.economics.carbon import embodied_carbon as embodied_carbon
from outlay.economics.domain import Numbers as Numbers
from outlay.economics.energy import electricity_cost as electricity_cost
from outlay.economics.energy import energy as energy
from outlay.economics.owned import owned_price as owned_price
from outlay.economics.price import HOURS_PER_MONTH as HOURS_PER_MONTH
from outlay.economics.price import cost as cost
from outlay.economics.price import storage_cost as storage_cost
from outlay.economics.price import terabyte_months as terabyte_months
from outlay.economics.price import transfer_cost as transfer_cost
from outlay.economics.price import with_losses as with_losses

__all__ = [
    "HOURS_PER_MONTH",
    "Numbers",
    "carbon",
    "cost",
    "electricity_cost",
    "embodied_carbon",
    "energy",
    "owned_price",
    "storage_cost",
    "terabyte_months",
    "transfer_cost",
    "with_losses",
]
