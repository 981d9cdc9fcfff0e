"""The queue of SQLite's writers: threads of a process first, then processes, each in turn.

SQLite lets one transaction write at a time. Whoever finds it busy polls with pauses of up to 100 ms, and a process that
writes one transaction after another keeps the others out for long. Here they wait at two file locks beside the
database: one is held while waiting for the other, so the next in turn is known before the writer has finished. The
kernel wakes it at once, and frees the locks of a process that is killed. Transactions that do not come through here
are still kept apart by SQLite itself.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path


class _Turnstile:
    """The locks of one database in this process."""

    def __init__(self, database: Path) -> None:
        self._threads = threading.RLock()
        self._depth = 0
        self.was_awaited = False
        self._next = os.open(f"{database}-next", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._writer = os.open(f"{database}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._threads:
            if self._depth == 0:
                self._come_in()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.was_awaited = self._is_awaited()
                    fcntl.flock(self._writer, fcntl.LOCK_UN)

    def _come_in(self) -> None:
        fcntl.flock(self._next, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._writer, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def _is_awaited(self) -> bool:
        try:
            fcntl.flock(self._next, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._next, fcntl.LOCK_UN)
        return False


_in_memory = threading.RLock()


@lru_cache(maxsize=4)
def _turnstile(database: str, _pid: int) -> _Turnstile:
    """One for each process: after a fork a lock of the parent's would be shared, and keep nobody out."""
    return _Turnstile(Path(database))


@contextmanager
def turn(database: str | Path) -> Iterator[None]:
    """Hold the right to write to a SQLite database. A thread that has it may take it again."""
    name = str(database)
    if "memory" in name and not Path(name).is_absolute():  # ":memory:", "file:…?mode=memory": one process has it
        with _in_memory:
            yield
    else:
        with _turnstile(name, os.getpid()).turn():
            yield


def was_awaited(database: str | Path) -> bool:
    """Whether another process stood waiting when this one last gave up its turn."""
    name = str(database)
    return Path(name).is_absolute() and _turnstile(name, os.getpid()).was_awaited
