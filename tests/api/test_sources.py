"""A key sees its own source's objects and no others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chekhov.people.models import ApiKey
from chekhov.receipts.models import Receipt
from tests.api.conftest import Caller, buyer, invoice, payment


def test_two_sites_may_have_an_order_with_one_number(billed: Caller, other: Caller) -> None:
    other.made("customers/C-1", buyer(name="Другой"))
    other.made("invoices/A-1", invoice())
    billed.made("invoices/A-1/payments/P-1", payment())
    other.made("invoices/A-1/payments/P-1", payment())
    assert Receipt.objects.values("uuid").distinct().count() == 2
    assert billed.get("customers/C-1")[1]["name"] == "Иванова Анна"
    assert other.get("customers/C-1")[1]["name"] == "Другой"


def test_what_another_site_has_is_not_there(billed: Caller, other: Caller) -> None:
    paid = billed.made("invoices/A-1/payments/P-1", payment())
    billed.made("customers/C-1/topups/T-1", payment())
    receipt = paid["receipts"][0]["id"]
    for path in (
        "customers/C-1",
        "invoices/A-1",
        "invoices/A-1/payments/P-1",
        "customers/C-1/topups/T-1",
        f"receipts/{receipt}",
        f"receipts/{receipt}/events",
    ):
        assert billed.get(path)[0] == 200
        assert other.get(path)[0] == 404
    assert other.get("receipts")[1] == {"receipts": [], "next_cursor": None}
    assert other.get("receipts?invoice=A-1&customer=C-1")[1]["receipts"] == []
    assert other.put("invoices/A-1/payments/P-2", payment())[0] == 404
    assert other.put("customers/C-1/topups/T-2", payment())[0] == 404
    assert other.put("invoices/A-2", invoice())[1]["code"] == "unknown_customer"
    assert len(billed.get("receipts")[1]["receipts"]) == 2


def test_a_key_costs_one_read_and_one_write_a_day(api: Caller) -> None:
    assert ApiKey.objects.get().last_used_on is None
    api.get("regions")
    assert ApiKey.objects.get().last_used_on == datetime.now(UTC).date()
    with CaptureQueriesContext(connection) as queries:
        assert api.get("nothing")[0] == 404
        assert api.get("customers/none")[0] == 404
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "SELECT"]
    ApiKey.objects.update(last_used_on="2026-01-01")
    api.get("regions")
    assert ApiKey.objects.get().last_used_on == datetime.now(UTC).date()


def test_no_session_and_no_cookie(billed: Caller) -> None:
    answer = billed.raw("GET", "invoices/A-1")
    assert not answer.cookies
    assert "Vary" not in answer or "Cookie" not in answer["Vary"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case(api: Caller, scheme: str) -> None:
    assert Caller("").raw("GET", "regions", Authorization=f"{scheme} {api.key}").status_code == 200
