"""What is trained and on what, from the words of the question."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from outlay import catalog, units
from outlay.catalog import Accelerator
from outlay.errors import AmbiguousName, InputError, UnknownName
from outlay.statement import Receipt
from outlay.workload import Architecture, from_config, load_config

MOST_DEVICES = 10**6


def check_texts(asked: Mapping[str, object], *names: str) -> None:
    """Refuse what is no text where only text can be read, as a caller from Python may give it.

    >>> check_texts({"on": "l4", "engine": None}, "on", "engine")
    """
    wrong = [name for name in names if not isinstance(asked.get(name), str | None)]
    if wrong:
        raise InputError(
            " and ".join(f"`{name}` is {repr(asked[name])[:40]}" for name in wrong),
            expected="text",
            hint='write it as on the command line: `on="h100-sxm:8"`, `engine="vllm"`',
        )


def read_model(model: str | Mapping[str, object] | Architecture) -> tuple[Architecture, Receipt]:
    """A catalog name, the path of a config.json, a config, or an architecture; and where its facts come from.

    >>> read_model("gpt2")[0].depth
    12
    """
    if isinstance(model, Architecture):
        return model, Receipt(model.name, unit="", source="the architecture that was given", date="", basis="yours")
    if isinstance(model, Mapping):
        return from_config(model, source="the config"), Receipt(
            "config", unit="", source="the config that was given", date="", basis="yours"
        )
    text = str(model)
    if not text.strip():
        raise InputError("the model's name is empty", hint="write a name of `outlay show models`, or a config.json")
    if text.endswith(".json") or _is_there(text):
        name = Path(text).stem if Path(text).stem != "config" else (Path(text).resolve().parent.name or "config")
        config = load_config(text)
        shown = str(config.get("_name_or_path") or name)
        return from_config(config, name=shown, source=text), Receipt(
            Path(text).name, unit="", source=text, date="", basis="yours"
        )
    facts = catalog.model_config(text)
    return from_config(facts.config, name=facts.name, source=facts.name), facts.receipt


def _is_there(text: str) -> bool:
    """Whether a name is that of a folder or, with a folder before it, of a file; one that no disk could hold is not."""
    try:
        return (os.sep in text and Path(text).exists()) or Path(text).is_dir()
    except (OSError, ValueError):
        return False


def read_on(on: str, flag: str = "--on") -> tuple[str, int]:
    """Name and count of `NAME:COUNT`; a name alone is one. `flag`: where it was written.

    >>> read_on("h100-sxm:256"), read_on("m3-max")
    (('h100-sxm', 256), ('m3-max', 1))
    """
    if re.fullmatch(r"[^,:]+:[0-9]{1,3}(,[0-9]{3})+", on.strip()):  # 1,024 as the statement writes it
        on = on.replace(",", "")
    if "," in on:
        raise InputError(
            f"`{flag} {on}` names several accelerators",
            expected="one NAME:COUNT",
            hint=f"unequal ones together are not predicted yet; ask once for each: write `{flag} {on.split(',')[0].strip()}`",
        )
    name, separator, count = on.strip().rpartition(":")
    if not separator:
        name, count = count, "1"
    if not name.strip():
        raise InputError(
            f"`{flag} {on}` names no accelerator", expected="NAME:COUNT", hint=f"write `{flag} h100-sxm:64`"
        )
    try:
        number = int(units.parse(count, "count", name=f"{flag} {name}:"))
    except InputError as error:
        expected = error.message.partition(": expected ")[2]
        raise InputError(
            f"`{flag} {on}`", expected=f"{expected} after the colon", hint=f"write `{flag} {name}:64`"
        ) from None
    if number > MOST_DEVICES:
        raise InputError(
            f"`{flag} {on}`", expected=f"at most {MOST_DEVICES:,} accelerators", hint=f"write `{flag} {name}:64`"
        )
    return name.strip(), number


def read_chip(name: str, count: int) -> Accelerator:
    """The accelerator of that name; of an ambiguous one, the choices with the count that was asked for."""
    try:
        return catalog.accelerator(name)
    except AmbiguousName as error:
        first = error.details[0].split()[0]
        raise AmbiguousName("accelerator", name, error.details, hint=f"write `--on {first}:{count}`") from error
    except UnknownName as error:
        guessed = "did you mean" in error.hint
        raise (None if guessed else _meant(name, count)) or error from None


_COMPUTERS = ("macbook", "mac", "imac")


def _meant(name: str, count: int) -> InputError | None:
    """What a name that is in no table may mean: that of a computer its chip, a long one the chip that it holds."""
    words = re.findall("[a-z]+", name.lower())
    try:
        chip, _ = catalog.resolve_accelerator(name)
    except UnknownName:
        if not set(words) & set(_COMPUTERS):
            return None
        chips = [chip.name for chip in catalog.accelerators() if chip.category == "apple"]
        chips = [chip for chip in chips if not re.search(r"-\d+c$", chip)]  # those with fewer cores
        return InputError(
            f"`{name}` is a computer",
            expected="the accelerator in it",
            details=[", ".join(chips)],
            hint=f"write `--on {chips[-1]}:{count}`",
        )
    return InputError(
        f"`{name}` is not an accelerator that outlay knows by this name", hint=f"write `--on {chip.name}:{count}`"
    )
