"""The keys of training tools, as the tools' own parsers have them, beside `src/outlay/training/launch/keys.csv`.

    python scripts/launch_keys.py            # what was added and removed since; exits with 1 if anything was
    python scripts/launch_keys.py --write    # takes it over; a new key gets the effect `cost` until somebody looks

Each tool that is installed is asked (`pip install --no-deps` is enough where its imports allow it); the others stay as
they are. Of DeepSpeed only `zero_optimization` has a parser that lists its keys; the rest of its rows are those of
`deepspeed/runtime/constants.py` and the models beside it, read by hand. After `--write`, set version and date in
`keys.SOURCES`.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parent.parent / "src" / "outlay" / "training" / "launch" / "keys.csv"
COLUMNS = ("tool", "key", "effect", "takes")


def megatron() -> dict[str, str]:
    """Every `--name`, and whether it is a flag, or takes one value or many."""
    from megatron.training.arguments import add_megatron_arguments

    parser = add_megatron_arguments(argparse.ArgumentParser(allow_abbrev=False))
    return {
        name.removeprefix("--"): "flag" if action.nargs == 0 else "many" if action.nargs in ("*", "+") else "value"
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    }


def torchtitan() -> dict[str, str]:
    """The fields of `JobConfig`, tables joined by dots (0.2; from 0.3 on there is no TOML)."""
    from torchtitan.config.job_config import JobConfig

    def fields(kind: Any, path: str = "") -> Iterator[str]:
        for field in dataclasses.fields(kind):
            inner = field.default_factory if dataclasses.is_dataclass(field.default_factory) else None
            yield from fields(inner, f"{path}{field.name}.") if inner else (f"{path}{field.name}",)

    return dict.fromkeys(fields(JobConfig), "value")


def accelerate() -> dict[str, str]:
    """Fields of the config, and below its sections the options of `accelerate launch` that they hold."""
    from accelerate.commands.config.config_args import ClusterConfig
    from accelerate.commands.launch import launch_command_parser

    parser = launch_command_parser()
    options = [action.dest for action in parser._actions]
    deepspeed = next(group for group in parser._action_groups if group.title == "DeepSpeed Arguments")
    sections = {
        "fsdp_config": [name for name in options if name.startswith("fsdp_")],
        "megatron_lm_config": [name for name in options if name.startswith("megatron_lm_")],
        "parallelism_config": [name for name in options if name.startswith("parallelism_config_")],
        "deepspeed_config": [action.dest for action in deepspeed._group_actions],
    }
    sections["deepspeed_config"] += ["gradient_accumulation_steps", "gradient_clipping"]
    keys = {field.name for field in dataclasses.fields(ClusterConfig)} - sections.keys()
    keys |= {"dynamo_backend", "fp16"}  # of older configs, still taken
    return dict.fromkeys(
        [*keys, *(f"{section}.{name}" for section, names in sections.items() for name in names)], "value"
    )


def deepspeed() -> dict[str, str]:
    """Fields of ZeRO's own model, under their names in the JSON."""
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    names = {alias or name for name, field in DeepSpeedZeroConfig.model_fields.items() for alias in (field.alias, name)}
    return {f"zero_optimization.{name}": "value" for name in names}


TOOLS: dict[str, Callable[[], dict[str, str]]] = {
    "accelerate": accelerate,
    "deepspeed": deepspeed,
    "megatron": megatron,
    "torchtitan": torchtitan,
}


def main() -> int:
    """Compare, say, and write if asked."""
    write = "--write" in sys.argv[1:]
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = {(row["tool"], row["key"]): row for row in csv.DictReader(file)}
    changed = 0
    for tool, ask in TOOLS.items():
        try:
            found = ask()
        except ImportError as error:
            print(f"{tool}: not asked ({error})")
            continue
        listed = {key for name, key in rows if name == tool}
        part = {key for key in listed if tool != "deepspeed" or key.startswith("zero_optimization.")}
        sections = {key for key in found if any(name.startswith(f"{key}.") for name in listed)}
        new, gone = sorted(found.keys() - listed - sections), sorted(part - found.keys())
        gone = [key for key in gone if not any(key.startswith(f"{section}.") for section in sections)]
        print(f"{tool}: {len(found):,} keys, {len(new)} new, {len(gone)} gone")
        print(
            *(f"  + {key}" for key in new), *(f"  - {key}" for key in gone), sep="\n", end="\n" if new or gone else ""
        )
        changed += len(new) + len(gone)
        for key in gone:
            del rows[tool, key]
        for key in new:
            rows[tool, key] = {"tool": tool, "key": key, "effect": "cost", "takes": found[key]}
        for key in found.keys() & listed:
            changed += rows[tool, key]["takes"] != found[key]
            rows[tool, key]["takes"] = found[key]
    if write:
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(rows[place] for place in sorted(rows))
    return 1 if changed and not write else 0


if __name__ == "__main__":
    sys.exit(main())
