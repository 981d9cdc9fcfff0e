"""The queue of SQLite's writers: threads of a process first, then processes, each in turn.

SQLite lets one transaction write at a time. Whoever finds it busy polls with pauses of up to 100 ms, and a process that
writes one transaction after another keeps the others out for long. Here they wait at two file locks beside the
database: one is held while waiting for the other, so the next in turn is known before the writer has finished. The
kernel frees the locks of a process that is killed; for one that was stopped nobody waits longer than for SQLite itself.
Transactions that do not come through here are still kept apart by SQLite.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

WAIT_SECONDS = 20  # as long as SQLite's own time-out
_LOOK_SECONDS = 0.0005  # far less than a transaction takes


class Busy(Exception):
    """The turn did not come in time: somebody holds it and does not go on."""


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
        until = time.monotonic() + WAIT_SECONDS
        if not self._threads.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            if self._depth == 0:
                self._come_in(until)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.was_awaited = self._is_awaited()
                    fcntl.flock(self._writer, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def _come_in(self, until: float) -> None:
        _take(self._next, until)
        try:
            _take(self._writer, until)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def _is_awaited(self) -> bool:
        try:
            fcntl.flock(self._next, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._next, fcntl.LOCK_UN)
        return False


def _take(lock: int, until: float) -> None:
    """Take a file lock. Looks for it again and again: the call that waits cannot be told for how long."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Busy from None
            time.sleep(_LOOK_SECONDS)
        else:
            return


_in_memory = threading.RLock()


@lru_cache(maxsize=4)
def _turnstile(database: str, _pid: int) -> _Turnstile:
    """One for each process: after a fork a lock of the parent's would be shared, and keep nobody out."""
    return _Turnstile(Path(database))


@contextmanager
def turn(database: str | Path) -> Iterator[None]:
    """Hold the right to write to a SQLite database. A thread that has it may take it again. Raises Busy."""
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
