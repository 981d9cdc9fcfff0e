"""Customers, invoices, payments, top-ups: first time, again, and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chekhov.receipts.models import Obligation, Receipt
from chekhov.sales.models import Customer, Fact, Invoice
from tests import factories
from tests.api.conftest import LINES, Caller, buyer, invoice, payment

Refused = Callable[..., dict[str, Any]]


def test_a_customer_is_created_then_replaced(api: Caller) -> None:
    assert api.put("customers/C-1", buyer(phone="8 (900) 123-45-67")) == (
        201,
        {
            "id": "C-1",
            "name": "Иванова Анна",
            "email": "anna@example.com",
            "phone": "+79001234567",
            "inn": None,
            "region": "msk",
        },
    )
    assert api.put("customers/C-1", buyer())[0] == 200
    status, answer = api.put("customers/C-1", buyer(name="Петрова Анна", region="spb"))
    assert (status, answer["name"], answer["region"], answer["phone"]) == (200, "Петрова Анна", "spb", None)
    assert api.get("customers/C-1") == (200, answer)
    assert Customer.objects.count() == 1


def test_null_means_not_given(api: Caller) -> None:
    assert api.made("customers/C-1", buyer(phone=None, inn=None))["phone"] is None
    api.made("invoices/A-1", invoice(region=None, organization=None, number=None, discount=None))
    line = {**LINES[0], "vat": None, "object": None, "unit": None, "marking": None, "discountable": None, "id": None}
    api.made("invoices/A-2", invoice(lines=[line]))
    api.made("invoices/A-1/payments/P-1", payment(buyer_acts_for_business=None))
    api.made("customers/C-1/topups/T-1", payment(organization=None))


def test_an_invoice_is_answered_normalised(api: Caller) -> None:
    api.made("customers/C-1", buyer())
    lines = [
        {"name": "Масло  5W-40", "price": "1250.5", "quantity": 2, "unit": "л", "vat": "standard"},
        {"id": "x", "name": "Шина", "price": "4000", "quantity": "1.000", "marking": {"group": "tires"}},
        {"id": "y", "name": "Доставка", "price": "350", "quantity": "1", "object": "service", "discountable": False},
    ]
    answer = api.made("invoices/A-1", {"customer": "C-1", "number": " А-17 ", "discount": "1", "lines": lines})
    assert answer == {
        "id": "A-1",
        "number": "А-17",
        "customer": "C-1",
        "region": "msk",
        "organization": "parts",
        "discount": "1.00",
        "lines": [
            {
                "id": "1", "name": "Масло 5W-40", "price": "1250.50", "quantity": "2", "vat": "standard",
                "object": "product", "unit": "л", "marking": None, "discountable": True,
            },
            {
                "id": "x", "name": "Шина", "price": "4000.00", "quantity": "1", "vat": None,
                "object": "product", "unit": "шт", "marking": {"group": "tires"}, "discountable": True,
            },
            {
                "id": "y", "name": "Доставка", "price": "350.00", "quantity": "1", "vat": None,
                "object": "service", "unit": "шт", "marking": None, "discountable": False,
            },
        ],
        "total": "6850.00",
        "paid": "0.00",
        "payments": [],
    }  # fmt: skip
    assert api.get("invoices/A-1") == (200, answer)
    assert api.put("invoices/A-1", {"customer": "C-1", "number": "А-17", "discount": "1.00", "lines": lines}) == (
        200,
        answer,
    )


def test_an_invoice_without_payments_is_replaced(billed: Caller) -> None:
    status, answer = billed.put("invoices/A-1", invoice(lines=LINES[:1]))
    assert (status, answer["total"]) == (200, "900.00")
    assert Invoice.objects.count() == 1


def test_a_paid_invoice_stays_as_it_is(billed: Caller, refused: Refused) -> None:
    billed.made("invoices/A-1/payments/P-1", payment("100.00"))
    assert billed.put("invoices/A-1", invoice())[0] == 200
    refused(billed, "PUT", "invoices/A-1", invoice(lines=LINES[:1]), 409, "conflict")
    refused(billed, "PUT", "invoices/A-1", invoice(discount="1"), 409, "conflict")


def test_a_payment_makes_its_receipt_and_is_answered_again(billed: Caller) -> None:
    answer = billed.made("invoices/A-1/payments/P-1", payment())
    receipt = Receipt.objects.get()
    assert answer == {
        "id": "P-1",
        "invoice": "A-1",
        "amount": "2100.00",
        "means": "card",
        "channel": "online",
        "paid_at": "2026-01-20T07:15:00Z",
        "buyer_acts_for_business": False,
        "receipts": [
            {
                "id": str(receipt.uuid),
                "kind": "receipt",
                "state": "queued",
                "total": "2100.00",
                "register": str(receipt.register.uuid),
            }
        ],
        "missing": None,
        "not_required": None,
    }
    assert billed.put("invoices/A-1/payments/P-1", payment("2100")) == (200, answer)
    assert billed.put("invoices/A-1/payments/P-1", payment(paid_at="2026-01-20T07:15:00Z")) == (200, answer)
    assert billed.get("invoices/A-1/payments/P-1") == (200, answer)
    bill = billed.get("invoices/A-1")[1]
    assert (bill["paid"], bill["payments"]) == ("2100.00", [answer])
    assert (Fact.objects.count(), Receipt.objects.count()) == (1, 1)
    assert Fact.objects.get().actor == f"api:{billed.key[:10]}"


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": "2099.99"},
        {"means": "sbp"},
        {"channel": "remote"},
        {"paid_at": "2026-01-20T10:15:01+03:00"},
        {"buyer_acts_for_business": True},
    ],
)
def test_a_changed_repeat_of_a_payment_is_a_conflict(billed: Caller, refused: Refused, changed: dict[str, Any]) -> None:
    billed.made("invoices/A-1/payments/P-1", payment())
    refused(billed, "PUT", "invoices/A-1/payments/P-1", payment() | changed, 409, "conflict")


def test_a_topup_makes_its_receipt_and_is_answered_again(billed: Caller, refused: Refused) -> None:
    answer = billed.made("customers/C-1/topups/T-1", payment("500.00", means="sbp"))
    assert (answer["customer"], answer["organization"], len(answer["receipts"])) == ("C-1", "parts", 1)
    assert "invoice" not in answer
    assert billed.put("customers/C-1/topups/T-1", payment("500", means="sbp", organization=None)) == (200, answer)
    assert billed.get("customers/C-1/topups/T-1") == (200, answer)
    refused(billed, "PUT", "customers/C-1/topups/T-1", payment("500.01", means="sbp"), 409, "conflict")
    named = payment("500.00", means="sbp", organization="parts")  # what was said counts, not what it comes to
    refused(billed, "PUT", "customers/C-1/topups/T-1", named, 409, "conflict")


def test_two_invoices_may_have_payments_with_one_id(billed: Caller) -> None:
    billed.made("invoices/A-2", invoice())
    billed.made("invoices/A-1/payments/1", payment())
    billed.made("invoices/A-2/payments/1", payment())
    assert Receipt.objects.count() == 2


def test_parts_add_up_and_more_than_owed_is_refused(billed: Caller, refused: Refused) -> None:
    billed.made("invoices/A-1/payments/1", payment("2000.00"))
    refused(billed, "PUT", "invoices/A-1/payments/2", payment("100.01"), 422, "overpaid", ("amount", "overpaid"))
    billed.made("invoices/A-1/payments/2", payment("100.00"))
    refused(billed, "PUT", "invoices/A-1/payments/3", payment("0.01"), 422, "overpaid")
    assert billed.get("invoices/A-1")[1]["paid"] == "2100.00"


def test_a_customer_without_contact_is_missed_and_the_fact_kept(api: Caller) -> None:
    api.made("customers/C-1", {"name": "Аноним", "region": "msk"})
    api.made("invoices/A-1", invoice())
    answer = api.made("invoices/A-1/payments/P-1", payment())
    assert (answer["receipts"], answer["missing"]["code"]) == ([], "CONTACT")
    assert answer["missing"]["next_step"]
    assert api.put("invoices/A-1/payments/P-1", payment())[1]["missing"]["code"] == "CONTACT"
    assert (Fact.objects.count(), Obligation.objects.count(), Receipt.objects.count()) == (1, 1, 0)


def test_the_fallback_contact_of_the_organization_helps(db: Any) -> None:
    seller = factories.organization("parts", fallback_contact="receipts@parts.example.ru")
    factories.register(factories.region("msk", seller))
    from tests.api.conftest import caller_make

    api = caller_make()
    api.made("customers/C-1", {"name": "Аноним", "region": "msk"})
    api.made("invoices/A-1", invoice())
    answer = api.made("invoices/A-1/payments/P-1", payment())
    assert (len(answer["receipts"]), answer["missing"]) == (1, None)
    receipt = api.get(f"receipts/{answer['receipts'][0]['id']}")[1]
    assert receipt["document"]["buyer"]["email"] == "receipts@parts.example.ru"
    assert receipt["notices"]


@pytest.mark.parametrize(("region", "code"), [("spb", "register_inactive"), ("ekb", "no_register")])
def test_a_region_without_a_serving_register_keeps_the_fact_and_says_why(api: Caller, region: str, code: str) -> None:
    api.made("customers/C-1", buyer(region=region))
    api.made("invoices/A-1", invoice())
    answer = api.made("invoices/A-1/payments/P-1", payment())
    assert (answer["receipts"], answer["missing"]["code"]) == ([], code)
    assert (Fact.objects.count(), Receipt.objects.count()) == (1, 0)


def test_money_at_the_counter_waits_for_a_person(billed: Caller) -> None:
    answer = billed.made("invoices/A-1/payments/P-1", payment(means="cash", channel="counter"))
    assert answer["missing"]["code"] == "awaits_person"


def test_a_transfer_between_businesses_needs_no_receipt(api: Caller) -> None:
    api.made("customers/C-1", buyer(inn="7736050003"))
    api.made("invoices/A-1", invoice())
    body = payment(means="transfer", channel="remote", buyer_acts_for_business=True)
    answer = api.made("invoices/A-1/payments/P-1", body)
    assert (answer["receipts"], answer["missing"]) == ([], None)
    assert answer["not_required"]["detail"]


def test_a_hundred_lines_are_one_receipt(api: Caller) -> None:
    api.made("customers/C-1", buyer())
    lines = [{"name": f"Деталь {number}", "price": "1.01", "quantity": "1"} for number in range(100)]
    assert api.made("invoices/A-1", invoice(lines=lines))["total"] == "101.00"
    assert len(api.made("invoices/A-1/payments/P-1", payment("101.00"))["receipts"]) == 1


@pytest.mark.parametrize("quantity", [2, "2", "2.0", "2.000"])
def test_a_quantity_may_be_written_in_several_ways(api: Caller, quantity: Any) -> None:
    api.made("customers/C-1", buyer())
    answer = api.made("invoices/A-1", invoice(lines=[{**LINES[0], "quantity": quantity}]))
    assert answer["lines"][0]["quantity"] == "2"


@pytest.mark.parametrize(("written", "read"), [("1250", "1250.00"), ("1250.5", "1250.50"), ("1250.05", "1250.05")])
def test_money_may_be_written_short(api: Caller, written: str, read: str) -> None:
    api.made("customers/C-1", buyer())
    assert api.made("customers/C-1/topups/T-1", payment(written))["amount"] == read


def test_ids_may_be_of_letters_of_any_alphabet_and_some_signs(api: Caller) -> None:
    api.made("customers/Клиент.№1".replace("№", "~"), buyer())
    assert api.get("customers/%D0%9A%D0%BB%D0%B8%D0%B5%D0%BD%D1%82.~1")[0] == 200
