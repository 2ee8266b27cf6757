"""What a row says of itself that cannot all be true; such a row is predicted, listed and left out of the sums."""

from __future__ import annotations

from itertools import combinations

from outlay.accuracy.records import Record

SPEEDS_APART = 1.25
"""Factor between two speeds of one row beyond which they are not one measurement: padding and rounding make less."""
HOURS_APART = 2.0
"""Factor between stated device-hours and devices × days beyond which one is wrong: idle days make less."""
OVERFULL = 1.25
"""Of a device's memory; nine in ten measured peaks lie within a fifth of the prediction."""


def of_speeds(record: Record) -> str:
    """Why the speeds of a row are not one measurement; empty if they may be.

    >>> numbers = {"step_time_s": 2.0, "samples_per_s": 64.0, "global_batch": 32.0}
    >>> of_speeds(Record(id="a", source="s", line=2, words={}, numbers=numbers))
    'step_time_s 2 means 2 s a step, samples_per_s 64 means 0.5 s'
    """
    numbers = record.numbers
    batch, length, devices = (numbers.get(name) for name in ("global_batch", "seq_len", "gpus"))
    step, tokens, samples = (numbers.get(name) for name in ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s"))
    seconds: dict[str, float] = {}
    if step:
        seconds["step_time_s"] = step
    if batch and tokens and length and devices:
        seconds["tokens_per_s_per_gpu"] = batch * length / (tokens * devices)
    if batch and samples:
        seconds["samples_per_s"] = batch / samples
    for (one, first), (other, second) in combinations(seconds.items(), 2):
        if not 1 / SPEEDS_APART <= first / second <= SPEEDS_APART:
            return f"{one} {numbers[one]:g} means {first:.3g} s a step, {other} {numbers[other]:g} means {second:.3g} s"
    return ""


def of_run(record: Record, length: float) -> str:
    """Why the figures of a whole run of sequences of `length` tokens cannot all be true; empty if they may be.

    >>> numbers = {"device_hours": 40_000.0, "count": 64.0, "days": 90.0}
    >>> of_run(Record(id="a", source="s", line=2, words={}, numbers=numbers), 4096)
    'device_hours is 40,000, and count × days × 24 is 138,240'
    """
    hours, count, days, batch = (
        record.numbers.get(name) for name in ("device_hours", "count", "days", "global_batch_tokens")
    )
    if hours and count and days:
        product = count * days * 24.0
        if not 1 / HOURS_APART <= product / hours <= HOURS_APART:
            return f"device_hours is {hours:,.0f}, and count × days × 24 is {product:,.0f}"
    if batch and batch < length:
        return f"global_batch_tokens is {batch:,.0f}, less than one sequence of {length:,.0f}"
    return ""


def of_memory(share: float, devices: int) -> str:
    """Why a model cannot have been trained on so many devices, of whose memory the best layout fills `share`.

    >>> of_memory(0.9, 8), of_memory(40.0, 1)
    ('', 'it takes 40 times the memory of its 1 device')
    """
    of = "its 1 device" if devices == 1 else f"its {devices:,} devices"
    return f"it takes {share:.2g} times the memory of {of}" if share > OVERFULL else ""


def of_peak(flop_per_second: float, peak: float) -> str:
    """Why no device of so many dense FLOP/s can do what a row measured; empty if it can.

    >>> of_peak(3e14, 3.12e14), of_peak(1.5e15, 3.12e14)
    ('', 'it takes 4.8 times the peak of its accelerator')
    """
    return f"it takes {flop_per_second / peak:.2g} times the peak of its accelerator" if flop_per_second > peak else ""


BEYOND = 2.0
"""Times a model's context that benchmarks often go beyond it: prompts that fill it, and answers as long."""


def of_context(tokens: float, context: int | None) -> str:
    """Why a model cannot well have been asked for so many tokens; empty if it may.

    >>> of_context(8192, 4096), of_context(12288, 4096), of_context(8192, None)
    ('', 'input_len + output_len is 12,288 tokens, and the model takes 4,096', '')
    """
    if context is None or tokens <= BEYOND * context:
        return ""
    return f"input_len + output_len is {tokens:,.0f} tokens, and the model takes {context:,}"


def of_reading(seconds: float, least: float) -> str:
    """Why no token can come so fast: its weights take `least` seconds to be read; empty if it can.

    >>> of_reading(9e-3, 5e-3), of_reading(1e-6, 5e-3)
    ('', 'tpot_ms is 0.001, and its weights take 5 ms to be read')
    """
    return (
        f"tpot_ms is {seconds * 1e3:.3g}, and its weights take {least * 1e3:.3g} ms to be read"
        if seconds < least
        else ""
    )
