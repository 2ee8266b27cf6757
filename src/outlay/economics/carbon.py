"""Greenhouse gas of the electricity that is used, and of the devices that are worn."""

from __future__ import annotations

from outlay.economics.domain import Numbers, within


def carbon(kwh: Numbers, kg_per_kwh: Numbers) -> Numbers:
    r"""Kilograms of CO₂e from electricity.

    .. math:: m = E \, i

    :param kwh: energy :math:`E` at the facility's meter (kWh).
    :param kg_per_kwh: the grid's intensity :math:`i` (kg CO₂e/kWh); lifecycle and direct figures differ, so say which.

    GPT-3: 1,287 MWh at 0.429 kg/kWh are 552 t [1]_.

    >>> round(carbon(1_287_000, 0.429) / 1000)
    552

    :raises InputError: for a negative or non-finite figure.

    .. [1] D. Patterson et al., "Carbon Emissions and Large Neural Network Training", arXiv:2104.10350, table 4.
    """
    within("kwh", kwh, hint="give kilowatt-hours, as `55e3` for 55 MWh")
    within("kg_per_kwh", kg_per_kwh, hint="367 g/kWh is `0.367`")
    return kwh * kg_per_kwh


def embodied_carbon(
    device_seconds: Numbers, kg_per_device: Numbers, lifetime_seconds: Numbers, use: Numbers = 1.0
) -> Numbers:
    r"""Kilograms of CO₂e of making the devices: the share of their working life that was used up.

    .. math:: m = m_{device} \, \frac{t}{L \, u}

    :param device_seconds: devices × seconds :math:`t`.
    :param kg_per_device: mass :math:`m_{device}` for making one device, kg CO₂e. Published figures of one device differ by 3×:
        pass an array of low, likely, high to get all three back.
    :param lifetime_seconds: years in service :math:`L`, in seconds.
    :param use: share :math:`u` of that time in which the device works for somebody, above 0 and up to 1.

    BLOOM: 1.08 M GPU-hours on devices of 150 kg that serve 6 years at 85 % use: 3.64 t [1]_.

    >>> round(embodied_carbon(1_082_990 * 3600, 150.0, 6 * 365 * 86400, use=0.85))
    3636
    >>> import numpy as np
    >>> embodied_carbon(3600.0, np.array([164.0, 575.0]), 4 * 365 * 86400)
    array([0.00468037, 0.01640982])

    :raises InputError: for negative figures, no lifetime, or a use that is not above 0 or is above 1.

    .. [1] A. S. Luccioni et al., "Estimating the Carbon Footprint of BLOOM", JMLR 24 (2023) 253, §4.1.
    """
    within("device_seconds", device_seconds, hint="give devices × seconds, as `256 * 3600`")
    within("kg_per_device", kg_per_device, hint="give kilograms for one device, as `164`")
    within("lifetime_seconds", lifetime_seconds, above=True, hint="four years are `4 * 365 * 86400`")
    within("use", use, high=1.0, above=True, hint="85 % is `0.85`")
    return kg_per_device * (device_seconds / (lifetime_seconds * use))
