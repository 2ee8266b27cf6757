r"""How latencies spread about their means, in closed form: gamma distributions of the right mean and variance.

Their quantiles are by Wilson and Hilferty (1931): with shape k = μ² / σ² above the least value,
:math:`q_p = \mu\,(1 - 1/(9k) + z_p / (3\sqrt k))^3`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from outlay.workload import Number

SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A latency over the requests of a load."""

    mean: Number
    least: Number
    """Nobody takes less."""
    variance: Number

    def quantile(self, share: float) -> Number:
        """Seconds that this share of the requests does not exceed.

        >>> spread = Spread(mean=3.0, least=1.0, variance=4.0)  # an exponential time after one second
        >>> [round(float(spread.quantile(share)), 2) for share in (0.5, 0.9, 0.99)]  # 2.39, 5.61, 10.21
        [2.4, 5.56, 10.22]
        """
        from statistics import NormalDist  # brings fractions, and not every answer asks for quantiles

        above = np.maximum(np.subtract(self.mean, self.least), 1e-12)
        with np.errstate(invalid="ignore"):
            shape = np.square(above) / np.maximum(self.variance, 1e-18 * np.square(above) + 1e-30)
            root = 1.0 - 1.0 / (9.0 * shape) + NormalDist().inv_cdf(share) / (3.0 * np.sqrt(shape))
            found = self.least + above * np.maximum(root, 0.0) ** 3
        return np.asarray(np.where(np.isfinite(self.mean), found, np.inf))


class Quantiles(Mapping[str, Number]):
    """`ttft_p50`, `ttft_p90`, `ttft_p99` and so on, each worked out when it is asked for."""

    __slots__ = ("_spreads",)

    def __init__(self, spreads: Mapping[str, Spread]) -> None:
        self._spreads = spreads

    def later(self, seconds: Number) -> Quantiles:
        """Of requests that wait so long before they come; what lies between their tokens stays."""
        moved = {
            name: spread
            if name == "tpot"
            else replace(spread, mean=spread.mean + seconds, least=np.add(spread.least, seconds))
            for name, spread in self._spreads.items()
        }
        return Quantiles(moved)

    def __getitem__(self, name: str) -> Number:
        latency, _, share = name.partition("_p")
        if name not in list(self):
            raise KeyError(name)
        return self._spreads[latency].quantile(float(share) / 100.0)

    def __iter__(self) -> Iterator[str]:
        return (f"{name}_p{share * 100:g}" for name in self._spreads for share in SHARES)

    def __len__(self) -> int:
        return len(self._spreads) * len(SHARES)
