"""What stands beside the plain model on its devices: adapters, a draft of the next tokens, layers on the processor."""

from __future__ import annotations

from dataclasses import dataclass, replace

from outlay import units
from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.scenarios.named import read_chip, read_model
from outlay.serving import (
    Deployment,
    ServingCoefficients,
    Speculation,
    memory,
    own_share,
    prediction_bytes,
    sequence_bytes,
    weight_bytes,
)
from outlay.statement import Assumption, Receipt
from outlay.units import format_quantity, with_article
from outlay.workload import Architecture, Block, Number, parameters

RANK = Receipt(
    16,
    unit="",
    source="the largest rank that vLLM takes unless told (`--max-lora-rank`): https://docs.vllm.ai/en/latest/features/lora/",
    date="2026-11",
    basis="assumed",
)
ACCEPTED = Receipt(
    0.85,
    unit="",
    source="DeepSeek-V3 (arXiv:2412.19437) §5.4.3: 85 to 90 % of second tokens are accepted",
    date="2024-12",
    basis="assumed",
)
MOST_DRAFTED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """How the next tokens are guessed before each step."""

    drafted: int
    acceptance: float
    model: Architecture | None
    """A model of its own; None where layers of the model itself draft, or a lookup."""
    own_share: float
    """Seconds of one drafted token over those of a step of the model, where its own layers draft."""

    def speculation(self, deployment: Deployment) -> Speculation:
        """Of the instances of `deployment`; a draft model is split as the model is, without its stages."""
        if self.model is None:
            return Speculation(drafted=self.drafted, acceptance=self.acceptance, draft_share=self.own_share)
        layout = deployment.layout
        split = Layout(tensor=layout.tensor * layout.data * layout.pipeline, sequence_parallel=False)
        draft = replace(deployment, architecture=self.model, layout=split, held=0.0, adapters=None)
        return Speculation(drafted=self.drafted, acceptance=self.acceptance, draft=draft)

    @property
    def words(self) -> str:
        """By what, how many tokens, how often right, and what a step then gives.

        >>> Draft(drafted=3, acceptance=0.7, model=None, own_share=0.0).words
        '3 tokens a step by lookup, 70 % of them accepted one after another: 2.53 tokens a step'
        """
        by = self.model.name if self.model is not None else "layers of its own" if self.own_share else "lookup"
        each = float(Speculation(drafted=self.drafted, acceptance=self.acceptance).tokens_per_step)
        accepted = format_quantity(self.acceptance, "%", digits=2)
        many = f"{self.drafted} token{'s' if self.drafted != 1 else ''} a step"
        return f"{many} by {by}, {accepted} of them accepted one after another: {each:.3g} tokens a step"

    def held(self, deployment: Deployment) -> Number:
        """Bytes of weights on a device that draft: another model, or layers of its own that predict further tokens."""
        if self.model is None:
            depths = deployment.architecture.multi_token_prediction if self.own_share else 0
            return prediction_bytes(deployment, depths) if depths else 0.0
        draft = self.speculation(deployment).draft
        assert draft is not None
        return weight_bytes(draft)


def read_draft(
    draft: str | None,
    draft_tokens: str | int | None,
    acceptance: str | float | None,
    architecture: Architecture,
    assumed: list[Assumption],
) -> Draft | None:
    """`--draft mtp|lookup|MODEL` with its `--acceptance`; None without it."""
    if draft is None:
        if acceptance is not None or draft_tokens is not None:
            flag = "--acceptance" if acceptance is not None else "--draft-tokens"
            raise InputError(
                f"`{flag}` goes with `--draft`", hint="add `--draft llama-3.2-1b --acceptance 60%`, or leave it out"
            )
        return None
    words = draft.strip().lower()
    own = words == "mtp"
    if own and not architecture.multi_token_prediction:
        raise InputError(
            f"`--draft mtp`: {architecture.name} has no layers that predict further tokens",
            expected="a model that drafts for it, or lookup",
            hint="write `--draft lookup --acceptance 30%`, or name a small model with the same vocabulary",
        )
    model = None if words in ("mtp", "lookup") else read_model(draft)[0]
    if model is not None and model.vocab != architecture.vocab:
        raise InputError(
            f"`--draft {draft}` has {model.vocab:,} words in its vocabulary, and {architecture.name} {architecture.vocab:,}",
            expected="a model with the same vocabulary",
            hint="name a smaller model of the same family",
        )
    if model is not None and parameters(model).total >= parameters(architecture).total:
        raise InputError(
            f"`--draft {draft}` is no smaller than {architecture.name}",
            expected="a model that drafts sooner than the other answers",
            hint="name a smaller model of the same family",
        )
    usual = architecture.multi_token_prediction if own else 3
    count = (
        usual if draft_tokens is None else int(units.parse(draft_tokens, "count", name="--draft-tokens", example="3"))
    )
    if count > MOST_DRAFTED:
        raise InputError(
            f"`--draft-tokens` is {draft_tokens}", expected=f"at most {MOST_DRAFTED}", hint="write `--draft-tokens 3`"
        )
    if draft_tokens is None:
        why = "as many as the model has layers for" if own else "`--draft-tokens` says another number"
        assumed.append(Assumption("drafted tokens", value=f"{count} a step", why=why))
    if acceptance is None:
        if not own:
            raise InputError(
                "`--acceptance` is missing: how often a drafted token is right depends on text and model",
                expected="a share, as it was measured",
                hint="add `--acceptance 70%`",
            )
        share = float(ACCEPTED.value or 0)
        value = f"{format_quantity(share, '%', digits=2)} of drafted tokens"
        assumed.append(Assumption("acceptance", value=value, why="published for DeepSeek-V3", receipt=ACCEPTED))
    else:
        share = units.parse(acceptance, "%", name="--acceptance", zero=True, example="70%")
    return Draft(drafted=count, acceptance=share, model=model, own_share=own_share(architecture) if own else 0.0)


def read_adapters(text: str | int | None, assumed: list[Assumption]) -> int:
    """`--adapters N`: low-rank adapters that stay in memory together."""
    if text is None:
        return 0
    found = int(units.parse(text, "count", name="--adapters", zero=True, example="20"))
    if found > 10**6:
        raise InputError(f"`--adapters` is {text}", expected="at most a million", hint="write `--adapters 20`")
    if found:
        value = f"rank {RANK.value} on every projection, all in memory"
        why = "the largest that vLLM takes unless told; requests choose among them evenly"
        assumed.append(Assumption("adapters", value=value, why=why, receipt=RANK))
    return found


def read_offload(text: str | None, chip: Accelerator, kernels: str, count: int) -> Accelerator | None:
    """`--offload-to NAME`: the processor that holds the layers for which the device has no room."""
    if text is None:
        return None
    if kernels != "ggml":
        raise InputError(
            "`--offload-to` splits layers as llama.cpp does",
            hint="add `--engine llamacpp`, or leave it out",
        )
    if count > 1:
        raise InputError("`--offload-to` goes with one accelerator", hint="write a count of 1")
    if chip.category in ("apple", "edge", "cpu"):
        raise InputError(
            f"the processor of {with_article(chip.name)} has the same memory",
            expected="no `--offload-to`",
            hint="leave `--offload-to` out; `--quant q4_k_m` is a smaller format",
        )
    found = read_chip(text, 1)
    if found.category not in ("cpu", "apple", "edge"):
        raise InputError(
            f"`--offload-to {text}` is no processor ({found.category})",
            expected="one",
            hint="write `--offload-to ryzen-9-7950x`",
        )
    return found


def offloaded(
    deployment: Deployment, host: Accelerator, coefficients: ServingCoefficients, *, sequences: int, tokens: float
) -> tuple[Deployment, int]:
    """The deployment with as many layers on its device as fit there beside caches of `sequences` requests, and their number."""
    low, high = 0, deployment.architecture.depth
    while low < high:
        middle = (low + high + 1) // 2
        near = replace(deployment, architecture=layers_of(deployment.architecture, middle))
        space = memory(near, coefficients)
        fits = float(space.cache) >= sequences * float(sequence_bytes(near, tokens)) and float(space.cache) > 0
        low, high = (middle, high) if fits else (low, middle - 1)
    if low == deployment.architecture.depth:
        return deployment, low
    whole = deployment.architecture
    far = replace(
        deployment, architecture=layers_of(whole, whole.depth - low, last=True), cluster=cluster_for(host, 1), held=0.0
    )
    near = replace(deployment, architecture=layers_of(whole, low), beyond=far)
    return near, low


def layers_of(architecture: Architecture, count: int, *, last: bool = False) -> Architecture:
    """The first `count` layers with embedding and head, or the last ones without a head.

    >>> from outlay.scenarios.named import read_model
    >>> layers_of(read_model("llama-3-8b")[0], 20).depth
    20
    """
    left, blocks = count, list[Block]()
    for block in reversed(architecture.blocks) if last else architecture.blocks:
        taken = min(left, block.count)
        if taken:
            blocks.append(replace(block, count=taken))
        left -= taken
    kept = tuple(reversed(blocks)) if last else tuple(blocks)
    return replace(architecture, blocks=kept, head=architecture.head and not last, tied=architecture.tied)
