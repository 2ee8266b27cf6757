"""Which keys each tool knows, and whether they matter to the cost.

`keys.csv` lists them as the tools' own parsers had them (:data:`SOURCES`): `read` is read by `outlay import`, `cost` moves time
or memory in a way that outlay does not model, `none` moves neither. `scripts/launch_keys.py` asks the tools that are
installed again, and says what is new.
"""

from __future__ import annotations

import csv
import difflib
import functools
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence

from outlay.errors import InputError

DEEPEST, MOST = 6, 5000
"""Levels and keys of a document that are looked at: twice what any of the tools takes."""
MOST_SHOWN = 20
"""Unknown keys that an error lists."""

SOURCES = {
    "megatron": ("megatron-core 0.19.2, megatron/training/arguments.py", "2026-09-18"),
    "torchtitan": ("torchtitan 0.2.2, torchtitan/config/job_config.py", "2026-02-20"),
    "deepspeed": ("deepspeed 0.19.8, deepspeed/runtime/config.py and zero/config.py", "2026-10"),
    "accelerate": ("accelerate 1.15.0, commands/config/config_args.py and commands/launch.py", "2026-09"),
}
"""Tool → the file that its keys were read from, and its date."""


@functools.cache
def known(tool: str) -> Mapping[str, tuple[str, str]]:
    """Keys of a tool: name → (effect, what it takes: flag, value or many).

    >>> known("megatron")["tensor-model-parallel-size"], known("deepspeed")["steps_per_print"]
    (('read', 'value'), ('none', 'value'))
    """
    return {row["key"]: (row["effect"], row["takes"]) for row in _rows("keys.csv") if row["tool"] == tool}


def check(tool: str, keys: Iterable[str], *, source: str, prefix: str = "", ignore_unknown: bool = False) -> list[str]:
    """Remarks on keys that outlay does not read though they matter.

    :raises InputError: with every key that the tool does not have, unless they are ignored.
    """
    table = known(tool)
    strange = [key for key in keys if key not in table]
    if strange and not ignore_unknown:
        details = []
        for key in strange[:MOST_SHOWN]:
            if any(name.startswith(f"{key}.") for name in table):
                details.append(f"{prefix}{key} by itself: expected a section, with keys of its own")
                continue
            near = difflib.get_close_matches(key, table, n=1, cutoff=0.75)
            details.append(f"{prefix}{key}" + (f" (did you mean {prefix}{near[0]}?)" if near else ""))
        if len(strange) > MOST_SHOWN:
            details.append(f"and {len(strange) - MOST_SHOWN:,} more")
        count = "a key" if len(strange) == 1 else f"{len(strange):,} keys"
        raise InputError(
            f"`{source}` has {count} that {tool} does not have, as of {SOURCES[tool][0].partition(',')[0]}",
            details=details,
            hint="correct them, or write `--ignore-unknown` to leave them out",
        )
    remarks = []
    if strange:
        remarks.append(f"left out, unknown: {', '.join(prefix + key for key in strange)}")
    unpriced = [key for key in keys if table.get(key, ("",))[0] == "cost"]
    if unpriced:
        remarks.append(
            f"not read, though they move time or memory: {', '.join(prefix + key for key in unpriced)}; "
            "`--framework` decides what overlaps and what is fused"
        )
    return remarks


@functools.cache
def names(tool: str) -> Mapping[str, str]:
    """What a tool calls the models or accelerators of the catalog (`names.csv`): catalog name → the tool's.

    torchtitan: module and flavor (0.2.2, `torchtitan/models/*/__init__.py`). NeMo: the module under
    `megatron.bridge.recipes` and its function (megatron-bridge 0.6.2). SkyPilot: `AcceleratorName` of its catalog (0.14,
    2026-10).

    >>> names("torchtitan")["llama-3-8b"], names("skypilot")["h100-sxm-80gb"]
    ('llama3 8B', 'H100')
    """
    return {row["name"]: row["theirs"] for row in _rows("names.csv") if row["tool"] == tool}


def _rows(table: str) -> list[dict[str, str]]:
    text = importlib.resources.files("outlay.training.launch").joinpath(table).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def once(pairs: Sequence[tuple[str, object]], *, source: str) -> dict[str, object]:
    """The mapping of these pairs.

    >>> once([("stage", 1), ("cpu_offload", True)], source="deepspeed.json")
    {'stage': 1, 'cpu_offload': True}

    :raises InputError: for a key that stands there twice: parsers take the last, people often mean the first.
    """
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"`{source}` has the key `{key[:80]}` twice", expected="once", hint="remove one of them")
        found[key] = value
    return found


def flatten(tool: str, document: Mapping[str, object]) -> dict[str, object]:
    """Nested tables as one, keys joined by dots, down to where the tool's own keys end.

    >>> flatten("deepspeed", {"zero_optimization": {"stage": 3}, "optimizer": {"params": {"lr": 1}}})
    {'zero_optimization.stage': 3, 'optimizer.params': {'lr': 1}}
    """
    table, flat = known(tool), dict[str, object]()

    def walk(part: Mapping[str, object], path: str, depth: int) -> None:
        for key, value in part.items():
            name = f"{path}{key}"
            if isinstance(value, Mapping) and name not in table and depth < DEEPEST:
                walk(value, f"{name}.", depth + 1)
            elif len(flat) < MOST:  # a YAML whose aliases repeat themselves has no end
                flat[name] = value
            else:
                return

    walk(document, "", 0)
    return flat
