"""Buying answers by the token against renting machines by the hour: a bill that is a line, and one that is steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.economics.domain import within

__all__ = ["BreakEven", "Tariff", "break_even", "machines"]

MILLION = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Dollars of a million tokens. What a seller does not price apart costs what the rest does."""

    input: float
    output: float
    cached: float | None = None
    """Of prompt tokens that the seller has in its cache."""
    batch_input: float | None = None
    """Of requests that may wait for hours."""
    batch_output: float | None = None
    batch_cached: float | None = None

    def request(self, input: float, output: float, *, cached: float = 0.0, batch: float = 0.0) -> dict[str, float]:
        r"""Dollars of a mean request by what they are paid for; a share `cached` of the prompt, a share `batch` of requests.

        .. math:: c = \sum_{k} b_k \,[\, n_{in} ((1 - h)\, p^{in}_k + h\, p^{hit}_k) + n_{out}\, p^{out}_k \,] / 10^6

        over standard (:math:`b = 1 - b_{batch}`) and batch requests; :math:`h` is the share in the cache.

        >>> prices = Tariff(input=1.0, output=4.0, cached=0.1, batch_input=0.5, batch_output=2.0)
        >>> cost = prices.request(1000, 500, cached=0.4, batch=0.2)
        >>> {kind: round(dollars, 7) for kind, dollars in cost.items()}
        {'input': 0.00048, 'cached': 3.2e-05, 'output': 0.0016, 'batch': 0.000268}

        :raises InputError: for a share that is none, or negative tokens.
        """
        within("input", input, hint="give tokens of a prompt, as `1024`")
        within("output", output, hint="give tokens of an answer, as `256`")
        within("cached", cached, high=1.0, hint="40 % is `0.4`")
        within("batch", batch, high=1.0, hint="20 % is `0.2`")
        hit = self.input if self.cached is None else self.cached
        now = (1.0 - batch) / MILLION
        made = {
            "input": now * input * (1.0 - cached) * self.input,
            "cached": now * input * cached * hit,
            "output": now * output * self.output,
        }
        # Without a batch price such requests cost what others do; without a batch price of cached tokens, the lower of two.
        late_in = self.input if self.batch_input is None else self.batch_input
        late_out = self.output if self.batch_output is None else self.batch_output
        late_hit = min(hit, late_in) if self.batch_cached is None else self.batch_cached
        tokens = input * ((1.0 - cached) * late_in + cached * late_hit) + output * late_out
        return made | {"batch": batch * tokens / MILLION}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Loads, in the unit of the capacity, from which machines are cheaper; infinite where they never are."""

    first: NDArray[np.float64]
    """The least load at which they are. One more machine can make them dearer again, for a while."""
    lasting: NDArray[np.float64]
    """The load from which they stay cheaper, whatever comes."""


def break_even(
    step: ArrayLike, capacity: ArrayLike, per_unit: ArrayLike, *, fixed: ArrayLike = 0.0, least: ArrayLike = 1
) -> BreakEven:
    r"""Where :math:`F + n S`, with :math:`n = \lceil r / c \rceil` machines, meets the line :math:`a r`. Arguments broadcast.

    Machines :math:`n` are cheaper when full if :math:`n (a c - S) \ge F`. The least such :math:`n` crosses the line at
    :math:`(F + n S) / a`, or as soon as the n-th is needed. They stay cheaper once :math:`(n + 1)` machines are, with the
    last one still empty: :math:`(n + 1)(a c - S) \ge F + a c`.

    :param step: dollars :math:`S` of one machine (an instance), in a month.
    :param capacity: load :math:`c` that one carries, in units a month.
    :param per_unit: dollars :math:`a` of one unit where it is bought.
    :param fixed: dollars :math:`F` that machines cost whatever their number, less what buying costs whatever the load.
    :param least: machines that are kept however little there is to do.

    A machine of $1,000 for a million requests, against $1.50 a thousand: two thirds of the first machine pay, the second is
    dearer again until a third of it is in use.

    >>> found = break_even(1000.0, 1e6, 0.0015)
    >>> round(float(found.first)), round(float(found.lasting))
    (666667, 1333333)
    >>> float(break_even(1000.0, 1e6, 0.0009).first)  # a full machine costs more than its answers
    inf
    """
    S, c, a, F, n0 = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (step, capacity, per_unit, fixed, least))
    )
    gain = a * c - S
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        count = np.where(gain * n0 >= F, n0, np.where(gain > 0, np.ceil(F / gain - 1e-12), np.inf))
        first = np.maximum((F + count * S) / a, np.where(count > n0, (count - 1.0) * c, 0.0))
        after = np.maximum(np.where(gain > 0, np.ceil((F + a * c) / gain - 1e-12), np.inf), n0 + 1.0)
        last = after - 1.0
        lasting = np.maximum((F + last * S) / a, np.where(last > n0, (last - 1.0) * c, 0.0))
    never = np.isinf(count) | np.isnan(first) | (a <= 0)
    first = np.where(never, np.inf, np.maximum(first, 0.0))
    return BreakEven(
        first=first, lasting=np.where(np.isinf(after) | never, np.inf, np.maximum(np.maximum(lasting, first), 0.0))
    )


def machines(load: float, capacity: float, *, least: int = 1) -> int:
    """How many carry a load.

    >>> machines(2.5e6, 1e6), machines(0.0, 1e6)
    (3, 1)
    """
    return max(least, math.ceil(load / capacity * (1.0 - 1e-12)))
