"""Every refusal has its code and leaves everything as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from chekhov.api.problems import CODES
from chekhov.people.models import ApiKey
from chekhov.people.services import apikey_revoke
from chekhov.receipts.gathering import Gathering
from tests.api.conftest import LINES, Caller, buyer, everything, invoice, payment

Refused = Callable[..., dict[str, Any]]
PAYMENT = "invoices/A-1/payments/P-1"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"region": "msk"}, ("name", "required")),
        (buyer(name=None), ("name", "type")),
        (buyer(name=1), ("name", "type")),
        (buyer(name=["Анна"]), ("name", "type")),
        (buyer(name=""), ("name", "name")),
        (buyer(name="  "), ("name", "name")),
        (buyer(name="я" * 201), ("name", "name")),
        (buyer(name="А\x00Б"), ("name", "text")),
        (buyer(email="anna"), ("email", "email")),
        (buyer(email="a" * 300 + "@example.com"), ("email", "email")),
        (buyer(phone="123"), ("phone", "phone")),
        (buyer(inn="1234567890"), ("inn", "inn")),
        (buyer(region=7), ("region", "type")),
        (buyer(region="m\x00k"), ("region", "text")),
        (buyer(regoin="msk"), ("regoin", "unknown_field")),
        ([], ("", "type")),
        ("text", ("", "type")),
        (None, ("", "required")),
    ],
)
def test_a_wrong_customer(api: Caller, refused: Refused, body: Any, fault: tuple[str, str]) -> None:
    refused(api, "PUT", "customers/C-1", body, 422, "invalid", fault)


def test_an_unknown_region(billed: Caller, refused: Refused) -> None:
    fault = ("region", "unknown_region")
    refused(billed, "PUT", "customers/C-2", buyer(region="mars"), 422, "unknown_region", fault)
    refused(billed, "PUT", "invoices/A-2", invoice(region="mars"), 422, "unknown_region", fault)


def line(**fields: Any) -> dict[str, Any]:
    return {**LINES[0], **fields}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (invoice(lines=[]), ("lines", "lines_count")),
        (invoice(lines=[line(id=str(number)) for number in range(101)]), ("lines", "lines_count")),
        (invoice(lines=None), ("lines", "type")),
        (invoice(lines={"0": line()}), ("lines", "type")),
        (invoice(lines=[None]), ("lines.0", "type")),
        (invoice(lines=["Фильтр"]), ("lines.0", "type")),
        ({"customer": "C-1"}, ("lines", "required")),
        (invoice(lines=[line(price=450)]), ("lines.0.price", "money_number")),
        (invoice(lines=[line(price=450.5)]), ("lines.0.price", "money_number")),
        (invoice(lines=[line(price=True)]), ("lines.0.price", "type")),
        (invoice(lines=[line(price="450.0001")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="-1")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="1e3")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="1,5")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="NaN")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="٤٥")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="99999999999")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(price="42949672.96")]), ("lines.0.price", "amount")),
        (invoice(lines=[line(quantity=1.5)]), ("lines.0.quantity", "quantity_number")),
        (invoice(lines=[line(quantity=True)]), ("lines.0.quantity", "type")),
        (invoice(lines=[line(quantity=0)]), ("lines.0.quantity", "quantity")),
        (invoice(lines=[line(quantity=-1)]), ("lines.0.quantity", "quantity")),
        (invoice(lines=[line(quantity=10**30)]), ("lines.0.quantity", "quantity_number")),
        (invoice(lines=[line(quantity="1.2345")]), ("lines.0.quantity", "quantity")),
        (invoice(lines=[line(quantity="100000")]), ("lines.0.quantity", "quantity")),
        (invoice(lines=[line(name="🔧🔧🔧")]), ("lines.0.name", "name_text")),
        (invoice(lines=[line(name="   ")]), ("lines.0.name", "name_text")),
        (invoice(lines=[line(name="\x1b[31m")]), ("lines.0.name", "text")),
        (invoice(lines=[line(vat="20")]), ("lines.0.vat", "choice")),
        (invoice(lines=[line(object="thing")]), ("lines.0.object", "choice")),
        (invoice(lines=[line(unit="бочка")]), ("lines.0.unit", "unit")),
        (invoice(lines=[line(marking={"group": "shoes"})]), ("lines.0.marking.group", "choice")),
        (invoice(lines=[line(marking={"code": "1"})]), ("lines.0.marking.code", "unknown_field")),
        (invoice(lines=[line(marking=True)]), ("lines.0.marking", "type")),
        (invoice(lines=[line(discountable="yes")]), ("lines.0.discountable", "type")),
        (invoice(lines=[line(id="1"), line(id="1")]), ("lines.1.id", "line_id")),
        (invoice(lines=[line(id="x" * 65)]), ("lines.0.id", "line_id")),
        (invoice(lines=[line(cost="1")]), ("lines.0.cost", "unknown_field")),
        (invoice(discount=10), ("discount", "money_number")),
        (invoice(discount="-10"), ("discount", "amount")),
        (invoice(discount=""), ("discount", "amount")),
        (invoice(number="9" * 61), ("number", "number")),
        (invoice(total="2100.00"), ("total", "unknown_field")),
        (invoice(customer=None), ("customer", "type")),
    ],
)
def test_a_wrong_invoice(billed: Caller, refused: Refused, body: Any, fault: tuple[str, str]) -> None:
    refused(billed, "PUT", "invoices/A-2", body, 422, "invalid", fault)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (invoice(customer="nobody"), "unknown_customer"),
        (invoice(customer="a/b?c"), "unknown_customer"),
        (invoice(organization="nobody"), "unknown_organization"),
        (invoice(discount="2100.00"), "total"),
        (invoice(discount="3000.00"), "total"),
        (invoice(lines=[line(price="0")]), "total"),
        (invoice(lines=[line(price="42949672.95", quantity="99999.999")]), "total"),
        (invoice(lines=[line(discountable=False)], discount="1"), "total"),
    ],
)
def test_an_invoice_that_cannot_be(billed: Caller, refused: Refused, body: Any, code: str) -> None:
    refused(billed, "PUT", "invoices/A-2", body, 422, code)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (payment(2100), ("amount", "money_number")),
        (payment(2100.0), ("amount", "money_number")),
        (payment(None), ("amount", "type")),
        (payment(means="bitcoin"), ("means", "choice")),
        (payment(means=None), ("means", "choice")),
        (payment(means=["card"]), ("means", "choice")),
        (payment(channel="site"), ("channel", "choice")),
        (payment(paid_at="2026-01-20"), ("paid_at", "instant")),
        (payment(paid_at="2026-01-20T10:15:00"), ("paid_at", "instant")),
        (payment(paid_at="2026-02-30T10:15:00Z"), ("paid_at", "instant")),
        (payment(paid_at="0001-01-01T00:00:00+14:00"), ("paid_at", "instant")),
        (payment(paid_at="9999-12-31T23:59:59-12:00"), ("paid_at", "instant")),
        (payment(paid_at=1768893300), ("paid_at", "instant")),
        (payment(paid_at=None), ("paid_at", "instant")),
        (payment(buyer_acts_for_business=1), ("buyer_acts_for_business", "type")),
        (payment(organization="parts"), ("organization", "unknown_field")),
        ({}, ("amount", "required")),
    ],
)
def test_a_wrong_payment(billed: Caller, refused: Refused, body: Any, fault: tuple[str, str]) -> None:
    refused(billed, "PUT", PAYMENT, body, 422, "invalid", fault)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (payment("0"), "amount"),
        (payment("-1"), "amount"),
        (payment("2100.0001"), "amount"),
        (payment("NaN"), "amount"),
        (payment("99999999999999999999"), "amount"),
        (payment(""), "amount"),
        (payment("2100.01"), "overpaid"),
        (payment(paid_at="2126-01-20T10:15:00+03:00"), "paid_at"),
        (payment(means="balance"), "means_unavailable"),
        (payment(means="cash"), "means_channel"),
        (payment(means="transfer", channel="counter"), "means_channel"),
    ],
)
def test_a_payment_that_cannot_be(billed: Caller, refused: Refused, body: Any, code: str) -> None:
    refused(billed, "PUT", PAYMENT, body, 422, code)


def test_parents_that_are_not_there(billed: Caller, refused: Refused) -> None:
    refused(billed, "PUT", "invoices/A-9/payments/P-1", payment(), 404, "invoice_not_found")
    refused(billed, "PUT", "customers/C-9/topups/T-1", payment(), 404, "customer_not_found")
    body = payment(organization="nobody")
    refused(billed, "PUT", "customers/C-1/topups/T-1", body, 422, "unknown_organization")


@pytest.mark.parametrize("wrong", ["a%20b", "%00", "x" * 101, "a%3Fb", "№1", "a'b"])
def test_an_id_of_the_wrong_kind(billed: Caller, refused: Refused, wrong: str) -> None:
    refused(billed, "PUT", f"customers/{wrong}", buyer(), 422, "id")
    refused(billed, "PUT", f"invoices/{wrong}", invoice(), 422, "id")
    refused(billed, "PUT", f"invoices/{wrong}/payments/P-1", payment(), 422, "id")
    refused(billed, "PUT", f"invoices/A-1/payments/{wrong}", payment(), 422, "id")
    refused(billed, "PUT", f"customers/{wrong}/topups/T-1", payment(), 422, "id")
    refused(billed, "GET", f"customers/{wrong}", None, 404, "customer_not_found")
    refused(billed, "GET", f"invoices/{wrong}", None, 404, "invoice_not_found")
    refused(billed, "GET", f"invoices/{wrong}/payments/P-1", None, 404, "payment_not_found")
    refused(billed, "GET", f"customers/C-1/topups/{wrong}", None, 404, "topup_not_found")


def test_things_that_are_not_there(api: Caller, refused: Refused) -> None:
    for path, code in (
        ("customers/C-9", "customer_not_found"),
        ("invoices/A-9", "invoice_not_found"),
        ("invoices/A-9/payments/P-1", "payment_not_found"),
        ("customers/C-9/topups/T-1", "topup_not_found"),
        ("receipts/0a8e1f3c-6a0b-5c0e-9f61-2f5d1f0f8f11", "receipt_not_found"),
        ("receipts/0a8e1f3c-6a0b-5c0e-9f61-2f5d1f0f8f11/events", "receipt_not_found"),
        ("nothing", "route_not_found"),
        ("invoices/A-1/handovers/H-1", "route_not_found"),
        ("/api/v2/invoices/A-1", "route_not_found"),
    ):
        refused(api, "GET", path, None, 404, code)
    refused(api, "GET", "receipts/17", None, 422, "invalid", ("receipt_id", "type"))


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"amount": NaN}',
        b'{"amount": "1", }',
        b'"\xff\xfe"',
        b'{"name": "\\ud800"}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", PAYMENT), ("PUT", "customers/C-1"), ("POST", "batch")])
def test_a_body_that_is_not_json(billed: Caller, method: str, path: str, body: bytes) -> None:
    before = everything()
    answer = billed.raw(method, path, body)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "malformed_json")
    assert everything() == before


def test_deep_json_within_the_parser_is_just_a_wrong_kind(billed: Caller, refused: Refused) -> None:
    deep: Any = "1"
    for _ in range(500):
        deep = [deep]
    refused(billed, "PUT", PAYMENT, payment(deep), 422, "invalid", ("amount", "type"))


def test_a_body_that_is_too_large(billed: Caller) -> None:
    for method, path in (("PUT", PAYMENT), ("POST", "batch")):
        answer = billed.raw(method, path, b" " * (2 * 1024 * 1024 + 1))
        assert (answer.status_code, json.loads(answer.content)["code"]) == (413, "too_large")


def test_a_method_that_is_not_there_is_told_which_are(api: Caller) -> None:
    for method, path, allowed in (
        ("DELETE", "customers/C-1", "GET, PUT"),
        ("POST", PAYMENT, "GET, PUT"),
        ("GET", "batch", "POST"),
        ("PUT", "receipts", "GET"),
    ):
        answer = api.raw(method, path)
        assert (answer.status_code, answer["Allow"]) == (405, allowed)
        assert json.loads(answer.content)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic dXNlcjpwYXNz", "bearer \u0442", "{key}"]
)
def test_a_call_without_a_good_key(billed: Caller, authorization: str) -> None:
    before = everything()
    stranger = Caller("")
    headers = {"Authorization": authorization.replace("{key}", billed.key)} if authorization else {}
    for method, path in (("PUT", PAYMENT), ("GET", "receipts"), ("POST", "batch"), ("GET", "regions")):
        answer = stranger.raw(method, path, json.dumps(payment()).encode(), **headers)
        assert (answer.status_code, json.loads(answer.content)["code"]) == (401, "unauthorized")
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert everything() == before


def test_a_revoked_key_opens_nothing(billed: Caller) -> None:
    apikey_revoke(key=ApiKey.objects.get())
    assert billed.get("invoices/A-1")[0] == 401
    assert billed.put(PAYMENT, payment())[0] == 401


def test_an_unexpected_error_tells_nothing_of_the_inside(
    billed: Caller, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_arguments: Any) -> Any:
        raise RuntimeError("SELECT secret FROM vault")

    monkeypatch.setattr("chekhov.api.writes.gathering", Gathering(broken))
    problem = refused(billed, "PUT", PAYMENT, payment(), 500, "internal")
    assert "secret" not in json.dumps(problem)


def test_a_database_that_is_away_is_unavailable(billed: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_arguments: Any) -> Any:
        raise OperationalError("database is locked")

    monkeypatch.setattr("chekhov.api.writes.gathering", Gathering(away))
    answer = billed.raw("PUT", PAYMENT, json.dumps(payment()).encode())
    assert (answer.status_code, json.loads(answer.content)["code"]) == (503, "unavailable")
    assert answer["Retry-After"]


def test_every_code_of_the_services_is_described() -> None:
    import re
    from pathlib import Path

    import chekhov

    root = Path(chekhov.__file__).parent
    text = "".join(
        (root / name).read_text() for name in ("sales/services.py", "sales/content.py", "receipts/recording.py")
    )
    raised = set(re.findall(r'(?:Invalid|NotFound|Conflict|refuse)\(\s*"(\w+)"', text))
    assert raised <= set(CODES), raised - set(CODES)
