"""A machine turns operators into seconds, messages into seconds, and activity into watts.

What only serving takes loads on use, so that a training's answer starts without it.
"""

from typing import TYPE_CHECKING

from outlay.machine.attention import AttentionCurve, attention_seconds
from outlay.machine.cache import from_memory
from outlay.machine.cluster import Cluster, cluster_for
from outlay.machine.collective_curve import CollectiveCurve, collective_curve
from outlay.machine.collectives import collective_seconds
from outlay.machine.curves import Coefficients, Curves, curves_for
from outlay.machine.gemm import GemmCurve, gemm_seconds
from outlay.machine.grouped import GroupedCurve, active_experts, fullest, grouped_gemm_seconds
from outlay.machine.memory_bound import MemoryCurve, memory_seconds
from outlay.machine.power import power_watts, wall_watts
from outlay.on_use import on_use

if TYPE_CHECKING:
    from outlay.machine.decode import DecodeCurve as DecodeCurve
    from outlay.machine.decode import decode_attention_seconds as decode_attention_seconds
    from outlay.machine.decode import mla_decode_seconds as mla_decode_seconds
    from outlay.machine.delta_rule import DeltaCurve as DeltaCurve
    from outlay.machine.delta_rule import delta_rule_seconds as delta_rule_seconds
    from outlay.machine.expert_exchange import ExchangeCurve as ExchangeCurve
    from outlay.machine.expert_exchange import exchange_curve as exchange_curve
    from outlay.machine.expert_exchange import expert_exchange_seconds as expert_exchange_seconds
    from outlay.machine.expert_layers import ExpertLayer as ExpertLayer
    from outlay.machine.expert_layers import expert_layer_seconds as expert_layer_seconds
    from outlay.machine.small_all_reduce import SmallAllReduceCurve as SmallAllReduceCurve
    from outlay.machine.small_all_reduce import small_all_reduce_curve as small_all_reduce_curve
    from outlay.machine.small_all_reduce import small_all_reduce_seconds as small_all_reduce_seconds

__all__ = [
    "AttentionCurve",
    "Cluster",
    "Coefficients",
    "CollectiveCurve",
    "Curves",
    "DecodeCurve",
    "DeltaCurve",
    "ExchangeCurve",
    "ExpertLayer",
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
    "delta_rule_seconds",
    "exchange_curve",
    "expert_exchange_seconds",
    "expert_layer_seconds",
    "from_memory",
    "fullest",
    "gemm_seconds",
    "grouped_gemm_seconds",
    "memory_seconds",
    "mla_decode_seconds",
    "power_watts",
    "small_all_reduce_curve",
    "small_all_reduce_seconds",
    "wall_watts",
]

__getattr__ = on_use(
    __name__,
    {
        "decode": ("DecodeCurve", "decode_attention_seconds", "mla_decode_seconds"),
        "delta_rule": ("DeltaCurve", "delta_rule_seconds"),
        "expert_exchange": ("ExchangeCurve", "exchange_curve", "expert_exchange_seconds"),
        "expert_layers": ("ExpertLayer", "expert_layer_seconds"),
        "small_all_reduce": ("SmallAllReduceCurve", "small_all_reduce_curve", "small_all_reduce_seconds"),
    },
)
