"""Models: the published config of each, as facts.

`configs/` has one file a family: what its models share under `common`, then one entry a model with its name, the other
names it goes by (ids on Hugging Face among them), where the figures were read, when the model was published, and the
config's own keys. The basis is `quoted` where a source gave the numbers (a note names what it left open), and `assumed`
where they are from memory and only the parameter count is known to agree. What the configs mean is not the catalog's
business: `outlay.workload.from_config` reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from outlay.catalog import rows
from outlay.errors import AmbiguousName, UnknownName
from outlay.statement import Receipt

LISTING = "outlay show models"
_added: list[ModelFacts] = []


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model's published config. `receipt` says where it was published, and when; its value is the model's name."""

    name: str
    aliases: tuple[str, ...]
    config: Mapping[str, Any]
    receipt: Receipt

    @property
    def width(self) -> int:
        return int(_first(self.config, "hidden_size", "n_embd", "d_model", "dim", "hidden"))

    @property
    def depth(self) -> int:
        pattern = self.config.get("hybrid_override_pattern", "")
        return len(pattern) or int(
            _first(self.config, "num_hidden_layers", "n_layer", "n_layers", "num_layers", "layers")
        )


def models() -> tuple[ModelFacts, ...]:
    """All models, the user's last; one of the same name as a shipped one takes its place.

    >>> len(models()) >= 70
    True
    """
    by_name = {entry.name: entry for entry in (*_shipped(), *_added)}
    return tuple(by_name.values())


def model_config(name: str) -> ModelFacts:
    """The model that goes by `name`, whatever its capitals, spaces and underscores.

    Raises :class:`AmbiguousName` for the name of a family, :class:`UnknownName` for one that nobody goes by.

    >>> model_config("meta-llama/Meta-Llama-3-8B").name
    'llama-3-8b'
    >>> model_config("gpt2").config["n_embd"]
    768
    """
    found = _names().get(squeeze(name))
    if found is not None:
        return found
    family = [entry for entry in models() if squeeze(name) and _begins(entry.name, name)]
    if family:
        choices = [f"{entry.name:<28}  {entry.depth:>3} layers, {entry.width:>6,} wide" for entry in family]
        if len(family) == 1:
            raise UnknownName("model", name, [family[0].name], listing=LISTING)
        raise AmbiguousName("model", name, choices, hint=f"write `{family[0].name}`")
    known = [candidate for entry in models() for candidate in (entry.name, *entry.aliases)]
    raise UnknownName("model", name, known, listing=LISTING)


def add_models(entries: Iterable[ModelFacts]) -> None:
    """Take the user's models in, for this process."""
    _added.extend(entries)
    rows.forget()


def restore_models() -> None:
    """Give up the user's models."""
    _added.clear()
    rows.forget()


def squeeze(name: str) -> str:
    """A name without what people write in different ways.

    >>> squeeze("Meta_Llama 3-8B") == squeeze("meta-llama-3-8b")
    True
    """
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


def _begins(name: str, family: str) -> bool:
    """Whether `name` is `family` and a size: a part more, after a hyphen or as a next version."""
    stem = family.lower().strip().replace("_", "-").replace(" ", "-").rstrip("-")
    plain = name.startswith((stem + "-", stem + "."))
    return plain or any(squeeze(name[:i]) == squeeze(stem) for i, letter in enumerate(name) if letter == "-")


def _first(config: Mapping[str, Any], *keys: str) -> Any:
    return next(config[key] for key in keys if key in config)


@rows.cached
def _shipped() -> tuple[ModelFacts, ...]:
    found = []
    for file in sorted((rows.FOLDER / "configs").glob("*.json")):
        family = json.loads(file.read_text(encoding="utf-8"))
        for entry in family["models"]:
            receipt = Receipt(
                entry["name"],
                unit="",
                source=entry["source"],
                date=entry["date"],
                basis=entry.get("basis", "quoted"),
                note=entry.get("note", ""),
            )
            config = {**family["common"], **entry["config"]}
            found.append(ModelFacts(entry["name"], tuple(entry["aliases"]), config, receipt))
    return tuple(found)


@rows.cached
def _names() -> dict[str, ModelFacts]:
    """Every name a model goes by; an id also without its owner. A model's own name wins over another's alias."""
    names: dict[str, ModelFacts] = {}
    for entry in models():
        for alias in entry.aliases:
            names.setdefault(squeeze(alias), entry)
            names.setdefault(squeeze(alias.rpartition("/")[2]), entry)
    return names | {squeeze(entry.name): entry for entry in models()}
