"""From launch files back to the options of a question."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from outlay import catalog
from outlay.errors import InputError
from outlay.layout import Layout, describe
from outlay.training.launch import Imported, read
from outlay.workload import Architecture, Attention, Experts, Mlp, from_config


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRun:
    """A launch file as a question about its cost: what `outlay cost training` would be asked."""

    imported: Imported
    source: str
    model: str | Mapping[str, object] | None
    """A catalog name where the dimensions are those of a model that is known, else a config of them."""

    def options(self) -> dict[str, str | int]:
        """The options of `outlay cost training` that the file decides, by the names of its parameters."""
        run = self.imported
        found: dict[str, str | int | None] = {
            "layout": layout_text(run.layout),
            "sequence_length": run.sequence_length,
            "global_batch": run.global_batch,
            "precision": run.precision,
            "optimizer": run.optimizer,
            "framework": run.framework,
        }
        if run.steps and run.global_batch and run.sequence_length:
            found["tokens"] = run.steps * run.global_batch * run.sequence_length
        return {name: value for name, value in found.items() if value is not None}

    def command(self, *, on: str = "NAME") -> str:
        """The same as a command line; what the file leaves open stands in capitals."""
        options = self.options()
        model = self.model if isinstance(self.model, str) else None
        words = ["outlay", "cost", "training"]
        words += [model] if model else ["--import", self.source] if self.model else ["MODEL"]
        words += ["--on", f"{on}:{self.imported.devices or 'COUNT'}" if ":" not in on else on]
        words += ["--tokens", str(options.get("tokens", "TOKENS"))]
        for name, flag in _FLAGS.items():
            if name in options:
                words += [flag, str(options[name])]
        return shlex.join(words)


_FLAGS = {
    "layout": "--layout",
    "sequence_length": "--seq",
    "global_batch": "--batch",
    "precision": "--precision",
    "optimizer": "--optimizer",
    "framework": "--framework",
}


def layout_text(degrees: Mapping[str, Any]) -> str:
    """Degrees as `--layout` has them, those of 1 too, so that nothing is left to a search that the file decided.

    >>> layout_text({"tensor": 8, "pipeline": 1, "recompute": 0, "sequence_parallel": True})
    'tp=8,pp=1,sp=on,recompute=none'
    """
    from outlay.layout import SHORT, Recompute

    parts = []
    for short, name in SHORT.items():
        if name not in degrees:
            continue
        value = degrees[name]
        if name == "recompute":
            parts.append(f"{short}={Recompute(int(value)).name.lower()}")
        elif name == "sequence_parallel":
            parts.append(f"{short}={'on' if value else 'off'}")
        else:
            parts.append(f"{short}={float(value)!r}" if isinstance(value, float) else f"{short}={int(value)}")
    return ",".join(parts)


def import_run(
    text: str, *, source: str, tool: str | None = None, ignore_unknown: bool = False, model: str | None = None
) -> ImportedRun:
    """Read a launch file; `model` says what is trained where the file does not, or says it otherwise.

    >>> run = import_run('{"train_micro_batch_size_per_gpu": 2, "zero_optimization": {"stage": 3}}', source="ds.json")
    >>> run.options()["layout"]
    'tp=1,pp=1,vpp=1,cp=1,mbs=2,zero=3'

    :raises InputError: for a file that is no launch file, unknown keys, and values that cannot be read.
    """
    imported = read(text, source=source, tool=tool, ignore_unknown=ignore_unknown)
    found: str | Mapping[str, object] | None = model or imported.model
    if isinstance(found, Mapping):
        imported, found = _named(imported, found)
    return ImportedRun(imported=imported, source=source, model=found)


def question_of(run: ImportedRun, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a question: what was asked goes before what the file says.

    :raises InputError: if neither says the model, the tokens or the accelerators.
    """
    stated = {name: value for name, value in asked.items() if value is not None}
    options: dict[str, Any] = {**run.options(), **stated}
    if stated.get("recompute") is not None and "layout" not in stated:
        options["layout"] = layout_text(
            {name: value for name, value in run.imported.layout.items() if not name.startswith("recompute")}
        )
    model = stated.get("model") or run.model
    if model is None:
        raise InputError(
            f"`{run.source}` does not say what is trained",
            expected="a model, a name or a config.json",
            hint=f"write `outlay cost training MODEL --import {run.source} …`",
        )
    if isinstance(model, Mapping) and "vocab" not in model and "vocab_size" not in model:
        raise InputError(
            f"`{run.source}` does not say how large the vocabulary is: the tokenizer decides it",
            hint=f"name the model, or add `--vocab-size`: `outlay cost training MODEL --import {run.source} …`",
        )
    options["model"] = model
    if "tokens" not in options:
        raise InputError(
            f"`{run.source}` does not say for how long it trains", hint="write how many tokens: `--tokens 1T`"
        )
    options["on"] = _on(run, stated.get("on"))
    return options


def _on(run: ImportedRun, on: str | None) -> str:
    """The accelerators: named by the user, counted by the file."""
    count = run.imported.devices
    if on is None:
        raise InputError(
            f"`{run.source}` does not say which accelerators it runs on", hint=f"write `--on h100-sxm:{count or 64}`"
        )
    if ":" not in on and count:
        return f"{on}:{count}"
    if count and on.rpartition(":")[2].replace(",", "") != str(count):
        raise InputError(
            f"`--on {on}` is not what `{run.source}` runs on",
            expected=f"{count:,} accelerators",
            hint=f"write `--on {on.rpartition(':')[0]}:{count}`, or give `--layout` for another count",
        )
    return on


def _named(imported: Imported, config: Mapping[str, object]) -> tuple[Imported, str | Mapping[str, object]]:
    """The catalog's name for the dimensions of a config, if it is some model's; what the closed form has no word for is said."""
    dense = config.get("dense_layers", 0)
    plain = {name: value for name, value in config.items() if name != "dense_layers"}
    stated = plain if {"vocab", "vocab_size"} & plain.keys() else {**plain, _vocab_key(plain): 1}
    wanted = _facts(from_config(stated, source="the model's dimensions"))
    for name in (model.name for model in catalog.models()):
        published = catalog.model_config(name)
        if wanted[0] not in published.config.values():  # its width: most models are passed over unread
            continue
        known = from_config(published.config, name=name)
        vocab = stated.get("vocab", stated.get("vocab_size"))
        if _facts(known) == wanted and (
            vocab == 1 or (isinstance(vocab, int) and known.vocab <= vocab <= known.vocab + 2**13)
        ):
            return imported, name
    if dense:
        remark = f"the first {dense} layers are dense in the file; the model is counted with experts in all of them"
        imported = replace(imported, remarks=(*imported.remarks, remark))
    return imported, plain


def _vocab_key(config: Mapping[str, object]) -> str:
    return "vocab" if config.get("model_type") == "transformer" else "vocab_size"


def _facts(architecture: Architecture) -> tuple[object, ...]:
    """What tells models apart: width, depth, heads, and the feed-forward of the last layer."""
    layer = architecture.blocks[-1].layer
    mixer, part = layer.mixer, layer.feed_forward
    heads = (mixer.heads, mixer.kv_heads, mixer.head_dim, mixer.kv_rank) if isinstance(mixer, Attention) else ()
    widths: tuple[object, ...] = ()
    if isinstance(part, Mlp):
        widths = (part.width, part.gated)
    elif isinstance(part, Experts):
        widths = (part.width, part.gated, part.count, part.active, part.shared_width)
    return (architecture.hidden, architecture.depth, heads, widths)


def summary(run: ImportedRun) -> list[str]:
    """What was read, one fact a line, for people."""
    found = run.imported
    known = found.layout
    layout = Layout(**known) if "data" in known else None
    lines = [f"{found.tool}: {describe(layout) if layout else layout_text(known)}"]
    model = run.model if isinstance(run.model, str) else "a model of its own dimensions" if run.model else "not said"
    lines.append(f"model: {model} · devices: {found.devices or 'not said'}")
    return lines + list(found.remarks)
