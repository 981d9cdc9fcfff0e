"""A backup is restored and the shop sends its facts again: the same keys, the provider's tasks, no second document."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from chekhov.delivery.models import Attempt
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.sales.models import Customer, Invoice
from tests import factories
from tests.faults.conftest import Installation, _administer, _using
from tests.faults.truth import all_in, assert_books_agree, states

FISCALIZED = all_in(State.FISCALIZED)


def _program(name: str) -> str:
    """A program of the server's own version, as a person would use it."""
    version = connection.pg_version // 10000 if connection.vendor == "postgresql" else 0
    path = Path(f"/usr/lib/postgresql/{version}/bin/{name}")
    if not path.exists():
        pytest.skip(f"no {name} of PostgreSQL {version} here")
    return str(path)


def _address(name: str) -> list[str]:
    given = connections.databases["default"]
    return ["-h", given["HOST"], "-p", str(given["PORT"] or 5432), "-U", given["USER"], "-d", name]


@pytest.fixture
def backup(installation: Installation, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes a backup as docs/operations.md tells, restores it into another database at once; that database's name."""

    def sqlite() -> str:
        copy = str(tmp_path / "restored.sqlite3")
        with sqlite3.connect(connections.databases["default"]["NAME"]) as live, sqlite3.connect(copy) as kept:
            live.backup(kept)
        live.close()
        kept.close()
        return copy

    def postgresql() -> str:
        name, restored = (
            connections.databases["default"]["NAME"],
            f"{connections.databases['default']['NAME']}_restored",
        )
        file = str(tmp_path / "backup.dump")
        subprocess.run([_program("pg_dump"), *_address(name), "--format=custom", "--file", file], check=True)
        _administer(f'CREATE DATABASE "{restored}"')
        request.addfinalizer(lambda: _administer(f'DROP DATABASE IF EXISTS "{restored}" WITH (FORCE)'))
        subprocess.run([_program("pg_restore"), *_address(restored), "--exit-on-error", file], check=True)
        return restored

    return postgresql if connection.vendor == "postgresql" else sqlite


class Shop:
    """A shop that remembers what it said, word for word."""

    def __init__(self, buyer: Customer) -> None:
        self.buyer = buyer
        self._said: list[tuple[str, Any]] = []

    def say(self, id: str, again: Any = None) -> bool:
        """Tell an invoice and its payment; whether the payment was news."""
        line = factories.LineContent(name="Свеча зажигания", price="385.50", quantity="1")
        bill = Invoice.objects.filter(external_id=f"A-{id}").first() or factories.invoice(
            Customer.objects.get(external_id=self.buyer.external_id), line, external_id=f"A-{id}"
        )
        paid_at = again or bill.created_at
        self._said.append((id, paid_at))
        return factories.pay(bill, id=f"P-{id}", paid_at=paid_at).created

    def say_everything_again(self) -> dict[str, bool]:
        said, self._said = self._said, []
        return {id: self.say(id, paid_at) for id, paid_at in said}


def test_a_restored_backup_and_the_shops_facts_make_no_second_document(
    installation: Installation, backup: Callable[[], str]
) -> None:
    shop = Shop(factories.customer(installation.region))
    shop.say("printed-before")
    installation.deliver(FISCALIZED)
    installation.emulator.faults({"fault": "device_error", "count": 1})
    shop.say("failed-before-repaired-after")
    installation.deliver(lambda: states()["failed"] == 1)
    shop.say("queued-before-printed-after")

    restored = backup()

    shop.say("recorded-after")
    shop.say("recorded-and-printed-after")
    _retry_failed()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=5)
    uuids = dict(Receipt.objects.values_list("invoice__external_id", "uuid"))

    with _using(restored):
        assert Receipt.objects.count() == 3
        news = shop.say_everything_again()
        _retry_failed()
        installation.deliver(FISCALIZED)

        assert [id for id, is_news in news.items() if is_news] == ["recorded-after", "recorded-and-printed-after"]
        assert dict(Receipt.objects.values_list("invoice__external_id", "uuid")) == uuids, "the same keys"
        assert_books_agree(installation.emulator, facts=5)
        assert Attempt.objects.filter(receipt__invoice__external_id="A-recorded-after").count() == 1


def _retry_failed() -> None:
    from chekhov.delivery.requests import receipt_retry
    from chekhov.people.models import User

    person = User.objects.filter(username="petrova").first() or factories.user()
    for receipt in Receipt.objects.filter(status__state=State.FAILED):
        receipt_retry(receipt=receipt, actor=person)
