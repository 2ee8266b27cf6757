"""A machine turns operators into seconds, messages into seconds, and activity into watts."""

from outlay.machine.attention import AttentionCurve, attention_seconds
from outlay.machine.cache import from_memory
from outlay.machine.cluster import Cluster, cluster_for
from outlay.machine.collective_curve import CollectiveCurve, collective_curve
from outlay.machine.collectives import collective_seconds
from outlay.machine.curves import Coefficients, Curves, curves_for
from outlay.machine.decode import DecodeCurve, decode_attention_seconds, mla_decode_seconds
from outlay.machine.decode_curve import decode_curve
from outlay.machine.expert_exchange import ExchangeCurve, exchange_curve, expert_exchange_seconds
from outlay.machine.gemm import GemmCurve, gemm_seconds
from outlay.machine.grouped import GroupedCurve, active_experts, grouped_gemm_seconds
from outlay.machine.memory_bound import MemoryCurve, memory_seconds
from outlay.machine.power import power_watts
from outlay.machine.small_all_reduce import SmallAllReduceCurve, small_all_reduce_curve, small_all_reduce_seconds

__all__ = [
    "AttentionCurve",
    "Cluster",
    "Coefficients",
    "CollectiveCurve",
    "Curves",
    "DecodeCurve",
    "ExchangeCurve",
    "GemmCurve",
    "GroupedCurve",
    "MemoryCurve",
    "SmallAllReduceCurve",
    "active_experts",
    "attention_seconds",
    "cluster_for",
    "collective_curve",
    "collective_seconds",
    "curves_for",
    "decode_attention_seconds",
    "decode_curve",
    "exchange_curve",
    "expert_exchange_seconds",
    "from_memory",
    "gemm_seconds",
    "grouped_gemm_seconds",
    "memory_seconds",
    "mla_decode_seconds",
    "power_watts",
    "small_all_reduce_curve",
    "small_all_reduce_seconds",
]
