"""The loader of old receipts, against the application's own tables."""

from typing import Any

import pytest

from bench.clones import TABLES, VARYING
from chekhov.config import immutability
from chekhov.receipts import writer
from chekhov.receipts.states import State, is_lawful


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_that_a_clone_brings_exist(table: str, db: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        columns = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    assert set(VARYING[table]) <= columns


def test_the_steps_of_old_receipts_are_lawful_transitions() -> None:
    from bench.clones import BROKEN, CANCELLED, FISCALIZED

    for steps in (FISCALIZED, BROKEN, CANCELLED):
        for before, after, *_ in steps[1:]:
            assert is_lawful(State(before), State(after)), (before, after)


def test_the_chain_is_the_one_that_the_writer_makes() -> None:
    from datetime import UTC, datetime
    from uuid import UUID

    from bench.clones import FISCALIZED, chain

    uuid = UUID("7a92e35a-3d7a-5bd6-9473-c2be9f855a11")
    codes = chain(writer._chain_key(), uuid.hex, FISCALIZED, 1_700_000_000)
    before = ""
    for number, (came, went, actor, reason, micro) in enumerate(FISCALIZED, 1):
        at = datetime.fromtimestamp(1_700_000_000, UTC).replace(microsecond=int(micro))
        assert codes[number - 1] == writer._mac(before, uuid, number, came, went, actor, reason, "", at)
        before = codes[number - 1]


def test_what_the_loader_clones_is_what_must_not_change() -> None:
    frozen = {item.table for item in immutability.TABLES}
    assert {table for table in TABLES if table.startswith(("receipts", "delivery"))} <= frozen
