"""A machine turns operators into seconds, messages into seconds, and activity into watts."""

from outlay.machine.attention import AttentionCurve, attention_seconds
from outlay.machine.cache import from_memory
from outlay.machine.cluster import Cluster, cluster_for
from outlay.machine.collective_curve import CollectiveCurve, collective_curve
from outlay.machine.collectives import collective_seconds
from outlay.machine.curves import Coefficients, Curves, curves_for
from outlay.machine.gemm import GemmCurve, gemm_seconds
from outlay.machine.grouped import GroupedCurve, grouped_gemm_seconds
from outlay.machine.memory_bound import MemoryCurve, memory_seconds
from outlay.machine.power import power_watts

__all__ = [
    "AttentionCurve",
    "Cluster",
    "Coefficients",
    "CollectiveCurve",
    "Curves",
    "GemmCurve",
    "GroupedCurve",
    "MemoryCurve",
    "attention_seconds",
    "cluster_for",
    "collective_curve",
    "collective_seconds",
    "curves_for",
    "from_memory",
    "gemm_seconds",
    "grouped_gemm_seconds",
    "memory_seconds",
    "power_watts",
]
