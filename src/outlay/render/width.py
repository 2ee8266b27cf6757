"""How many columns a text takes on a terminal, and how it is broken to take fewer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SPACES = re.compile(" (?!%)")
"""Where a line may end: never between a number and its per cent sign."""
_JOINTS = "-/_"
"""Behind these a name may end a line."""
_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

_SHOWN = frozenset("\u00ad\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Of the invisible category Cf, what takes a column all the same: the soft hyphen, and signs that stand before a number."""

_WIDE = frozenset(
    chr(code)
    for first, last in ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D356), (0x1D360, 0x1D376))
    for code in range(first, last + 1)
)
"""Wide since Unicode 16, which Python's own table may not know yet: trigrams, hexagrams, tetragrams and counting rods."""


def clean(text: str) -> str:
    """`text` on one line, without anything that could steer a terminal: control characters, direction overrides.

    >>> clean("a\\tb\\x1b[31mc")
    'a b\N{REPLACEMENT CHARACTER}[31mc'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_cleaned(char) for char in text)


def _cleaned(char: str) -> str:
    if char in "\t\n\r\u2028\u2029":
        return " "
    category = unicodedata.category(char)
    return _REPLACEMENT if category in ("Cc", "Cs", "Co", "Cn") or char in _TURNS else char


def cells(text: str) -> int:
    """Columns of `text`: two for wide (East Asian, emoji) characters, none for marks that sit on another.

    >>> cells("cost"), cells("コスト"), cells("e\\u0301")
    (4, 6, 1)
    """
    return len(text) if text.isascii() else sum(_cell(char) for char in text)


def _cell(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 1 if char in _SHOWN else 0
    return 2 if unicodedata.east_asian_width(char) in "WF" or char in _WIDE or ord(char) >= 0x1F300 else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled with spaces to `width` columns, on its left if it belongs to the `right`."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space


def wrap(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """`text` on lines of at most `width` columns, broken at spaces, or anywhere in a word that is longer than a line.

    `first` opens the first line and `rest` the others.

    >>> wrap("quantity times price", 14, rest="  ")
    ['quantity times', '  price']
    """
    lines, line, used, lead = [], first, cells(first), first
    for word in _SPACES.split(clean(text)):
        gap = "" if line == lead else " "
        if used + len(gap) + cells(word) <= width:
            line, used = line + gap + word, used + len(gap) + cells(word)
            continue
        if line != lead:
            lines.append(line.rstrip(" "))
            line, used, lead = rest, cells(rest), rest
        for piece in _pieces(word, max(2, width - cells(lead)), max(2, width - cells(rest))):
            if line != lead:
                lines.append(line)
                line, lead = rest, rest
            line, used = line + piece, cells(line) + cells(piece)
    return [*lines, line.rstrip(" ") if line != lead else line]


def joined(word: str) -> list[str]:
    """The parts of a name, each with the joint that ends it.

    >>> joined("meta-llama/Llama_3")
    ['meta-', 'llama/', 'Llama_', '3']
    """
    for joint in _JOINTS:
        word = word.replace(joint, f"{joint} ")
    return word.split()


def _pieces(word: str, first: int, rest: int) -> Iterator[str]:
    """A word in pieces of at most so many columns; marks stay with the character that they sit on.

    A piece ends behind a comma, or behind a joint of a name (`-`, `/`, `_`) where it is then at least half full.

    >>> list(_pieces("tp=2,cp=4,offload=0.75", 15, 15))
    ['tp=2,cp=4,', 'offload=0.75']
    """
    piece, used, room = "", 0, first
    for char in word:
        size = _cell(char)
        if piece and used + size > room:
            joint = max(map(piece.rfind, _JOINTS)) + 1
            end = piece.rfind(",") + 1 or (joint if 2 * joint >= room else len(piece))
            yield piece[:end]
            piece = piece[end:]
            used, room = cells(piece), rest
        piece, used = piece + char, used + size
    if piece:
        yield piece
