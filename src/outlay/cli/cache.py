"""The user's cache: the last answer, and the traces of our own bugs.

Nothing else is kept, and nothing leaves the machine.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from outlay.errors import InputError

LAST_ANSWER = "last-answer.json"


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/outlay`, or `~/.cache/outlay`."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base and os.path.isabs(base) else Path(os.path.expanduser("~")) / ".cache"
    return root / "outlay"


def keep_answer(text: str) -> bool:
    """Keep `text` (a statement in JSON) as the last answer; False if the cache cannot be written.

    An answer is worth more than its copy, so a full or read-only cache never spoils it.
    """
    target = cache_dir() / LAST_ANSWER
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True) if draft.parent.is_dir() else None
        return False
    return True


def last_answer() -> str:
    """The last answer's JSON text.

    :raises InputError: if none was kept.
    """
    path = cache_dir() / LAST_ANSWER
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"no last answer is kept in `{path}`",
            hint="ask first (`outlay cost training …`), or name a statement that was saved with `-o FILE.json`",
        ) from error


def keep_traceback(text: str) -> Path | None:
    """Save a traceback and say where; None if the cache cannot be written."""
    path = cache_dir() / f"bug-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return path
