"""What a training takes when nobody says: batches as published for models of a size, in numbers that devices can share."""

from __future__ import annotations

import math

from outlay.statement import Receipt

_GPT3 = "GPT-3 (arXiv:2005.14165) table 2.1"
BATCHES: tuple[tuple[float, Receipt], ...] = (
    (1e9, Receipt(2**19, unit="tokens", source=f"{_GPT3}: 0.5 M below 1 B", date="2020-05", basis="assumed")),
    (5e9, Receipt(2**20, unit="tokens", source=f"{_GPT3}: 1 M at 1.3 B to 2.7 B", date="2020-05", basis="assumed")),
    (
        3e11,
        Receipt(
            2**22,
            unit="tokens",
            source="Llama 2 (arXiv:2307.09288) §2.2: 4 M at 7 B to 70 B (GPT-3 175 B: 3.2 M)",
            date="2023-07",
            basis="assumed",
        ),
    ),
    (
        float("inf"),
        Receipt(
            2**24,
            unit="tokens",
            source="Llama 3 (arXiv:2407.21783) §3.4.1: 16 M at 405 B",
            date="2024-07",
            basis="assumed",
        ),
    ),
)
"""Parameters below which a global batch is taken, and that batch."""

ENCODER_BATCH = Receipt(
    2**17, unit="tokens", source="BERT (arXiv:1810.04805) appendix A.2: 256 × 512", date="2018-10", basis="assumed"
)


def batch_tokens(parameters: float, *, encoder: bool = False) -> Receipt:
    """Tokens of one optimizer step, as published for models of that size.

    >>> batch_tokens(8.03e9).value
    4194304
    """
    if encoder:
        return ENCODER_BATCH
    return next(receipt for limit, receipt in BATCHES if parameters < limit)


def whole_batch(sequences: float, devices: int) -> int:
    """The whole number of sequences nearest to `sequences` that `devices` (or many of them) can share evenly.

    Layouts divide the batch among data ranks, so the batch keeps the odd factor of the number of devices, and as many
    of its factors of two as the batch has room for. What each then has is rounded by a sixteenth of itself at most, to
    what divides into micro-batches: 72 rather than 73.

    >>> whole_batch(512, 256), whole_batch(512, 96), whole_batch(390.6, 1024), whole_batch(512, 7)
    (512, 480, 512, 504)
    """
    share = devices
    while share > max(sequences, 1) and share % 2 == 0:
        share //= 2
    each = sequences / share
    grain = int(2 ** max(math.floor(math.log2(max(each, 1.0))) - 3, 0))
    return max(share, round(each / grain) * grain * share)
