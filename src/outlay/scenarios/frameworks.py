"""The framework that a training runs in, by the name that was given."""

from __future__ import annotations

import re
from collections.abc import Iterable

from outlay.catalog import Accelerator
from outlay.errors import InputError
from outlay.statement import Assumption, Receipt
from outlay.training import Software, software_for, usual_framework

FRAMEWORKS = (
    *(
        "megatron-core",
        "megatron-lm",
        "nemo",
        "torchtitan",
        "deepspeed",
        "fsdp",
        "pytorch",
        "transformers",
        "accelerate",
    ),
    *("lightning", "litgpt", "axolotl", "llm-foundry", "gpt-neox", "colossalai", "nanotron", "jax", "maxtext", "xla"),
    *("neuronx", "mosaicml", "composer", "torchtune", "unsloth", "trl", "peft"),
)
"""What `--framework` may say, besides names of these with a version."""


def software_of(asked: str | None, chip: Accelerator, count: int, assumed: list[Assumption]) -> Software:
    """The framework asked for, else what is usually run today on this many of this chip."""
    software = software_for(usual_framework(chip.category, count) if asked is None else asked, None)
    if asked is not None:
        if _misspelt(asked) or (software.family == "other" and not re.search("pytorch|fsdp|ddp", asked.lower())):
            raise no_such("framework", asked, FRAMEWORKS, "megatron-core")
        return software
    why = "a usual one on this accelerator"
    receipt = Receipt(
        software.name, unit="", source=software.source, date=software.date, basis="assumed", note=software.note
    )
    assumed.append(Assumption("framework", value=software.name, why=why, receipt=receipt))
    return software


def _misspelt(framework: str) -> bool:
    """Whether a name is a known one with a letter too many: `nemoo` is no version of NeMo, `nemo 25.02` is one.

    >>> _misspelt("nemoo"), _misspelt("nemo 25.02"), _misspelt("megatron-core"), _misspelt("pytorch-lightning")
    (True, False, False, False)
    """
    text = framework.strip().lower()
    if text in FRAMEWORKS:
        return False
    starts = [name for name in FRAMEWORKS if text.startswith(name)]
    longest = max(starts, key=len, default="")
    return bool(longest) and text[len(longest)].isalpha() and len(text) - len(longest) <= 2


def no_such(what: str, asked: str, known: Iterable[str], usual: str, *, flag: str = "") -> InputError:
    """A name that no list has: the nearest, or all of them where none is near. `flag` is `--` and the word, unless said."""
    names = list(dict.fromkeys(known))
    import difflib  # only where a name is wrong: answers start without it

    near = difflib.get_close_matches(asked.strip().lower(), names, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(f'`{name}`' for name in near)}?"
        if near
        else f"write `{flag or f'--{what}'} {usual}`"
    )
    article = "an" if what[0] in "aeiou" else "a"
    shown = f"`{asked}` is not {article} {what} that outlay knows" if asked.strip() else f"the {what} is empty"
    return InputError(shown, expected=f"one of {', '.join(names)}", hint=hint)
