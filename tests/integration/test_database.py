"""SQL by hand says the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from chekhov.config.database import execute, fetch, insert_rows, instant, is_postgresql, one_of, rows_as, uid

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
