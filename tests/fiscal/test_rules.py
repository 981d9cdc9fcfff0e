"""Each rule has a document that breaks just it; an ordinary document breaks none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from chekhov.fiscal.context import RuleContext
from chekhov.fiscal.document import (
    Agent,
    Buyer,
    Cashier,
    Correction,
    Document,
    FiscalResult,
    Mark,
    Payment,
    SectoralProp,
    Supplier,
)
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.rules import RULES, Finding, Severity, check, check_result, notices, refusals
from chekhov.fiscal.rules.__main__ import table
from chekhov.fiscal.vat import vat_totals
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    Channel,
    CorrectionType,
    Ffd,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    PlannedStatus,
    TaxSystem,
    Unit,
    VatCode,
    VatMode,
)
from tests.fiscal.samples import (
    COUNTER,
    INN,
    NOON,
    ONLINE,
    REGISTER,
    SELLER,
    SITE,
    agent_line,
    answer_to,
    correction,
    line,
    marked_line,
    prepaid_line,
    receipt,
    web_receipt,
)

CASH, CASHLESS, PREPAID, CREDIT, COUNTER_PROVISION = PaymentKind
RETURN = CalculationSign.SALE_RETURN
CODE = "0104607428679128215x"


class Copy(NamedTuple):
    """A broken copy, or one at the very edge that still passes."""

    rule: str
    severity: str  # E or W
    title: str
    document: Document
    context: RuleContext = COUNTER


def method_line(method: int, price: int = 45000, **fields: Any) -> Any:
    """A line of the payment method with the object and the code that fit it."""
    if method <= 3:
        return prepaid_line(price=price, payment_method=PaymentMethod(method), **fields)
    return line(price=price, payment_method=PaymentMethod(method), **fields)


def on_register(**fields: Any) -> RuleContext:
    return replace(COUNTER, register=replace(REGISTER, **fields))


ADVANCE = method_line(3)
PIECES = [line(f"Деталь {index}", 100) for index in range(101)]
LONG = [line("Ж" * 128, 100, note="Ж" * 64, declaration="1" * 32) for _ in range(100)]
GROUP = replace(COUNTER, marking_groups={"a": "tires"})
OLD_SALE = line(vat=VatCode.VAT_20)
WRONG = receipt(line(price=199000))
PAIR = replace(COUNTER, wrong=WRONG)
BUSINESS = replace(COUNTER, buyer_acts_for_business=True)
INTERNET_REGISTER = replace(ONLINE, register=replace(REGISTER, internet_only=True))
CONFIRMED = replace(COUNTER, confirmed_methods=frozenset({PaymentMethod.PARTIAL_CREDIT, PaymentMethod.CREDIT}))


def permission(verdict: str) -> RuleContext:
    return replace(GROUP, permission_codes={CODE: verdict})


BROKEN = [
    Copy("R01", "E", "total above the lines", receipt(total=Money(45001), paid={CASH: 45001})),
    Copy("R02", "E", "a discount outside the price", receipt(line(sum=Money(44000)))),
    Copy("R03", "E", "payments a kopeck short", receipt(paid={CASH: 44999})),
    Copy("R03", "E", "change counted as paid", receipt(paid={CASH: 50000})),
    Copy(
        "R04",
        "E",
        "everything for nothing",
        receipt(line(price=0)),
        on_register(allow_zero_lines=True),
    ),
    Copy(
        "R05",
        "E",
        "total above 2³²−1 kopecks",
        receipt(line(price=MAX_KOPECKS), line(price=1)),
    ),
    Copy("R05", "E", "half a kopeck", receipt(line(excise=Money(0.5)))),  # type: ignore[arg-type]
    Copy("R06", "E", "nothing of a thing", receipt(line(), line(quantity=Quantity(0)))),
    Copy("R06", "E", "too much of a thing", receipt(line(price=1, quantity=Quantity(100_000_000)))),
    Copy("R07", "E", "101 lines", receipt(*PIECES)),
    Copy("R07", "E", "lines above 30 KB", receipt(*LONG)),
    Copy("R08", "E", "a negative line", receipt(line(), line(price=-100))),
    Copy("R08", "E", "a negative payment", receipt(paid={CASH: 45100, CASHLESS: -100})),
    Copy("R09", "W", "a gift", receipt(line(), line("Ароматизатор", 0))),
    Copy(
        "R10",
        "E",
        "cash twice",
        receipt(payments=(Payment(CASH, Money(40000)), Payment(CASH, Money(5000)))),
    ),
    Copy("R11", "W", "a hand-over beside a prepayment", receipt(line(), prepaid_line())),
    Copy("R12", "E", "an advance paid from an advance", receipt(ADVANCE, paid={PREPAID: 45000})),
    Copy("R12", "E", "an advance on credit", receipt(ADVANCE, paid={CASH: 40000, CREDIT: 5000})),
    Copy("R13", "E", "full payment on credit", receipt(paid={CASH: 40000, CREDIT: 5000})),
    Copy("R14", "E", "a part on credit, all paid", receipt(method_line(5))),
    Copy("R14", "E", "a part on credit, nothing paid", receipt(method_line(5), paid={CREDIT: 45000})),
    Copy("R14", "W", "a confirmed part on credit, all paid", receipt(method_line(5)), CONFIRMED),
    Copy("R15", "E", "on credit, but paid", receipt(method_line(6))),
    Copy("R15", "W", "confirmed on credit, but paid", receipt(method_line(6)), CONFIRMED),
    Copy("R16", "E", "a debt paid by debt", receipt(method_line(7), paid={CREDIT: 45000})),
    Copy("R17", "E", "an advance with a code", receipt(method_line(3, mark=Mark(MarkType.EAN13, "4607428679128")))),
    Copy("R17", "W", "an advance for a product", receipt(method_line(3, payment_object=PaymentObject.PRODUCT))),
    Copy("R19", "E", "a hand-over at 22/122", receipt(line(vat=VatCode.VAT_22_122))),
    Copy("R19", "E", "a prepayment at 22 %", receipt(prepaid_line(vat=VatCode.VAT_22))),
    Copy("R20", "E", "20 % in 2026", receipt(OLD_SALE)),
    Copy("R20", "E", "22 % in 2025", receipt(settled_on=date(2025, 12, 31))),
    Copy(
        "R20",
        "E",
        "a correction judged by its own date and not by 1178",
        correction(OLD_SALE, settled_on=date(2025, 12, 1)),
    ),
    Copy("R20", "E", "a return dated by itself", receipt(OLD_SALE, sign=RETURN)),
    Copy("R21", "E", "22 % of a seller who pays none", receipt(), replace(COUNTER, vat_mode=VatMode.EXEMPT)),
    Copy(
        "R21",
        "E",
        "VAT on a patent",
        receipt(seller=replace(SELLER, tax_system=TaxSystem.PATENT)),
        on_register(tax_systems=frozenset({TaxSystem.PATENT})),
    ),
    Copy(
        "R21",
        "E",
        "a code of another mode on the line's own date",
        receipt(method_line(7, vat=VatCode.VAT_5, settled_on=date(2025, 6, 1))),
        replace(COUNTER, vat_modes={date(2025, 6, 1): VatMode.EXEMPT}),
    ),
    Copy(
        "R22",
        "E",
        "5 % beside 22 %",
        receipt(line(), line(vat=VatCode.VAT_5)),
        replace(COUNTER, vat_mode=None),
    ),
    Copy(
        "R22",
        "E",
        "5 % beside 7 %",
        receipt(line(vat=VatCode.VAT_7), line(vat=VatCode.VAT_5)),
        replace(COUNTER, vat_mode=None),
    ),
    Copy(
        "R23",
        "E",
        "ЕНВД",
        receipt(seller=replace(SELLER, tax_system=TaxSystem.ENVD)),
        on_register(tax_systems=None),
    ),
    Copy("R23", "E", "a system of another register", receipt(seller=replace(SELLER, tax_system=TaxSystem.ESHN))),
    Copy("R25", "E", "an emoji", receipt(line("Масло 🛢"))),
    Copy("R25", "E", "no name", receipt(line("  "))),
    Copy("R25", "E", "129 characters", receipt(line("Ж" * 129))),
    Copy("R25", "E", "a line break", receipt(line("Масло\n5W-30"))),
    Copy("R25", "E", "a name that was lost", receipt(line("??? 5W"))),
    Copy("R26", "W", "just «товар»", receipt(line("Товар."))),
    Copy("R27", "E", "an internet receipt for nobody", web_receipt(buyer=Buyer()), ONLINE),
    Copy("R27", "E", "a broken address", receipt(buyer=Buyer(email="buyer@"))),
    Copy("R27", "E", "a broken phone", receipt(buyer=Buyer(phone="89161234567"))),
    Copy("R27", "E", "a long address", receipt(buyer=Buyer(email="b" * 60 + "@example.ru"))),
    Copy("R27", "W", "the fallback contact", web_receipt(), replace(ONLINE, uses_fallback_contact=True)),
    Copy(
        "R28",
        "E",
        "cash on the internet",
        web_receipt(paid={CASH: 45000}),
        ONLINE,
    ),
    Copy("R28", "E", "a shop's name instead of the site", web_receipt(seller=SELLER), ONLINE),
    Copy("R28", "E", "a link instead of a host", web_receipt(seller=replace(SITE, place="https://a.ru/x")), ONLINE),
    Copy("R29", "W", "paid on the site without the sign", web_receipt(internet=False), ONLINE),
    Copy("R29", "W", "paid at the counter with the sign", web_receipt(cashier=Cashier("Кассир Иванова"))),
    Copy(
        "R30",
        "E",
        "cash in an internet register",
        receipt(buyer=Buyer("buyer@example.ru")),
        on_register(internet_only=True),
    ),
    Copy(
        "R30",
        "E",
        "no contact in an internet register",
        web_receipt(internet=False, buyer=Buyer()),
        replace(INTERNET_REGISTER, channel=Channel.REMOTE),
    ),
    Copy("R31", "E", "a register in another place", receipt(), on_register(place="spb")),
    Copy(
        "R31",
        "E",
        "a card at the counter of another place",
        receipt(paid={CASHLESS: 45000}),
        on_register(place="spb"),
    ),
    Copy("R31", "W", "a register in an unknown place", receipt(), on_register(place=None)),
    Copy("R32", "W", "no cashier", receipt(cashier=None)),
    Copy("R32", "W", "a cashier with an organization's ИНН", receipt(cashier=Cashier("Кассир Иванова", INN))),
    Copy("R32", "W", "a cashier without a name", receipt(cashier=Cashier(" "))),
    Copy("R33", "E", "nowhere", receipt(seller=replace(SELLER, place=""))),
    Copy("R33", "E", "a long place", receipt(seller=replace(SELLER, place="Ж" * 257))),
    Copy("R33", "E", "a long address", receipt(seller=replace(SELLER, address="Ж" * 257))),
    Copy("R34", "E", "a company pays cash unnamed", receipt(buyer=Buyer(inn=INN)), BUSINESS),
    Copy("R34", "E", "a company pays cash without an ИНН", receipt(buyer=Buyer(name="ООО «Лютик»")), BUSINESS),
    Copy(
        "R34",
        "E",
        "a company with a wrong ИНН",
        receipt(buyer=Buyer(inn="7707083894"), paid={CASHLESS: 45000}),
        BUSINESS,
    ),
    Copy(
        "R35",
        "E",
        "cash out of a bank agent in FFD 1.05",
        receipt(line(payment_object=PaymentObject.CASH_OUT)),
        on_register(ffd=Ffd.V1_05),
    ),
    Copy("R36", "E", "a marked good without its code", receipt(marked_line(mark=None))),
    Copy("R36", "E", "a marked good without a status", receipt(marked_line(planned_status=None))),
    Copy("R36", "E", "two units under one code", receipt(marked_line(quantity=Quantity(2000), sum=Money(1356000)))),
    Copy(
        "R36",
        "E",
        "a prepayment with a code",
        receipt(marked_line(payment_method=PaymentMethod.PREPAYMENT_FULL, vat=VatCode.VAT_22_122)),
    ),
    Copy("R36", "E", "litres with the status of a piece", receipt(marked_line(unit=Unit.LITRE))),
    Copy("R36", "E", "a bar code for a marking code", receipt(marked_line(mark=Mark(MarkType.EAN13, "46074286791")))),
    Copy("R37", "E", "a code on an ordinary product", receipt(marked_line(payment_object=PaymentObject.PRODUCT))),
    Copy("R38", "E", "a marked group sold as a product", receipt(line(id="a")), GROUP),
    Copy(
        "R38",
        "E",
        "no code and no reason",
        receipt(line(id="a", payment_object=PaymentObject.MARKED_NO_CODE)),
        GROUP,
    ),
    Copy("R39", "E", "sold as returned", receipt(marked_line(planned_status=PlannedStatus.PIECE_RETURNED))),
    Copy("R39", "E", "returned as sold", receipt(marked_line(), sign=RETURN)),
    Copy("R40", "E", "one code twice", receipt(marked_line(), marked_line())),
    Copy("R40", "E", "a sold code", receipt(marked_line()), replace(COUNTER, sold_codes=frozenset({CODE}))),
    Copy("R41", "E", "a denied code", receipt(marked_line(id="a")), permission("denied")),
    Copy("R41", "E", "a stale verdict", receipt(marked_line(id="a")), permission("stale")),
    Copy("R41", "E", "no verdict", receipt(marked_line(id="a")), GROUP),
    Copy("R41", "E", "a verdict that is not in the line", receipt(marked_line(id="a")), permission("allowed")),
    Copy("R41", "W", "no answer of the check", receipt(marked_line(id="a")), permission("no_answer")),
    Copy("R42", "E", "an agent without a supplier", receipt(agent_line(supplier=None))),
    Copy("R42", "E", "a supplier without an agent", receipt(agent_line(agent=None))),
    Copy(
        "R42", "E", "a supplier with a wrong ИНН", receipt(agent_line(supplier=Supplier("А", ("+79161234567",), "1")))
    ),
    Copy("R42", "E", "a supplier without a phone", receipt(agent_line(supplier=Supplier("ООО «А»", (), INN)))),
    Copy("R42", "E", "a supplier without a name", receipt(agent_line(supplier=Supplier("", ("+79161234567",), INN)))),
    Copy(
        "R42",
        "E",
        "a long operation",
        receipt(agent_line(agent=Agent(AgentSign.PAYMENT_AGENT, operation="Ж" * 25))),
    ),
    Copy(
        "R51",
        "E",
        "a correction of tomorrow",
        correction(correction=Correction(CorrectionType.SELF, date(2026, 11, 17))),
    ),
    Copy(
        "R51",
        "E",
        "an order without its number",
        correction(correction=Correction(CorrectionType.ORDER, date(2026, 11, 14))),
    ),
    Copy(
        "R51",
        "E",
        "an order's number without an order",
        correction(correction=Correction(CorrectionType.SELF, date(2026, 11, 14), "17")),
    ),
    Copy("R51", "W", "older than the register", correction(), on_register(used_from=date(2026, 11, 15))),
    Copy("R52", "E", "a correction of a return in FFD 1.05", correction(sign=RETURN), on_register(ffd=Ffd.V1_05)),
    Copy(
        "R52",
        "E",
        "a correction of a wrong receipt in FFD 1.05",
        correction(),
        replace(on_register(ffd=Ffd.V1_05), wrong=WRONG),
    ),
    Copy("R53", "E", "a reverse of another sum", correction(reverse=True, sign=RETURN), PAIR),
    Copy("R53", "E", "a reverse of the same sign", correction(*WRONG.lines, reverse=True), PAIR),
    Copy("R53", "E", "a reverse of nothing", correction(reverse=True, sign=RETURN)),
    Copy(
        "R53",
        "E",
        "a reverse paid otherwise",
        correction(*WRONG.lines, reverse=True, sign=RETURN, paid={CASHLESS: 199000}),
        PAIR,
    ),
    Copy(
        "R53",
        "E",
        "a reverse under another tax system",
        correction(*WRONG.lines, reverse=True, sign=RETURN, seller=replace(SELLER, tax_system=TaxSystem.ESHN)),
        PAIR,
    ),
    Copy("R64", "E", "a long note", receipt(line(note="Ж" * 65))),
    Copy("R64", "E", "a long requisite of the receipt", receipt(extra="1" * 17)),
    Copy("R64", "E", "a long requisite's name", receipt(user_property=("Ж" * 65, "5107"))),
    Copy("R64", "E", "a long requisite's value", receipt(user_property=("Номер заказа", "Ж" * 257))),
    Copy("R64", "E", "a long sender", receipt(seller=replace(SELLER, email="s" * 60 + "@e.ru"))),
    Copy("R64", "E", "an emoji in a note", receipt(line(note="🛢"))),
    Copy("R64", "E", "a country by its name", receipt(line(country="RU"))),
    Copy(
        "R65",
        "E",
        "oil in a register without excise",
        receipt(line("Масло моторное", payment_object=PaymentObject.EXCISE)),
    ),
    Copy(
        "R65",
        "W",
        "oil in a register that may have excise",
        receipt(line("Масло моторное", payment_object=PaymentObject.EXCISE)),
        on_register(excise=None),
    ),
    Copy("R66", "W", "one and a half pieces", receipt(line(quantity=Quantity(1500)))),
    Copy("R67", "W", "an address in a name", receipt(line("Заказ для ivan@mail.ru"))),
    Copy("R67", "W", "a phone in a name", receipt(line("Доставка +7 (916) 123-45-67"))),
    Copy("R67", "W", "a card in a note", receipt(line(note="карта 4111 1111 1111 1111"))),
    Copy(
        "R68",
        "W",
        "a clock six minutes slow",
        receipt(),
        replace(COUNTER, receipt_at=NOON - timedelta(minutes=6)),
    ),
    Copy("R69", "W", "a name without a reason", receipt(buyer=Buyer(name="Иванов И. И."))),
    Copy(
        "R69",
        "W",
        "a wrong ИНН with a reason",
        receipt(buyer=Buyer(inn="7707083894")),
        replace(COUNTER, buyer_details_reason="по просьбе покупателя"),
    ),
    Copy(
        "R70",
        "E",
        "a bank transfer between companies",
        receipt(),
        replace(COUNTER, excluded_reason="безналичный расчёт между организациями"),
    ),
    Copy("R71", "E", "nothing for the buyer", receipt(print_paper=False)),
]


@dataclass(frozen=True)
class BadAnswer:
    """An answer that breaks just one rule."""

    rule: str
    severity: str
    title: str
    result: Callable[[Document], FiscalResult] = answer_to
    known: frozenset[tuple[str, int]] = frozenset()
    qr: str = ""
    vat: dict[VatCode, Money] | None = None


GOOD_QR = "t=20261116T1201&s=450.00&fn=9999078900012345&i=4711&fp=2397484188&n=1"

BAD_ANSWERS = [
    BadAnswer("R24", "W", "two kopecks of tax off for one line", vat={VatCode.VAT_22: Money(8117)}),
    BadAnswer("R24", "W", "another rate", vat={VatCode.VAT_10: Money(4091)}),
    BadAnswer("R57", "E", "a short ФН", lambda document: answer_to(document, fn="12345")),
    BadAnswer("R57", "E", "no ФД", lambda document: answer_to(document, fd=0)),
    BadAnswer("R57", "E", "a long ФПД", lambda document: answer_to(document, fp="12345678901")),
    BadAnswer("R57", "E", "no time", lambda document: answer_to(document, at="")),
    BadAnswer("R57", "E", "another document's number", known=frozenset({("9999078900012345", 4711)})),
    BadAnswer("R58", "E", "another total", lambda document: answer_to(document, total=Money(1))),
    BadAnswer("R58", "E", "another sign", lambda document: answer_to(document, sign=2)),
    BadAnswer("R59", "E", "another number in the QR code", qr=GOOD_QR.replace("4711", "4712")),
    BadAnswer("R59", "E", "an unreadable QR code", qr="hello"),
]


def codes(findings: tuple[Finding, ...]) -> set[tuple[str, str, str]]:
    return {(finding.rule, finding.code, str(finding.severity)) for finding in findings}


@pytest.mark.parametrize("copy", BROKEN, ids=[f"{copy.rule}-{copy.title}" for copy in BROKEN])
def test_broken_copy_breaks_just_its_rule(copy: Copy) -> None:
    findings = check(copy.document, copy.context)

    assert codes(findings) == {(copy.rule, RULES[copy.rule].code, copy.severity)}
    assert bool(refusals(findings)) is (copy.severity == "E")
    assert bool(notices(findings)) is (copy.severity == "W")


@pytest.mark.parametrize("bad", BAD_ANSWERS, ids=[f"{bad.rule}-{bad.title}" for bad in BAD_ANSWERS])
def test_bad_answer_breaks_just_its_rule(bad: BadAnswer) -> None:
    document = receipt()

    findings = check_result(document, bad.result(document), known=bad.known, qr=bad.qr, returned_vat=bad.vat)

    assert codes(findings) == {(bad.rule, RULES[bad.rule].code, bad.severity)}


def test_every_rule_has_a_broken_copy_of_each_severity() -> None:
    broken = {(copy.rule, copy.severity) for copy in (*BROKEN, *BAD_ANSWERS)}

    assert broken == {(rule.id, str(severity)) for rule in RULES.values() for severity in rule.severities}


def test_rules_are_those_of_one_document_in_numeric_order() -> None:
    numbers = [*range(1, 18), *range(19, 43), *range(51, 54), *range(57, 60), *range(64, 72)]

    assert list(RULES) == [f"R{number:02d}" for number in numbers]
    assert len({rule.code for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("copy", BROKEN, ids=[f"{copy.rule}-{copy.title}" for copy in BROKEN])
def test_findings_speak_russian_and_name_the_next_step(copy: Copy) -> None:
    for finding in check(copy.document, copy.context):
        assert any("а" <= character <= "я" for character in finding.message.lower())
        assert any("а" <= character <= "я" for character in finding.next_step.lower())
        assert finding.path


PASSING = [
    Copy("", "", "an ordinary sale", receipt()),
    Copy("", "", "an ordinary prepayment on the site", web_receipt(), ONLINE),
    Copy("R05", "", "the largest total", receipt(line(price=MAX_KOPECKS))),
    Copy("R07", "", "100 lines", receipt(*PIECES[:100])),
    Copy(
        "R09", "", "a gift that the register takes", receipt(line(), line(price=0)), on_register(allow_zero_lines=True)
    ),
    Copy("R12", "", "an advance by exchange", receipt(ADVANCE, paid={COUNTER_PROVISION: 45000})),
    Copy("R14", "", "a part paid", receipt(method_line(5), paid={CASH: 1, CREDIT: 44999})),
    Copy(
        "R14",
        "",
        "a return of a debt that is all open",
        receipt(method_line(5), paid={CREDIT: 45000}, sign=RETURN),
    ),
    Copy("R15", "", "a credit", receipt(method_line(6), paid={CREDIT: 45000})),
    Copy("R16", "", "a debt paid from the balance", receipt(method_line(7), paid={PREPAID: 45000})),
    Copy("R19", "", "no VAT in a prepayment", receipt(prepaid_line(vat=VatCode.NO_VAT))),
    Copy("R20", "", "a return of a sale of 2025", receipt(OLD_SALE, sign=RETURN, settled_on=date(2025, 12, 31))),
    Copy(
        "R20",
        "",
        "a debt of 2025 paid in 2026",
        receipt(method_line(7, vat=VatCode.VAT_20, settled_on=date(2025, 12, 31))),
    ),
    Copy(
        "R20",
        "",
        "a correction of 2025",
        correction(OLD_SALE, correction=Correction(CorrectionType.SELF, date(2025, 12, 31))),
    ),
    Copy(
        "R21",
        "",
        "a return of a former seller without VAT",
        receipt(line(vat=VatCode.VAT_5), sign=RETURN),
    ),
    Copy("R21", "", "a principal's line", receipt(agent_line(vat=VatCode.VAT_5))),
    Copy("R22", "", "a principal's line beside one's own", receipt(line(), agent_line(vat=VatCode.VAT_5))),
    Copy("R25", "", "one lost character of many", receipt(line("Масло моторное ? 5W-30"))),
    Copy("R26", "", "«Оплата» of a debt", receipt(method_line(7, name="Оплата"))),
    Copy(
        "R29",
        "",
        "no sign before it was in force",
        web_receipt(prepaid_line(vat=VatCode.VAT_20_120), internet=False, settled_on=date(2025, 8, 31)),
        ONLINE,
    ),
    Copy("R29", "", "a closing without the sign", receipt(paid={PREPAID: 45000}), ONLINE),
    Copy(
        "R29",
        "",
        "a closing with the sign of an internet register",
        web_receipt(line(), paid={PREPAID: 45000}),
        INTERNET_REGISTER,
    ),
    Copy(
        "R29",
        "",
        "a transfer outside the site",
        receipt(paid={CASHLESS: 45000}),
        replace(ONLINE, channel=Channel.REMOTE),
    ),
    Copy("R31", "", "a courier", receipt(), replace(on_register(place="spb"), courier=True)),
    Copy(
        "R34",
        "",
        "a foreign company pays cash",
        receipt(buyer=Buyer(name="Muller GmbH", inn="000000000000")),
        BUSINESS,
    ),
    Copy(
        "R36",
        "",
        "a marked good by measure",
        receipt(
            marked_line(
                unit=Unit.LITRE,
                quantity=Quantity(1500),
                sum=Money(1017000),
                planned_status=PlannedStatus.MEASURED_SOLD,
            )
        ),
    ),
    Copy("R36", "", "a part of a package", receipt(marked_line(mark=Mark(MarkType.GS1M, CODE, part=(1, 4))))),
    Copy("R37", "", "a bar code on an ordinary product", receipt(line(mark=Mark(MarkType.EAN13, "4607428679128")))),
    Copy(
        "R38",
        "",
        "no code for a stored reason",
        receipt(line(id="a", payment_object=PaymentObject.MARKED_NO_CODE, no_code_reason="код повреждён")),
        GROUP,
    ),
    Copy("R38", "", "a prepayment of a marked group", receipt(prepaid_line(id="a")), GROUP),
    Copy(
        "R39",
        "",
        "a return of a marked good",
        receipt(marked_line(planned_status=PlannedStatus.PIECE_RETURNED), sign=RETURN),
        replace(COUNTER, sold_codes=frozenset({CODE})),
    ),
    Copy(
        "R41",
        "",
        "an allowed code",
        receipt(marked_line(id="a", sectoral=(SectoralProp("030", date(2023, 11, 21), "1944", "UUID=1&Time=2"),))),
        permission("allowed"),
    ),
    Copy(
        "R41",
        "",
        "a group that is not checked",
        receipt(marked_line(id="a")),
        replace(GROUP, groups_without_check=frozenset({"tires"})),
    ),
    Copy("R42", "", "an agent with his supplier", receipt(agent_line())),
    Copy(
        "R51",
        "",
        "a correction by order",
        correction(correction=Correction(CorrectionType.ORDER, date(2026, 11, 14), "12-34/56")),
    ),
    Copy("R52", "", "a missed sale in FFD 1.05", correction(), on_register(ffd=Ffd.V1_05)),
    Copy("R53", "", "a reverse", correction(*WRONG.lines, reverse=True, sign=RETURN), PAIR),
    Copy(
        "R53",
        "",
        "a reverse of a receipt that was wrong in everything",
        correction(line("Товар", vat=VatCode.VAT_20), reverse=True, sign=RETURN, paid={CREDIT: 45000}),
        replace(COUNTER, wrong=receipt(line("Товар", vat=VatCode.VAT_20), paid={CREDIT: 45000})),
    ),
    Copy("R66", "", "a metre and a half", receipt(line(quantity=Quantity(1500), unit=Unit.METRE))),
    Copy("R67", "", "a part number of eleven digits", receipt(line("Фильтр 04152311600 TOYOTA"))),
    Copy("R67", "", "sixteen digits that are no card", receipt(line("Датчик 4111111111111112"))),
    Copy("R68", "", "a clock five minutes slow", receipt(), replace(COUNTER, receipt_at=NOON - timedelta(minutes=5))),
    Copy(
        "R69",
        "",
        "details by request",
        receipt(buyer=Buyer(name="Иванов И. И.", inn=INN)),
        replace(COUNTER, buyer_details_reason="по просьбе покупателя"),
    ),
    Copy("R71", "", "an e-receipt at the counter", receipt(print_paper=False, buyer=Buyer(phone="+79161234567"))),
]


@pytest.mark.parametrize("copy", PASSING, ids=[f"{copy.rule}-{copy.title}" for copy in PASSING])
def test_lawful_copy_passes(copy: Copy) -> None:
    assert check(copy.document, copy.context) == ()


def test_good_answer_passes() -> None:
    document = receipt(line(), line(vat=VatCode.NO_VAT))
    vat = {code: amount for code, amount in vat_totals(document.lines).items() if code is VatCode.VAT_22}

    qr = GOOD_QR.replace("450.00", "900.00").replace("T1201", "T120159")
    findings = check_result(document, answer_to(document), known={("9999078900012345", 4710)}, qr=qr, returned_vat=vat)

    assert findings == ()


def test_vat_may_differ_by_a_kopeck_a_line() -> None:
    document = receipt(line(), line())
    ours = vat_totals(document.lines)[VatCode.VAT_22]

    assert not check_result(document, answer_to(document), returned_vat={VatCode.VAT_22: ours + Money(2)})
    assert check_result(document, answer_to(document), returned_vat={VatCode.VAT_22: ours + Money(3)})


def test_clock_is_judged_to_the_minute() -> None:
    def judged(late: timedelta) -> tuple[Finding, ...]:
        return check(receipt(), replace(COUNTER, receipt_at=NOON + late))

    assert not judged(timedelta(minutes=5))
    assert judged(timedelta(minutes=5, seconds=1))


def test_several_breaches_are_told_in_the_order_of_the_rules() -> None:
    document = receipt(line("Товар", vat=VatCode.VAT_22_122), paid={CASH: 1}, print_paper=False)

    assert [finding.rule for finding in check(document, COUNTER)] == ["R03", "R19", "R26", "R71"]


def test_message_tells_the_figures() -> None:
    (finding,) = check(receipt(paid={CASH: 123456}), COUNTER)

    assert finding.message == "Оплаты 1\u00a0234,56 руб. не равны итогу чека 450,00 руб."
    assert finding.path == "payments"


def test_path_names_the_line() -> None:
    (finding,) = check(receipt(line(), line("Товар")), COUNTER)

    assert finding == Finding(
        "R26",
        "NAME_GENERIC",
        Severity.NOTICE,
        "lines[1].name",
        "«Товар» ничего не говорит о покупке",
        RULES["R26"].next_step,
    )


def test_table_lists_every_rule() -> None:
    rows = table().splitlines()

    assert len(rows) == len(RULES) + 2
    assert rows[2].startswith("| R01 | E | `TOTAL_NE_LINES` |")
    assert {row.count("|") for row in rows} == {6}
