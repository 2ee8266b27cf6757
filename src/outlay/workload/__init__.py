"""What a model is and how much work it does: architecture, parameters, operators, FLOP, caches."""

from outlay.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Experts,
    GatedDelta,
    Index,
    Layer,
    Mlp,
    Recurrent,
    StateSpace,
    transformer,
)
from outlay.workload.config import from_config, load_config, supported
from outlay.workload.flop import TokenFlop, flop_per_token, kv_bytes_per_token
from outlay.workload.layer import embedding_operators, head_operators, layer_operators
from outlay.workload.operators import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator
from outlay.workload.parameters import ParameterCount, parameters
from outlay.workload.shard import Shard
from outlay.workload.tuning import ADAPTED, PARTS, SCALED, Storage, Tuning, adapter_parameters, decoded, tuned

__all__ = [
    "ADAPTED",
    "PARTS",
    "SCALED",
    "Architecture",
    "Attention",
    "AttentionCore",
    "Block",
    "Experts",
    "GatedDelta",
    "GroupedMatmul",
    "Index",
    "Layer",
    "Matmul",
    "MemoryBound",
    "Mlp",
    "Number",
    "Operator",
    "ParameterCount",
    "Recurrent",
    "Shard",
    "StateSpace",
    "Storage",
    "TokenFlop",
    "Tuning",
    "adapter_parameters",
    "decoded",
    "embedding_operators",
    "flop_per_token",
    "from_config",
    "head_operators",
    "kv_bytes_per_token",
    "layer_operators",
    "load_config",
    "parameters",
    "supported",
    "transformer",
    "tuned",
]
