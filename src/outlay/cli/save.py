"""Writing an answer to a file without ever losing one: a draft beside it first, then one rename."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from outlay.errors import InputError

_HINT = "name a file in a folder that you may write to; without `-o` the answer goes to the screen"


def check_writable(path: Path) -> None:
    """Refuse a path that cannot be written before any work is done for it.

    :raises InputError: for a folder, a missing or read-only parent folder, or a read-only file.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:  # a name that is too long, or goes round in circles
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"`{path.name[:40]}…` cannot be written: {reason}", hint=_HINT) from error
    if path.is_dir():
        raise InputError(f"`{path}` is a folder", expected="a file to write", hint=f"write `-o {path / 'answer.json'}`")
    parent = path.parent
    if not parent.is_dir():
        raise InputError(f"`{path}` cannot be written: there is no folder `{parent}`", hint=_HINT)
    if not os.access(path if path.exists() else parent, os.W_OK):
        raise InputError(f"`{path}` cannot be written: permission denied", hint=_HINT)


def check_apart(output: str | None, reads: Iterable[object]) -> None:
    """Refuse to write an answer over a file that it is read from.

    :raises InputError: where `output` is one of the files that are read, however it is spelled.
    """
    if output is None:
        return
    for name in reads:
        if not isinstance(name, str | Path):
            continue
        with contextlib.suppress(OSError, ValueError):  # of a file that is not there, others speak
            if Path(output).samefile(name):
                other = Path(output).with_stem(f"{Path(output).stem}-answer")
                raise InputError(
                    f"`-o {output}` is the file that is read",
                    expected="another file for the answer",
                    hint=f"write `-o {other}`",
                )


def save(path: Path, text: str, *, kept: bool = False) -> None:
    """Write `text` to `path`; on any failure what was there before is still there.

    `kept` says that `outlay report` can print this very answer again.

    :raises InputError: with the system's reason, such as a full disk.
    """
    check_writable(path)
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with path.open("w", encoding="utf-8") as device:
                device.write(text)
        else:
            _replace(path, text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"`{path}` cannot be written: {reason}",
            hint=_hint(error, kept=kept),
        ) from error


def _hint(error: OSError, *, kept: bool) -> str:
    """What to do about a file that cannot be written; only what would help."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    todo = "free some space, or name a file elsewhere" if full else "name a file in a folder that you may write to"
    return f"{todo}; the answer is kept: `outlay report -o FILE`" if kept else f"{todo}, and ask again"


def _replace(path: Path, text: str) -> None:
    """A draft in the same folder (so that the rename is atomic), with the old file's mode."""
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask())
        draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
