"""What is trained and how, apart from how it is laid out on devices."""

from __future__ import annotations

from dataclasses import dataclass, field

from outlay.training.software import Software, software_for
from outlay.workload import Architecture, Number

PRECISIONS = {
    "bf16": "bf16",
    "fp16": "fp16",
    "amp": "fp16",
    "tf32": "tf32",
    "fp32": "fp32",
    "fp8": "fp8",
    "fp8-block": "fp8-block",
    "mxfp8": "mxfp8",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
}
"""A recipe's precision → the type in which its projections are multiplied."""

QUANTIZED = frozenset({"fp8", "fp8-block", "mxfp8", "nvfp4", "mxfp4"})
"""Types that projections are cast to, while the rest of the model stays in bf16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Bytes that an optimizer keeps for each parameter, and moves to update it."""

    name: str
    state_bytes: float
    """Moments, without the fp32 master copy of the weights."""
    update_bytes: float
    """Bytes read and written for one parameter in one update, master copy and gradient included."""
    matmul_flop: float = 0.0
    """FLOP a parameter and update, per unit of the hidden width (Muon's five Newton–Schulz iterations)."""


OPTIMIZERS = {
    # Adam: read gradient 4, master 4, two moments 8; write master 4, moments 8, 16-bit weight 2.
    "adam": Optimizer(name="adam", state_bytes=8.0, update_bytes=30.0),
    "adam-8bit": Optimizer(name="adam-8bit", state_bytes=2.0 + 2 * 4.0 / 256, update_bytes=18.0),
    # BF16 moments, as DeepSeek-V3 trains (arXiv:2412.19437, section 3.3.3).
    "adam-bf16": Optimizer(name="adam-bf16", state_bytes=4.0, update_bytes=22.0),
    "lion": Optimizer(name="lion", state_bytes=4.0, update_bytes=22.0),
    "muon": Optimizer(name="muon", state_bytes=4.0, update_bytes=22.0, matmul_flop=30.0),
    # Factored second moment: a row and a column of numbers a matrix, nothing a parameter.
    "adafactor": Optimizer(name="adafactor", state_bytes=0.0, update_bytes=18.0),
    "sgd": Optimizer(name="sgd", state_bytes=0.0, update_bytes=14.0),
    "momentum": Optimizer(name="momentum", state_bytes=4.0, update_bytes=22.0),
    "lamb": Optimizer(name="lamb", state_bytes=8.0, update_bytes=42.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training step: `global_batch` sequences of `sequence_length` tokens, in `precision`, by `software`."""

    architecture: Architecture
    sequence_length: int
    global_batch: Number
    precision: str = "bf16"
    optimizer: str = "adam"
    software: Software = field(default_factory=lambda: software_for(None, None))
    dropout: float = 0.0
    imbalance: float = 1.0
    """Fullest expert's tokens over the mean; 1 is forced balance."""

    @property
    def tokens(self) -> Number:
        """Tokens of one step."""
        return self.global_batch * self.sequence_length

    @property
    def compute_type(self) -> str:
        return PRECISIONS[self.precision]

    @property
    def base_type(self) -> str:
        """The type of what low-precision recipes leave alone (head, router, attention)."""
        return "bf16" if self.compute_type in QUANTIZED else self.compute_type

    @property
    def activation_bytes(self) -> float:
        """Bytes of a stored activation."""
        return 4.0 if self.compute_type in ("tf32", "fp32") else 2.0

    @property
    def linear_bytes(self) -> float:
        """Bytes of a projection's saved input: quantized recipes keep the one-byte copy."""
        return 1.0 if self.compute_type in QUANTIZED else self.activation_bytes

    @property
    def weight_bytes(self) -> float:
        """Bytes of a weight as the forward pass reads it; amp keeps fp32 weights and casts."""
        return 4.0 if self.compute_type in ("tf32", "fp32") or self.precision == "amp" else 2.0

    @property
    def master_bytes(self) -> float:
        """Bytes of the fp32 copy that the optimizer updates, where the weights are 16-bit."""
        return 0.0 if self.weight_bytes == 4.0 else 4.0
