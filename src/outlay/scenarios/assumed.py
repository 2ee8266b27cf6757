"""What is taken when nobody says: published practice by size of model, and shares that a run loses; each with its receipt."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.statement import Receipt

LONGEST_SEQUENCE = Receipt(
    8192,
    unit="tokens",
    source="Llama 3 (arXiv:2407.21783) §3.4.1: pre-trained on 8K tokens, longer contexts only at the end",
    date="2024-07",
    basis="assumed",
)
"""Models accept longer sequences than they are pre-trained on; this caps the default."""

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
    of its factors of two as the batch has room for.

    >>> whole_batch(512, 256), whole_batch(512, 96), whole_batch(390.6, 1024)
    (512, 480, 512)
    """
    share = devices
    while share > max(sequences, 1) and share % 2 == 0:
        share //= 2
    return max(share, round(sequences / share) * share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A share of a run that is lost, with its range."""

    likely: Receipt
    low: float
    high: float


_LLAMA3 = "Llama 3 (arXiv:2407.21783) §3.3.4: above 90 % effective at 16,384"
_HLAT = "AWS HLAT (arXiv:2404.10630): 1.2 % lost at 4,096 chips with automatic restarts"
_GEMINI = "Gemini (arXiv:2312.11805): 3 % lost on its largest job, 15 % before improvements"


def _loss(share: float, low: float, high: float, source: str, date: str) -> Loss:
    return Loss(likely=Receipt(share, unit="", source=source, date=date, basis="assumed"), low=low, high=high)


def lost_work(devices: int, nodes: int) -> Loss:
    """Share of the run's device time that goes into restarts and repeated steps; it grows with the size of the job.

    >>> lost_work(256, 32).likely.value
    0.05
    """
    if nodes <= 1:
        return _loss(0.01, 0.0, 0.05, f"one node; at most what {_HLAT}", "2024-04")
    if devices < 4096:
        return _loss(0.05, 0.012, 0.10, f"between {_HLAT}, and {_LLAMA3}", "2024-07")
    return _loss(0.10, 0.03, 0.15, f"{_LLAMA3}; {_GEMINI}", "2024-07")


CHECKPOINTS_KEPT = Receipt(
    20,
    unit="checkpoints",
    source="one each 5 % of the run, so that a bad stretch can be undone",
    date="",
    basis="assumed",
)
