"""NVIDIA Dynamo: a graph of a frontend and workers, aggregated or with prompts computed apart."""

from __future__ import annotations

import json

from outlay.launch import Refusals, Written
from outlay.launch.yaml import dump
from outlay.serving.launch import sglang, vllm
from outlay.serving.launch.plan import Instances, ServingPlan, argument, header, words_of

VERSION = "Dynamo 1.6 (nvidia.com/v1beta1)"
_IMAGES = {
    "vllm": "nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.6.1",
    "sglang": "nvcr.io/nvidia/ai-dynamo/sglang-runtime:1.6.1",
}
_SENDS = {"kv_connector": "NixlConnector", "kv_role": "kv_producer"}


def write(plan: ServingPlan) -> Written:
    """`dynamo.yaml`, a DynamoGraphDeployment.

    :raises InputError: for engines other than vLLM and SGLang, instances beyond a machine, and what the engine refuses.
    """
    plan, refusals = plan.contained, Refusals("Dynamo")
    refusals.refuse(plan.engine not in _IMAGES, f"no worker for {plan.engine} is written", plan.with_engine(*_IMAGES))
    remarks: list[str] = []
    components: list[dict[str, object]] = [_frontend(plan)]
    pools = [("decode" if plan.prefill else "worker", plan.decode)]
    if plan.prefill is not None:
        pools.append(("prefill", plan.prefill))
    for kind, instances in pools:
        if plan.engine in _IMAGES:
            components.append(_worker(plan, kind, instances, refusals, remarks))
    refusals.check()
    remarks.append("the secret hf-token-secret holds your token for the hub")
    document: dict[str, object] = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeployment",
        "metadata": {"name": plan.name},
        "spec": {"components": components},
    }
    remarks = list(dict.fromkeys(remarks))
    comment = [f"# {line}" for line in header(plan, "Dynamo", version=VERSION, remarks=remarks)]
    return Written(name="dynamo.yaml", text="\n".join(comment) + "\n" + dump(document), remarks=tuple(remarks))


def _frontend(plan: ServingPlan) -> dict[str, object]:
    container = {
        "name": "main",
        "image": _IMAGES.get(plan.engine, ""),
        "command": ["python3"],
        "args": ["-m", "dynamo.frontend"],
        "envFrom": [{"secretRef": {"name": "hf-token-secret"}}],
    }
    return {"name": "Frontend", "type": "frontend", "replicas": 1, "podTemplate": {"spec": {"containers": [container]}}}


def _worker(
    plan: ServingPlan, kind: str, instances: Instances, refusals: Refusals, remarks: list[str]
) -> dict[str, object]:
    """A worker of the engine; its instances are on one machine each."""
    module = {"vllm": vllm, "sglang": sglang}[plan.engine]
    lines, notes = module.arguments(plan, instances, refusals)
    refusals.refuse(
        instances.devices > plan.node,
        f"an instance has {instances.devices} devices, and a machine {plan.node}",
        f"`--count {plan.node}`" if plan.prefill is None else "`--on` with machines that hold it",
    )
    name = "--model" if plan.engine == "vllm" else "--model-path"
    words = [name, plan.model, *words_of(lines)]
    if kind != "worker":
        words += words_of([argument("--disaggregation-mode", kind)])
        if plan.engine == "vllm" and kind == "prefill":
            words += ["--kv-transfer-config", json.dumps(_SENDS, separators=(",", ":"))]
        if plan.engine == "sglang":
            words += ["--disaggregation-transfer-backend", "nixl"]
    remarks += notes
    container = {
        "name": "main",
        "image": _IMAGES[plan.engine],
        "command": ["python3", "-m", f"dynamo.{plan.engine}"],
        "args": words,
        "envFrom": [{"secretRef": {"name": "hf-token-secret"}}],
        "resources": {"limits": {"nvidia.com/gpu": str(instances.devices)}},
    }
    return {
        "name": kind,
        "type": kind,
        "replicas": instances.replicas,
        "podTemplate": {"spec": {"containers": [container]}},
    }
