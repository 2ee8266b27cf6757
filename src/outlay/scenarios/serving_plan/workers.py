"""A search over many accelerators by several processes: where the system forks, and the search is long enough to gain by it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

LONG = 300
"""Accelerators × engines × formats × modes from which processes are started: some three seconds by one."""
MOST = 8
"""Processes at most."""
T = TypeVar("T")

_STARTED: list[Callable[[Any], Any]] = []
"""What this process was started for."""


def looked_at_by_all(look: Callable[[str], T], names: Sequence[str], *, size: int) -> Iterator[T]:
    """What `look` finds for each name, in their order; `size` is how much there is to look at.

    >>> list(looked_at_by_all(len, ["a", "bcd"], size=1))
    [1, 3]
    """
    count = min(processes(), len(names)) if size >= LONG else 1
    if count < 2:
        yield from map(look, names)
        return
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of forking beside threads: there are only those of libraries
        pool = multiprocessing.get_context("fork").Pool(count, initializer=_begin, initargs=(look,))
    with pool:  # on leaving, whatever still runs is ended
        for name, found in zip(names, pool.imap(_found, names), strict=True):
            yield look(name) if found is None else found[0]


def processes() -> int:
    """How many may be started: one for each processor that this one may use, where forking is safe; else 1."""
    safe = sys.platform.startswith("linux") and threading.active_count() == 1
    if not safe or multiprocessing.current_process().daemon:
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


def _begin(look: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    _STARTED[:] = [look]


def _found(name: str) -> tuple[Any] | None:
    """What is found; None where looking failed: whoever waits looks again, and meets the error itself."""
    try:
        return (_STARTED[0](name),)
    except Exception:
        return None
