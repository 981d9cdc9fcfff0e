"""Batches: each item has its own answer, facts go together, and a wrong item holds back none."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from chekhov.api import writes
from chekhov.receipts.gathering import Gathering
from chekhov.receipts.models import Receipt
from chekhov.receipts.recording import facts_record
from chekhov.sales.models import Fact
from tests.api.conftest import LINES, Caller, buyer, everything, invoice, payment


def statuses(answers: list[dict[str, Any]]) -> list[int]:
    return [answer["status"] for answer in answers]


def test_a_whole_order_in_one_batch_is_answered_as_single_calls_would_be(api: Caller) -> None:
    items = [
        {"path": "customers/C-1", "body": buyer()},
        {"path": "/api/v1/invoices/A-1", "body": invoice()},
        {"path": "invoices/A-1/payments/P-1", "body": payment("100.00")},
        {"path": "/api/v1/invoices/A-1/payments/P-2", "body": payment("2000.00")},
        {"path": "/customers/C-1/topups/T-1", "body": payment("5.00")},
    ]
    status, answers = api("POST", "batch", items)
    assert (status, statuses(answers)) == (200, [201] * 5)
    assert [answer["path"] for answer in answers] == [item["path"] for item in items]
    assert answers[2]["body"] == api.get("invoices/A-1/payments/P-1")[1]
    assert answers[4]["body"] == api.get("customers/C-1/topups/T-1")[1]
    again = api("POST", "batch", items)[1]
    assert statuses(again) == [200] * 5
    assert [answer["body"] for answer in again[2:]] == [answer["body"] for answer in answers[2:]]
    assert Receipt.objects.count() == 3


def test_a_wrong_item_holds_back_none(billed: Caller) -> None:
    answers = billed(
        "POST",
        "batch",
        [
            {"path": "invoices/A-1/payments/1", "body": payment("100.00")},
            {"path": "invoices/A-1/payments/2", "body": payment(100)},
            {"path": "invoices/A-1/payments/3", "body": payment("99999.00")},
            {"path": "invoices/A-9/payments/4", "body": payment("1.00")},
            {"path": "invoices/A-1/payments/1", "body": payment("101.00")},
            {"path": "invoices/A-1/payments/1", "body": payment("100.00")},
            {"path": "customers/C-9", "body": buyer(region="mars")},
            {"path": "invoices/A-1", "body": invoice(lines=LINES[:1])},
            {"path": "invoices/A-1/payments/a%20b", "body": payment("1.00")},
            {"path": "invoices/A-1/payments/5", "body": payment("2000.00")},
        ],
    )[1]
    codes = [(answer["status"], answer["body"].get("code")) for answer in answers]
    assert codes == [
        (201, None),
        (422, "invalid"),
        (422, "overpaid"),
        (404, "invoice_not_found"),
        (409, "conflict"),
        (200, None),
        (422, "unknown_region"),
        (409, "conflict"),
        (422, "id"),
        (201, None),
    ]
    assert answers[1]["body"]["errors"][0] == {
        "path": "amount",
        "code": "money_number",
        "message": 'Деньги передают строкой, а не числом: "1250.00".',
    }
    assert billed.get("invoices/A-1")[1]["paid"] == "2100.00"
    assert Receipt.objects.count() == 2


@pytest.mark.parametrize(
    ("item", "status", "code"),
    [
        (1, 422, "invalid"),
        (None, 422, "invalid"),
        ([], 422, "invalid"),
        ({}, 422, "invalid"),
        ({"path": "customers/C-1"}, 422, "invalid"),
        ({"body": {}}, 422, "invalid"),
        ({"path": 7, "body": {}}, 422, "invalid"),
        ({"path": "x" * 601, "body": {}}, 422, "invalid"),
        ({"path": "customers/C-1", "body": buyer(), "method": "PUT"}, 422, "invalid"),
        ({"path": "", "body": {}}, 404, "route_not_found"),
        ({"path": "receipts", "body": {}}, 404, "route_not_found"),
        ({"path": "batch", "body": []}, 404, "route_not_found"),
        ({"path": "customers/C-1/payments/P-1", "body": payment()}, 404, "route_not_found"),
        ({"path": "invoices/A-1/refunds/R-1", "body": {}}, 404, "route_not_found"),
        ({"path": "invoices/A-1?x=1", "body": invoice()}, 404, "route_not_found"),
        ({"path": "../invoices/A-1", "body": invoice()}, 404, "route_not_found"),
        ({"path": "https://x.example/api/v1/invoices/A-1", "body": invoice()}, 404, "route_not_found"),
    ],
)
def test_an_item_of_the_wrong_kind(billed: Caller, item: Any, status: int, code: str) -> None:
    before = everything()
    answer = billed("POST", "batch", [item])[1][0]
    assert (answer["status"], answer["body"]["code"]) == (status, code)
    assert everything() == before


@pytest.mark.parametrize("body", [{}, "text", 1, None, {"items": []}])
def test_a_batch_that_is_no_list(api: Caller, body: Any) -> None:
    assert api.raw("POST", "batch", b"null" if body is None else b'{"a": 1}').status_code == 422
    status, problem = api("POST", "batch", {} if body is None else body)
    assert (status, problem["code"]) == (422, "invalid")


def test_a_hundred_and_not_one_more(billed: Caller) -> None:
    items = [{"path": f"invoices/A-1/payments/{number}", "body": payment("1.00")} for number in range(101)]
    before = everything()
    assert billed("POST", "batch", items)[0] == 422
    assert everything() == before
    assert statuses(billed("POST", "batch", items[:100])[1]) == [201] * 100
    assert billed("POST", "batch", [])[1] == []


def test_consecutive_facts_are_one_service_call(billed: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counted(**arguments: Any) -> Any:
        sizes.append(len(arguments["contents"]))
        return facts_record(**arguments)

    monkeypatch.setattr(writes, "gathering", Gathering(counted))
    facts = [{"path": f"invoices/A-1/payments/{number}", "body": payment("1.00")} for number in range(40)]
    with CaptureQueriesContext(connection) as queries:
        billed("POST", "batch", [*facts[:30], {"path": "customers/C-2", "body": buyer()}, *facts[30:]])
    assert sizes == [30, 10]
    assert len(queries) < 60


def test_a_fact_that_breaks_the_service_fails_alone(billed: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(**arguments: Any) -> Any:
        if any(content.id == "bad" for content in arguments["contents"]):
            raise RuntimeError("a fault of ours")
        return facts_record(**arguments)

    monkeypatch.setattr(writes, "gathering", Gathering(fragile))
    items = [{"path": f"invoices/A-1/payments/{name}", "body": payment("1.00")} for name in ("a", "bad", "b")]
    answers = billed("POST", "batch", items)[1]
    assert statuses(answers) == [201, 500, 201]
    assert answers[1]["body"]["code"] == "internal"
    assert set(Fact.objects.values_list("external_id", flat=True)) == {"a", "b"}


def test_where_the_database_goes_away_the_rest_is_to_be_repeated(
    billed: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def away(**arguments: Any) -> Any:
        calls.append(len(arguments["contents"]))
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(writes, "gathering", Gathering(away))
    facts = [{"path": f"invoices/A-1/payments/{name}", "body": payment("1.00")} for name in ("a", "b", "c")]
    later = {"path": "invoices/NEW/payments/1", "body": payment("1.00")}
    answers = billed("POST", "batch", [*facts, {"path": "customers/C-9", "body": buyer()}, later])[1]
    assert statuses(answers) == [503] * 3 + [201] + [503]
    assert calls == [3]  # neither one by one, nor what came after
    assert {answer["body"]["code"] for answer in answers if answer["status"] == 503} == {"unavailable"}
