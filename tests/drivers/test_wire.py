"""A document on the wire."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.drivers.errors import CannotEncode
from chekhov.fiscal.document import (
    Agent,
    Buyer,
    Cashier,
    Correction,
    Document,
    Line,
    Mark,
    Payment,
    SectoralProp,
    Seller,
    Supplier,
)
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    CorrectionType,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    PlannedStatus,
    TaxSystem,
    Unit,
    VatCode,
)
from tests.drivers.samples import DRIVER, KEY, document, line

GOLDEN = {
    "external_id": "order-5001-sell-1",
    "intent": "sell",
    "print": False,
    "client": {"email": "buyer@example.ru", "phone": "+79001234567"},
    "company": {"payment_address": "shop.example", "sno": 1, "inn": "583500000000"},
    "cashier": {"name": "Петрова А.А."},
    "positions": [
        {
            "id": "sku-1",
            "name": "Кофе молотый 250 г",
            "price": Decimal("475.00"),
            "quantity": 2,
            "total": Decimal("950.00"),
            "vat": "22",
            "measure": 0,
            "payment_method": "full_payment",
            "payment_object": "product",
        },
        {
            "id": "ship",
            "name": "Доставка",
            "price": Decimal("300.00"),
            "quantity": 1,
            "total": Decimal("300.00"),
            "vat": "no",
            "measure": 0,
            "payment_method": "full_payment",
            "payment_object": "service",
        },
    ],
    "payments": [{"type": "card", "sum": Decimal("1250.00")}],
    "internet": True,
    "timezone": 2,
    "callback_url": "https://shop.example/komtet/callback",
}
"""The service's own example; its discount of 50 roubles stands in the price here, so that no line is ever split."""


def golden_document() -> Document:
    return document(
        line("475.00", "2", id="sku-1"),
        line("300", "1", id="ship", name="Доставка", vat=VatCode.NO_VAT, payment_object=PaymentObject.SERVICE),
        cashier=Cashier("Петрова А.А."),
        internet=True,
    )


def encoded(given_document: Document, callback_url: str | None = None) -> dict[str, Any]:
    body = DRIVER.encode(given_document, KEY, callback_url)
    parsed = json.loads(body, parse_float=Decimal)
    assert isinstance(parsed, dict)
    assert "null" not in body.decode()
    return parsed


def test_the_services_example_is_written_as_the_service_writes_it() -> None:
    body = DRIVER.encode(golden_document(), "order-5001-sell-1", "https://shop.example/komtet/callback")

    assert json.loads(body, parse_float=Decimal) == GOLDEN
    assert list(json.loads(body)) == list(GOLDEN)
    assert b'"price":475.00,"quantity":2,"total":950.00' in body
    assert b'"sum":1250.00' in body


def test_one_document_gives_one_sequence_of_bytes() -> None:
    assert DRIVER.encode(golden_document(), KEY, None) == DRIVER.encode(golden_document(), KEY, None)


def test_an_absent_field_is_left_out() -> None:
    body = encoded(document(print_paper=True, buyer=Buyer()))

    assert body["client"] == {}
    assert body["print"] is True
    assert body["internet"] is False
    assert set(body) == {
        "external_id", "intent", "print", "client", "company", "positions", "payments", "internet", "timezone",
    }  # fmt: skip
    assert set(body["positions"][0]) == {
        "name", "price", "quantity", "total", "vat", "measure", "payment_method", "payment_object",
    }  # fmt: skip


def test_a_line_carries_all_that_it_has() -> None:
    code = "0104601234567890215abcdEFGHIJKL\u001d93dGVz"
    full = line(
        "10",
        "1",
        id="7",
        excise=Money(150),
        country="643",
        declaration="10702030/010126/0001234",
        note="партия 5",
        payment_object=PaymentObject.MARKED_WITH_CODE,
        unit=Unit.LITRE,
        mark=Mark(MarkType.GS1M, code, part=(1, 20), wholesale=True),
        planned_status=PlannedStatus.MEASURED_BEING_SOLD,
        sectoral=(SectoralProp("030", date(2023, 11, 21), "1944", "UUID=1&Time=2"),),
        agent=Agent(
            AgentSign.COMMISSIONER,
            operation="Приём платежа",
            paying_phones=("+79001112233",),
            receiver_phones=("+79001112234",),
            transfer_name="Оператор",
            transfer_phones=("+79001112235",),
            transfer_address="г. Пенза",
            transfer_inn="5836000001",
        ),
        supplier=Supplier("ООО Поставщик", ("+79001112236",), "5836000002"),
    )

    (position,) = encoded(document(full))["positions"]

    assert position == {
        "id": "7",
        "name": "Кофе молотый 250 г",
        "price": Decimal("10.00"),
        "quantity": 1,
        "total": Decimal("10.00"),
        "vat": "22",
        "measure": 41,
        "payment_method": "full_payment",
        "payment_object": "tm",
        "excise": Decimal("1.50"),
        "country_code": "643",
        "declaration_number": "10702030/010126/0001234",
        "user_data": "партия 5",
        "mark_code": {"gs1m": code},
        "mark_quantity": {"numerator": 1, "denominator": 20},
        "wholesale": True,
        "planned_status": 2,
        "sectoral_item_props": [
            {"federal_id": "030", "date": "21.11.2023", "number": "1944", "value": "UUID=1&Time=2"}
        ],
        "agent_info": {
            "type": "commissionaire",
            "paying_agent": {"phones": ["+79001112233"], "operation": "Приём платежа"},
            "receive_payments_operator": {"phones": ["+79001112234"]},
            "money_transfer_operator": {
                "name": "Оператор",
                "phones": ["+79001112235"],
                "address": "г. Пенза",
                "inn": "5836000001",
            },
        },
        "supplier_info": {"name": "ООО Поставщик", "phones": ["+79001112236"], "inn": "5836000002"},
    }


def test_an_agent_without_data_is_a_type_alone() -> None:
    (position,) = encoded(document(line(agent=Agent(AgentSign.ATTORNEY))))["positions"]

    assert position["agent_info"] == {"type": "solicitor"}


def test_the_header_carries_all_that_it_has() -> None:
    body = encoded(
        document(
            seller=Seller("7707083893", "ООО", TaxSystem.OSN, "Магазин № 1", address="г. Пенза, ул. Мира, 1"),
            buyer=Buyer(email="b@example.ru", phone="+79001234567", name="ООО Клиент", inn="7707083893"),
            cashier=Cashier("Кассир Петрова", "583500000000"),
            time_zone=11,
            extra="1234567890",
            user_property=("Номер заказа", "17"),
        )
    )

    assert body["company"] == {
        "payment_address": "Магазин № 1",
        "sno": 0,
        "inn": "7707083893",
        "place_address": "г. Пенза, ул. Мира, 1",
    }
    assert body["client"] == {
        "email": "b@example.ru",
        "phone": "+79001234567",
        "name": "ООО Клиент",
        "inn": "7707083893",
    }
    assert body["cashier"] == {"name": "Кассир Петрова", "inn": "583500000000"}
    assert body["timezone"] == 11
    assert body["additional_check_props"] == "1234567890"
    assert body["additional_user_props"] == {"name": "Номер заказа", "value": "17"}


@pytest.mark.parametrize(
    ("place", "internet", "written"),
    [
        ("https://shop.example/catalog?x=1", True, "shop.example"),
        ("магазин.рф/", True, "магазин.рф"),
        ("shop.example", True, "shop.example"),
        ("ул. Мира, 1/2", False, "ул. Мира, 1/2"),
    ],
)
def test_a_site_goes_as_its_bare_host(place: str, internet: bool, written: str) -> None:
    seller = replace(document().seller, place=place)

    assert encoded(document(seller=seller, internet=internet))["company"]["payment_address"] == written


@pytest.mark.parametrize("sign", CalculationSign)
@pytest.mark.parametrize(
    ("correction", "info"),
    [
        (Correction(CorrectionType.SELF, date(2026, 2, 1)), {"type": "self", "base_date": "01.02.2026"}),
        (
            Correction(CorrectionType.ORDER, date(2025, 12, 31), "17-АБ"),
            {"type": "instruction", "base_date": "31.12.2025", "base_number": "17-АБ"},
        ),
    ],
)
def test_a_correction_carries_its_basis_and_its_own_intent(
    sign: CalculationSign, correction: Correction, info: dict[str, str]
) -> None:
    body = encoded(document(sign=sign, correction=correction, buyer=Buyer()))

    assert body["intent"] == f"{encoded(document(sign=sign))['intent']}Correction"
    assert body["correction_info"] == info
    assert "client" not in body
    assert "print" not in body
    assert body["positions"]


def test_a_correction_is_printed_and_sent_when_asked() -> None:
    body = encoded(document(correction=Correction(CorrectionType.SELF, date(2026, 2, 1)), print_paper=True))

    assert body["print"] is True
    assert body["client"]["email"] == "buyer@example.ru"


def test_envd_is_refused_with_the_way_out() -> None:
    gone = document(seller=replace(document().seller, tax_system=TaxSystem.ENVD))

    with pytest.raises(CannotEncode) as caught:
        DRIVER.encode(gone, KEY, None)

    assert caught.value.problem.code == "envd"
    assert "кабинете" in caught.value.problem.next_step
    assert caught.value.problem in DRIVER.validate(gone)


@pytest.mark.parametrize(
    "broken",
    [
        document(total=Money(1)),
        document(payments=(Payment(PaymentKind.CASH, Money(1)),)),
        document(line(), payments=()),
        document(line("10", "1", sum=Money(-100))),
        document(line(quantity="0")),
        document(line(name="\ud800")),
    ],
)
def test_what_has_no_honest_body_is_refused(broken: Document) -> None:
    with pytest.raises(CannotEncode):
        DRIVER.encode(broken, KEY, None)


@pytest.mark.parametrize("key", ["", "x" * 65, "ключ", "a\nb"])
def test_an_unfit_key_is_a_programmers_error(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        DRIVER.encode(document(), key, None)


amounts = st.integers(min_value=0, max_value=4_294_967_295)
quantities = st.integers(min_value=1, max_value=99_999_999)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    lines: list[Line] = []
    for price, quantity, cost in draw(st.lists(st.tuples(amounts, quantities, amounts), min_size=1, max_size=5)):
        lines.append(
            replace(
                line(),
                name=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
                price=Money(price),
                quantity=Quantity(quantity),
                sum=Money(cost),
                vat=draw(st.sampled_from(VatCode)),
                payment_method=draw(st.sampled_from(PaymentMethod)),
                payment_object=draw(st.sampled_from(PaymentObject)),
                unit=draw(st.sampled_from(Unit)),
            )
        )
    return document(*lines, sign=draw(st.sampled_from(CalculationSign)))


@given(documents())
def test_every_number_on_the_wire_is_exact(drawn: Document) -> None:
    texts: list[str] = []

    def number(text: str) -> Decimal:
        texts.append(text)
        return Decimal(text)

    body = json.loads(DRIVER.encode(drawn, KEY, None), parse_float=number)

    assert sum(position["total"] for position in body["positions"]) * 100 == drawn.total.kopecks
    assert sum(payment["sum"] for payment in body["payments"]) * 100 == drawn.total.kopecks
    for position, sent in zip(body["positions"], drawn.lines, strict=True):
        assert position["price"] * 100 == sent.price.kopecks
        assert Decimal(position["quantity"]) * 1000 == sent.quantity.thousandths
        assert position["name"] == sent.name
    assert all("e" not in text.lower() and len(text.partition(".")[2]) <= 3 for text in texts)
