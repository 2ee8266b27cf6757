"""Which article a name takes, by how its first letters are read."""

from __future__ import annotations

import re

_SPELT = frozenset("aefhilmnorsx")
"""Letters whose own names begin with a vowel."""

_VOWELS = frozenset("aeio")


def with_article(name: str) -> str:
    """A name with its article: one that begins with a letter and a digit is spelt when read.

    >>> [with_article(name) for name in ("l4-24gb", "tesla-t4", "h100-sxm", "mi300x", "gaudi3", "rtx-4090", "m3-max")]
    ['an l4-24gb', 'a tesla-t4', 'an h100-sxm', 'an mi300x', 'a gaudi3', 'an rtx-4090', 'an m3-max']
    """
    letters = re.match(r"[a-z]*", name.lower())[0]  # type: ignore[index]
    numbered = len(letters) <= 2 and name[len(letters) : len(letters) + 1].isdigit()
    spelt = numbered or not re.search("[aeiouy]", letters)
    return f"{'an' if letters[:1] in (_SPELT if spelt else _VOWELS) and letters else 'a'} {name}"
