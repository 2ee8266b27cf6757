"""What a model is and how much work it does: architecture, parameters, FLOP, caches, operators."""

from outlay.workload.architecture import Architecture, Attention, Block, Experts, Layer, Mlp, StateSpace, transformer
from outlay.workload.config import from_config, load_config, supported
from outlay.workload.layer import Shard, embedding_operators, head_operators, layer_operators
from outlay.workload.operators import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator
from outlay.workload.parameters import ParameterCount, parameters

__all__ = [
    "Architecture",
    "Attention",
    "AttentionCore",
    "Block",
    "Experts",
    "GroupedMatmul",
    "Layer",
    "Matmul",
    "MemoryBound",
    "Mlp",
    "Number",
    "Operator",
    "ParameterCount",
    "Shard",
    "StateSpace",
    "embedding_operators",
    "from_config",
    "head_operators",
    "layer_operators",
    "load_config",
    "parameters",
    "supported",
    "transformer",
]
