"""What is taken when nobody says: lengths of sequences and checkpoints kept, each with its receipt."""

from __future__ import annotations

from outlay.statement import Receipt

LONGEST_SEQUENCE = Receipt(
    8192,
    unit="tokens",
    source="Llama 3 (arXiv:2407.21783) §3.4.1: pre-trained on 8K tokens, longer contexts only at the end",
    date="2024-07",
    basis="assumed",
)
"""Models accept longer sequences than they are pre-trained on; this caps the default."""

CHECKPOINTS_KEPT = Receipt(
    20,
    unit="checkpoints",
    source="one each 5 % of the run, so that a bad stretch can be undone",
    date="",
    basis="assumed",
)
