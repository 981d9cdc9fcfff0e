"""The vendor's own client as the judge: the same words and, for the same receipt, the same body."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from komtet_kassa_sdk.v2 import agent as vendor_agent  # type: ignore[import-untyped]
from komtet_kassa_sdk.v2 import check as vendor

from chekhov.drivers.komtet import names
from chekhov.fiscal.document import Agent, Cashier, Correction, Document, Mark, Seller, Supplier
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    CorrectionType,
    MarkType,
    PaymentObject,
    PlannedStatus,
    TaxSystem,
    Unit,
    VatCode,
)
from tests.drivers.samples import DRIVER, KEY, document, line

CALLBACK = "https://shop.example/hooks/komtet/token"
SUPPLIER = Supplier("ООО Поставщик", ("+79001112236",), "5836000002")


def constants(vocabulary: type) -> set[Any]:
    return {value for name, value in vars(vocabulary).items() if name.isupper()}


@pytest.mark.parametrize(
    ("ours", "vendors", "not_used"),
    [
        ({*names.INTENTS.values(), *names.CORRECTION_INTENTS.values()}, vendor.Intent, set()),
        (names.TAX_SYSTEMS.values(), vendor.TaxSystem, set()),
        (names.VAT_CODES.values(), vendor.VatRate, set()),
        (names.PAYMENT_METHODS.values(), vendor.PaymentMethod, set()),
        (names.PAYMENT_OBJECTS.values(), vendor.PaymentObject, {"composite"}),  # the older name of code 12
        (names.PAYMENT_KINDS.values(), vendor.PaymentType, set()),
        (names.CORRECTION_TYPES.values(), vendor.CorrectionType, set()),
        (names.MARK_TYPES.values(), vendor.MarkTypes, set()),
        (names.AGENT_SIGNS.values(), vendor_agent.AgentType, set()),
        ([unit.value for unit in Unit], vendor.MeasureTypes, set()),
        ([status.value for status in PlannedStatus], vendor.PlannedStatus, set()),
    ],
)
def test_our_words_are_the_vendors_words(ours: Iterable[Any], vendors: type, not_used: set[str]) -> None:
    assert set(ours) | not_used == constants(vendors)


def encoded(given: Document) -> Mapping[str, Any]:
    body = json.loads(DRIVER.encode(given, KEY, CALLBACK), parse_float=Decimal)
    assert isinstance(body, dict)
    return body


def test_a_receipt_is_written_as_the_vendors_client_writes_it() -> None:
    code = "0104601234567890215abcdEFGHIJKL\u001d93dGVz"
    ours = document(
        line("475", "2", id="sku-1", country="643", declaration="10702030/010126", note="партия 5"),
        line(
            "300",
            "1",
            name="Масло",
            vat=VatCode.NO_VAT,
            payment_object=PaymentObject.MARKED_WITH_CODE,
            mark=Mark(MarkType.GS1M, code, part=(1, 20), wholesale=True),
            planned_status=PlannedStatus.PIECE_SOLD,
            agent=Agent(AgentSign.PAYMENT_AGENT, operation="Приём платежа", paying_phones=("+79001112233",)),
            supplier=SUPPLIER,
        ),
        seller=Seller("583500000000", "ИП", TaxSystem.ESHN, "shop.example", address="г. Пенза"),
        cashier=Cashier("Петрова А.А.", "583500000000"),
        internet=True,
        extra="123",
        user_property=("Заказ", "17"),
    )

    check = vendor.Check(KEY, vendor.Intent.SELL)
    check.set_client(email="buyer@example.ru", phone="+79001234567")
    check.set_company("shop.example", vendor.TaxSystem.UST, inn="583500000000", place_address="г. Пенза")
    check.set_cashier("Петрова А.А.", "583500000000")
    check.set_additional_check_props("123")
    check.set_additional_user_props("Заказ", "17")
    check.set_internet(True)
    check.set_timezone(2)
    check.set_callback_url(CALLBACK)
    check.add_payment(Decimal("1250.00"))
    check.add_position(
        vendor.Position(
            "Кофе молотый 250 г", Decimal("475.00"), 2, vendor.MeasureTypes.PIECE, vendor.PaymentObject.PRODUCT,
            vendor.PaymentMethod.FULL_PAYMENT, total=Decimal("950.00"), vat="22", id="sku-1", country_code="643",
            declaration_number="10702030/010126", user_data="партия 5",
        )
    )  # fmt: skip
    marked = vendor.Position(
        "Масло", Decimal("300.00"), 1, vendor.MeasureTypes.PIECE, vendor.PaymentObject.TM,
        vendor.PaymentMethod.FULL_PAYMENT, total=Decimal("300.00"),
    )  # fmt: skip
    marked.set_mark_code(vendor.MarkTypes.GS1M, code)
    marked.set_mark_quantity(1, 20)
    marked.set_wholesale(True)
    marked.set_planned_status(1)
    agent = vendor_agent.Agent(
        vendor_agent.AgentType.PAYMENT_AGENT, phone="+79001112236", name="ООО Поставщик", inn="5836000002"
    )
    agent.set_paying_agent_info(["+79001112233"], "Приём платежа")
    marked.set_agent(agent)
    check.add_position(marked)
    assert encoded(ours) == dict(check)


def test_a_correction_is_written_as_the_vendors_client_writes_it() -> None:
    ours = document(
        sign=CalculationSign.SALE_RETURN,
        correction=Correction(CorrectionType.ORDER, date(2026, 2, 1), "17-АБ"),
        print_paper=True,
    )

    check = vendor.CorrectionCheck(KEY, vendor.Intent.SELL_RETURN_CORRECTION)
    check.set_correction_info(vendor.CorrectionType.INSTRUCTION, "01.02.2026", "17-АБ")
    check.set_client(email="buyer@example.ru", phone="+79001234567")
    check.set_company("shop.example", vendor.TaxSystem.SIMPLIFIED_IN, inn="583500000000")
    check.set_print(True)
    check.set_internet(False)
    check.set_timezone(2)
    check.set_callback_url(CALLBACK)
    check.add_payment(Decimal("1000.00"))
    check.add_position(
        vendor.Position(
            "Кофе молотый 250 г", Decimal("500.00"), 2, vendor.MeasureTypes.PIECE, vendor.PaymentObject.PRODUCT,
            vendor.PaymentMethod.FULL_PAYMENT, total=Decimal("1000.00"), vat=vendor.VatRate.RATE_22,
        )
    )  # fmt: skip
    assert encoded(ours) == dict(check)
