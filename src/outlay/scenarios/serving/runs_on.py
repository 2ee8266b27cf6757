"""What engines run on, store weights in and keep caches in, as their documentation says; read 2026-11.

vLLM: docs.vllm.ai, installation (GPUs, CPUs, plugins of makers); SGLang: docs.sglang.io, hardware platforms; TensorRT-LLM's
support matrix; llama.cpp: its README, backends (CUDA, HIP, SYCL, Vulkan, Metal, CPU; CANN on Ascend, MUSA on Moore Threads); the
READMEs of ExLlamaV2 (CUDA, ROCm), AutoAWQ (CUDA, ROCm, Intel; GEMV's kernel is CUDA), LMDeploy (CUDA, Ascend) and DeepSpeed-MII
(CUDA); Text Generation Inference: supported hardware.
Where nothing is known against a pair, it may be asked for.
"""

from __future__ import annotations

import re

from outlay.catalog import Accelerator
from outlay.serving import Engine

_MAKERS = {
    "trtllm": ("nvidia",),
    "neuronx": ("aws",),
    "optimum-habana": ("intel",),
    "jetstream": ("google",),
    "sambaflow": ("sambanova",),
    "exllama": ("nvidia", "amd"),
    "exllama-webui": ("nvidia", "amd"),
    "autoawq": ("nvidia", "amd", "intel"),
    "autoawq-gemv": ("nvidia",),
    "lmdeploy": ("nvidia", "huawei"),
    "deepspeed-mii": ("nvidia",),
    "tgi": ("nvidia", "amd", "intel", "aws", "google"),
}
"""Engines that are for some makers' chips."""
_NO_PROCESSORS = ("trtllm", "exllama", "exllama-webui", "autoawq-gemv", "lmdeploy", "deepspeed-mii", "optimum-habana")
"""Engines without kernels for processors, though some of their makers sell processors."""
_BEFORE_TURING = ("kepler", "maxwell", "pascal", "volta")
_BEFORE_CDNA2 = ("gcn4", "gcn5", "cdna1", "rdna2")
_TOO_OLD = {
    "vllm": (*_BEFORE_TURING, *_BEFORE_CDNA2),
    "sglang": (*_BEFORE_TURING, *_BEFORE_CDNA2),
    "trtllm": (*_BEFORE_TURING, "turing"),
}
"""Generations that an engine's newest version has no kernels for: vLLM and SGLang ask NVIDIA's chips for compute capability
7.5, AMD's for gfx90a and after, or gfx1100 and after; TensorRT-LLM's support matrix begins with Ampere."""
_OWN_SOFTWARE = ("edge-tpu", "hailo", "wse", "ipu", "lpu", "versal-ultrascale", "mtia", "maia")
"""Generations of chips that run what their makers compile for them, and none of the engines."""
_OTHER_CHIPS = ("npu", "tpu", "trainium")
_PLUGINS = {
    "vllm": ("ascend", "mlu", "kunlun", "xiyun", "bi", "dcu", "gaudi", "hexagon", "wormhole", "blackhole"),
    "sglang": ("ascend",),
    "llamacpp": ("ascend", "quyuan"),
}
"""Generations of other makers' chips that an engine has a plugin, a fork or a backend for."""
_CLOUD = {"vllm": ("tpu", "trainium"), "sglang": ("tpu",), "llamacpp": ()}
"""Categories of a cloud's own chips that it runs on."""
_APART = ("vllm", "sglang", "trtllm")
"""Engines that send caches from devices that compute prompts to others that answer."""
_GGML_FORMATS = ("fp32", "fp16", "bf16", "mxfp4")
"""What llama.cpp's files hold beside its own block formats."""
_GGML_CACHES = ("fp32", "fp16", "bf16", "q8_0", "q4_0")
"""Of our formats what `llama-server --cache-type-k` takes (its README)."""
_CACHES = {
    "vllm": ("bf16", "fp16", "fp8"),
    "sglang": ("bf16", "fp16", "fp8", "fp4"),
    "trtllm": ("bf16", "fp16", "fp8", "int8", "fp4"),
}
"""What `--kv-cache-dtype` takes, and `kv_cache_dtype` of TensorRT-LLM."""


def refuses(engine: Engine, chip: Accelerator) -> str:
    """Why an engine does not run on an accelerator; empty where nothing is known against it.

    >>> from outlay.catalog import accelerator
    >>> from outlay.serving import engine_for
    >>> refuses(engine_for("trtllm"), accelerator("mi300x")), refuses(engine_for("vllm"), accelerator("l4"))
    ('it is for chips of nvidia', '')
    >>> refuses(engine_for("llama.cpp"), accelerator("tpu-v5e"))
    'it has no backend for chips of google'
    """
    if not runs_any(chip):
        return "such a chip runs what its maker compiles for it"
    makers = _MAKERS.get(engine.name, ())
    if makers and chip.vendor not in makers:
        return f"it is for chips of {', '.join(makers[:-1])}{' and ' if makers[1:] else ''}{makers[-1]}"
    if chip.category == "cpu" and engine.name in _NO_PROCESSORS:
        return "it has no kernels for processors"
    if chip.generation in _TOO_OLD.get(engine.name, ()):
        return f"it has left the generation {chip.generation} behind"
    name = "llamacpp" if engine.kernels == "ggml" else engine.name
    if name in _APART and chip.category == "edge" and chip.vendor not in ("nvidia", "amd"):
        return "it is for servers, and has no kernels for boards and phones"
    if name in _PLUGINS and chip.category in _OTHER_CHIPS:
        cloud = _CLOUD[name]
        if chip.category not in cloud and chip.generation not in _PLUGINS[name]:
            return f"it has no backend for chips of {chip.vendor}"
    return ""


def runs_any(chip: Accelerator) -> bool:
    """Whether any of the engines runs on a chip."""
    return chip.category != "microcontroller" and chip.generation not in _OWN_SOFTWARE


def sends_caches(engine: Engine) -> bool:
    """Whether an engine lets some devices compute prompts and others answer."""
    return engine.name in _APART


def likewise(one: Accelerator, other: Accelerator) -> bool:
    """Whether caches are sent between two chips: both of servers or of cards in them, or the same.

    >>> from outlay.catalog import accelerator
    >>> likewise(accelerator("h100-sxm"), accelerator("l4")), likewise(accelerator("m3-max"), accelerator("l4"))
    (True, False)
    """
    return one.name == other.name or not {one.category, other.category} & {"apple", "edge", "cpu"}


def is_gguf(quant: str) -> bool:
    """Whether a format is one of llama.cpp's files.

    >>> is_gguf("Q4_K_M"), is_gguf("fp8")
    (True, False)
    """
    return bool(re.fullmatch(r"i?q[1-8]_[a-z0-9_]+", quant.strip().lower().replace("-", "_")))


def stores(engine: Engine, form: str) -> bool:
    """Whether an engine loads weights of a format.

    >>> from outlay.serving import engine_for
    >>> [stores(engine_for("llama.cpp"), form) for form in ("q8_0", "bf16", "fp8")], stores(engine_for("vllm"), "q4_0")
    ([True, True, False], False)
    """
    return is_gguf(form) or form in _GGML_FORMATS if engine.kernels == "ggml" else not is_gguf(form)


def caches(engine: Engine) -> tuple[str, ...] | None:
    """The formats of an engine's cache; None where they are not known.

    >>> from outlay.serving import engine_for
    >>> caches(engine_for("vllm")), caches(engine_for("transformers"))
    (('bf16', 'fp16', 'fp8'), None)
    """
    return _GGML_CACHES if engine.kernels == "ggml" else _CACHES.get(engine.name)
