"""Architectures, and the operators that they become."""

from outlay.workload.architecture import Architecture, Attention, Block, Experts, Layer, Mlp, StateSpace, transformer
from outlay.workload.layer import Shard, embedding_operators, head_operators, layer_operators
from outlay.workload.operators import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator

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
    "Shard",
    "StateSpace",
    "embedding_operators",
    "head_operators",
    "layer_operators",
    "transformer",
]
