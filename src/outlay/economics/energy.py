"""Joules at the device, kilowatt-hours at the meter, and what they cost."""

from __future__ import annotations

from outlay.economics.domain import Numbers, within

JOULES_PER_KWH = 3.6e6


def energy(joules: Numbers, pue: Numbers = 1.0) -> Numbers:
    r"""Kilowatt-hours at the facility's meter.

    .. math:: E = \frac{J}{3.6 \cdot 10^6} \, \mathrm{PUE}

    :param joules: energy :math:`J` that devices and their servers draw.
    :param pue: power usage effectiveness [1]_: energy of the whole facility over energy of its computers, at least 1.

    GPT-3's 10,000 V100 drew 330 W each for 14.8 days in a facility of PUE 1.1; [2]_ prints 1,287 MWh, from days that are
    not rounded.

    >>> round(energy(10_000 * 330 * 14.8 * 86400, pue=1.1) / 1000)
    1289

    :raises InputError: for negative joules or a PUE below 1.

    .. [1] ISO/IEC 30134-2:2016.
    .. [2] D. Patterson et al., "Carbon Emissions and Large Neural Network Training", arXiv:2104.10350, §2.3 and table 4.
    """
    within("joules", joules, hint="give joules, as `700 * 3600` for 700 W through an hour")
    within("pue", pue, low=1.0, hint="the facility's energy over that of its computers, as `1.2`")
    return joules / JOULES_PER_KWH * pue


def electricity_cost(kwh: Numbers, dollars_per_kwh: Numbers) -> Numbers:
    """Dollars for kilowatt-hours at the meter.

    >>> electricity_cost(1_287_000, 0.08)
    102960.0

    :raises InputError: for a negative or non-finite figure.
    """
    within("kwh", kwh, hint="give kilowatt-hours, as `55e3` for 55 MWh")
    within("dollars_per_kwh", dollars_per_kwh, hint="give the price of one kWh, as `0.08`")
    return kwh * dollars_per_kwh
