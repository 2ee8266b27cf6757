"""What a deployment waits for most, in plain words."""

from __future__ import annotations

from outlay.scenarios.serving.run import ServingRun
from outlay.serving import Deployment, Iteration, weight_bytes
from outlay.units import format_quantity

FULL = 0.95
"""Share of the room for caches beyond which more of it would help."""
QUEUED = 0.5
"""Share of the time to the first token beyond which waiting is what it is made of."""

_OF = {
    "prompt attention": "compute",
    "decode attention": "memory bandwidth",
    "memory-bound": "memory bandwidth",
    "head and sampling": "memory bandwidth",
    "expert communication": "network",
    "pipeline communication": "network",
    "launches": "the host that launches kernels",
    "engine": "the engine between steps",
}


def step_waits_for(run: ServingRun, step: Iteration, tokens: float, deployment: Deployment) -> tuple[str, float]:
    """The resource that takes the most of a step of `tokens` tokens, and its share."""
    shares: dict[str, float] = {}
    for cause, seconds in step.breakdown.items():
        name = _of(run, cause, tokens, deployment)
        shares[name] = shares.get(name, 0.0) + float(seconds) / float(step.seconds)
    name = max(shares, key=lambda entry: shares[entry])
    return name, shares[name]


def _of(run: ServingRun, cause: str, tokens: float, deployment: Deployment) -> str:
    if cause in ("projections", "experts"):
        return "compute" if computes(run, tokens, deployment) else "memory bandwidth"
    name = _OF.get(cause, "")
    if cause == "tensor communication" or name == "network":
        layout, cluster = deployment.layout, deployment.cluster
        group = layout.tensor if cause == "tensor communication" else deployment.devices
        inside = int(group) <= max(int(cluster.node_size), int(cluster.domain))
        return "links between devices" if inside else "network"
    return name


def computes(run: ServingRun, tokens: float, deployment: Deployment) -> bool:
    """Whether products of `tokens` tokens take longer to multiply than their weights to read, by the data sheet."""
    question, chip = run.question, deployment.cluster.accelerator
    flop = 2.0 * question.active * tokens / int(deployment.devices)
    read = float(weight_bytes(deployment)) * min(1.0, _visited(run, tokens))
    return flop / chip.peak(deployment.weights.compute) > read / chip.memory_bandwidth


def _visited(run: ServingRun, tokens: float) -> float:
    """Share of the weights that `tokens` tokens pass: all of a dense model."""
    share = run.question.active / run.question.parameters
    return 1.0 if share >= 1 else 1.0 - (1.0 - share) ** max(tokens, 1.0)


def waits_for(run: ServingRun) -> str:
    """The sentence that says what binds the deployment as it is loaded."""
    busiest = run.served.busiest
    together = max(float(busiest.decoding), 1.0)
    decode, share = step_waits_for(run, run.decoding, together, run.served.deployment)
    first = run.served.prefill or run.served.deployment
    tokens = min(float(run.question.demand.load().computed), float(first.engine.chunk_tokens))
    prompt, part = step_waits_for(run, run.prompt, tokens, first)
    shares = [format_quantity(value, "%", digits=2) for value in (share, part)]
    words = f"Answers wait for {decode}, {shares[0]} of a step; prompts for {prompt}, {shares[1]}."
    if float(busiest.queue) > QUEUED * float(busiest.ttft):
        words += " Most of the time to the first token is waiting in the queue."
    if float(busiest.cache_share) > FULL:
        words += " The room for caches is full: requests wait for others to end."
    return words
