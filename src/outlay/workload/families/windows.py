"""Which keys a layer's queries see: sliding windows, chunks, and the patterns in which they alternate with full attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from outlay.workload.families.reader import Reader

Window: TypeAlias = tuple[int | None, bool]
"""The window's size (None sees everything) and whether it is a fixed chunk."""

FULL: Window = (None, False)


def windows(read: Reader, rule: str, depth: int) -> list[Window]:
    """The window of each layer by the family's rule."""
    return RULES[rule](read, depth)


def _everywhere(read: Reader, depth: int) -> list[Window]:
    """One window for all layers, if any (Mistral, Phi-3)."""
    return [(read.optional_count("sliding_window"), False)] * depth


def _nowhere(read: Reader, depth: int) -> list[Window]:
    return [FULL] * depth


def _alternating(read: Reader, depth: int, *, every: int, key: str | None = None) -> list[Window]:
    """Every `every`-th layer sees all, the others a window (Gemma 2 and 3, Cohere 2, gpt-oss)."""
    period = (read.count(key) if key and read.stated(key) else every) if not read.stated("layer_types") else 1
    window = (read.optional_count("sliding_window"), False)
    if not read.stated("layer_types"):
        read.assume("layer_types", f"every {period}. layer full, the others windowed")
    return _typed(read, depth, window, [FULL if (i + 1) % period == 0 else window for i in range(depth)])


def _switched(read: Reader, depth: int, *, layer: Callable[[int], bool]) -> list[Window]:
    """Windows only with `use_sliding_window`, in the layers that `layer` picks (Qwen)."""
    if not read.flag("use_sliding_window"):
        return [FULL] * depth
    window = (read.optional_count("sliding_window"), False)
    return _typed(read, depth, window, [window if layer(i) else FULL for i in range(depth)])


def _qwen2(read: Reader, depth: int) -> list[Window]:
    if not read.flag("use_sliding_window"):
        return [FULL] * depth
    first = read.count("max_window_layers", least=0)
    return _switched(read, depth, layer=lambda i: i >= first)


def _qwen2_moe(read: Reader, depth: int) -> list[Window]:
    if not read.flag("use_sliding_window"):
        return [FULL] * depth
    last = read.count("max_window_layers", least=0)
    return _switched(read, depth, layer=lambda i: i % 2 == 0 and i < last)


def _llama4(read: Reader, depth: int) -> list[Window]:
    """Layers with rotary positions see their chunk, every fourth sees all."""
    chunk = (read.optional_count("attention_chunk_size"), True)
    rotary = read.integers("no_rope_layers")
    if not rotary and not read.stated("layer_types"):
        step = read.count("no_rope_layer_interval")
        rotary = [int((i + 1) % step != 0) for i in range(depth)]
    flags = (rotary or []) + [1] * depth
    return _typed(read, depth, chunk, [chunk if flags[i] else FULL for i in range(depth)])


def _smollm3(read: Reader, depth: int) -> list[Window]:
    if not read.flag("use_sliding_window"):
        return [FULL] * depth
    step = read.count("no_rope_layer_interval")
    return _switched(read, depth, layer=lambda i: (i + 1) % step == 0)


def _exaone4(read: Reader, depth: int) -> list[Window]:
    if read.value("sliding_window") is None:
        return [FULL] * depth
    return _alternating(read, depth, every=read.count("sliding_window_pattern"))


def _typed(read: Reader, depth: int, local: Window, otherwise: list[Window]) -> list[Window]:
    """The layers as `layer_types` lists them, or `otherwise` where the config has no such list."""
    types = read.config.get("layer_types")
    if types is None:
        return otherwise
    known = {"full_attention": FULL, "sliding_attention": local, "chunked_attention": local}
    if not isinstance(types, list | tuple) or len(types) != depth:
        read.contradiction(f"`{read.prefix}layer_types`: expected a list of {depth:,} entries, one a layer", "layer")
        return otherwise
    unknown = sorted({str(entry) for entry in types if not isinstance(entry, str) or entry not in known})
    if unknown:
        read.problems.append(f"`{read.prefix}layer_types` has {', '.join(unknown[:3])}: expected {', '.join(known)}")
        return otherwise
    return [known[entry] for entry in types]


RULES: dict[str, Callable[[Reader, int], list[Window]]] = {
    "nowhere": _nowhere,
    "everywhere": _everywhere,
    "every second full": lambda read, depth: _alternating(read, depth, every=2),
    "every fourth full": lambda read, depth: _alternating(read, depth, every=4, key="sliding_window_pattern"),
    "every sixth full": lambda read, depth: _alternating(read, depth, every=6, key="sliding_window_pattern"),
    "qwen2": _qwen2,
    "qwen2_moe": _qwen2_moe,
    "qwen3_moe": lambda read, depth: _switched(read, depth, layer=lambda i: True),
    "llama4": _llama4,
    "smollm3": _smollm3,
    "exaone4": _exaone4,
}
