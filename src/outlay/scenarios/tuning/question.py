"""A tuning as it was asked, with every blank filled in: what is trained, how the base is kept, how long examples are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from outlay import units
from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.scenarios.frameworks import no_such
from outlay.scenarios.named import read_chip, read_model, read_on
from outlay.scenarios.training.question import Question, ask
from outlay.scenarios.tuning.data import Data, read_data
from outlay.scenarios.tuning.passes import Objective, read_objective
from outlay.statement import Assumption
from outlay.training.recipe import STORED, States
from outlay.training.step import trained_flop
from outlay.workload import PARTS, Architecture, Tuning, adapter_parameters, parameters

METHODS = ("full", "lora", "qlora", "adapter", "ia3", "freeze")
ALL = ("all", "attention", "mlp")
RANK = 16
"""Rank of adapters where nobody says one: between PEFT's 8 and the 16 to 64 of published recipes."""
PROMPT = 10
"""Learned tokens of a LLaMA-Adapter (arXiv:2303.16199, section 4.1)."""
DECODED_ON = ("datacenter-gpu", "consumer-gpu", "workstation-gpu")
"""Kinds of chip for which there are kernels that decode 4-bit and 8-bit weights."""
_PYTORCH = ("pytorch", "fsdp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is trained, and how the frozen rest is kept."""

    name: str
    tuning: Tuning | None
    stored: str | None
    trained: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningQuestion:
    """A question with the words that its statement needs."""

    question: Question
    method: Method
    data: Data
    objective: Objective
    layout: str | None
    """As it was asked."""


def ask_tuning(
    model: str | Mapping[str, object] | Architecture,
    *,
    on: str,
    method: str | None,
    rank: str | int | None,
    targets: str | None,
    quantize: str | None,
    layers: str | int | None,
    examples: str | float | None,
    length: str | float | None,
    longest: str | int | None,
    dataset: str | None,
    packing: str | bool | None,
    epochs: str | float | None,
    global_batch: str | int | None,
    micro_batch: str | int | None,
    objective: str | None,
    teacher: str | None,
    reward: str | None,
    answers: str | int | None,
    answer_length: str | int | None,
    generation_rate: str | float | None,
    layout: str | None,
    precision: str | None,
    optimizer: str | None,
    recompute: str | None,
    framework: str | None,
    gpus_per_node: str | int | None,
    interconnect: str | None,
) -> TuningQuestion:
    """Read a question; :class:`InputError` names what cannot be read, and flags that contradict each other."""
    architecture, _ = read_model(model)
    name, count = read_on(on)
    chip = read_chip(name, count)
    assumed: list[Assumption] = []
    chosen = _method(method, rank, targets, quantize, layers, architecture, chip, assumed)
    goal = read_objective(objective, teacher, reward, answers, answer_length, generation_rate)
    data = read_data(
        examples,
        length,
        longest,
        dataset,
        packing,
        epochs,
        goal,
        architecture,
        seed=global_batch,
        devices=count,
        assumed=assumed,
    )
    paged, plain = _paged(optimizer)
    if framework is None:
        framework = _usual_framework(chip, assumed)
    question = ask(
        architecture,
        tokens=data.tokens,
        on=on,
        layout=layout,
        sequence_length=round(data.longest),
        global_batch=data.batch,
        precision=precision,
        optimizer=plain or "adam",
        recompute=recompute,
        framework=framework,
        gpus_per_node=gpus_per_node,
        interconnect=interconnect,
    )
    if optimizer is None:
        assumed.append(Assumption("optimizer", value="AdamW", why="the usual one"))
    software = question.recipe.software
    states: States = "master"
    if software.pure_states and question.recipe.compute_type == "bf16":
        states = "pure"
        what = "adapters, gradients and moments" if chosen.tuning else "weights, gradients and moments"
        size = "32" if chosen.tuning and software.adapter_bytes == 4.0 else "16"
        assumed.append(Assumption("gradients", value=f"{what} in {size} bits", why=f"{software.name}'s own way"))
    recipe = replace(
        question.recipe,
        tuning=chosen.tuning,
        stored=chosen.stored,
        states=states,
        lengths=data.lengths,
        document=data.document,
        paged=paged,
        passes=goal.passes(architecture),
    )
    fixed = dict(question.fixed)
    if micro_batch is not None:
        if "micro_batch" in fixed:
            raise InputError(
                "the micro-batch is given twice",
                details=[f"--layout {layout}", f"--micro-batch {micro_batch}"],
                hint="leave one out",
            )
        fixed["micro_batch"] = int(units.parse(micro_batch, "count", name="--micro-batch", example="4"))
        if fixed["micro_batch"] > data.batch:
            raise InputError(
                f"`--micro-batch` is {micro_batch}",
                expected=f"at most the {data.batch:,} sequences of a step",
                hint=f"write `--micro-batch {data.batch}`, or a larger `--batch`",
            )
    if software.family in _PYTORCH and not {"tensor", "pipeline", "context"} & set(fixed):
        # What these run divides the batch and shards weights; it splits no layer.
        fixed |= {"tensor": 1, "pipeline": 1, "context": 1, "expert": 1}
    trained = chosen.trained
    if chosen.tuning is not None and chosen.tuning.kind == "low-rank":
        trained = float(
            sum(
                block.count
                * adapter_parameters(block.layer, architecture.hidden, chosen.tuning, merged=recipe.storage.merged)
                for block in architecture.blocks
            )
        )
    question = replace(
        question,
        recipe=recipe,
        fixed=fixed,
        named=True,
        trained=trained,
        active=question.active * trained_flop(recipe),
        assumed=(*assumed, *question.assumed),
        sequences=data.wanted,
    )
    return TuningQuestion(question=question, method=chosen, data=data, objective=goal, layout=layout)


def _method(
    asked: str | None,
    rank: str | int | None,
    targets: str | None,
    quantize: str | None,
    layers: str | int | None,
    architecture: Architecture,
    chip: Accelerator,
    assumed: list[Assumption],
) -> Method:
    name = "lora" if asked is None else asked.strip().lower()
    if name not in METHODS:
        raise no_such("method", name, METHODS, "lora")
    if asked is None:
        assumed.append(Assumption("adapters", value="LoRA", why="the commonest way to tune (`--method`)"))
    low = name in ("lora", "qlora")
    for flag, value, allowed in (
        ("--rank", rank, low),
        ("--targets", targets, low or name == "ia3"),
        ("--quantize", quantize, name != "full" and name != "freeze"),
        ("--layers", layers, name == "freeze"),
    ):
        if value is not None and not allowed:
            fits = {"--layers": "freeze", "--quantize": "qlora"}.get(flag, "lora")
            raise InputError(
                f"`{flag} {value}` and `--method {name}` contradict each other",
                hint=f"write `--method {fits}`, or leave `{flag}` out",
            )
    stored = _stored(name, quantize, chip, assumed)
    total = float(parameters(architecture).total)
    if name == "full":
        return Method(name=name, tuning=None, stored=None, trained=total, words="all weights")
    if name == "freeze":
        depth = architecture.depth
        last = depth // 4 or 1 if layers is None else int(units.parse(layers, "count", name="--layers", example="4"))
        if last > depth:
            raise InputError(f"`--layers` is {layers}", expected=f"at most {depth}", hint=f"write `--layers {depth}`")
        if layers is None:
            assumed.append(Assumption("layers", value=f"the last {last} of {depth}", why="a quarter (`--layers`)"))
        stack = sum(count * layer.total for count, layer in parameters(architecture).layers)
        tuning = Tuning(kind="last", layers=last)
        return Method(name=name, tuning=tuning, stored=None, trained=stack * last / depth, words=f"last {last} layers")
    if name == "adapter":
        trained = float(PROMPT * architecture.hidden * architecture.depth)
        tuning = Tuning(kind="tokens", stated=trained)
        return Method(
            name=name, tuning=tuning, stored=stored, trained=trained, words=f"{PROMPT} learned tokens a layer"
        )
    parts = _targets(targets, name, assumed)
    size = 0 if name == "ia3" else _rank(rank, architecture, assumed)
    tuning = Tuning(kind="scale" if name == "ia3" else "low-rank", rank=size, targets=parts)
    trained = float(
        sum(b.count * adapter_parameters(b.layer, architecture.hidden, tuning) for b in architecture.blocks)
    )
    if not trained:
        raise InputError(
            f"`--targets {targets}` names no projection that {architecture.name} has",
            expected=f"some of {', '.join(PARTS)}",
            hint="write `--targets all`",
        )
    return Method(
        name=name, tuning=tuning, stored=stored, trained=trained, words="scales" if name == "ia3" else f"rank {size}"
    )


def _rank(asked: str | int | None, architecture: Architecture, assumed: list[Assumption]) -> int:
    if asked is None:
        assumed.append(Assumption("rank", value=str(RANK), why="published recipes take 8 to 64 (`--rank`)"))
        return min(RANK, architecture.hidden)
    rank = int(units.parse(asked, "count", name="--rank", example="16"))
    if rank > architecture.hidden:
        raise InputError(
            f"`--rank` is {asked}",
            expected=f"at most {architecture.hidden:,}, the width of {architecture.name}: more is no low rank",
            hint="write `--rank 16`, or `--method full`",
        )
    return rank


def _targets(asked: str | None, name: str, assumed: list[Assumption]) -> frozenset[str]:
    groups = {
        "all": frozenset(PARTS),
        "attention": frozenset({"query", "key", "value", "output"}),
        "mlp": frozenset({"gate", "up", "down"}),
    }
    if asked is None:
        if name == "ia3":
            return frozenset({"key", "value", "down"})
        assumed.append(Assumption("adapters", value="beside all projections", why="as QLoRA advises (`--targets`)"))
        return groups["all"]
    found: set[str] = set()
    unknown = []
    for word in filter(None, re.split(r"[,\s]+", asked.strip().lower())):
        part = _WORDS.get(word, word)
        if part in groups:
            found |= groups[part]
        elif part in PARTS:
            found.add(part)
        else:
            unknown.append(word)
    if unknown or not found:
        raise InputError(
            f"`--targets {asked}` cannot be read" if asked.strip() else "`--targets` is empty",
            expected=f"some of {', '.join((*PARTS, *ALL))}",
            details=[f"`{word}` is none of them" for word in unknown],
            hint="write `--targets query,value`, or `--targets all`",
        )
    return frozenset(found)


_WORDS = {
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "o_proj": "output",
    "gate_proj": "gate",
    "up_proj": "up",
    "down_proj": "down",
    "q": "query",
    "k": "key",
    "v": "value",
    "o": "output",
    "all-linear": "all",
}
"""Names that tools have for the parts."""


def _stored(name: str, asked: str | None, chip: Accelerator, assumed: list[Assumption]) -> str | None:
    """The type of the frozen base: as asked, NF4 with QLoRA."""
    if asked is None and name != "qlora":
        return None
    kind = "nf4-dq" if asked is None else asked.strip().lower().removeprefix("bnb.")
    if kind in ("none", "no", "off"):
        if name == "qlora":
            raise InputError(
                f"`--method qlora` and `--quantize {asked}` contradict each other",
                expected="a quantized base",
                hint="write `--method lora`, or leave `--quantize` out",
            )
        return None
    if kind not in STORED:
        raise no_such("type of a frozen base", asked or kind, STORED, "nf4", flag="--quantize")
    if kind == "fp8" and not chip.has("fp8"):
        raise InputError(
            f"`--quantize fp8` on {chip.name}, which has no fp8",
            expected="a type that the chip reads",
            hint="write `--quantize nf4`, or choose a chip that has fp8",
        )
    if chip.category not in DECODED_ON:
        raise InputError(
            f"`--quantize {kind}` on {chip.name}: nothing decodes it there",
            expected="a GPU",
            hint="write `--method lora`, or choose a GPU",
        )
    if asked is None:
        why = "double quantization, as QLoRA has it (`--quantize`)"
        assumed.append(Assumption("base", value="NF4, 4.13 bits a weight", why=why))
    return kind


def _paged(asked: str | None) -> tuple[bool, str | None]:
    """Whether an optimizer pages its state, and its name without that word."""
    if asked is None:
        return False, None
    text = asked.strip().lower().replace("_", "-")
    plain = text.removeprefix("paged-")
    if not plain:
        shown = f"is {asked}" if text else "is empty"
        raise InputError(
            f"`--optimizer` {shown}", expected="the name of one", hint="write `--optimizer paged-adamw-8bit`"
        )
    return text.startswith("paged-"), _OPTIMIZERS.get(plain, plain)


_OPTIMIZERS = {
    "adamw-32bit": "adamw",
    "adamw-torch": "adamw",
    "adamw-torch-fused": "adamw",
    "adamw-hf": "adamw",
    "adamw-bnb-8bit": "adamw-8bit",
}
"""Names that transformers' `--optim` has for them."""


def _usual_framework(chip: Accelerator, assumed: list[Assumption]) -> str:
    usual = {"tpu": "jax", "trainium": "neuronx"}.get(chip.category, "transformers")
    assumed.append(
        Assumption(
            "framework",
            value="transformers with PEFT" if usual == "transformers" else usual,
            why="the commonest for tuning; its kernels are not fused (`--framework torchtune`, `unsloth`, `nemo` …)",
        )
    )
    return usual
