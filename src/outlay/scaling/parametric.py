"""The sum of two power laws: what Chinchilla and most laws since have been."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.scaling.curve import TRAINING, Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parametric:
    r"""Loss from size and data.

    .. math:: L(N, D) = \left(E + \frac{A}{N^\alpha} + \frac{B}{D^\beta}\right)^p

    `E` is the loss that no size and no data remove, in nats a token; `power` :math:`p` is 1 in all laws but Kaplan's joint
    one [1]_.

    >>> curve = Parametric(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
    >>> round(curve.loss(70e9, 1.4e12), 3)
    1.974

    .. [1] J. Hoffmann et al., "Training Compute-Optimal Large Language Models", arXiv:2203.15556, equation 10;
       J. Kaplan et al., arXiv:2001.08361, equation 1.5.
    """

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    power: float = 1.0

    @property
    def label(self) -> str:
        return ""

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Nats a token."""
        bare: Numbers = self.E + self.A * parameters**-self.alpha + self.B * tokens**-self.beta
        return bare**self.power

    def active_parameters(self, parameters: Numbers) -> Numbers:
        """All of them."""
        return parameters

    def flop_per_token(self, parameters: Numbers) -> Numbers:
        """6 a parameter."""
        return TRAINING * parameters

    def optimum(self, flop: Numbers) -> tuple[Numbers, Numbers]:
        r"""Parameters and tokens of the least loss for `flop` of training, in closed form.

        .. math:: N = G \left(\frac{C}{6}\right)^{\beta/(\alpha+\beta)}, \quad D = \frac{C}{6 N}, \quad
                  G = \left(\frac{\alpha A}{\beta B}\right)^{1/(\alpha+\beta)}

        >>> curve = Parametric(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
        >>> parameters, tokens = curve.optimum(5.76e23)
        >>> f"{parameters:.3g} {tokens:.3g}"
        '7.22e+10 1.33e+12'

        J. Hoffmann et al., arXiv:2203.15556, equation 4.
        """
        both = self.alpha + self.beta
        scale = (self.alpha * self.A / (self.beta * self.B)) ** (1.0 / both)
        parameters: Numbers = scale * (flop / TRAINING) ** (self.beta / both)
        return parameters, flop / (TRAINING * parameters)

    def parameters_for(self, tokens: Numbers) -> Numbers:
        r"""The size for which `tokens` are just the compute-optimal number.

        .. math:: N = \left(\frac{\alpha A}{\beta B}\right)^{1/\alpha} D^{\beta/\alpha}
        """
        ratio = (self.alpha * self.A / (self.beta * self.B)) ** (1.0 / self.alpha)
        found: Numbers = ratio * tokens ** (self.beta / self.alpha)
        return found
