"""What a serving row's own figures show that cannot all be true; such a row is predicted, listed and left out of the sums."""

from __future__ import annotations

from typing import Final

from outlay.accuracy.contradictions import of_context, of_memory, of_peak, of_reading
from outlay.accuracy.records import Record
from outlay.accuracy.serving.resolve import Question
from outlay.serving import weight_bytes
from outlay.workload import parameters

SLACK: Final = 1.1
"""What catalogs and sources round: bandwidths to a tenth."""


def contradiction(record: Record, question: Question) -> str:
    """Why the row's figures cannot all be true; empty if they may be."""
    architecture = question.deployment.architecture
    return (
        of_context(question.input + question.output, architecture.max_length)
        or _of_fit(question)
        or _of_speed(record, question)
    )


def _of_fit(question: Question) -> str:
    one = question.deployment
    if one.engine.kernels == "ggml":  # what does not fit stays on the processor's side
        return ""
    share = float(weight_bytes(one)) / one.cluster.accelerator.memory
    return of_memory(share, int(one.devices))


def _of_speed(record: Record, question: Question) -> str:
    """Weights have to be read for every step, and multiplied for every token."""
    one = question.deployment
    chip = one.cluster.accelerator
    count = parameters(one.architecture)
    active = float(count.active) - (0.0 if one.architecture.tied else float(count.embedding))
    # However layers are split: some versions of llama.cpp read them on all devices at once.
    split = float(one.devices)
    each = 1.0 if question.speculation is None else float(question.speculation.drafted) + 1.0
    least = active * one.weights.weight_bytes / (split * chip.memory_bandwidth * each)
    tpot = record.numbers.get("tpot_ms")
    if tpot is not None and (found := of_reading(tpot * 1e-3, least / SLACK)):
        return found
    devices = float(one.devices) * question.instances
    if question.apart is not None:
        devices += float(question.apart.prefill.devices) * (question.apart.instances or 1)
    rates = (
        record.numbers.get(name) for name in ("output_tokens_per_s", "decode_tokens_per_s", "prefill_tokens_per_s")
    )
    fastest = max((rate for rate in rates if rate is not None), default=0.0)
    return of_peak(2.0 * active * fastest / devices, max(chip.peaks.values(), default=float("inf")) * SLACK)
