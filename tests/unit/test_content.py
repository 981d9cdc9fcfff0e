"""What a shop sends about customers and invoices: normalised, or refused with every fault and its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chekhov.errors import Invalid
from chekhov.fiscal.vocabulary import PaymentObject, Unit, VatClass
from chekhov.sales.content import (
    CustomerContent,
    LineContent,
    checked_id,
    customer_checked,
    digest,
    invoice_lines_checked,
    order_of,
    search_key,
)

LINE = LineContent(name="Свеча зажигания", price="385.50", quantity="4")


def faults(*lines: LineContent, discount: str = "0") -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        invoice_lines_checked(lines, discount)
    assert all(fault.message for fault in caught.value.faults)
    return {(fault.path, fault.code) for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"price": "385,50"}, "lines.0.price", "amount"),
        ({"price": "385.505"}, "lines.0.price", "amount"),
        ({"price": "-1"}, "lines.0.price", "amount"),
        ({"price": "1e3"}, "lines.0.price", "amount"),
        ({"price": ""}, "lines.0.price", "amount"),
        ({"price": "42949672.96"}, "lines.0.price", "amount"),
        ({"quantity": "0"}, "lines.0.quantity", "quantity"),
        ({"quantity": "1.2345"}, "lines.0.quantity", "quantity"),
        ({"quantity": "100000"}, "lines.0.quantity", "quantity"),
        ({"quantity": "много"}, "lines.0.quantity", "quantity"),
        ({"name": "   "}, "lines.0.name", "name_text"),
        ({"name": "😀😀😀"}, "lines.0.name", "name_text"),
        ({"vat": "22"}, "lines.0.vat", "vat"),
        ({"object": "thing"}, "lines.0.object", "object"),
        ({"unit": "бочка"}, "lines.0.unit", "unit"),
        ({"marking": "shoes"}, "lines.0.marking", "marking"),
        ({"id": "x" * 65}, "lines.0.id", "line_id"),
    ],
)
def test_a_wrong_line_is_told_with_its_place(change: dict[str, Any], path: str, code: str) -> None:
    assert (path, code) in faults(replace(LINE, **change))


def test_every_fault_is_told_at_once() -> None:
    assert faults(replace(LINE, price="x"), replace(LINE, quantity="x"), discount="x") == {
        ("lines.0.price", "amount"),
        ("lines.1.quantity", "quantity"),
        ("discount", "amount"),
    }


def test_an_invoice_has_lines_and_not_too_many() -> None:
    assert faults() == {("lines", "lines_count")}
    assert ("lines", "lines_count") in faults(*[LINE] * 101)


def test_two_lines_with_one_id_are_refused() -> None:
    assert faults(replace(LINE, id="a"), replace(LINE, id="a")) == {("lines.1.id", "line_id")}
    assert faults(replace(LINE, id="2"), LINE) == {("lines.1.id", "line_id")}


@pytest.mark.parametrize("discount", ["1542.00", "1542.01", "9999.00"])
def test_a_discount_leaves_something_to_pay(discount: str) -> None:
    assert faults(LINE, discount=discount) == {("discount", "total")}


def test_a_free_invoice_is_refused() -> None:
    assert faults(replace(LINE, price="0")) == {("lines", "total")}


def test_an_invoice_beyond_what_a_register_prints_is_refused() -> None:
    assert faults(replace(LINE, price="42949672.95", quantity="2")) == {("lines", "total")}


def test_lines_are_stored_in_kopecks_and_thousandths_and_come_back_the_same() -> None:
    lines = (
        LINE,
        LineContent(
            name="  Шланг\tтопливный ", price="99.99", quantity="1.357", id="hose", vat="reduced", object="excise",
            unit="м", marking="carparts", discountable=False,
        ),
    )  # fmt: skip

    stored, order = invoice_lines_checked(lines, "10.5")

    assert stored[0] == {"id": "1", "name": "Свеча зажигания", "price": 38550, "quantity": 4000}
    assert order == order_of(stored, 1050)
    hose = order.lines[1]
    assert (hose.name, hose.unit, hose.object, hose.vat_class) == (
        "Шланг топливный", Unit.METRE, PaymentObject.EXCISE, VatClass.REDUCED,
    )  # fmt: skip
    assert (hose.marking_group, hose.discountable, hose.quantity.thousandths) == ("carparts", False, 1357)
    assert order.is_marked


def test_a_customer_is_normalised() -> None:
    content = CustomerContent(" Иван   Петров ", "msk", " Buyer@Example.RU ", "8 (900) 123-45-67", " 7707083893 ")

    fields = customer_checked(content)

    assert (fields["name"], fields["phone"], fields["inn"]) == ("Иван Петров", "+79001234567", "7707083893")
    assert fields["email"].endswith("@example.ru")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"email": "никак"}, "email"),
        ({"phone": "123"}, "phone"),
        ({"inn": "7707083894"}, "inn"),
        ({"inn": "0000000000"}, "inn"),
    ],
)
def test_a_wrong_customer_is_told_with_its_place(change: dict[str, str], path: str) -> None:
    with pytest.raises(Invalid) as caught:
        customer_checked(replace(CustomerContent("Иван", "msk"), **change))
    assert [fault.path for fault in caught.value.faults] == [path]


@pytest.mark.parametrize("id", ["17", "Счёт-17", "a.b:c@d~e=f+g-h_i", "x" * 100])
def test_an_id_may_be_what_shops_use(id: str) -> None:
    assert checked_id(id) == id


@pytest.mark.parametrize("id", ["", " ", "a b", "a/b", "a\n", "x" * 101, "a\x1fb", "a#b", "a?b"])
def test_an_id_may_not_be_anything(id: str) -> None:
    with pytest.raises(Invalid):
        checked_id(id)


def test_equal_contents_have_equal_digests_whatever_their_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_search_knows_no_case_and_no_yo() -> None:
    assert search_key("  Пётр  СЁМИН ") == search_key("петр семин")
