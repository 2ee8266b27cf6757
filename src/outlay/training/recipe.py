"""What is trained and how, apart from how it is laid out on devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from outlay.training.lengths import Lengths
from outlay.training.software import Software, software_for
from outlay.workload import Architecture, Number, Storage, Tuning

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


STORED = {
    # Two weights a byte, and an fp32 scale for each 64 weights; or that scale in 8 bits, and one fp32 scale for 256 of those
    # (Dettmers et al., "QLoRA", arXiv:2305.14314, section 3).
    "nf4": 0.5 + 4.0 / 64,
    "nf4-dq": 0.5 + 1.0 / 64 + 4.0 / (64 * 256),
    "fp4": 0.5 + 4.0 / 64,
    "fp4-dq": 0.5 + 1.0 / 64 + 4.0 / (64 * 256),
    # A byte a weight; a scale a row is next to nothing (Dettmers et al., "LLM.int8()", arXiv:2208.07339).
    "int8": 1.0,
    "fp8": 1.0,
}
"""Types in which a frozen base may be stored → bytes of a weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Passes of a step beside forward and backward of the model that is trained, all over the same sequences."""

    scored: tuple[Architecture, ...] = ()
    """Frozen models that run forward over the same sequences: a teacher, a reference, a reward model."""
    scored_stored: str | None = None
    """The type in which those are stored."""
    answer_tokens: float = 0.0
    """Tokens of each sequence that are generated for a step, on the same devices before it is taken."""
    generation_rate: float = 1.0
    """Tokens a second and device at which they are, as somebody stated it."""
    critic: bool = False
    """A second model as large as the trained one learns beside it, forward and backward (PPO)."""


States = Literal["master", "pure", "mixed"]
"""How trained weights are kept: in 16 bits with an fp32 master copy; in 16 bits throughout, moments too; or in fp32, cast to
16 bits for every product."""

UNFUSED_UPDATE_BYTES = 40.0
"""Bytes moved for a parameter by Adam in 16 bits, an operation a kernel: decay, two moments, root, quotient, sum, step
(`torch.optim.AdamW` with `foreach`, its default)."""


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
    tuning: Tuning | None = None
    """What of the model is trained; None is all of it."""
    stored: str | None = None
    """The type in which frozen projections are stored (:data:`STORED`); None is that of the activations."""
    states: States = "master"
    lengths: Lengths | None = None
    """How sequences vary in length, where they are not packed: a micro-batch is filled up to its longest."""
    document: float | None = None
    """Tokens of each of the samples that are packed into a sequence, which do not attend to one another."""
    update_in_backward: bool = False
    """Each weight is updated as soon as its gradient is there, which then makes room."""
    paged: bool = False
    """The optimizer's state may move to the host while it is not needed."""
    passes: Passes | None = None
    """What a step does beside the trained model's forward and backward pass."""

    @property
    def tokens(self) -> Number:
        """Tokens of one step, padding left out."""
        return self.global_batch * self.mean_length

    @property
    def mean_length(self) -> float:
        """Tokens of a sequence in the mean, padding left out."""
        return self.lengths.mean if self.lengths else float(self.sequence_length)

    def length_in(self, micro_batch: Number) -> Number:
        """Tokens that a sequence takes in a micro-batch of so many, padding included, in the mean over micro-batches."""
        return self.lengths.padded(micro_batch) if self.lengths else self.sequence_length

    @property
    def longest(self) -> float:
        """Tokens of a sequence in the fullest micro-batch."""
        return self.lengths.longest if self.lengths else float(self.sequence_length)

    @property
    def storage(self) -> Storage:
        """How frozen weights are kept, and what the software keeps with them."""
        software = self.software
        return Storage(
            coded_bytes=STORED[self.stored] if self.stored else None,
            adapter_bytes=self.adapter_bytes,
            input_bytes=software.coded_input_bytes if self.stored else 0.0,
            whole_projection=software.whole_projection,
            merged=software.family in ("megatron-core", "mlperf"),
        )

    @property
    def adapter_bytes(self) -> float:
        """Bytes of an adapter's weight."""
        return max(self.software.adapter_bytes, self.activation_bytes)

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
        full = self.compute_type in ("tf32", "fp32") or self.precision == "amp" or self.states == "mixed"
        return 4.0 if full else 2.0

    @property
    def master_bytes(self) -> float:
        """Bytes of the fp32 copy that the optimizer updates, where the weights are 16-bit."""
        return 0.0 if self.weight_bytes == 4.0 or self.states == "pure" else 4.0

    @property
    def trained_bytes(self) -> float:
        """Bytes of a trained weight: of an adapter its own."""
        return self.adapter_bytes if self.adapted else self.weight_bytes

    @property
    def adapted(self) -> bool:
        """Whether what is trained stands beside the model's weights."""
        return self.tuning is not None and self.tuning.kind != "last"

    @property
    def tunes(self) -> bool:
        """Whether it is a tuning script's step: what those take of the host was fitted to theirs alone."""
        return self.tuning is not None or self.states != "master" or self.lengths is not None

    @property
    def cast_bytes(self) -> float:
        """Bytes of the 16-bit copy of a weight that autocast makes and autograd keeps."""
        return 2.0 if self.states == "mixed" and self.activation_bytes == 2.0 else 0.0

    @property
    def gradient_bytes(self) -> float:
        """Bytes of a gradient in memory."""
        if self.states == "master":
            return self.software.gradient_bytes
        return self.trained_bytes if self.states == "pure" else 4.0

    @property
    def moment_bytes(self) -> float:
        """Bytes of the optimizer's state for a parameter, without a master copy; moments have the type of pure weights."""
        state = OPTIMIZERS[self.optimizer].state_bytes
        return state / 2.0 if self.states == "pure" and self.trained_bytes == 2.0 and state >= 4.0 else state

    @property
    def update_bytes(self) -> float:
        """Bytes moved to update a parameter."""
        update = OPTIMIZERS[self.optimizer].update_bytes
        return UNFUSED_UPDATE_BYTES if self.states == "pure" and not self.software.fused_elementwise else update
