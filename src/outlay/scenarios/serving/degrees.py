"""The degrees of parallelism that `--layout` fixes."""

from __future__ import annotations

import re

from outlay.errors import InputError
from outlay.layout import SHORT
from outlay.layout import parse as parse_layout
from outlay.scenarios.named import MOST_DEVICES
from outlay.serving.deployment import DEGREES
from outlay.workload import Number

LAYOUT = "write `--layout tp=8`, or `--layout dp=8,ep=8` for experts"


def read_degrees(text: str | None, flag: str = "--layout") -> dict[str, Number]:
    """The degrees that a `flag` fixes: tp, pp, dp, ep, etp. Of those it does not name, pp is 1, and so are tp and dp where
    one of the two is named or no experts are; how experts are divided stays open.

    >>> read_degrees("tp=8"), read_degrees("pp=4"), read_degrees("auto")
    ({'tensor': 8, 'pipeline': 1, 'data': 1}, {'pipeline': 4, 'tensor': 1, 'data': 1}, {})
    >>> read_degrees("ep=8")
    {'expert': 8, 'pipeline': 1}
    """
    if text is None:
        return {}
    if not text.strip():
        raise InputError(f"`{flag}` is empty", hint=f"write `{flag} auto`, or `{flag} tp=8`")
    if text.strip().lower() == "auto":
        return {}
    hint = LAYOUT.replace("--layout", flag)
    try:
        fixed = parse_layout(text)
    except InputError as error:
        # Of the keys that training has, serving has five.
        short = ", ".join(f"{name}=" for name, field in SHORT.items() if field in DEGREES)
        details = (re.sub(r"is not one of .*", f"is not one of {short}", line) for line in error.details)
        raise InputError(error.message.replace("--layout", flag), details=details, hint=hint) from None
    strange = [name for name in fixed if name not in DEGREES]
    if strange:
        raise InputError(
            f"`{flag} {text}` names {', '.join(name.replace('_', ' ') for name in strange)}, which is of training",
            expected="tp, pp, dp, ep and etp",
            hint=hint,
        )
    for name, value in fixed.items():
        if value > MOST_DEVICES:
            raise InputError(f"`{flag} {text}`", expected=f"a smaller degree of {name}", hint=f"write `{flag} tp=8`")
    alone = bool(fixed.keys() & {"expert", "expert_tensor"}) and not fixed.keys() & {"tensor", "data"}
    for name in ("pipeline",) if alone else ("tensor", "pipeline", "data"):
        fixed.setdefault(name, 1)
    return fixed
