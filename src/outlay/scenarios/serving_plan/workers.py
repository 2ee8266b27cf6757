"""A search over many accelerators by several processes: where the system forks, and the search is long enough to gain by it."""

from __future__ import annotations

import contextlib
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
LEAST = 2
"""Fewer are none beside this one."""
T = TypeVar("T")

_STARTED: list[Callable[[Any], Any]] = []
"""What this process was started for."""


def looked_at_by_all(look: Callable[[str], T], names: Sequence[str], *, size: int) -> Iterator[T]:
    """What `look` finds for each name, in their order; `size` is how much there is to look at.

    >>> list(looked_at_by_all(len, ["a", "bcd"], size=1))
    [1, 3]
    """
    count = min(processes(), len(names)) if size >= LONG else 1
    yield from map(look, names) if count < LEAST else _side_by_side(look, names, count)


def _side_by_side(look: Callable[[str], T], names: Sequence[str], count: int) -> Iterator[T]:
    """The same by `count` processes; what one leaves undone is looked at here."""
    import multiprocessing  # these take 20 ms, which a short search does not wait for
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    forked = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(count, mp_context=forked, initializer=_begin, initargs=(look, os.getpid()))
    coming: list[Future[tuple[T] | None]] = []
    try:
        with warnings.catch_warnings(), contextlib.suppress(BrokenProcessPool):
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads beside: there are only those of libraries
            coming += (pool.submit(_found, name) for name in names)
        for place, name in enumerate(names):
            found = None
            with contextlib.suppress(BrokenProcessPool):  # one was ended from outside
                found = coming[place].result() if place < len(coming) else None
            yield look(name) if found is None else found[0]
    finally:
        pool.shutdown(cancel_futures=True)


def processes() -> int:
    """How many may be started: one for each processor that this one may use, where forking is safe; else 1."""
    safe = sys.platform.startswith("linux") and threading.active_count() == 1
    if not safe:
        return 1
    import multiprocessing

    if multiprocessing.current_process().daemon:  # which may start none
        return 1
    return min(len(os.sched_getaffinity(0)), MOST)


_PR_SET_PDEATHSIG = 1
"""Of `prctl` (Linux): the signal that a process gets when the one that started it ends, however that ends."""


def _begin(look: Callable[[Any], Any], parent: int) -> None:
    import ctypes

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it ended before
        os._exit(1)
    _STARTED[:] = [look]


def _found(name: str) -> tuple[Any] | None:
    """What is found; None where looking failed: whoever waits looks again, and meets the error itself."""
    try:
        return (_STARTED[0](name),)
    except Exception:
        return None
