"""Clients, invoices, payments and top-ups as a person at the counter makes them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from chekhov.receipts.models import Obligation, Receipt
from chekhov.sales.models import Customer, Fact, Invoice
from tests import factories
from tests.panel.conftest import Shop, text_of

BUYER = {"name": "Мария Сидорова", "region": "msk", "email": "Maria@Example.ru", "phone": "8 916 123-45-67", "inn": ""}


def line(number: int, **values: str) -> dict[str, str]:
    fields = {"name": "Фильтр масляный", "price": "1 250,50", "quantity": "2", "unit": "шт", "object": "product"}
    return {f"lines-{number}-{name}": value for name, value in {**fields, **values}.items()}


def test_a_client_is_made_and_changed(panel: Client, shop: Shop) -> None:
    panel.post(reverse("panel:customer_new"), BUYER)
    buyer = Customer.objects.get(name="Мария Сидорова")
    assert (buyer.email, buyer.phone, buyer.source.code) == ("Maria@example.ru", "+79161234567", "panel")

    response = panel.post(
        reverse("panel:customer_edit", args=[buyer.uuid]), {**BUYER, "name": "Мария Петрова"}, follow=True
    )

    buyer.refresh_from_db()
    assert buyer.name == "Мария Петрова"
    assert "Мария Петрова" in text_of(response)
    assert Customer.objects.count() == 1


def test_a_client_posted_twice_is_one_client(panel: Client, shop: Shop) -> None:
    form = panel.get(reverse("panel:customer_new")).context["form"]
    content = {**BUYER, "external_id": form["external_id"].value()}

    panel.post(reverse("panel:customer_new"), content)
    panel.post(reverse("panel:customer_new"), content)

    assert Customer.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"region": ""}, "region"),
        ({"region": "nowhere"}, "region"),
        ({"email": "не почта"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"inn": "7707083890"}, "inn"),
    ],
)
def test_a_wrong_client_is_refused_at_the_field(panel: Client, shop: Shop, values: dict[str, str], field: str) -> None:
    response = panel.post(reverse("panel:customer_new"), {**BUYER, **values})

    assert response.status_code == 422
    assert response.context["form"].errors[field]
    assert not Customer.objects.exists()


def test_an_invoice_is_made_with_its_lines(panel: Client, shop: Shop) -> None:
    buyer = factories.customer(shop.msk)
    content = {
        "customer": str(buyer.uuid),
        "number": "А-1042",
        "discount": "1,00",
        **line(0),
        **line(3, name="Доставка", price="350", quantity="1", object="service"),
        **line(7, name="", price="", quantity="1"),
    }

    response = panel.post(reverse("panel:invoice_new"), content, follow=True)

    bill = Invoice.objects.get()
    assert bill.total_kopecks == 2 * 125_050 + 35_000 - 100
    assert [row["name"] for row in bill.lines] == ["Фильтр масляный", "Доставка"]
    assert bill.source == buyer.source
    assert "Счёт А-1042" in text_of(response)
    assert "2 850,00 ₽" in text_of(response)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (line(0, price="сто"), "не читается"),
        (line(0, price="1.234"), "не читается"),
        (line(0, quantity="0"), "больше 0"),
        (line(0, name="😀😀😀"), "Название нельзя напечатать"),
        (line(0, object="magic"), "Выберите корректный вариант"),
        ({}, "от 1 до 100 позиций"),
        ({**line(0), "discount": "999999"}, "Сумма счёта после скидки"),
        ({**line(0), "number": ""}, "Обязательное поле."),
        (line(0, price="99999999"), "не больше 42949672.95"),
    ],
)
def test_a_wrong_invoice_shows_why_and_keeps_what_was_typed(
    panel: Client, shop: Shop, values: dict[str, str], words: str
) -> None:
    buyer = factories.customer(shop.msk)
    content = {"customer": str(buyer.uuid), "number": "А-1", "discount": "", **values}

    response = panel.post(reverse("panel:invoice_new"), content)

    assert response.status_code == 422
    assert words in text_of(response)
    assert not Invoice.objects.exists()
    if "lines-0-name" in values:
        assert f'value="{values["lines-0-name"]}"' in response.content.decode()


def test_an_invoice_posted_twice_is_one_invoice(panel: Client, shop: Shop) -> None:
    buyer = factories.customer(shop.msk)
    page = panel.get(reverse("panel:invoice_new") + f"?customer={buyer.uuid}")
    content = {"customer": str(buyer.uuid), "number": "А-1", "external_id": page.context["external_id"], **line(0)}

    panel.post(reverse("panel:invoice_new"), content)
    panel.post(reverse("panel:invoice_new"), content)

    assert Invoice.objects.count() == 1


def test_an_invoice_is_changed_until_it_is_paid(panel: Client, shop: Shop) -> None:
    bill = factories.invoice(factories.customer(shop.msk))
    address = reverse("panel:invoice_edit", args=[bill.uuid])
    page = panel.get(address)
    assert "Свеча зажигания" in page.content.decode()

    panel.post(address, {"number": "Б-2", "discount": "", **line(0, line_id="1")})
    bill.refresh_from_db()
    assert (bill.number, bill.total_kopecks) == ("Б-2", 250_100)

    factories.pay(bill)
    assert panel.get(address).status_code == 302
    assert "изменить его уже нельзя" in text_of(panel.get(reverse("panel:invoice", args=[bill.uuid])))


@pytest.mark.parametrize("text", ["А-10", "а-10", "иван", "buyer@example.ru", "8 (916) 000-11-22"])
def test_invoices_are_found_by_number_and_client(panel: Client, shop: Shop, text: str) -> None:
    buyer = factories.customer(shop.msk, phone="+79160001122")
    factories.invoice(buyer, number="А-1042")
    stranger = factories.customer(shop.msk, name="Пётр", email="other@example.ru")
    factories.invoice(stranger, number="В-7")

    text_shown = text_of(panel.get(reverse("panel:invoices"), {"q": text}))

    assert "А-1042" in text_shown
    assert "В-7" not in text_shown


@pytest.mark.parametrize("text", ["%", "'; drop table", "\\", "٣", "\U0010ffff", "я" * 300, "0" * 50])
@pytest.mark.parametrize("name", ["invoices", "customers", "receipts", "invoice_new"])
def test_any_search_text_is_survived(panel: Client, shop: Shop, name: str, text: str) -> None:
    assert panel.get(reverse(f"panel:{name}"), {"q": text}).status_code == 200


def payment(page: Any, **values: str) -> dict[str, str]:
    form = page.context["form"]
    return {"fact": str(form["fact"].value()), "amount": form["amount"].value() or "", "means": "cash", **values}


def test_marking_an_invoice_paid_leads_to_its_receipt(panel: Client, shop: Shop) -> None:
    bill = factories.invoice(factories.customer(shop.msk))
    address = reverse("panel:invoice_pay", args=[bill.uuid])
    page = panel.get(address)
    assert page.context["form"]["amount"].value() == "1892,00"

    response = panel.post(address, payment(page))

    obligation = Obligation.objects.get(invoice=bill)
    assert response["Location"] == reverse("panel:composer", args=[obligation.uuid])
    fact = Fact.objects.get()
    assert (fact.amount_kopecks, fact.means, fact.channel, fact.actor) == (189_200, "cash", "counter", "user:petrova")


def test_the_same_form_posted_twice_records_one_payment(panel: Client, shop: Shop) -> None:
    bill = factories.invoice(factories.customer(shop.msk))
    address = reverse("panel:invoice_pay", args=[bill.uuid])
    content = payment(panel.get(address), amount="500")

    first, second = panel.post(address, content), panel.post(address, content)

    assert first["Location"] == second["Location"]
    assert Fact.objects.count() == 1
    changed = panel.post(address, {**content, "amount": "600"})
    assert changed.status_code == 422
    assert "уже записан с другим содержанием" in text_of(changed)
    assert Fact.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"amount": "1892,01"}, "осталось заплатить 1 892,00"),
        ({"amount": "0"}, "больше 0"),
        ({"amount": "-5"}, "не читается"),
        ({"amount": ""}, "Обязательное поле."),
        ({"means": "balance"}, "Выберите корректный вариант"),
        ({"means": ""}, "Обязательное поле."),
    ],
)
@pytest.mark.usefixtures("rows_unchanged")
def test_a_wrong_payment_is_refused_and_nothing_is_recorded(
    panel: Client, shop: Shop, values: dict[str, str], words: str
) -> None:
    bill = factories.invoice(factories.customer(shop.msk))
    address = reverse("panel:invoice_pay", args=[bill.uuid])

    response = panel.post(address, payment(panel.get(address), **values))

    assert response.status_code == 422
    assert words in text_of(response)


def test_a_forged_payment_id_is_refused(panel: Client, shop: Shop) -> None:
    bill = factories.invoice(factories.customer(shop.msk))

    response = panel.post(
        reverse("panel:invoice_pay", args=[bill.uuid]), {"fact": "../../x", "amount": "1", "means": "cash"}
    )

    assert response.status_code == 422
    assert not Fact.objects.exists()


def test_a_balance_is_topped_up_at_the_counter(panel: Client, shop: Shop) -> None:
    buyer = factories.customer(shop.msk)
    address = reverse("panel:customer_topup", args=[buyer.uuid])

    response = panel.post(address, {"fact": str(uuid4()), "amount": "10 000", "means": "card"}, follow=True)

    fact = Fact.objects.get()
    assert (fact.kind, fact.amount_kopecks) == ("topup", 1_000_000)
    assert "Пополнение баланса" in text_of(response)
    assert "10 000,00" in text_of(panel.get(reverse("panel:topups")))
    assert not Receipt.objects.exists()


def test_the_clients_card_shows_what_he_has(panel: Client, shop: Shop) -> None:
    receipt = shop.receipt()
    factories.topup(receipt.customer)

    text = text_of(panel.get(reverse("panel:customer", args=[receipt.customer.uuid])))

    assert receipt.invoice is not None
    assert receipt.invoice.number in text
    assert "В очереди" in text
    assert "Пополнения" in text


def test_long_lists_go_on_without_counting(panel: Client, shop: Shop, django_assert_max_num_queries: Any) -> None:
    buyer = factories.customer(shop.msk)
    for number in range(55):
        factories.invoice(buyer, number=f"Н-{number:03}")

    with django_assert_max_num_queries(8) as captured:
        first = panel.get(reverse("panel:invoices"))
    assert not any("COUNT(*)" in query["sql"] and "sales_invoice" in query["sql"] for query in captured)
    assert "Н-054" in text_of(first)
    assert "Н-004" not in text_of(first)

    second = panel.get(reverse("panel:invoices") + "?" + first.context["slice"].next_query)
    assert "Н-004" in text_of(second)
    assert "К началу списка" in text_of(second)
