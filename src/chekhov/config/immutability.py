"""What must never change, as triggers in the database itself, on SQLite and on PostgreSQL.

A trigger refuses UPDATE of frozen columns and every DELETE. Django drops a table's triggers when it rebuilds the table
on SQLite, so they are all made anew after every migration. `INSERT OR REPLACE` is refused as well (a trigger on INSERT
and `recursive_triggers`), and TRUNCATE on PostgreSQL. Whoever must erase data erases the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Frozen:
    """A table whose rows stay. `may_change` lists the columns that may; `once` is set a single time, from NULL."""

    table: str
    may_change: tuple[str, ...] = ()
    once: str = ""


TABLES = (
    Frozen("people_action"),
    Frozen("sales_fact"),
    Frozen("receipts_obligation"),
    Frozen("receipts_receipt"),
    Frozen("receipts_receiptevent"),
    Frozen("receipts_fiscalrecord"),
    Frozen("delivery_sighting", may_change=("answered_at", "answer"), once="answered_at"),
    Frozen("receipts_incident", may_change=("closed_at", "closed_by", "note"), once="closed_at"),
    Frozen(
        "receipts_receiptstate",
        may_change=(
            "account_id",
            "queue",
            "late_choice",
            "state",
            "version",
            "head",
            "key_number",
            "due_ms",
            "lease_owner",
            "lease_until_ms",
            "polls",
            "words",
            "provider_ref",
            "wanted",
            "wanted_by",
            "error_code",
            "error_text",
            "changed_at",
        ),
    ),
    Frozen(
        "delivery_attempt",
        may_change=("answered_at", "outcome", "status", "answer", "error_code", "error_text"),
        once="answered_at",
    ),
    Frozen("delivery_absence"),
    Frozen("delivery_callback"),
)
INVOICE_CONTENT = (
    "lines",
    "discount_kopecks",
    "total_kopecks",
    "customer_id",
    "organization_id",
    "region_id",
    "number",
)


def names() -> list[str]:
    """The triggers that must exist in this database."""
    kinds = ("update", "delete", "truncate") if connection.vendor == "postgresql" else ("update", "delete", "replace")
    found = [f"frozen_{frozen.table}_{kind}" for frozen in TABLES for kind in kinds]
    found += [f"frozen_{frozen.table}_once" for frozen in TABLES if frozen.once]
    return sorted([*found, "frozen_sales_invoice_content"])


def missing() -> list[str]:
    """The triggers that should exist and do not; empty when the database keeps its promises."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        present = {row[0] for row in cursor.fetchall()}
    return [name for name in names() if name not in present]


def reinstall(sender: Any = None, **_options: Any) -> None:
    """Make every trigger anew. Called after each migration; the receiver of `post_migrate`."""
    if sender is not None and getattr(sender, "label", "") != "delivery":
        return  # once is enough: Django says it for every app
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for frozen in TABLES:
            if frozen.table in tables:
                columns = [
                    column.name for column in connection.introspection.get_table_description(cursor, frozen.table)
                ]
                for statement in _statements(frozen, [name for name in columns if name not in frozen.may_change]):
                    cursor.execute(statement)
        if {"sales_invoice", "sales_fact"} <= tables:
            for statement in _invoice_statements():
                cursor.execute(statement)


def remove() -> None:
    """Drop every trigger: for test suites that empty their tables between tests."""
    with connection.cursor() as cursor:
        for name in names():
            if connection.vendor == "postgresql":
                table = next(
                    (item.table for item in TABLES if name.startswith(f"frozen_{item.table}_")), "sales_invoice"
                )
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


def _statements(frozen: Frozen, columns: list[str]) -> list[str]:
    table, words = frozen.table, f"{frozen.table} is append-only"
    update, delete = f"frozen_{table}_update", f"frozen_{table}_delete"
    if connection.vendor == "postgresql":
        truncate = f"frozen_{table}_truncate"
        rows = [
            _POSTGRESQL_FUNCTION,
            f"DROP TRIGGER IF EXISTS {update} ON {table}",
            f"CREATE TRIGGER {update} BEFORE UPDATE OF {', '.join(columns)} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION chekhov_refuse()",
            f"DROP TRIGGER IF EXISTS {delete} ON {table}",
            f"CREATE TRIGGER {delete} BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION chekhov_refuse()",
            f"DROP TRIGGER IF EXISTS {truncate} ON {table}",
            f"CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION chekhov_refuse()",
        ]
        if frozen.once:
            rows += [
                f"DROP TRIGGER IF EXISTS frozen_{table}_once ON {table}",
                f"CREATE TRIGGER frozen_{table}_once BEFORE UPDATE ON {table} FOR EACH ROW "
                f"WHEN (OLD.{frozen.once} IS NOT NULL) EXECUTE FUNCTION chekhov_refuse()",
            ]
        return rows
    replace, key = f"frozen_{table}_replace", columns[0]
    refuse = f"SELECT RAISE(ABORT, '{words}')"
    rows = [
        f"DROP TRIGGER IF EXISTS {update}",
        f"CREATE TRIGGER {update} BEFORE UPDATE OF {', '.join(columns)} ON {table} BEGIN {refuse}; END",
        f"DROP TRIGGER IF EXISTS {delete}",
        f"CREATE TRIGGER {delete} BEFORE DELETE ON {table} BEGIN {refuse}; END",
        f"DROP TRIGGER IF EXISTS {replace}",
        f"CREATE TRIGGER {replace} BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) BEGIN {refuse}; END",
    ]
    if frozen.once:
        rows += [
            f"DROP TRIGGER IF EXISTS frozen_{table}_once",
            f"CREATE TRIGGER frozen_{table}_once BEFORE UPDATE ON {table} "
            f"WHEN OLD.{frozen.once} IS NOT NULL BEGIN {refuse}; END",
        ]
    return rows


def _invoice_statements() -> list[str]:
    name, columns = "frozen_sales_invoice_content", ", ".join(INVOICE_CONTENT)
    if connection.vendor == "postgresql":
        return [
            "CREATE OR REPLACE FUNCTION chekhov_refuse_invoice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF EXISTS (SELECT 1 FROM sales_fact WHERE invoice_id = OLD.id) THEN "
            "RAISE EXCEPTION 'an invoice with facts is frozen' USING ERRCODE = 'integrity_constraint_violation'; "
            "END IF; RETURN NEW; END $$",
            f"DROP TRIGGER IF EXISTS {name} ON sales_invoice",
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {columns} ON sales_invoice "
            "FOR EACH ROW EXECUTE FUNCTION chekhov_refuse_invoice()",
        ]
    return [
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} BEFORE UPDATE OF {columns} ON sales_invoice "
        "WHEN EXISTS (SELECT 1 FROM sales_fact WHERE invoice_id = OLD.id) "
        "BEGIN SELECT RAISE(ABORT, 'an invoice with facts is frozen'); END",
    ]


_POSTGRESQL_FUNCTION = (
    "CREATE OR REPLACE FUNCTION chekhov_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; "
    "END $$"
)
