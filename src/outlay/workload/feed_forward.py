"""Feed-forward blocks as operators on one device: plain, gated, and mixtures of experts."""

from __future__ import annotations

from outlay.workload.architecture import Experts, Mlp
from outlay.workload.operators import GroupedMatmul, Matmul, Operator
from outlay.workload.shard import Shard, touch


def mlp_operators(mlp: Mlp, hidden: int, shard: Shard) -> list[Operator]:
    """A plain or gated feed-forward."""
    return _feed_forward("feed-forward", mlp.width, mlp.gated, hidden, shard)


def _feed_forward(name: str, width: int, gated: bool, hidden: int, shard: Shard) -> list[Operator]:
    tokens = shard.tokens
    columns = width / shard.tensor
    ups = 2 if gated else 1
    apart = gated and not shard.fused_elementwise
    return [
        Matmul(
            name=f"{name} up-projection",
            rows=tokens,
            columns=ups * columns,
            depth=hidden,
            saved=shard.kept_between * hidden,
        ),
        touch(
            f"{name} activation",
            tokens * columns,
            # The activation by itself, then its product with the other half.
            reads=ups + apart,
            writes=1 + apart,
            kernels=1 + apart,
            shard=shard,
            saved=shard.kept * columns * (ups + apart),
        ),
        Matmul(
            name=f"{name} down-projection",
            rows=tokens,
            columns=hidden,
            depth=columns,
            saved=shard.kept_linear * columns,
        ),
    ]


def expert_operators(experts: Experts, hidden: int, shard: Shard) -> list[Operator]:
    """Router, dispatch, experts, combine, and the shared expert.

    A device holds `count / expert` experts and, with balanced routing, receives as many token copies as it sends:
    `active` copies of its own tokens, times the expert-tensor degree, whose ranks see each other's tokens.
    """
    between = shard.tokens / shard.tensor
    rows = between * experts.active * shard.expert_tensor
    local = experts.count / shard.expert
    columns = experts.width / shard.expert_tensor
    ups = 2 if experts.gated else 1
    width = experts.latent or hidden
    operators: list[Operator] = [
        Matmul(
            name="router",
            rows=between,
            columns=experts.count,
            depth=hidden,
            low_precision=False,
            saved=4.0 * between * experts.count,
        ),
        touch("router choice", between * experts.count, reads=4, writes=4, shard=shard, kernels=20),
        touch("dispatch permutation", rows * width, reads=1, writes=1, shard=shard, kernels=10, routing=True),
        GroupedMatmul(
            name="expert up-projection",
            rows=rows,
            columns=ups * columns,
            depth=width,
            groups=local,
            saved=shard.stored_linear * rows * width,
        ),
        touch(
            "expert activation",
            rows * columns,
            reads=ups,
            writes=1,
            shard=shard,
            saved=shard.stored * rows * columns * ups,
        ),
        GroupedMatmul(
            name="expert down-projection",
            rows=rows,
            columns=width,
            depth=columns,
            groups=local,
            saved=shard.stored_linear * rows * columns,
        ),
        touch(
            "combine permutation",
            rows * width,
            reads=1,
            writes=1,
            shard=shard,
            kernels=10,
            routing=True,
            saved=shard.stored * rows * width,
        ),
    ]
    if experts.latent:
        # Tokens are projected to a narrower space before they are routed, and back after (Nemotron 3).
        operators.append(Matmul(name="latent expert in-projection", rows=between, columns=width, depth=hidden))
        operators.append(Matmul(name="latent expert out-projection", rows=between, columns=hidden, depth=width))
    if experts.shared_width:
        operators += _feed_forward("shared expert", experts.shared_width, experts.gated, hidden, shard)
    return operators
