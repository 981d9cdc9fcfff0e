"""Does a document fit the provider: each limit has a document that breaks just it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from chekhov.fiscal.document import (
    Agent,
    Buyer,
    Cashier,
    Correction,
    Document,
    Mark,
    Payment,
    SectoralProp,
    Seller,
    Supplier,
)
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import AgentSign, CorrectionType, MarkType, PaymentKind, TaxSystem
from tests.drivers.samples import DRIVER, document, line

SELLER = document().seller
SUPPLIER = Supplier("ООО Поставщик", ("+79001112236",), "5836000002")
PAYING = Agent(AgentSign.PAYMENT_AGENT, operation="Приём", paying_phones=("+79001112233",))
PERMISSION = SectoralProp("030", date(2023, 11, 21), "1944", "UUID=1&Time=2")
ORDER = Correction(CorrectionType.ORDER, date(2026, 1, 1), "17")


def seller(**changes: object) -> Seller:
    return replace(SELLER, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fits",
    [
        document(),
        document(line(name="я" * 128)),
        document(*(line() for _ in range(100))),
        document(buyer=Buyer(), print_paper=True),
        document(correction=ORDER),
        document(line(agent=PAYING, supplier=SUPPLIER)),
        document(line(sectoral=(PERMISSION,))),
        document(line("10", "1", mark=Mark(MarkType.GS1M, "0104601234567890215abc\u001d93dGVz", part=(1, 20)))),
        document(extra="1" * 16, user_property=("я" * 64, "я" * 234)),
        document(seller=seller(place="я" * 256)),
    ],
)
def test_a_document_within_the_limits_fits(fits: Document) -> None:
    assert DRIVER.validate(fits) == ()


@pytest.mark.parametrize(
    ("path", "code", "broken"),
    [
        ("seller.tax_system", "envd", document(seller=seller(tax_system=TaxSystem.ENVD))),
        ("seller.place", "absent", document(seller=seller(place=""))),
        ("seller.place", "too_long", document(seller=seller(place="я" * 257))),
        ("seller.address", "too_long", document(seller=seller(address="я" * 257))),
        ("seller.inn", "malformed", document(seller=seller(inn="12345678901"))),
        ("cashier.name", "absent", document(cashier=Cashier(""))),
        ("cashier.name", "too_long", document(cashier=Cashier("я" * 65))),
        ("cashier.inn", "malformed", document(cashier=Cashier("Кассир", "7707083893"))),
        ("time_zone", "malformed", document(time_zone=0)),
        ("time_zone", "malformed", document(time_zone=12)),
        ("extra", "too_long", document(extra="1" * 17)),
        ("user_property", "absent", document(user_property=("", "17"))),
        ("user_property", "too_long", document(user_property=("я" * 65, "17"))),
        ("user_property", "too_long", document(user_property=("Заказ", "я" * 235))),
        ("buyer", "no_copy", document(buyer=Buyer())),
        ("buyer.email", "too_long", document(buyer=Buyer(email="a" * 60 + "@b.ru"))),
        ("buyer.phone", "too_long", document(buyer=Buyer(phone="+" + "7" * 19))),
        ("buyer.name", "too_long", document(buyer=Buyer("b@example.ru", name="я" * 244))),
        ("buyer.inn", "malformed", document(buyer=Buyer("b@example.ru", inn="77070838९३"))),
        ("lines", "lines", document(*(line() for _ in range(101)))),
        ("payments", "absent", document(line("0", "1"), payments=())),
        ("payments", "sums_differ", document(payments=(Payment(PaymentKind.CASH, Money(1)),))),
        ("total", "amount", document(line("42949672.96", "1"), payments=(Payment(PaymentKind.CASH, Money(1)),))),
        (
            "payments.1.amount",
            "amount",
            document(payments=(Payment(PaymentKind.CASH, Money(100_001)), Payment(PaymentKind.CASHLESS, Money(-1)))),
        ),
        ("correction.base_number", "absent", document(correction=replace(ORDER, base_number=""))),
        ("correction.base_number", "too_long", document(correction=replace(ORDER, base_number="1" * 33))),
        ("lines.1.name", "absent", document(line(), line(name=" "))),
        ("lines.0.name", "too_long", document(line(name="я" * 129))),
        ("lines.0.price", "amount", document(replace(line(), price=Money(-1)))),
        ("lines.0.quantity", "malformed", document(line(quantity="0"))),
        ("lines.0.quantity", "malformed", document(replace(line(), quantity=Quantity(100_000_000)))),
        ("lines.0.sum", "line_sum", document(line(sum=Money(99_999)))),
        ("lines.0.excise", "amount", document(line(excise=Money(MAX_KOPECKS + 1)))),
        ("lines.0.country", "malformed", document(line(country="RU"))),
        ("lines.0.declaration", "too_long", document(line(declaration="1" * 33))),
        ("lines.0.note", "too_long", document(line(note="я" * 65))),
        ("lines.0.mark.code", "absent", document(line(mark=Mark(MarkType.GS1M, "")))),
        ("lines.0.mark.part", "malformed", document(line(mark=Mark(MarkType.GS1M, "01\u001d", part=(20, 20))))),
        ("lines.0.supplier", "absent", document(line(agent=PAYING))),
        ("lines.0.supplier", "partial", document(line(supplier=replace(SUPPLIER, phones=())))),
        ("lines.0.supplier", "too_long", document(line(supplier=replace(SUPPLIER, name="я" * 228)))),
        ("lines.0.supplier.inn", "malformed", document(line(supplier=replace(SUPPLIER, inn="1")))),
        ("lines.0.supplier.phones", "too_long", document(line(supplier=replace(SUPPLIER, phones=("7" * 20,))))),
        (
            "lines.0.agent.operation",
            "partial",
            document(line(agent=replace(PAYING, operation=""), supplier=SUPPLIER)),
        ),
        (
            "lines.0.agent.operation",
            "too_long",
            document(line(agent=replace(PAYING, operation="я" * 25), supplier=SUPPLIER)),
        ),
        (
            "lines.0.agent.transfer",
            "partial",
            document(line(agent=Agent(AgentSign.BANK_AGENT, transfer_name="Оператор"), supplier=SUPPLIER)),
        ),
        ("lines.0.sectoral.0.federal_id", "malformed", document(line(sectoral=(replace(PERMISSION, federal_id="3"),)))),
        ("lines.0.sectoral.0", "partial", document(line(sectoral=(replace(PERMISSION, value=""),)))),
        ("lines.0.sectoral.0.number", "too_long", document(line(sectoral=(replace(PERMISSION, number="1" * 33),)))),
        ("lines.0.sectoral.0.value", "too_long", document(line(sectoral=(replace(PERMISSION, value="1" * 257),)))),
    ],
)
def test_what_does_not_fit_is_named(path: str, code: str, broken: Document) -> None:
    found = {(problem.path, problem.code): problem for problem in DRIVER.validate(broken)}

    assert (path, code) in found
    problem = found[path, code]
    assert problem.fatal
    assert problem.text.endswith(".")
    assert problem.next_step


@pytest.mark.parametrize(
    ("path", "code", "noticed"),
    [
        ("lines.0.mark.code", "looks_encoded", document(line(mark=Mark(MarkType.SHORT, "0KfQtdC6")))),
        ("lines.0.sectoral", "only_last", document(line(sectoral=(PERMISSION, PERMISSION)))),
        (
            "lines.0.agent",
            "only_last",
            document(line(agent=replace(PAYING, receiver_phones=("+79001112234",)), supplier=SUPPLIER)),
        ),
    ],
)
def test_what_the_register_may_print_otherwise_is_a_notice(path: str, code: str, noticed: Document) -> None:
    (problem,) = DRIVER.validate(noticed)

    assert (problem.path, problem.code, problem.fatal) == (path, code, False)


def test_a_log_line_has_no_personal_data() -> None:
    told = DRIVER.describe(
        document(
            line(name="Секретный товар"),
            buyer=Buyer("buyer@example.ru", "+79001234567", "Иван Иванов", "583500000000"),
            cashier=Cashier("Петрова А.А."),
        )
    )

    assert told == "Приход; позиций 1; итог 1000.00; Безналичными 1000.00"
    assert "Коррекция" in DRIVER.describe(document(correction=ORDER))


def test_quantity_and_money_of_the_sample_agree() -> None:
    assert line().sum == Money(100_000)
    assert line().quantity == Quantity.pieces(2)
