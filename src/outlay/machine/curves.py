"""All that decides the speed of one accelerator, gathered: a curve for each kind of operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from outlay.catalog import Accelerator
from outlay.machine.attention import AttentionCurve
from outlay.machine.attention_curve import attention_curve
from outlay.machine.collective_curve import CollectiveCurve, collective_curve
from outlay.machine.gemm import GemmCurve
from outlay.machine.gemm_curve import gemm_curve
from outlay.machine.grouped import GroupedCurve, grouped_curve
from outlay.machine.memory_bound import MemoryCurve, memory_curve

if TYPE_CHECKING:
    from outlay.machine.decode import DecodeCurve
    from outlay.machine.delta_rule import DeltaCurve
    from outlay.machine.expert_exchange import ExchangeCurve
    from outlay.machine.expert_layers import ExpertLayer
    from outlay.machine.small_all_reduce import SmallAllReduceCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Fitted coefficients of kernels, as their files hold them; None is what the catalog ships.

    A value that is passed, so that a fit with something left out is an ordinary call.
    """

    gemm: Mapping[str, Any] | None = None
    grouped: Mapping[str, Any] | None = None
    attention: Mapping[str, Any] | None = None
    memory: Mapping[str, Any] | None = None
    collectives: Mapping[str, Any] | None = None
    decode: Mapping[str, Any] | None = None
    small_all_reduce: Mapping[str, Any] | None = None
    expert_exchange: Mapping[str, Any] | None = None
    expert_layers: Mapping[str, Any] | None = None
    delta_rule: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Curves:
    """What one accelerator takes for each kind of operator, in the types that a recipe uses.

    The curves of serving are made on use: a training asks for none of them, and a cold answer starts sooner.
    """

    accelerator: Accelerator
    gemm: GemmCurve
    """Projections, in the recipe's type."""
    gemm_base: GemmCurve
    """What low-precision recipes leave alone: head, router."""
    grouped: GroupedCurve
    attention: AttentionCurve
    memory: MemoryCurve
    collective: CollectiveCurve
    coefficients: Coefficients
    kv_dtype: str
    """Number format of the cache."""
    engine: str | None = None
    """The serving engine whose kernels decode."""
    _layers: dict[tuple[str, str, float | None], ExpertLayer | None] = field(default_factory=dict, compare=False)

    def expert_layer(self, form: str, engine: str, year: float | None) -> ExpertLayer | None:
        """An engine's layers of experts in a format of weights; None where none of its kind was measured."""
        from outlay.machine.expert_layers import expert_layer

        key = (form, engine, year)
        if key not in self._layers:
            self._layers[key] = expert_layer(self.accelerator, form, engine, year, self.coefficients.expert_layers)
        return self._layers[key]

    @cached_property
    def decode(self) -> DecodeCurve:
        """Attention of new tokens over a cache."""
        from outlay.machine.decode_curve import decode_curve

        return decode_curve(self.accelerator, self.kv_dtype, self.coefficients.decode, engine=self.engine)

    @cached_property
    def latent_decode(self) -> DecodeCurve:
        """The same of latent attention (MLA)."""
        from outlay.machine.decode_curve import decode_curve

        return decode_curve(self.accelerator, self.kv_dtype, self.coefficients.decode, engine=self.engine, latent=True)

    def delta(self, engine: str) -> DeltaCurve:
        """The gated delta rule over prompts, by the kernels of an engine: `sglang` or `vllm`."""
        from outlay.machine.delta_rule import delta_curve

        return delta_curve(self.accelerator, self.coefficients.delta_rule, engine=engine)

    @cached_property
    def latent_prefill(self) -> float:
        """Time of latent attention over a prompt, its copy into the cache included, over that of `attention_seconds`."""
        from outlay.machine.decode_curve import latent_prefill_ratio

        return latent_prefill_ratio(self.accelerator, self.coefficients.decode)

    @cached_property
    def expert_exchange(self) -> ExchangeCurve:
        """Sending tokens to their experts and back, by the kernels of serving engines."""
        from outlay.machine.expert_exchange import exchange_curve

        return exchange_curve(self.accelerator, self.coefficients.expert_exchange)

    @cached_property
    def small_all_reduce(self) -> SmallAllReduceCurve:
        """The all-reduce of serving engines, inside one node."""
        from outlay.machine.small_all_reduce import small_all_reduce_curve

        return small_all_reduce_curve(self.accelerator, self.coefficients.small_all_reduce, engine=self.engine)


def curves_for(
    accelerator: Accelerator,
    dtype: str,
    base: str,
    coefficients: Coefficients,
    *,
    attention: str | None = None,
    kv_dtype: str | None = None,
    engine: str | None = None,
) -> Curves:
    """The curves of an accelerator whose projections multiply in `dtype` and the rest in `base`.

    `attention` names an attention library; None is the newest. `kv_dtype` is the type of the cache (None: `base`), `engine`
    the serving engine whose kernels decode (`vllm`, `trtllm`; None: the first that the chip was measured with). Asked again
    for the same objects, the same curves return.
    """
    parts = (
        coefficients.gemm,
        coefficients.grouped,
        coefficients.attention,
        coefficients.memory,
        coefficients.collectives,
        coefficients.decode,
        coefficients.small_all_reduce,
        coefficients.expert_exchange,
        coefficients.expert_layers,
        coefficients.delta_rule,
    )
    key = (id(accelerator), dtype, base, attention, kv_dtype, engine, *map(id, parts))
    known = _CURVES.get(key)
    if known is None:
        if len(_CURVES) >= MOST_KNOWN:
            _CURVES.clear()
        # Keyed by identity, since a user's chip may have the name of a shipped one, and kept with what they were made
        # from, so that nothing else can get that identity.
        known = _CURVES[key] = (
            _curves(accelerator, dtype, base, coefficients, attention, kv_dtype, engine),
            accelerator,
            parts,
        )
    return known[0]


MOST_KNOWN = 512
"""Sets of curves that are remembered."""

_CURVES: dict[tuple[object, ...], tuple[Curves, Accelerator, tuple[Mapping[str, Any] | None, ...]]] = {}


def _curves(
    accelerator: Accelerator,
    dtype: str,
    base: str,
    coefficients: Coefficients,
    attention: str | None,
    kv_dtype: str | None,
    engine: str | None,
) -> Curves:
    return Curves(
        accelerator=accelerator,
        gemm=gemm_curve(accelerator, dtype, coefficients.gemm),
        gemm_base=gemm_curve(accelerator, base, coefficients.gemm),
        grouped=grouped_curve(accelerator, dtype, coefficients.grouped),
        attention=attention_curve(accelerator, coefficients.attention, base, attention),
        memory=memory_curve(accelerator, coefficients.memory),
        collective=collective_curve(accelerator, coefficients.collectives),
        coefficients=coefficients,
        kv_dtype=kv_dtype or base,
        engine=engine,
    )
