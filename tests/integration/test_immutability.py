"""What must never change is refused by the database itself, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, models, transaction

from chekhov.config import immutability
from chekhov.config.clock import now
from chekhov.delivery.models import Absence, Attempt, Callback
from chekhov.delivery.sightings import sighted
from chekhov.people.models import Action
from chekhov.people.services import action_log
from chekhov.receipts.incidents import FIGURES, incident_open
from chekhov.receipts.models import Receipt
from chekhov.sales.models import Invoice
from tests import factories
from tests.integration import delivering
from tests.integration.test_callbacks import notify

pytestmark = pytest.mark.django_db
TABLES = [frozen.table for frozen in immutability.TABLES]
COLUMNS = {
    "people_action": "summary",
    "sales_fact": "amount_kopecks",
    "receipts_obligation": "amount_kopecks",
    "receipts_receipt": "document",
    "receipts_receiptevent": "mac",
    "receipts_fiscalrecord": "fd",
    "receipts_receiptstate": "obligation_id",
    "receipts_incident": "text",
    "delivery_attempt": "body",
    "delivery_absence": "attempt_number",
    "delivery_sighting": "provider_ref",
    "delivery_callback": "verdict",
}


@pytest.fixture(autouse=True)
def _rows() -> None:
    """A row in each of the frozen tables."""
    factories.pay(
        factories.invoice(
            factories.customer(factories.register(factories.region("msk", factories.organization())).region)
        )
    )
    delivering.through_to_fiscalized()
    notify(Receipt.objects.get().account, external_id=str(Receipt.objects.get().uuid))
    incident_open(receipt_id=Receipt.objects.get().pk, code=FIGURES, text="Не тот итог")
    Absence.objects.create(
        receipt=Receipt.objects.get(), key_number=1, attempt_number=1, found_by="test", text="нет", found_at=now()
    )
    sighted(receipt_id=Receipt.objects.get().pk, key_number=1, provider_ref="501")
    action_log(actor=None, kind="test", summary="as it was")


def rows(table: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        found: list[tuple[object, ...]] = [
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
            for row in cursor.fetchall()
        ]
    assert found
    return found


def refused(statement: str) -> None:
    with pytest.raises(DatabaseError, match=r"append-only|frozen"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_every_trigger_is_there() -> None:
    assert immutability.missing() == []


def test_every_frozen_table_is_tried_here() -> None:
    assert set(COLUMNS) == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_no_frozen_column_is_updated(table: str) -> None:
    before = rows(table)

    refused(f"UPDATE {table} SET {COLUMNS[table]} = {COLUMNS[table]}")

    assert rows(table) == before


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_deleted(table: str) -> None:
    before = rows(table)

    refused(f"DELETE FROM {table}")

    assert rows(table) == before


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_replaced_on_sqlite(table: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    before = rows(table)

    refused(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")

    assert rows(table) == before


def test_no_row_is_replaced_through_another_unique_column() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's")
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, "receipts_receipt")]
    others = ", ".join("id + 1000" if name == "id" else name for name in columns)

    refused(f"INSERT OR REPLACE INTO receipts_receipt ({', '.join(columns)}) SELECT {others} FROM receipts_receipt")


@pytest.mark.parametrize("table", TABLES)
def test_no_table_is_truncated_on_postgresql(table: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("TRUNCATE is PostgreSQL's")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    before = rows(table)

    refused(f"TRUNCATE {table} CASCADE")

    assert rows(table) == before


def test_the_orm_meets_the_same_refusal() -> None:
    for row in (Receipt.objects.get(), Attempt.objects.first(), Callback.objects.get(), Action.objects.first()):
        assert row is not None
        with pytest.raises(DatabaseError), transaction.atomic():
            row.delete()


def test_an_attempt_is_answered_once() -> None:
    refused("UPDATE delivery_attempt SET outcome = 'refused'")
    refused("UPDATE delivery_attempt SET answer = ''")
    refused("UPDATE delivery_attempt SET answered_at = NULL")


@pytest.mark.parametrize("column", immutability.INVOICE_CONTENT)
def test_an_invoice_with_a_fact_keeps_its_content(column: str) -> None:
    refused(f"UPDATE sales_invoice SET {column} = {column}")


def test_an_invoice_without_a_fact_may_still_change() -> None:
    Invoice.objects.all()
    other = factories.invoice(factories.customer(Receipt.objects.get().customer.region))

    assert Invoice.objects.filter(pk=other.pk).update(number="2") == 1


def test_what_may_change_of_a_state_still_may() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE receipts_receiptstate SET polls = polls + 1, due_ms = NULL")


@pytest.mark.parametrize("name", ["frozen_sales_fact_delete", "frozen_sales_invoice_content"])
def test_a_dropped_trigger_is_missed_and_made_anew(name: str) -> None:
    table = "sales_invoice" if "invoice" in name else "sales_fact"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))

    assert immutability.missing() == [name]

    immutability.reinstall()
    assert immutability.missing() == []


def test_a_disabled_trigger_is_missed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite cannot disable a trigger")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE sales_fact DISABLE TRIGGER frozen_sales_fact_delete")

    assert immutability.missing() == ["frozen_sales_fact_delete"]


@pytest.fixture
def _rebuilt() -> Iterator[None]:
    yield
    immutability.remove()
    immutability.reinstall()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_rebuilt")
def test_a_table_that_a_migration_rebuilds_gets_its_triggers_back() -> None:
    from django.apps import apps
    from django.db.models.signals import post_migrate

    event = apps.get_model("receipts", "ReceiptEvent")
    field = models.CharField(max_length=10, default="")
    field.set_attributes_from_name("throwaway")
    field.model = event
    with connection.schema_editor() as editor:
        editor.add_field(event, field)
    try:
        if connection.vendor == "sqlite":
            with connection.schema_editor() as editor:
                changed = models.CharField(max_length=20, null=True)
                changed.set_attributes_from_name("throwaway")
                changed.model = event
                editor.alter_field(event, field, changed, strict=False)
            assert immutability.missing(), "a rebuilt table has lost its triggers"
        for config in apps.get_app_configs():
            post_migrate.send(
                sender=config, app_config=config, verbosity=0, interactive=False, using="default",
                plan=[], apps=apps,
            )  # fmt: skip

        assert immutability.missing() == []
        refused("DELETE FROM receipts_receiptevent")
        refused("UPDATE receipts_receiptevent SET throwaway = 'x'")
    finally:
        immutability.remove()
        with connection.schema_editor() as editor:
            editor.remove_field(event, field)
