"""Laws that say how to divide a budget between size and data, and nothing of what else would cost."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.scaling.curve import TRAINING, Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    r"""Compute-optimal size and data as power laws of the training FLOP :math:`C`.

    .. math:: N = n \, C^a, \quad D = d \, C^b

    Where a law gives one of the two, the other is what :math:`C = 6 N D` leaves. Coefficients are in parameters and tokens.

    >>> parameters, tokens = Allocation(tokens_coefficient=0.299, tokens_exponent=0.537).optimum(3.8e25)
    >>> f"{parameters:.3g} {tokens:.3g}"
    '3.89e+11 1.63e+13'

    (Llama 3 trained 405 B parameters on 15.6 T tokens with that.)
    """

    parameters_coefficient: float | None = None
    parameters_exponent: float = 0.0
    tokens_coefficient: float | None = None
    tokens_exponent: float = 0.0
    loss_coefficient: float | None = None
    loss_exponent: float = 0.0

    def optimum(self, flop: Numbers) -> tuple[Numbers, Numbers]:
        """Parameters and tokens for `flop` of training.

        :raises ValueError: if neither coefficient is known.
        """
        if self.parameters_coefficient is not None:
            parameters: Numbers = self.parameters_coefficient * flop**self.parameters_exponent
            if self.tokens_coefficient is None:
                return parameters, flop / (TRAINING * parameters)
            return parameters, self.tokens_coefficient * flop**self.tokens_exponent
        if self.tokens_coefficient is None:
            raise ValueError("an allocation needs the coefficient of parameters or that of tokens")
        tokens: Numbers = self.tokens_coefficient * flop**self.tokens_exponent
        return flop / (TRAINING * tokens), tokens

    def least_loss(self, flop: float) -> float | None:
        """The loss at the optimum, where the law gives it: a falling power of the FLOP."""
        return None if self.loss_coefficient is None else self.loss_coefficient * flop**-self.loss_exponent
