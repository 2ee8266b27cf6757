"""Which arguments each engine takes, and which fields a Kubernetes object has.

`keys.csv` lists them as the tools' own parsers had them (:data:`SOURCES`); `scripts/serving_keys.py` reads the parsers again, and
says what is new.
"""

from __future__ import annotations

import csv
import functools
import importlib.resources
from collections.abc import Mapping

SOURCES = {
    "vllm": ("vllm 0.33.0, vllm/engine/arg_utils.py and entrypoints/common/cli_args.py", "2026-11"),
    "sglang": ("sglang 0.5.23, sglang/srt/arg_groups/fields", "2026-11"),
    "trtllm": ("TensorRT-LLM, tensorrt_llm/commands/serve.py at 00209af (trtllm-serve serve)", "2026-11"),
    "llamacpp": ("llama.cpp, tools/server/README.md at 00dc805: model, memory, batching and network", "2026-11"),
    "dynamo": ("ai-dynamo 1.6.1, dynamo/vllm and dynamo/sglang, beside those of their engines", "2026-11"),
    "k8s": ("kubernetes 37.0.2, client/models, generated from the published OpenAPI", "2026-11"),
}
"""Tool → the file that its keys were read from, and its date."""


@functools.cache
def known(tool: str) -> Mapping[str, str]:
    """Arguments of a tool, each with what it takes where that is known (Kubernetes: the type of the field).

    >>> "--max-num-seqs" in known("vllm"), known("k8s")["V1DeploymentSpec.replicas"]
    (True, 'int')
    """
    text = importlib.resources.files("outlay.serving.launch").joinpath("keys.csv").read_text(encoding="utf-8")
    return {row["key"]: row["takes"] for row in csv.DictReader(text.splitlines()) if row["tool"] == tool}
