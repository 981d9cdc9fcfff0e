"""SQL by hand says the same on both databases."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction

from chekhov.config.database import (
    Reservation,
    execute,
    fetch,
    fetch_first,
    fetch_together,
    insert_rows,
    instant,
    is_postgresql,
    one_of,
    read_clock_ms,
    rows_as,
    uid,
    writing,
)
from chekhov.people.models import Source
from chekhov.receipts.rows import TABLES

pytestmark = pytest.mark.django_db


@pytest.fixture
def table() -> str:
    kinds = ("uuid", "bytea", "timestamptz", "boolean") if is_postgresql() else ("char(32)", "blob", "text", "bool")
    kept = "id bigint, key {}, body {}, at {}, flag {}, word text".format(*kinds)
    execute(f"CREATE TEMP TABLE things ({kept})")
    return "things"


COLUMNS = ["id", "key", "body", "at", "flag", "word"]


def test_rows_come_back_as_they_were_given(table: str) -> None:
    key, at = uuid4(), datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    rows = [
        (number, uid(key), bytes([0, number, 255]), instant(at), number == 1, f"слово «{number}» '\\\"")
        for number in (1, 2)
    ]
    returned = insert_rows(table, COLUMNS, rows, returning=("id", "word"))
    assert sorted(returned) == [(1, "слово «1» '\\\""), (2, "слово «2» '\\\"")]
    found = fetch("SELECT id, key, body, at, flag, word FROM things ORDER BY id")
    assert [(row[0], row[1], bytes(row[2]), row[3], bool(row[4]), row[5]) for row in found] == rows


def test_no_rows_are_no_statement(table: str) -> None:
    assert insert_rows("no_such_table", COLUMNS, []) == []


def test_nulls_and_long_lists(table: str) -> None:
    rows = [(number, None, None, None, None, "x" * 50) for number in range(1000)]
    assert len(insert_rows(table, COLUMNS, rows, returning=("id",))) == 1000
    assert fetch("SELECT COUNT(*), COUNT(key), COUNT(flag) FROM things")[0] == (1000, 0, 0)


def test_one_of_numbers_and_of_words(table: str) -> None:
    insert_rows(table, COLUMNS, [(number, None, None, None, None, f'w{number}, {{}}"') for number in range(5)])
    these, parameters = one_of("id", [1, 3, 9])
    assert fetch(f"SELECT id FROM things WHERE {these} ORDER BY id", parameters) == [(1,), (3,)]
    these, parameters = one_of("word", ['w2, {}"', "none"])
    assert fetch(f"SELECT id FROM things WHERE {these}", parameters) == [(2,)]


def test_an_update_from_listed_rows(table: str) -> None:
    insert_rows(table, COLUMNS, [(number, None, None, None, None, "old") for number in range(3)])
    listed, parameters = rows_as("v", {"number": "bigint", "text": "text"}, [(0, "нуль"), (2, None)])
    sql = f"WITH {listed} UPDATE things AS t SET word = v.text FROM v WHERE t.id = v.number RETURNING id"
    assert sorted(fetch(sql, parameters)) == [(0,), (2,)]
    assert fetch("SELECT id, word FROM things ORDER BY id") == [(0, "нуль"), (1, "old"), (2, None)]


def source_row(code: str, row_id: int | None = None) -> dict[str, Any]:
    row = {"code": code, "name": code, "created_at": instant(datetime(2026, 3, 1, tzinfo=UTC))}
    return row if row_id is None else {"id": row_id, **row}


def sources_insert(*rows: dict[str, Any]) -> None:
    insert_rows("people_source", list(rows[0]), [tuple(row.values()) for row in rows])


def test_reserved_ids_are_nobody_elses() -> None:
    first = Source.objects.create(code="a", name="Первый")
    reservation = Reservation(["people_source"], 3)
    reserved = reservation.read(fetch(*reservation.statement))
    ids = reserved.ids["people_source"]
    assert ids == sorted(set(ids))
    assert ids[0] > first.pk
    sources_insert(source_row("b", ids[0]), source_row("c", ids[1]))
    assert Source.objects.create(code="d", name="Четвёртый").pk > ids[1]
    assert abs(reserved.clock_ms - read_clock_ms()) < 60_000


def test_every_table_of_a_fact_can_reserve_ids() -> None:
    reservation = Reservation(TABLES, 2)
    reserved = reservation.read(fetch(*reservation.statement))
    assert {table: len(ids) for table, ids in reserved.ids.items()} == dict.fromkeys(TABLES, 2)


def test_reads_together_answer_each_for_itself(table: str) -> None:
    insert_rows(table, COLUMNS, [(number, None, None, None, None, "w") for number in range(3)])
    sql = "SELECT id FROM things WHERE id >= %s"
    with writing(together=True):
        some, none, every = fetch_together((sql, [2]), (sql, [9]), (sql, [0]))
    assert (some, none, sorted(every)) == ([(2,)], [], [(0,), (1,), (2,)])


def _twice_the_same() -> None:
    with writing(together=True):
        sources_insert(source_row("a"))
        sources_insert(source_row("a"))


def _half_done(*, together: bool) -> None:
    with writing(together=together):
        sources_insert(source_row("a"))
        with suppress(RuntimeError), transaction.atomic(savepoint=False):
            raise RuntimeError("a part that failed")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.django_db(transaction=True)
def test_nobody_is_left_to_think_that_a_transaction_was_kept_of_which_a_part_failed(together: bool) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        _half_done(together=together)
    assert not Source.objects.exists()


def _swallowed() -> None:
    with writing(together=True):
        sources_insert(source_row("a"))
        with suppress(IntegrityError):
            sources_insert(source_row("a"))
            fetch("SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_the_server_turned_into_a_rollback_is_an_error() -> None:
    if not is_postgresql():
        pytest.skip("a statement that fails does not end SQLite's transaction")
    with pytest.raises(DatabaseError):
        _swallowed()
    assert not Source.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_inner_block_of_statements_sent_together_is_undone_alone() -> None:
    with writing(together=True):
        sources_insert(source_row("a"))
        with suppress(IntegrityError), writing(together=True):
            sources_insert(source_row("b"))
            sources_insert(source_row("a"))
        sources_insert(source_row("c"))
    assert set(Source.objects.values_list("code", flat=True)) == {"a", "c"}


@pytest.mark.django_db(transaction=True)
def test_statements_sent_together_are_committed_and_told_to_those_who_wait_for_it() -> None:
    told: list[bool] = []
    with writing(together=True):
        sources_insert(source_row("a"))
        transaction.on_commit(lambda: told.append(Source.objects.exists()))
    assert told == [True]
    assert connection.get_autocommit()


@pytest.mark.django_db(transaction=True)
def test_an_error_of_statements_sent_together_undoes_them_all() -> None:
    with pytest.raises(IntegrityError):
        _twice_the_same()
    assert not Source.objects.exists()
    with writing(together=True):
        sources_insert(source_row("b"))
    assert Source.objects.get().code == "b"


def _the_connection_dies() -> int:
    """The server ends this thread's session; its number."""
    if not is_postgresql():
        pytest.skip("a SQLite connection does not die")
    pid = fetch("SELECT pg_backend_pid()")[0][0]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    finally:
        other.close()
    return int(pid)


@pytest.mark.django_db(transaction=True)
def test_the_first_read_of_a_request_survives_a_connection_that_died() -> None:
    pid = _the_connection_dies()
    assert fetch_first("SELECT 1") == [(1,)]
    assert fetch("SELECT pg_backend_pid()")[0][0] != pid


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_is_told_as_djangos_error_and_made_anew() -> None:
    _the_connection_dies()
    with pytest.raises((OperationalError, InterfaceError)):
        _one_read()
    assert _one_read() == [[(1,)]]


def _slower_than_the_server_waits() -> None:
    execute("SET idle_in_transaction_session_timeout = '50ms'")
    with writing():
        fetch("SELECT 1")
        time.sleep(0.3)
        fetch("SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_an_operational_error_whatever_the_driver_calls_it() -> None:
    """25P03 is an «internal error» of the driver's: whoever waits for a database that is away must know it by that."""
    if not is_postgresql():
        pytest.skip("SQLite has no session that could end")
    with pytest.raises(OperationalError):
        _slower_than_the_server_waits()
    connection.close()
    assert _one_read() == [[(1,)]]


def _one_read() -> list[list[tuple[Any, ...]]]:
    with writing(together=True):
        return fetch_together(("SELECT 1", []))
