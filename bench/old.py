"""Years of old receipts, fast: clones of sales that the application itself recorded and delivered.

`python -m bench.old '{"count": 1000000}'` works in the installation of its environment, which must have a shop and one
fiscalized receipt. Every clone is a whole sale: invoice, fact, obligation, receipt, state, chained events, attempt with
its bytes and answer, fiscal record; a customer has twenty. One in 200
was cancelled and formed anew, a few failed, a few were cancelled and wait for a person, and some payments have no
register. Whatever columns a table has, they are those of the sale that is cloned. Triggers, constraints and indexes
stay; on PostgreSQL the foreign keys are not checked row by row while loading but for all rows afterwards.
"""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import pickle
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chekhov.config.settings")
import django

django.setup()

import psycopg  # noqa: E402 -- Django first
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from bench.clones import TABLES, Press, Template  # noqa: E402
from bench.house import BenchError  # noqa: E402
from bench.keeper import bare  # noqa: E402
from chekhov.config import immutability  # noqa: E402
from chekhov.receipts import writer  # noqa: E402

YEARS_SECONDS = 2 * 365 * 86_400
CHUNK = 5_000
CHUNKS_A_COMMIT = 20
A_CUSTOMER = 20  # receipts
WITHOUT_RECEIPT = 150
OLD_FN = "9999078800000001"
_OF_A_RECEIPT = {
    "sales_customer": "id = (SELECT customer_id FROM receipts_receipt WHERE id = {0})",
    "sales_invoice": "id = (SELECT invoice_id FROM receipts_receipt WHERE id = {0})",
    "sales_fact": "id = (SELECT fact_id FROM receipts_obligation o JOIN receipts_receipt r ON r.obligation_id = o.id "
    "WHERE r.id = {0})",
    "receipts_obligation": "id = (SELECT obligation_id FROM receipts_receipt WHERE id = {0})",
    "receipts_receipt": "id = {0}",
    "receipts_receiptstate": "receipt_id = {0}",
    "receipts_receiptevent": "receipt_id = {0} AND number = 1",
    "delivery_attempt": "receipt_id = {0} AND number = 1",
    "receipts_fiscalrecord": "receipt_id = {0}",
}


def _templates() -> dict[str, Template]:
    """The newest fiscalized sale of the installation."""
    cursor = connection.cursor()
    cursor.execute("SELECT receipt_id FROM receipts_fiscalrecord ORDER BY receipt_id DESC LIMIT 1")
    found = cursor.fetchone()
    if found is None:
        raise BenchError("there is no fiscalized receipt to clone")
    templates = {}
    for table in TABLES:
        with connection.cursor() as reading:
            described = connection.introspection.get_table_description(reading, table)
            columns = tuple(column.name for column in described)
            cast = "::text" if connection.vendor == "postgresql" else ""
            where = _OF_A_RECEIPT[table].format(int(found[0]))
            reading.execute(f"SELECT {', '.join(f'{name}{cast}' for name in columns)} FROM {table} WHERE {where}")
            templates[table] = Template(table, columns, dict(zip(columns, reading.fetchone(), strict=True)))
    templates["receipts_fiscalrecord"].values["fn"] = OLD_FN  # the provider of the bench numbers from 1 in its own
    return templates


def _first_ids() -> dict[str, int]:
    cursor = connection.cursor()
    found = {}
    for table in TABLES:
        if table not in {"receipts_receiptstate", "receipts_fiscalrecord"}:
            cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")
            found[table] = int(cursor.fetchone()[0])
    return found


def _sqlite_writer(templates: dict[str, Template]) -> Iterator[Callable[[str, list[tuple[Any, ...]]], None]]:
    """Rows go in with triggers and foreign keys on; nothing but this file's durability is given up while loading."""
    base = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None)
    # temp_store: a statement whose triggers may refuse has a journal of its own
    for pragma in ("foreign_keys=ON", "synchronous=OFF", "cache_size=-1500000", "temp_store=MEMORY"):
        base.execute(f"PRAGMA {pragma}")
    statements = {table: template.insert() for table, template in templates.items()}
    base.execute("BEGIN IMMEDIATE")
    chunks = itertools.count(1)

    def write(table: str, rows: list[tuple[Any, ...]]) -> None:
        base.executemany(statements[table], rows)
        # random keys dirty every page of their indexes: each commit writes all of them
        if table == TABLES[-1] and next(chunks) % CHUNKS_A_COMMIT == 0:
            base.execute("COMMIT")
            base.execute("BEGIN IMMEDIATE")

    yield write
    base.execute("COMMIT")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()


def _postgresql_writer(templates: dict[str, Template]) -> Iterator[Callable[[str, list[tuple[Any, ...]]], None]]:
    """Rows go in by COPY, whose foreign keys `_dangling` looks at afterwards."""
    copies = {table: template.copy() for table, template in templates.items()}
    base = psycopg.connect(os.environ["CHEKHOV_DATABASE_URL"], autocommit=True)
    base.execute("SET session_replication_role = replica")
    base.execute("SET synchronous_commit = off")

    def write(table: str, rows: list[tuple[Any, ...]]) -> None:
        sql, line = copies[table]
        with base.cursor().copy(sql) as copy:
            copy.write("".join([line % row for row in rows]))

    yield write
    base.execute("SET session_replication_role = origin")
    for table in TABLES:
        if "id" in templates[table].columns:
            base.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    base.execute("VACUUM ANALYZE")
    base.close()


def _dangling() -> list[str]:
    """Foreign keys of the loaded tables that lead nowhere."""
    cursor = connection.cursor()
    found = []
    for table in TABLES[1:]:
        constraints = connection.introspection.get_constraints(cursor, table).values()
        for constraint in constraints:
            if not constraint["foreign_key"]:
                continue
            column, (parent, key) = constraint["columns"][0], constraint["foreign_key"]
            cursor.execute(
                f"SELECT 1 FROM {table} c LEFT JOIN {parent} p ON p.{key} = c.{column} "
                f"WHERE c.{column} IS NOT NULL AND p.{key} IS NULL LIMIT 1"
            )
            if cursor.fetchone():
                found.append(f"{table}.{column}")
    return found


def _made_ahead(press: Press, customers: int, count: int, since: int, zone: str) -> Iterator[tuple[str, list[Any]]]:
    """The rows, made by a process of its own while this one writes those before."""
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)
    maker = fork.Process(target=_make, args=(press, customers, count, since, zone, sending), daemon=True)
    maker.start()
    sending.close()
    while (item := pickle.loads(receiving.recv_bytes())) is not None:
        yield item
    maker.join()


def _make(press: Press, customers: int, count: int, since: int, zone: str, sending: Connection) -> None:
    gc.disable()  # millions of tuples and no cycles

    def send(item: object) -> None:
        sending.send_bytes(pickle.dumps(item, protocol=5))

    born = time.strftime("%Y-%m-%d %H:%M:%S.000001", time.gmtime(since)) + zone
    for start in range(0, customers, CHUNK):
        send((TABLES[0], press.buyers(start, min(start + CHUNK, customers), born)))
    step = (YEARS_SECONDS - 86_400) / count  # the newest old sale is a day old
    for start in range(0, count, CHUNK):
        for item in press.sales(range(start, min(start + CHUNK, count)), since, step).items():
            send(item)
    send(None)


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Load, check, tell how many and how fast."""
    count = int(spec["count"])
    bare(min(WITHOUT_RECEIPT, count))
    templates = _templates()
    customers = max(1, count // A_CUSTOMER)
    postgresql = connection.vendor == "postgresql"
    press = Press(templates, _first_ids(), customers, key=writer._chain_key(), postgresql=postgresql)
    connection.close()
    started, since = time.monotonic(), int(time.time()) - YEARS_SECONDS
    chunks = _made_ahead(press, customers, count, since, "+00" if postgresql else "")
    gate = (_postgresql_writer if postgresql else _sqlite_writer)(templates)
    write = next(gate)
    for table, rows in chunks:
        write(table, rows)
    next(gate, None)
    loaded = time.monotonic() - started
    if missing := immutability.missing():
        raise BenchError(f"triggers are missing after the load: {missing}")
    if connection.vendor == "postgresql" and (bad := _dangling()):
        raise BenchError(f"references that lead nowhere: {bad}")
    cursor = connection.cursor()
    cursor.execute("SELECT min(id), max(id) FROM receipts_receipt")
    low, high = cursor.fetchone()
    sample = {low + (high - low) * place // 40 for place in range(41)}
    if not all(writer.chain_is_whole(receipt) for receipt in sample):
        raise BenchError("a chain of events of the old receipts is not whole")
    return {"receipts": high - low + 1, "seconds": loaded, "checked_seconds": time.monotonic() - started - loaded}


if __name__ == "__main__":
    print(orjson.dumps(main(orjson.loads(sys.argv[1]))).decode())
