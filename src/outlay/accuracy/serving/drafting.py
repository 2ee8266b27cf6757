"""What a row says of tokens that are drafted and verified: by which means, how many a step, and how often they are right.

Where a row does not say how often, a published figure of the means stands in, and the range is wider for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from outlay.errors import InputError

Means = Literal["mtp", "eagle", "medusa", "lookup", "model"]
"""Layers of the model that predict further tokens; one trained layer; heads; the prompt itself; a model of its own."""

ACCEPTED: Final[dict[Means, float]] = {
    # DeepSeek-V3 (arXiv:2412.19437, section 5.4.3): 85 to 90 % of second tokens.
    "mtp": 0.85,
    # Li et al. 2024 (arXiv:2401.15077), table of Vicuna-7B on MT-bench: 0.67 to 0.79 by position.
    "eagle": 0.73,
    # Cai et al. 2024 (arXiv:2401.10774): the first head's best guess is right for about 60 %.
    "medusa": 0.6,
    # Leviathan et al. 2023 (arXiv:2211.17192), table 3: LaMDA of 137B with a draft of 100M, 0.57 to 0.61.
    "model": 0.6,
    # No figure is general: text that repeats its prompt is right half the time and more, a chat seldom.
    "lookup": 0.3,
}
"""Chance that a drafted token is accepted, where a row states none."""
FURTHER: Final = {2: 2.18, 3: 2.44}
"""Tokens drafted one by one by the model's one layer → tokens of a step, the model's own included: DeepSeek-V3 with windows of 3
and 4 tokens, of which the first is the model's (https://lmsys.org/blog/2025-07-17-mtp, case study 1)."""
USUAL: Final[dict[Means, int]] = {"mtp": 1, "eagle": 3, "medusa": 3, "lookup": 3, "model": 3}
"""Tokens drafted a step, where a row states none."""
MOST: Final = 64

_PATTERNS: Final[tuple[tuple[str, Means], ...]] = (
    (r"\bmtp\b|multi[- ]token prediction|\bnextn\b", "mtp"),
    (r"\beagle[- ]?\d?\b(?! (?:super|cluster|system|machine))", "eagle"),
    (r"\bmedusa\b", "medusa"),
    (r"prompt[- ]lookup|n-?gram (?:speculat|draft)|\blookahead decoding", "lookup"),
    (r"with speculative|speculative decoding|\bdraft(?: model)?\s*[=:]", "model"),
)
_WITHOUT: Final = re.compile(
    r"(?:without|no|not?|disabled?|off)\b[- ]*(?:speculat\w*|mtp\b|draft|eagle|medusa)|\bmtp\s*[=:]?\s*(?:0\b|off\b|none\b)"
    r"|speculat\w*(?: decoding)?\s*[=:]?\s*(?:off|none|disabled|false)\b|draft\s*[=:]\s*none\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """How a row's tokens were drafted."""

    means: Means
    model: str
    """The draft model's name, if it has one."""
    drafted: int
    acceptance: float
    assumed: tuple[str, ...] = ()


def drafting_of(text: str) -> Drafting | None:
    """What the words of a row say; None where nothing is drafted.

    Raises `InputError` for numbers that cannot be.

    >>> found = drafting_of("With Speculative Decoding draft=JackFram/llama-68m k=3; acceptance 70%")
    >>> found.means, found.model, found.drafted, found.acceptance
    ('model', 'llama-68m', 3, 0.7)
    >>> drafting_of("Without Speculative Decoding draft=None k=None"), drafting_of("min-latency, MTP depth 3").drafted
    (None, 3)
    """
    lowered = text.lower()
    if _WITHOUT.search(lowered):
        return None
    means = next((means for pattern, means in _PATTERNS if re.search(pattern, lowered)), None)
    if means is None:
        return None
    named = re.search(r"draft(?: model)?\s*[=:]\s*(?:[\w.-]+/)?([\w.-]+)", lowered)
    model = named.group(1) if named and means == "model" else ""
    said = []
    count = re.search(
        r"(?:\bk|mtp[- ]?(?:depth|nextn|layers)?|nextn|depth|draft(?:ed)?[_ ](?:tokens|len(?:gth)?)|num_speculative_tokens)"
        r"\s*[=: ]\s*(\d+)\b",
        lowered,
    )
    drafted = int(count.group(1)) if count else USUAL[means]
    if not count:
        said.append(f"{drafted} drafted token{'s' if drafted != 1 else ''} a step")
    if not 1 <= drafted <= MOST:
        raise InputError(
            f"`notes` draft {drafted:,} tokens a step",
            expected=f"1 to {MOST}",
            hint="correct the number, or leave it out",
        )
    acceptance = _acceptance(lowered, drafted)
    if acceptance is None:
        acceptance = _usual(means, drafted)
        said.append(f"{acceptance:.0%} of drafted tokens accepted")
    return Drafting(means=means, model=model, drafted=drafted, acceptance=acceptance, assumed=tuple(said))


def _acceptance(text: str, drafted: int) -> float | None:
    """The chance of one token that a rate or a mean length states; None where neither is there."""
    rate = re.search(r"accept(?:ance|ed)?(?:[ _-]rate)?\s*[=: ]\s*(?:of\s*)?(\d+(?:\.\d+)?)\s*(%?)", text)
    length = re.search(r"accept(?:ance|ed)?[ _-]len(?:gth)?\s*[=: ]\s*(?:of\s*)?(\d+(?:\.\d+)?)", text)
    if length:
        found = float(length.group(1))
        if not 1.0 <= found <= drafted + 1.0:
            raise InputError(
                f"`notes` state an acceptance length of {found:g} with {drafted} drafted tokens",
                expected=f"1 to {drafted + 1}: the drafted tokens that are right, and one of the model itself",
                hint="correct the number, or leave it out",
            )
        return _chance(found, drafted)
    if rate:
        found = float(rate.group(1)) / (100.0 if rate.group(2) or float(rate.group(1)) > 1.0 else 1.0)
        if found > 1.0:
            raise InputError(
                f"`notes` state an acceptance of {found:.0%}", expected="0 to 100%", hint="correct the number"
            )
        return found
    return None


def _usual(means: Means, drafted: int) -> float:
    """The usual chance of one token. A model has one layer for the token after the next; for further ones that layer reads its
    own outputs, and is right more seldom.

    >>> [round(_usual("mtp", drafted), 2) for drafted in (1, 2, 3)], _usual("eagle", 3)
    ([0.85, 0.7, 0.68], 0.73)
    """
    if means != "mtp" or drafted == 1:
        return ACCEPTED[means]
    most = min(drafted, max(FURTHER))
    return _chance(FURTHER[most], most)


def _chance(length: float, drafted: int) -> float:
    """α with 1 + α + … + α^k tokens a step."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if sum(middle**i for i in range(drafted + 1)) < length else (low, middle)
    return (low + high) / 2.0
