"""What rented devices, stored bytes and moved bytes cost."""

from __future__ import annotations

from outlay.economics.domain import Numbers, within

HOURS_PER_MONTH = 730.0
"""A month of a cloud bill: 8,760 hours a year over 12 (AWS pricing calculator, Google Cloud billing)."""
_SECONDS_PER_HOUR = 3600.0
_TERABYTE = 1e12
_GIGABYTE = 1e9


def cost(device_seconds: Numbers, dollars_per_device_hour: Numbers, discount: Numbers = 0.0) -> Numbers:
    r"""Dollars for renting devices.

    .. math:: C = \frac{t}{3600} \, p \, (1 - d)

    :param device_seconds: devices × seconds :math:`t`, as billed: also while they wait or recover.
    :param dollars_per_device_hour: list price :math:`p` of one device for an hour ($/h).
    :param discount: share :math:`d` off the list price, from 0 to 1.

    Llama 3.1 405B took 30.84 M hours of H100 [1]_; at $2 an hour:

    >>> cost(30.84e6 * 3600, 2.0)
    61680000.0
    >>> cost(3600.0, 2.0, discount=0.25)
    1.5

    :raises InputError: for a negative or non-finite figure, or a discount above 1.

    .. [1] Llama 3.1 model card, "Hardware and Software", 2024-07-23.
    """
    within("device_seconds", device_seconds, hint="give devices × seconds, as `256 * 3600`")
    within("dollars_per_device_hour", dollars_per_device_hour, hint="give the price of one device, as `2.10`")
    within("discount", discount, high=1.0, hint="30 % off is `0.3`")
    return device_seconds / _SECONDS_PER_HOUR * dollars_per_device_hour * (1.0 - discount)


def with_losses(device_seconds: Numbers, goodput: Numbers) -> Numbers:
    r"""Device-seconds to rent so that `device_seconds` of them make progress.

    .. math:: t = t_{useful} / g

    :param device_seconds: device-seconds :math:`t_{useful}` of steps that count.
    :param goodput: share :math:`g` of the rented time that makes progress, above 0 and up to 1; the rest are restarts, lost
        steps, checkpoints and waiting.

    Llama 3's 405B run kept more than 90 % of its time effective through 54 days with 466 interruptions [1]_.

    >>> with_losses(90.0, 0.9)
    100.0

    :raises InputError: for a goodput that is not above 0 or is above 1.

    .. [1] A. Grattafiori et al., "The Llama 3 Herd of Models", arXiv:2407.21783, §3.3.4.
    """
    within("device_seconds", device_seconds, hint="give devices × seconds, as `256 * 3600`")
    within("goodput", goodput, high=1.0, above=True, hint="95 % is `0.95`")
    return device_seconds / goodput


def terabyte_months(stored_bytes: Numbers, seconds: Numbers) -> Numbers:
    r"""Terabyte-months (10¹² bytes for 730 hours), the unit in which storage is billed.

    .. math:: q = \frac{B}{10^{12}} \cdot \frac{t}{730 \cdot 3600}

    :param stored_bytes: bytes :math:`B` kept, on average over the time.
    :param seconds: time :math:`t` for which they are kept.

    >>> terabyte_months(2e12, 365 * 86400)
    24.0

    :raises InputError: for a negative or non-finite figure.
    """
    within("stored_bytes", stored_bytes, hint="give bytes, as `2e12` for 2 TB")
    within("seconds", seconds, hint="give seconds, as `30 * 86400` for 30 days")
    return stored_bytes / _TERABYTE * (seconds / (HOURS_PER_MONTH * _SECONDS_PER_HOUR))


def storage_cost(stored_bytes: Numbers, seconds: Numbers, dollars_per_terabyte_month: Numbers) -> Numbers:
    """Dollars for keeping `stored_bytes` for `seconds`: terabyte-months × their price ($/TB·month).

    >>> storage_cost(2e12, 730 * 3600, 23.0)
    46.0

    :raises InputError: for a negative or non-finite figure.
    """
    within("dollars_per_terabyte_month", dollars_per_terabyte_month, hint="$0.023 a GB is `23.0` a TB")
    return terabyte_months(stored_bytes, seconds) * dollars_per_terabyte_month


def transfer_cost(moved_bytes: Numbers, dollars_per_gigabyte: Numbers) -> Numbers:
    """Dollars for moving `moved_bytes` across a provider's border, at a price for 10⁹ bytes ($/GB).

    >>> transfer_cost(15e12, 0.09)
    1350.0

    :raises InputError: for a negative or non-finite figure.
    """
    within("moved_bytes", moved_bytes, hint="give bytes, as `15e12` for 15 TB")
    within("dollars_per_gigabyte", dollars_per_gigabyte, hint="give the price of one GB, as `0.09`")
    return moved_bytes / _GIGABYTE * dollars_per_gigabyte
