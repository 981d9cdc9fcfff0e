"""What hand-written SQL needs to be the same on SQLite and PostgreSQL.

Hot paths (accepting facts, claiming, writing outcomes) are SQL by hand: the ORM costs more there than it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper

from chekhov.config import turnstile

_ROWS_A_STATEMENT = 200
_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


@lru_cache(maxsize=1)
def is_postgresql() -> bool:
    """Which of the two databases this process has; it never changes."""
    return connection.vendor == "postgresql"


def plan_by_index() -> None:
    """For a process that only asks for few rows of large tables, before its first connection: PostgreSQL finds and
    joins them by their indexes, and plans each statement once. A session keeps the plans that it made while a table was
    small, when it no longer is.
    """
    if is_postgresql():
        options = connection.settings_dict["OPTIONS"]
        given = options.get("options", "")
        options["options"] = " ".join([given, *(f"-c {name}={value}" for name, value in _BY_INDEX.items())]).strip()


def wal_fold() -> None:
    """Carry what SQLite's log holds into the database file, beside the writers. What is left of it is what a writer has
    to carry at its commit when the log is full, while all the others wait.
    """
    if not is_postgresql():
        fetch("PRAGMA wal_checkpoint(PASSIVE)")


@contextmanager
def writing(*, together: bool = False) -> Iterator[None]:
    """A transaction that writes. On SQLite writers stand in one queue (`chekhov.config.turnstile`) instead of polling.

    With `together`, PostgreSQL is sent statements without waiting for each: an error shows at the next `fetch` or at
    the end. Nests: an inner block is a savepoint of the outer one.

    Returns only when what was written is kept (an inner block: with the outer one). Raises TransactionManagementError
    where somebody caught the error of an inner block that had no savepoint and went on, OperationalError where the
    connection was lost, whatever the driver called it.
    """
    if not is_postgresql():
        with _turn(), transaction.atomic():
            yield
            _must_be_whole()
        return
    session: Any = None
    try:
        with connection.wrap_database_errors, transaction.atomic():
            session = connection.connection
            ended = None
            with session.pipeline() if together else nullcontext():
                yield
                _must_be_whole()
                if together and len(connection.atomic_blocks) == 1:
                    # in the same trip as the statements before it; Django finds nothing left to commit
                    ended = _ran(connection, "COMMIT", ())
            if ended is not None and ended.statusmessage != "COMMIT":
                raise OperationalError(f"the transaction ended with {ended.statusmessage}")
    except (DatabaseError, InterfaceError) as error:
        if isinstance(error, OperationalError) or session is None or not session.closed:
            raise
        raise OperationalError(str(error)) from error


def _must_be_whole() -> None:
    """Django would roll back in silence."""
    if connection.needs_rollback:
        raise transaction.TransactionManagementError("a part of this transaction failed: nothing of it is kept")


@contextmanager
def _turn() -> Iterator[None]:
    """The turn to write; where it does not come, the error is that of SQLite's own time-out."""
    with ExitStack() as stack:
        try:
            stack.enter_context(turnstile.turn(connection.settings_dict["NAME"]))
        except turnstile.Busy as error:
            raise OperationalError("database is locked") from error
        yield


def writer_is_awaited() -> bool:
    """Whether another process waited for this one's last writing transaction to end. Only SQLite's writers wait."""
    return not is_postgresql() and turnstile.was_awaited(connection.settings_dict["NAME"])


def clock_ms() -> str:
    """The database's own clock as an SQL expression: milliseconds since 1970."""
    if is_postgresql():
        return "(extract(epoch from clock_timestamp()) * 1000)::bigint"
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


def read_clock_ms() -> int:
    """The database's clock now, milliseconds since 1970."""
    return int(fetch(f"SELECT {clock_ms()}")[0][0])


def for_update(*, of: str = "", skip_locked: bool = False) -> str:
    """The locking clause of a SELECT: nothing on SQLite, where the whole write transaction is exclusive.

    NO KEY UPDATE: inserting a row that refers to a locked one must not wait for it, or two batches could wait for
    each other.
    """
    if not is_postgresql():
        return ""
    return " FOR NO KEY UPDATE" + (f" OF {of}" if of else "") + (" SKIP LOCKED" if skip_locked else "")


def instant(value: datetime) -> Any:
    """An aware instant as a parameter of hand-written SQL, in the form in which Django stores it."""
    return value if is_postgresql() else value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def uid(value: UUID) -> Any:
    """A UUID as a parameter of hand-written SQL."""
    return value if is_postgresql() else value.hex


def as_uuid(value: Any) -> UUID:
    """A UUID as hand-written SQL gives it back."""
    return value if isinstance(value, UUID) else UUID(value)


def json_text(value: str) -> Any:
    """JSON text as a value of `insert_rows` for a JSON column."""
    return orjson.Fragment(value) if is_postgresql() else value


@lru_cache(maxsize=256)
def placeholders(count: int) -> str:
    return "(" + ", ".join(["%s"] * count) + ")"


def one_of(column: str, values: Collection[int] | Collection[str]) -> tuple[str, list[Any]]:
    """«column is one of these», with its parameters. The text stays the same for any number of them on PostgreSQL."""
    if not is_postgresql():
        return f"{column} IN {placeholders(len(values))}", list(values)
    if all(isinstance(value, int) for value in values):
        return f"{column} = ANY(%s::bigint[])", ["{" + ",".join(map(str, values)) + "}"]
    return f"{column} = ANY(%s::text[])", [list(values)]


def rows_as(name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """A common table expression of rows, with its parameters: `columns` gives each name its PostgreSQL type.

    One JSON parameter on PostgreSQL: the driver need not look through a text that grows with the rows, and the server
    plans it once. SQLite takes the values as they are.
    """
    if not is_postgresql():
        places = ", ".join([placeholders(len(columns))] * len(rows))
        return f"{name}({', '.join(columns)}) AS (VALUES {places})", [value for row in rows for value in row]
    types = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"{name} AS (SELECT * FROM json_to_recordset(%s::json) AS x({types}))", [_rows_json(tuple(columns), rows)]


def insert_rows(
    table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, returning: Sequence[str] = ()
) -> list[tuple[Any, ...]]:
    """Insert many rows with few statements; give back the `returning` columns of each, in no promised order."""
    if not rows:
        return []
    names = ", ".join(columns)
    tail = f" RETURNING {', '.join(returning)}" if returning else ""
    run: Callable[[str, Sequence[Any]], Any] = fetch if returning else execute
    if is_postgresql():
        source = f"SELECT {names} FROM json_populate_recordset(NULL::{table}, %s::json)"
        found = run(f"INSERT INTO {table} ({names}) {source}{tail}", [_rows_json(columns, rows)])
        return list(found) if returning else []
    answers: list[tuple[Any, ...]] = []
    one = placeholders(len(columns))
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        some = rows[start : start + _ROWS_A_STATEMENT]
        sql = f"INSERT INTO {table} ({names}) VALUES {', '.join([one] * len(some))}{tail}"
        found = run(sql, [value for row in some for value in row])
        if returning:
            answers += found
    return answers


def _rows_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    objects = [dict(zip(columns, row, strict=True)) for row in rows]
    return orjson.dumps(objects, default=_bytes_as_text).decode()


def _bytes_as_text(value: Any) -> str:
    """Bytes as PostgreSQL reads them from a text."""
    if isinstance(value, bytes | memoryview):
        return "\\x" + value.hex()
    raise TypeError(type(value).__name__)


def fetch(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of one SELECT (or of a statement with RETURNING)."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        cursor = _ran(database, sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
    return rows


def fetch_first(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """`fetch` for the first read of a request: a connection that died since the last one is made anew.

    Saves the question «are you there?» that Django asks a kept connection at the beginning of each request.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.in_atomic_block:
        return fetch(sql, parameters)
    database.health_check_done = True  # type: ignore[attr-defined]
    try:
        return fetch(sql, parameters)
    except (OperationalError, InterfaceError):
        database.close()
        return fetch(sql, parameters)


def fetch_together(*statements: tuple[str, Sequence[Any]]) -> list[list[tuple[Any, ...]]]:
    """All rows of each SELECT. Within `writing(together=True)` they go to PostgreSQL in one trip."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        cursors = [_ran(database, sql, parameters) for sql, parameters in statements]
        answers = []
        for cursor in cursors:
            answers.append(cursor.fetchall())
            cursor.close()
    return answers


@dataclass(frozen=True, slots=True)
class Reserved:
    """Ids that nobody else will use, ascending, and the database's clock of that moment."""

    ids: dict[str, list[int]]
    clock_ms: int


class Reservation:
    """Ids for new rows of some tables, before the rows are made: their inserts then need not wait for each other.

    Run `statement` within the transaction, after what orders the rows has been locked, and read its rows. On SQLite
    the write transaction keeps others out until the rows are in; on PostgreSQL the ids come from the sequences.
    """

    def __init__(self, tables: Sequence[str], count: int) -> None:
        self._tables = tables
        self._count = count

    @property
    def statement(self) -> tuple[str, list[Any]]:
        if is_postgresql():
            ids = ", ".join(f"nextval('{table}_id_seq')" for table in self._tables)
            return f"SELECT {clock_ms()}, {ids} FROM generate_series(1, %s)", [self._count]
        ids = ", ".join(f"(SELECT seq FROM sqlite_sequence WHERE name = '{table}')" for table in self._tables)
        return f"SELECT {clock_ms()}, {ids}", []

    def read(self, rows: Sequence[Sequence[Any]]) -> Reserved:
        columns = list(zip(*rows, strict=True))[1:]
        if is_postgresql():
            ids = {table: [int(value) for value in column] for table, column in zip(self._tables, columns, strict=True)}
        else:
            lasts = [int(column[0] or 0) for column in columns]
            ids = {
                table: list(range(last + 1, last + self._count + 1))
                for table, last in zip(self._tables, lasts, strict=True)
            }
        return Reserved(ids, int(rows[0][0]))


def execute(sql: str, parameters: Sequence[Any] = ()) -> None:
    """Run one statement. Within `writing(together=True)` PostgreSQL gets it later, with those that follow."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        _ran(database, sql, parameters).close()


def affected(sql: str, parameters: Sequence[Any] = ()) -> int:
    """Run one INSERT, UPDATE or DELETE that begins with this word; the number of rows that it touched.

    Not within `writing(together=True)`, where the number is not known yet: AssertionError. There, RETURNING tells.
    """
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        cursor = _ran(database, sql, parameters)
        count = int(cursor.rowcount)
        cursor.close()
    assert count >= 0, "the number of rows is not known"
    return count


def _ran(database: BaseDatabaseWrapper, sql: str, parameters: Sequence[Any]) -> Any:
    """A cursor of the driver itself that has run a statement, in Django's connection and transaction.

    Django's own cursor costs more than the statement on SQLite, and on PostgreSQL it puts the values into the text;
    here they go apart from it, so the server prepares the statement once. Where somebody counts or logs Django's
    queries, the statement goes Django's way.
    """
    if database.queries_logged:
        cursor: Any = database.cursor()
        cursor.execute(sql, list(parameters))
        return cursor
    database.ensure_connection()
    if is_postgresql():
        from psycopg import Cursor

        return Cursor(database.connection).execute(sql, parameters or None)
    return database.connection.execute(_with_question_marks(sql), parameters)


@lru_cache(maxsize=512)
def _with_question_marks(sql: str) -> str:
    """The statement in SQLite's own style."""
    return sql.replace("%s", "?")
