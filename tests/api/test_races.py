"""Callers that race: what is owed is never paid twice, and one id never means two things."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection

from chekhov.receipts.models import Obligation, Receipt
from chekhov.sales.models import Customer, Fact, Invoice
from tests.api.conftest import Caller, buyer, caller_make, invoice, payment, shop_make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api() -> Caller:
    shop_make()
    caller = caller_make()
    caller.made("customers/C-1", buyer())
    caller.made("invoices/A-1", invoice())
    return caller


def at_once(api: Caller, calls: list[tuple[str, Any]]) -> list[int]:
    """The statuses of PUTs made at one moment, each by its own thread and connection."""
    barrier = threading.Barrier(len(calls))
    statuses = [0] * len(calls)

    def call(index: int, path: str, body: Any) -> None:
        try:
            caller = Caller(api.key)
            barrier.wait(10)
            for _ in range(50):  # as the guide says: after 503 repeat the same request
                statuses[index] = caller.put(path, body)[0]
                if statuses[index] != 503:
                    break
                time.sleep(0.02)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(index, *item)) for index, item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


@pytest.mark.parametrize(
    ("calls", "expected", "facts"),
    [
        ([(f"invoices/A-1/payments/{number}", payment("2100.00")) for number in range(4)], [201, 422, 422, 422], 1),
        ([(f"invoices/A-1/payments/{number}", payment("1000.00")) for number in range(4)], [201, 201, 422, 422], 2),
        ([("invoices/A-1/payments/1", payment("2100.00"))] * 4, [200, 200, 200, 201], 1),
        ([("invoices/A-1/payments/1", payment(f"{number}.00")) for number in range(1, 5)], [201, 409, 409, 409], 1),
        ([("customers/C-1/topups/1", payment("5.00"))] * 4, [200, 200, 200, 201], 1),
    ],
    ids=["whole", "parts", "one fact", "one id", "one topup"],
)
def test_payments_at_once(api: Caller, calls: list[tuple[str, Any]], expected: list[int], facts: int) -> None:
    assert sorted(at_once(api, calls)) == expected
    counts = [model._default_manager.count() for model in (Fact, Obligation, Receipt)]
    assert counts == [facts] * 3
    paid = sum(fact.amount_kopecks for fact in Fact.objects.filter(invoice__isnull=False))
    assert Invoice.objects.get(external_id="A-1").paid_kopecks == paid <= 210000


def test_customers_and_invoices_at_once(api: Caller) -> None:
    assert sorted(at_once(api, [("customers/C-2", buyer())] * 4)) == [200, 200, 200, 201]
    assert sorted(at_once(api, [("invoices/A-2", invoice())] * 4)) == [200, 200, 200, 201]
    assert (Customer.objects.count(), Invoice.objects.count()) == (2, 2)


def test_an_invoice_changed_while_it_is_paid_keeps_what_was_paid_for(api: Caller) -> None:
    cheaper = invoice(lines=invoice()["lines"][:1])
    at_once(api, [("invoices/A-1/payments/1", payment("2100.00")), ("invoices/A-1", cheaper)])
    row = Invoice.objects.get(external_id="A-1")
    facts = list(Fact.objects.values_list("amount_kopecks", flat=True))
    assert (row.total_kopecks, facts) in [(210000, [210000]), (90000, [])]
