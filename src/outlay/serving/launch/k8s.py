"""Kubernetes: a Deployment of the instances, a Service before them, and an autoscaler where their number changes."""

from __future__ import annotations

from outlay.launch import Refusals, Written
from outlay.launch.yaml import dump
from outlay.serving.launch import llamacpp, sglang, trtllm, vllm
from outlay.serving.launch.plan import Instances, ServingPlan, argument, header, words_of

VERSION = "Kubernetes 1.23 and later (apps/v1, v1, autoscaling/v2)"
_RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu", "intel": "gpu.intel.com/i915"}
_METRICS = {
    "vllm": "vllm:num_requests_running",
    "sglang": "sglang:num_running_reqs",
    "llamacpp": "llamacpp:requests_processing",
}
"""Engine → the metric of its own that counts the requests inside an instance."""
_PERIOD = 10
"""Seconds between looks at whether an instance answers."""


def _alone(plan: ServingPlan) -> str:
    """The tool that starts the plan's engine without Kubernetes."""
    name = plan.decode.deployment.engine.name
    return name if name in ("sglang", "trtllm", "llamacpp") else "vllm"


def write(plan: ServingPlan) -> Written:
    """`k8s.yaml`: Deployment, Service, and HorizontalPodAutoscaler where a day takes fewer instances at some hour.

    :raises InputError: for instances beyond a machine, pools that need a router, accelerators without a device plugin, and
        what the engine refuses.
    """
    plan, refusals = plan.contained, Refusals("Kubernetes")
    chip = plan.decode.deployment.cluster.accelerator
    resource = _RESOURCES.get(chip.vendor.lower())
    refusals.refuse(resource is None, f"outlay knows no device plugin for a {chip.name}", f"`--export {_alone(plan)}`")
    refusals.refuse(plan.prefill, "prompts are computed apart: that takes a router", "`--export dynamo`")
    refusals.refuse(
        plan.decode.devices > plan.node,
        f"an instance has {plan.decode.devices} devices and a machine {plan.node}: a pod is on one machine",
        f"`--count {plan.node}`",
    )
    container, remarks = _container(plan, plan.decode, refusals, resource or "")
    refusals.check()
    labels = {"app": plan.name}
    pod = {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
            "terminationGracePeriodSeconds": 120,
        },
    }
    deployment: dict[str, object] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": plan.name, "labels": labels},
        "spec": {"replicas": plan.decode.replicas, "selector": {"matchLabels": labels}, "template": pod},
    }
    service: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": plan.name, "labels": labels},
        "spec": {
            "selector": labels,
            "ports": [{"name": "http", "port": 80, "targetPort": plan.port, "protocol": "TCP"}],
        },
    }
    documents = [deployment, service]
    scaler = _scaler(plan)
    if scaler is not None:
        documents.append(scaler)
        remarks.append("the autoscaler needs the engine's metrics as custom metrics (prometheus-adapter or the like)")
    remarks += ["the secret hf-token holds your token for the hub", "node selection and storage are left to you"]
    comment = "".join(f"# {line}\n" for line in header(plan, "Kubernetes", version=VERSION, remarks=remarks))
    text = comment + "---\n".join(dump(document) for document in documents)
    return Written(name="k8s.yaml", text=text, remarks=tuple(remarks))


def _container(
    plan: ServingPlan, instances: Instances, refusals: Refusals, resource: str
) -> tuple[dict[str, object], list[str]]:
    """The engine in its own image, with probes that wait for it to start."""
    image, command, words, remarks = _engine(plan, instances, refusals)
    health = {"httpGet": {"path": "/health", "port": plan.port}, "periodSeconds": _PERIOD}
    # Weights are read before an instance answers; ten times the usual is taken for a start that has failed.
    patience = max(int(10 * max(plan.start_up, 60.0) / _PERIOD), 1)
    token = {"secretKeyRef": {"name": "hf-token", "key": "token", "optional": True}}
    return {
        "name": plan.engine,
        "image": image,
        "command": command,
        "args": words,
        "env": [{"name": "HF_TOKEN", "valueFrom": token}],
        "ports": [{"name": "http", "containerPort": plan.port}],
        "resources": {"limits": {resource: str(instances.devices)}},
        "startupProbe": {**health, "failureThreshold": patience},
        "readinessProbe": health,
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    }, remarks


def _engine(plan: ServingPlan, instances: Instances, refusals: Refusals) -> tuple[str, list[str], list[str], list[str]]:
    """Image, command, arguments and remarks of the plan's engine."""
    port = words_of([argument("--port", plan.port)])
    if plan.engine == "sglang":
        lines, remarks = sglang.arguments(plan, instances, refusals)
        words = ["--model-path", plan.model, *words_of(lines), "--host", "0.0.0.0", *port, "--enable-metrics"]
        return sglang.IMAGE, ["python3", "-m", "sglang.launch_server"], words, remarks
    if plan.engine == "trtllm":
        lines, options, remarks = trtllm.arguments(plan, instances, refusals)
        shell = f"cat > /tmp/trtllm.yaml <<'END'\n{dump(options)}END\n"
        words = ["trtllm-serve", "serve", plan.model, *words_of(lines), "--config", "/tmp/trtllm.yaml", *port]
        shell += "exec " + " ".join([*words, "--host", "0.0.0.0"]) + "\n"
        return trtllm.IMAGE, ["bash", "-c"], [shell], [*remarks, "name the version of the image"]
    if plan.engine == "llamacpp":
        lines, remarks = llamacpp.arguments(plan, instances, refusals)
        file = f"/models/{plan.name}.gguf"
        words = ["--model", file, *words_of(lines), "--host", "0.0.0.0", *port, "--metrics"]
        return llamacpp.IMAGE, ["/app/llama-server"], words, [*remarks, f"mount the model at {file}"]
    lines, remarks = vllm.arguments(plan, instances, refusals)
    refusals.refuse(plan.engine != "vllm", f"no container of {plan.engine} is written", plan.with_engine("vllm"))
    return vllm.IMAGE, ["vllm", "serve"], [plan.model, *words_of(lines), *port], remarks


def _scaler(plan: ServingPlan) -> dict[str, object] | None:
    """Instances by the requests inside each: as many as the plan lets run together, less one; slowly down, at once up."""
    metric = _METRICS.get(plan.engine)
    if plan.least >= plan.decode.replicas or metric is None:
        return None
    target = {"type": "AverageValue", "averageValue": str(max(plan.decode.running - 1, 1))}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": plan.name, "labels": {"app": plan.name}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
            "minReplicas": plan.least,
            "maxReplicas": plan.decode.replicas,
            "metrics": [{"type": "Pods", "pods": {"metric": {"name": metric}, "target": target}}],
            "behavior": {
                "scaleUp": {"stabilizationWindowSeconds": 0},
                "scaleDown": {"stabilizationWindowSeconds": max(int(plan.start_up), 300)},
            },
        },
    }
