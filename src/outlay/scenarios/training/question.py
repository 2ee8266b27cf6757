"""A training as it was asked, with every blank filled in: what the rest of the scenario reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from outlay import catalog, units
from outlay.catalog import Accelerator, Server
from outlay.errors import InputError
from outlay.layout import SHORT
from outlay.layout import parse as parse_layout
from outlay.machine import Cluster, cluster_for
from outlay.scenarios.assumed import LONGEST_SEQUENCE
from outlay.scenarios.frameworks import no_such, software_of
from outlay.scenarios.links import EXAMPLE, plain_links
from outlay.scenarios.named import MOST_DEVICES, read_chip, read_model, read_on
from outlay.statement import Assumption, Receipt
from outlay.training import OPTIMIZERS, PRECISIONS, Recipe
from outlay.training.practice import batch_tokens, whole_batch
from outlay.workload import Architecture, Number, parameters

LONGEST = 10**8
"""Tokens of a sequence beyond which a number is a slip."""
MOST_SEQUENCES = 2**17
"""Sequences of a step beyond which somebody meant tokens: BERT in 76 minutes took 65,536."""
_OPTIMIZERS = {"adamw": "adam", "adam8bit": "adam-8bit", "adamw8bit": "adam-8bit", "adamw-8bit": "adam-8bit"}
_PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "fp4": "nvfp4", "bf16-mixed": "bf16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One training: what is trained, on what, in which degrees where they were fixed; and what nobody said."""

    recipe: Recipe
    tokens: int
    cluster: Cluster
    server: Server
    fixed: Mapping[str, Number]
    """Degrees of the layout that were asked for."""
    parameters: int
    active: float
    """Parameters that a token passes."""
    named: bool
    """Whether the framework was said."""
    model_receipt: Receipt
    on: str
    """The accelerator as it was asked for."""
    assumed: tuple[Assumption, ...]
    sequences: float | None = None
    """Sequences of a step before they are rounded to what the devices can share; None where their number was asked for."""
    idle: int = 0
    """Devices that are paid for and do nothing."""
    trained: float | None = None
    """Parameters that are trained, where a trained model is tuned; None where it is trained from scratch."""

    @property
    def working(self) -> int:
        """Devices that take part."""
        return self.devices - self.idle

    @property
    def architecture(self) -> Architecture:
        return self.recipe.architecture

    @property
    def accelerator(self) -> Accelerator:
        return self.cluster.accelerator

    @property
    def devices(self) -> int:
        return int(self.cluster.count)

    def batch_on(self, devices: int) -> int:
        """Sequences of a step on a number of devices."""
        if self.sequences is None:
            return int(self.recipe.global_batch)
        return whole_batch(self.sequences, devices)

    def on_working(self, count: int) -> Question:
        """The same question with as many devices at work, the others idle."""
        if count == self.devices:
            return self
        batch = self.batch_on(count)
        packed = any(entry.name == "sequences" for entry in self.assumed)
        said = tuple(
            _batch_on(entry, batch, self.recipe.sequence_length, count, packed=packed) for entry in self.assumed
        )
        idle = Assumption(
            "idle devices",
            value=f"{self.devices - count:,} of {self.devices:,}, which are paid for",
            why=f"{count:,} divide model and batch better, and are faster than all {self.devices:,}",
        )
        recipe = replace(self.recipe, global_batch=batch)
        return replace(self, recipe=recipe, assumed=(*said, idle), idle=self.devices - count)

    def on_count(self, count: int) -> Question:
        """The same training on another number of the same accelerators; links are those of the usual server."""
        size = int(self.cluster.node_size)
        cluster = cluster_for(self.accelerator, count, gpus_per_node=size if size > 1 else None)
        linked = replace(
            cluster,
            network_bandwidth=self.cluster.network_bandwidth,
            network_latency=self.cluster.network_latency,
            network_efficiency=self.cluster.network_efficiency,
        )
        recipe = replace(self.recipe, global_batch=self.batch_on(count))
        return replace(self, cluster=linked, recipe=recipe, idle=0)


def _batch_on(entry: Assumption, batch: int, sequence: int, devices: int, *, packed: bool) -> Assumption:
    """What is said of the batch, for another number of devices; examples that are `packed` stay as many."""
    if entry.name not in ("batch", "sequences") or (packed and entry.name == "batch"):
        return entry
    why, value = entry.why.rpartition(" that ")[0], _batch_words(batch, sequence)
    if packed:
        value = f"{batch:,} sequences of {sequence:,} tokens"
    elif not why:  # examples of a tuning, each a sequence of its own length
        why, value = f"{entry.why}, in numbers", f"{batch:,} sequences a step"
    return replace(entry, value=value, why=f"{why} that {devices:,} can share")


def _batch_words(batch: int, sequence: int) -> str:
    return f"{batch:,} sequences ({units.format_quantity(batch * sequence, 'tokens')})"


def ask(
    model: str | Mapping[str, object] | Architecture,
    *,
    tokens: str | float,
    on: str,
    layout: str | None,
    sequence_length: str | int | None,
    global_batch: str | int | None,
    precision: str | None,
    optimizer: str | None,
    recompute: str | None,
    framework: str | None,
    gpus_per_node: str | int | None,
    interconnect: str | None,
) -> Question:
    """Read a question; :class:`InputError` names what cannot be read."""
    for flag, text, example in (
        ("--framework", framework, "megatron-core"),
        ("--interconnect", interconnect, '"8x 400Gb/s per node"'),
        ("--recompute", recompute, "full"),
    ):
        if text is not None and not text.strip():
            raise InputError(f"`{flag}` is empty", hint=f"write `{flag} {example}`, or leave it out")
    assumed: list[Assumption] = []
    architecture, model_receipt = read_model(model)
    for name, why in architecture.assumed.items():
        assumed.append(Assumption(name, value=why.partition(" (")[0], why=why.partition(" (")[2].rstrip(")") or why))
    total_tokens = int(units.parse(tokens, "tokens", name="--tokens"))
    name, count = read_on(on)
    chip = read_chip(name, count)
    size = (
        None if gpus_per_node is None else int(units.parse(gpus_per_node, "count", name="--gpus-per-node", example="8"))
    )
    if size is not None and size > MOST_DEVICES:
        raise InputError(
            f"`--gpus-per-node` is {size}", expected="the devices of one node", hint="write `--gpus-per-node 8`"
        )
    links, notes = (None, ()) if interconnect is None else plain_links(interconnect)
    cluster = cluster_for(chip, count, gpus_per_node=size, interconnect=links)
    if any(note.startswith("the usual links: nothing could be read") for note in cluster.assumed):
        raise InputError(
            f"`--interconnect {interconnect}` cannot be read", expected="links with their rates", hint=EXAMPLE
        )
    assumed += [*_cluster_notes(cluster), *_node_notes(cluster, size), *(notes if count > 1 else ())]
    sequence = _sequence(sequence_length, architecture, assumed)
    found = parameters(architecture)
    batch, sequences = _batch(global_batch, sequence, architecture, found.total, count, assumed)
    software = software_of(framework, chip, count, assumed)
    recipe = Recipe(
        architecture=architecture,
        sequence_length=sequence,
        global_batch=batch,
        precision=_precision(precision, chip, assumed),
        optimizer=_optimizer(optimizer, assumed),
        software=software,
        dropout=architecture.dropout or software.dropout,
    )
    if architecture.is_moe:
        assumed.append(Assumption("expert load", value="balanced", why="routers are trained towards it"))
    return Question(
        recipe=recipe,
        tokens=total_tokens,
        cluster=cluster,
        server=catalog.server_for(chip, count),
        fixed=_degrees(layout, recompute),
        parameters=found.total,
        active=float(found.active),
        named=framework is not None,
        model_receipt=model_receipt,
        on=name,
        assumed=tuple(assumed),
        sequences=sequences,
    )


def _cluster_notes(cluster: Cluster) -> list[Assumption]:
    """What was taken from the usual server; it says where from in brackets."""
    notes = []
    for text in cluster.assumed if int(cluster.count) > 1 else ():
        value, bracket, source = text.partition(" (")
        why = source.removesuffix(")") if bracket else "nothing better could be read"
        notes.append(Assumption("cluster", value=value, why=why))
    return notes


def _node_notes(cluster: Cluster, asked: int | None) -> Iterator[Assumption]:
    """What follows from a size of nodes that is not the usual one."""
    if asked is None:
        return
    count, size, domain = int(cluster.count), int(cluster.node_size), int(cluster.domain)
    if asked > count:
        yield Assumption("node", value=f"one of {size:,} devices", why=f"there are no {asked:,} to fill it")
    elif count % size:
        nodes = f"{count // size:,} of {size:,} devices and one of {count % size:,}"
        yield Assumption("node", value=nodes, why=f"{count:,} devices do not fill nodes of {asked:,}")
    if 1 < domain < size:
        yield Assumption(
            "links inside a node",
            value=f"{domain} devices by {cluster.accelerator.link}, then by PCIe or by a network card a device",
            why="whichever is faster: no server that we know of joins more of them",
        )


def _sequence(asked: str | int | None, architecture: Architecture, assumed: list[Assumption]) -> int:
    """Tokens of a sequence: as asked, else what the model takes, capped at what models are pre-trained on."""
    longest = architecture.max_length
    if asked is not None:
        length = int(units.parse(asked, "count", name="--seq", example="4096"))
        if re.search(r"[kK]\s*$", str(asked)):
            why = f"`{asked}` is thousands; the power of two is {length // 1000 * 1024}"
            assumed.append(Assumption("sequence length", value=f"{length:,} tokens", why=why))
        if length > LONGEST:
            raise InputError(f"`--seq` is {asked}", expected=f"at most {LONGEST:,} tokens", hint="write `--seq 4096`")
        if architecture.learned_positions and longest and length > longest:
            raise InputError(
                f"`--seq {length}` is longer than {architecture.name} can read",
                expected=f"at most {longest}, for which it has learned positions",
                hint=f"write `--seq {longest}`, or set the positions in a config.json of your own",
            )
        return length
    cap = int(LONGEST_SEQUENCE.value or 0)
    length = min(longest or cap, cap)
    why = "the model's own" if length == longest else "pre-training is shorter than the longest context"
    assumed.append(
        Assumption(
            "sequence length",
            value=f"{length:,} tokens",
            why=why,
            receipt=None if length == longest else LONGEST_SEQUENCE,
        )
    )
    return length


def _batch(
    asked: str | int | None,
    sequence: int,
    architecture: Architecture,
    size: int,
    devices: int,
    assumed: list[Assumption],
) -> tuple[int, float | None]:
    """Sequences of a step: as asked, else as published for models of this size, in numbers that the devices can share.

    And their number before that, unless it was asked for.
    """
    if asked is not None and "tok" not in str(asked).lower():
        batch = int(units.parse(asked, "count", name="--batch", example="512"))
        if batch > MOST_SEQUENCES:
            shown = units.format_quantity(batch * sequence, "tokens")
            raise InputError(
                f"`--batch {asked}` is {batch:,} sequences of {sequence:,} tokens, {shown} a step",
                expected=f"at most {MOST_SEQUENCES:,} sequences, or tokens",
                hint=f'write `--batch "{asked} tokens"` if tokens were meant',
            )
        return batch, None
    receipt = batch_tokens(size, encoder=architecture.family == "encoder")
    tokens = (
        float(receipt.value or 0)
        if asked is None
        else units.parse(asked, "tokens", name="--batch", example="4M tokens")
    )
    if asked is not None and tokens < sequence:
        raise InputError(
            f"`--batch` is {asked}, less than one sequence of {sequence} tokens",
            expected="whole sequences",
            hint=f'write `--batch 8`, or `--batch "{8 * sequence} tokens"`',
        )
    batch = whole_batch(tokens / sequence, devices)
    if asked is None:
        why = "published for models of this size" + (
            f", in sequences that {devices:,} can share" if devices > 1 else ""
        )
        value = _batch_words(batch, sequence)
        assumed.append(Assumption("batch", value=value, why=why, receipt=receipt))
    elif batch * sequence != tokens:
        value = f"{batch:,} sequences"
        assumed.append(Assumption("batch", value=value, why=f"{asked} in whole sequences that {devices:,} can share"))
    return batch, tokens / sequence


def precision_name(asked: str) -> str:
    """A precision as recipes call it.

    >>> precision_name("BFloat16")
    'bf16'

    :raises InputError: for one that nobody knows.
    """
    name = asked.strip().lower()
    name = _PRECISIONS.get(name, name)
    if name not in PRECISIONS:
        raise no_such("precision", asked, PRECISIONS, "bf16")
    return name


def optimizer_name(asked: str) -> str:
    """An optimizer as recipes call it.

    >>> optimizer_name("AdamW")
    'adam'

    :raises InputError: for one that nobody knows.
    """
    name = asked.strip().lower().replace("_", "-")
    name = _OPTIMIZERS.get(name, name)
    if name not in OPTIMIZERS:
        raise no_such("optimizer", asked, [*OPTIMIZERS, *_OPTIMIZERS], "adamw")
    return name


def _precision(asked: str | None, chip: Accelerator, assumed: list[Assumption]) -> str:
    if asked is not None:
        name = precision_name(asked)
        if not chip.has(PRECISIONS[name]):
            usual = _usual_precision(chip)
            own = ", ".join(dict.fromkeys(dtype for dtype in PRECISIONS if chip.has(PRECISIONS[dtype])))
            raise InputError(
                f"{chip.name} does not multiply in {name}",
                expected=f"one of {own}",
                hint=f"write `--precision {usual}`, or choose a chip that has {name}",
            )
        return name
    name = _usual_precision(chip)
    assumed.append(Assumption("precision", value=name, why="the usual one on this accelerator"))
    return name


def _usual_precision(chip: Accelerator) -> str:
    return next((dtype for dtype in ("bf16", "fp16") if dtype in chip.peaks), "fp32")


def _optimizer(asked: str | None, assumed: list[Assumption]) -> str:
    if asked is not None:
        return optimizer_name(asked)
    assumed.append(Assumption("optimizer", value="AdamW", why="the usual one; two fp32 moments a parameter"))
    return "adam"


def _degrees(layout: str | None, recompute: str | None) -> dict[str, Number]:
    """The degrees that `--layout` and `--recompute` fix."""
    text = "auto" if layout is None else layout.strip()
    if not text:
        raise InputError("`--layout` is empty", hint="write `--layout auto`, or `--layout tp=8,pp=4`")
    fixed = {} if text.lower() == "auto" else parse_layout(text)
    if recompute is not None:
        if "recompute" in fixed:
            raise InputError(
                "recomputation is given twice",
                details=[f"--layout {layout}", f"--recompute {recompute}"],
                hint="leave one out",
            )
        words = ("none", "selective", "full")
        if recompute.strip().lower() not in words:
            raise InputError(
                f"`--recompute` is {recompute}", expected=", ".join(words), hint="write `--recompute full`"
            )
        fixed |= parse_layout(f"recompute={recompute}", name="--recompute")
    for short, field in SHORT.items():
        if isinstance(value := fixed.get(field), int) and value > MOST_DEVICES:
            raise InputError(f"`{short}={value}` in `--layout`", expected="a smaller degree", hint=f"write `{short}=8`")
    return fixed
