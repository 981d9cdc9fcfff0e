"""Memory on disk: one SQLite file behind one thread that commits whatever is waiting as one transaction.

Writers on the event loop call ``put`` for any number of rows and await the batch that carries them; while one batch is
being committed the next gathers, so the cost of a commit is shared by all requests in flight. Within a batch the last
row for a key wins. Rows go in by statements of many rows each: a statement per row would hand the interpreter lock to
and fro once a row.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]

TABLES: dict[str, tuple[str, ...]] = {
    "shops": ("shop", "secret", "queues", "success_url", "failure_url"),
    "registers": ("queue", "fn", "rn", "document", "shift", "shift_on", "number"),
    "tasks": ("id", "shop", "queue", "version", "external_id", "intent", "uuid", "created_at", "body"),
    "states": ("task", "state", "error", "fiscal", "due_at", "changed_at"),
    "callbacks": ("id", "task", "url", "body", "signature", "attempt", "state", "due_at", "answer"),
    "orders": ("id", "shop", "version", "deleted", "body"),
    "employees": ("id", "shop", "version", "deleted", "body"),
    "counters": ("name", "value"),
}
"""Columns of each table, the key first. Times are Unix milliseconds."""

FORGOTTEN_BY_RESET = ("tasks", "states", "callbacks", "orders", "employees")
"""Reset empties these; numbers that were issued stay issued."""

_CHUNKS = (64, 16, 4, 1)
"""Rows of one statement; a few sizes only, so that the statements stay prepared."""


def _schema() -> Iterable[str]:
    for table, columns in TABLES.items():
        key = columns[0]
        kind = "TEXT" if key in ("shop", "name") else "INTEGER"
        rest = ", ".join(columns[1:])
        yield f"CREATE TABLE IF NOT EXISTS {table} ({key} {kind} PRIMARY KEY, {rest})"


def _statement(table: str, rows: int) -> str:
    row = f"({', '.join('?' * len(TABLES[table]))})"
    return f"INSERT OR REPLACE INTO {table} VALUES {', '.join([row] * rows)}"


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the writing thread or for a reader beside it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


class Batch(asyncio.Future[None]):
    """What is committed together. Many wait for it, so that none of them can cancel it for the rest."""

    def cancel(self, msg: object = None) -> bool:
        """Refuse: the waiter is cancelled once the batch is on disk."""
        return False


class Store:
    """The single writer. ``put`` and ``flush`` belong to the event loop, ``read`` may block for a query's time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = connect(path)
        for statement in _schema():
            self._connection.execute(statement)
        self._reader = connect(path)
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: dict[str, dict[Any, Row]] = {}
        self._batch: Batch | None = None
        self._in_flight: Batch | None = None
        self._thread = threading.Thread(target=self._work, name="emulator-store", daemon=True)
        self._thread.start()

    def put(self, table: str, row: Row) -> Batch:
        """Insert or replace a row; the future ends when it is on disk. Any number of callers may await it."""
        rows = self._waiting.get(table)
        if rows is None:
            rows = self._waiting[table] = {}
        rows[row[0]] = row
        if self._batch is None:
            loop = asyncio.get_running_loop()
            self._batch = Batch(loop=loop)
            if self._in_flight is None:
                loop.call_soon(self._start)
        return self._batch

    async def flush(self) -> None:
        """Wait until everything that was put is on disk."""
        last = self._batch or self._in_flight
        if last is not None:
            await last

    def read(self, sql: str, parameters: Row = ()) -> list[Row]:
        """What is committed."""
        return self._reader.execute(sql, parameters).fetchall()

    async def forget(self) -> None:
        """Empty the tables of ``FORGOTTEN_BY_RESET``, after everything that waits."""
        await self.flush()
        done = asyncio.get_running_loop().create_future()

        def job() -> None:
            for table in FORGOTTEN_BY_RESET:
                self._connection.execute(f"DELETE FROM {table}")
            done.get_loop().call_soon_threadsafe(done.set_result, None)

        self._jobs.put(job)
        await done

    async def close(self) -> None:
        """Commit the rest and leave."""
        await self.flush()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()
        self._reader.close()

    def _start(self) -> None:
        if self._in_flight is not None or self._batch is None:
            return
        rows, batch = self._waiting, self._batch
        self._waiting, self._batch, self._in_flight = {}, None, batch
        loop = batch.get_loop()

        def job() -> None:
            error: BaseException | None = None
            try:
                self._commit(rows)
            except sqlite3.Error as caught:
                error = caught
            loop.call_soon_threadsafe(self._finish, batch, error)

        self._jobs.put(job)

    def _finish(self, batch: Batch, error: BaseException | None) -> None:
        self._in_flight = None
        if error is not None:
            batch.set_exception(error)
        else:
            batch.set_result(None)
        self._start()

    def _commit(self, tables: dict[str, dict[Any, Row]]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            for table, rows in tables.items():
                values = list(rows.values())
                start = 0
                for size in _CHUNKS:
                    while len(values) - start >= size:
                        flat = [value for row in values[start : start + size] for value in row]
                        execute(_statement(table, size), flat)
                        start += size
            execute("COMMIT")
        except sqlite3.Error:
            execute("ROLLBACK")
            raise

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
