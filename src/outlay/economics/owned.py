"""What an hour of a device costs whoever bought it."""

from __future__ import annotations

from outlay.economics.domain import Numbers, within
from outlay.economics.energy import JOULES_PER_KWH

_SECONDS_PER_HOUR = 3600.0


def owned_price(
    purchase_dollars: Numbers,
    *,
    lifetime_seconds: Numbers,
    use: Numbers = 1.0,
    watts: Numbers = 0.0,
    dollars_per_kwh: Numbers = 0.0,
    pue: Numbers = 1.0,
    upkeep: Numbers = 0.0,
) -> Numbers:
    r"""Dollars an hour of use of one device that was bought, in the unit of a rental price.

    .. math:: p = \frac{3600 \, P \, (1 + k)}{L \, u} + \frac{W \cdot 3600}{3.6 \cdot 10^6} \, \mathrm{PUE} \, e

    The first term spreads purchase and upkeep evenly (straight-line) over the hours that are used; the second is the
    electricity of such an hour. What a device draws while nobody uses it is left out; so are interest and resale.

    :param purchase_dollars: price :math:`P` of one device with its share of server and network.
    :param lifetime_seconds: time in service :math:`L`, in seconds.
    :param use: share :math:`u` of that time in which the device is used, above 0 and up to 1.
    :param watts: power :math:`W` of one device with its share of the server, while used.
    :param dollars_per_kwh: price :math:`e` of electricity.
    :param pue: energy of the facility over that of its computers, at least 1.
    :param upkeep: share :math:`k` of the purchase spent on space, staff and repair over the whole lifetime.

    A $30,000 device over four years at 80 % use, 1 kW at the server, PUE 1.25, $0.08/kWh:

    >>> round(owned_price(30_000, lifetime_seconds=4 * 8760 * 3600, use=0.8, watts=1000, dollars_per_kwh=0.08, pue=1.25), 4)
    1.1702

    :raises InputError: for negative figures, no lifetime, a use that is not above 0 or is above 1, or a PUE below 1.
    """
    within("purchase_dollars", purchase_dollars, hint="give the price of one device, as `30000`")
    within("lifetime_seconds", lifetime_seconds, above=True, hint="four years are `4 * 365 * 86400`")
    within("use", use, high=1.0, above=True, hint="80 % is `0.8`")
    within("watts", watts, hint="give watts, as `700`")
    within("dollars_per_kwh", dollars_per_kwh, hint="give the price of one kWh, as `0.08`")
    within("pue", pue, low=1.0, hint="the facility's energy over that of its computers, as `1.2`")
    within("upkeep", upkeep, hint="10 % of the purchase is `0.1`")
    hours = lifetime_seconds / _SECONDS_PER_HOUR * use
    electricity = watts * _SECONDS_PER_HOUR / JOULES_PER_KWH * pue * dollars_per_kwh
    return purchase_dollars * (1.0 + upkeep) / hours + electricity
