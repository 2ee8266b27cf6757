"""How much arithmetic a token takes, and how much cache it leaves: closed forms from the architecture alone.

Conventions: a multiply–add is 2 FLOP. Matrix products and attention count; norms, activations, rotary positions and the
look-up of embeddings do not. The head counts. Recomputation does not: these are *model* FLOP (for MFU), not hardware FLOP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from outlay.workload.architecture import Architecture, Attention, Experts, GatedDelta, Layer, Mlp
from outlay.workload.parameters import attention_weights, attention_widths


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFlop:
    """FLOP of one token, averaged over a sequence."""

    forward: float
    backward: float
    """Twice the forward pass: a gradient for each input and one for each weight (or each attention operand)."""
    weights: float
    """Of `forward`: products with weights. The rest is attention, and the scan of what keeps a state."""

    @property
    def total(self) -> float:
        return self.forward + self.backward


def flop_per_token(architecture: Architecture, sequence_length: int, causal: bool = True) -> TokenFlop:
    r"""FLOP that one token of a sequence of `sequence_length` tokens takes.

    .. math:: F = 2 W + \sum_{layers} 2 \, h \, (d_{qk} + d_v) \, \bar{k}

    with the weights :math:`W` that multiply a token (a mixture's idle experts do not) and the mean number of keys
    :math:`\bar k` that a query meets: with `causal`, only those inside the mask (:math:`s/2`, the field's half square, and
    fewer in a window); without, the full square :math:`s` whatever the mask, as `torch.utils.flop_counter` counts. Layers of
    encoders are not masked and meet :math:`s` keys either way.

    In an encoder–decoder a token is one of the encoder and one of the decoder, both sequences being `sequence_length` long.

    >>> from outlay.workload.architecture import transformer
    >>> gpt3 = transformer(layers=96, hidden=12288, heads=96, vocab=50257)
    >>> flop = flop_per_token(gpt3, 2048, causal=False)
    >>> round(flop.forward / 1e9), round(flop.total / 6 / 1e9)  # about 2 and 6 times 175 G parameters, and attention
    (359, 179)
    """
    hidden = architecture.hidden
    layers = sum(block.count * layer_weights(block.layer, hidden) for block in architecture.blocks)
    mixing = sum(
        block.count * _mixing(block.layer, hidden, sequence_length, masked=causal) for block in architecture.blocks
    )
    head = architecture.head_transform + architecture.pooler / sequence_length
    if architecture.head:
        head += architecture.predicted_share * architecture.vocab * architecture.token_width
    weights = 2.0 * (layers + head + architecture.embedding_projection)
    forward = weights + mixing
    return TokenFlop(forward=forward, backward=2.0 * forward, weights=weights)


def layer_weights(layer: Layer, hidden: int) -> int:
    """Weights of a layer that multiply one token: of a mixture, the router, the experts visited and the shared ones."""
    count = 0
    for mixer in (layer.mixer, layer.cross_attention):
        if mixer is not None and not isinstance(mixer, Attention):
            count += hidden * (mixer.projected + mixer.inner) + mixer.convolved * mixer.kernel
        elif mixer is not None:
            count += attention_weights(mixer, hidden)
    feed_forward = layer.feed_forward
    if isinstance(feed_forward, Mlp):
        count += hidden * feed_forward.width * _matrices(feed_forward.gated)
    elif isinstance(feed_forward, Experts):
        routed = feed_forward.active * feed_forward.width * (feed_forward.latent or hidden)
        shared = feed_forward.shared_width * hidden
        count += _matrices(feed_forward.gated) * (routed + shared) + hidden * feed_forward.count
        count += hidden * feed_forward.shared_gate + 2 * hidden * (feed_forward.latent or 0)
    return count


def mean_keys(attention: Attention, sequence_length: int, *, masked: bool = True) -> float:
    """Keys that a query meets on average over a sequence.

    A causal sliding window `w` lets the sum over queries be :math:`s w - w^2/2`; a chunk of `c` is a square of its own.

    >>> causal = Attention(heads=1, kv_heads=1, head_dim=1, value_dim=1, window=4096)
    >>> mean_keys(causal, 2048), mean_keys(causal, 8192), mean_keys(causal, 8192, masked=False)
    (1024.0, 3072.0, 8192.0)
    """
    if not masked or not attention.causal:
        return float(sequence_length + attention.memory)
    window = min(attention.window or sequence_length, attention.chosen or sequence_length, sequence_length)
    if attention.chunked and window < sequence_length:
        chunks, rest = divmod(sequence_length, window)
        return (chunks * window**2 + rest**2) / (2 * sequence_length)
    return attention.memory + window - window**2 / (2 * sequence_length)


def kv_bytes_per_token(architecture: Architecture, bytes_per_number: float = 2.0, context: int | None = None) -> float:
    """Bytes by which each further token makes the key–value cache of one sequence grow.

    A layer keeps a key and a value for each key-value head; with latent attention, the latent vector and the rotary key
    that all heads share (arXiv:2405.04434, table 1), and with sparse attention the key of its index too. A windowed layer stops
    growing once `context` fills its window; without `context`, no window is full. A state space keeps a state of fixed size, an
    encoder keeps nothing.

    >>> from outlay.workload.architecture import transformer
    >>> kv_bytes_per_token(transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True))
    131072.0
    """
    numbers = 0
    for block in architecture.blocks:
        mixer = block.layer.mixer
        if not isinstance(mixer, Attention) or not mixer.causal:
            continue
        if context is not None and mixer.window is not None and context >= mixer.window:
            continue
        numbers += block.count * cached_numbers(mixer)
    return float(numbers * bytes_per_number)


def cached_numbers(attention: Attention) -> int:
    """Numbers that one layer's cache keeps of one token."""
    if attention.kv_rank is not None:
        return attention.kv_rank + attention.rope_dim + (attention.index.head_dim if attention.index else 0)
    return attention.kv_heads * (attention.head_dim + attention.value_dim)


def _mixing(layer: Layer, hidden: int, sequence_length: int, *, masked: bool) -> float:
    """FLOP of the attention core (scores, and their product with the values) or the scan, for one token of one layer."""
    flop = 0.0
    for mixer in (layer.mixer, layer.cross_attention):
        if isinstance(mixer, GatedDelta):
            flop += _delta_rule(mixer, sequence_length, masked=masked)
        elif mixer is not None and not isinstance(mixer, Attention):
            # As chunked products (arXiv:2405.21060, §6): within a chunk half a square of scores and of outputs, then the
            # state written and read, `inner × state` each.
            chunk = min(mixer.chunk, sequence_length) / (2.0 if masked else 1.0)
            flop += 2.0 * (chunk * (mixer.groups * mixer.state + mixer.inner) + 2.0 * mixer.inner * mixer.state)
        elif mixer is not None:
            keys = mean_keys(mixer, sequence_length, masked=masked)
            flop += 2.0 * mixer.heads * (mixer.head_dim + mixer.value_dim) * keys
            flop += _recurrence(mixer, hidden, sequence_length, keys)
            if mixer.index is not None:
                seen = mean_keys(replace(mixer, chosen=None), sequence_length, masked=masked)
                flop += 2.0 * mixer.index.heads * mixer.index.head_dim * seen
    return flop


def _delta_rule(mixer: GatedDelta, sequence_length: int, *, masked: bool) -> float:
    """FLOP for a token of the delta rule in chunks (arXiv:2412.06464, section 3.3): within a chunk keys meet keys, queries meet
    keys, and three products bring in keys and values; the state is read twice and written once."""
    chunk = min(mixer.chunk, sequence_length) / (2.0 if masked else 1.0)
    within = chunk * (3.0 * mixer.key_dim + 2.0 * mixer.value_dim)
    return 2.0 * mixer.value_heads * (within + 3.0 * mixer.key_dim * mixer.value_dim)


def _recurrence(attention: Attention, hidden: int, sequence_length: int, keys: float) -> float:
    """FLOP for a token of what recurrence over segments adds: the memory projected again, and scores of positions.

    Positions themselves are projected once for all sequences of a batch, which is next to nothing for one token.
    """
    again = sum(attention_widths(attention)) * attention.memory / sequence_length
    return 2.0 * (hidden * again + attention.relative * attention.heads * attention.head_dim * keys)


def _matrices(gated: bool) -> int:
    return 3 if gated else 2
