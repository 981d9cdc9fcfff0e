"""Documents for the tests: an ordinary counter sale, to be bent as a test needs, and the worked examples."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from chekhov.fiscal.context import RegisterProfile, RuleContext
from chekhov.fiscal.document import (
    Agent,
    Buyer,
    Cashier,
    Correction,
    Document,
    FiscalResult,
    Line,
    Mark,
    Payment,
    Seller,
    Supplier,
)
from chekhov.fiscal.money import Money, total
from chekhov.fiscal.quantity import ONE, Quantity, line_sum
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    Channel,
    CorrectionType,
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

TODAY = date(2026, 11, 16)
MOSCOW = timezone(timedelta(hours=3))
NOON = datetime(2026, 11, 16, 12, 0, tzinfo=MOSCOW)
INN = "7707083893"
PERSON_INN = "500100732259"
SELLER = Seller(INN, "ООО «Ромашка»", TaxSystem.OSN, "Магазин на Ленина", "Москва, ул. Ленина, 1", "shop@example.ru")
SITE = replace(SELLER, place="shop.example.ru")
REGISTER = RegisterProfile(tax_systems=frozenset({TaxSystem.OSN}), excise=False, place="msk")
COUNTER = RuleContext(
    register=REGISTER,
    channel=Channel.COUNTER,
    person_present=True,
    vat_mode=VatMode.GENERAL,
    settlement_place="msk",
    now=NOON,
)
ONLINE = replace(COUNTER, channel=Channel.ONLINE, person_present=False)


def line(name: str = "Фильтр масляный", price: int = 45000, quantity: Quantity = ONE, **fields: Any) -> Line:
    """A line of a hand-over at 22 %, its sum computed."""
    money = Money(price)
    ordinary: dict[str, Any] = {
        "sum": line_sum(money, quantity),
        "payment_object": PaymentObject.PRODUCT,
        "payment_method": PaymentMethod.FULL_PAYMENT,
        "vat": VatCode.VAT_22,
    }
    return Line(name=name, price=money, quantity=quantity, **{**ordinary, **fields})


def prepaid_line(name: str = "Фильтр масляный", price: int = 45000, **fields: Any) -> Line:
    """The same before the hand-over: предоплата 100 %, object «платёж», 22/122."""
    ordinary: dict[str, Any] = {
        "payment_object": PaymentObject.PAYMENT,
        "payment_method": PaymentMethod.PREPAYMENT_FULL,
        "vat": VatCode.VAT_22_122,
    }
    return line(name, price, **{**ordinary, **fields})


def receipt(*lines: Line, paid: dict[PaymentKind, int] | None = None, **fields: Any) -> Document:
    """A sale over the counter, printed, paid in cash unless `paid` says otherwise."""
    lines = lines or (line(),)
    amount = total([one.sum for one in lines])
    kinds = {PaymentKind.CASH: amount.kopecks} if paid is None else paid
    ordinary: dict[str, Any] = {
        "sign": CalculationSign.SALE,
        "total": amount,
        "seller": SELLER,
        "buyer": Buyer(),
        "settled_on": TODAY,
        "print_paper": True,
        "cashier": Cashier("Кассир Иванова", PERSON_INN),
    }
    payments = tuple(Payment(kind, Money(kopecks)) for kind, kopecks in kinds.items())
    return Document(lines=tuple(lines), payments=fields.pop("payments", payments), **{**ordinary, **fields})


def web_receipt(*lines: Line, **fields: Any) -> Document:
    """A prepayment on the site by card."""
    lines = lines or (prepaid_line(),)
    ordinary: dict[str, Any] = {
        "paid": {PaymentKind.CASHLESS: sum(one.sum.kopecks for one in lines)},
        "seller": SITE,
        "buyer": Buyer(email="buyer@example.ru"),
        "internet": True,
        "print_paper": False,
        "cashier": None,
    }
    return receipt(*lines, **{**ordinary, **fields})


def marked_line(code: str = "0104607428679128215x", **fields: Any) -> Line:
    """One unit of a marked good with its code."""
    ordinary: dict[str, Any] = {
        "payment_object": PaymentObject.MARKED_WITH_CODE,
        "mark": Mark(MarkType.GS1M, code),
        "planned_status": PlannedStatus.PIECE_SOLD,
    }
    return line("Шина 205/55 R16", 678000, **{**ordinary, **fields})


def agent_line(**fields: Any) -> Line:
    """A line sold for a principal."""
    ordinary: dict[str, Any] = {
        "agent": Agent(AgentSign.COMMISSIONER),
        "supplier": Supplier("ООО «Принципал»", ("+79161234567",), INN),
    }
    return line("Чехлы комиссионные", **{**ordinary, **fields})


def correction(*lines: Line, reverse: bool = False, **fields: Any) -> Document:
    """A correction by own will of a settlement two days ago."""
    basis = Correction(CorrectionType.SELF, date(2026, 11, 14), is_reverse=reverse)
    return receipt(*lines, **{"correction": basis, **fields})


def answer_to(document: Document, **fields: Any) -> FiscalResult:
    """A register's good answer."""
    ordinary: dict[str, Any] = {
        "fn": "9999078900012345",
        "fd": 4711,
        "fp": "2397484188",
        "at": "20261116T1201",
        "sign": int(document.sign),
        "total": document.total,
    }
    return FiscalResult(**{**ordinary, **fields})


@dataclass(frozen=True)
class Vector:
    """One worked example: the document, its context and the VAT that it must carry."""

    id: str
    document: Document
    context: RuleContext
    vat: dict[VatCode, Money]


def _vector_line(index: int, sign: CalculationSign, row: list[Any]) -> Line:
    name, price, quantity, amount, payment_object, method, vat = row
    is_marked = payment_object == PaymentObject.MARKED_WITH_CODE
    status = PlannedStatus.PIECE_SOLD if sign is CalculationSign.SALE else PlannedStatus.PIECE_RETURNED
    return Line(
        name,
        Money(price),
        Quantity(quantity),
        Money(amount),
        PaymentObject(payment_object),
        PaymentMethod(method),
        VatCode(vat),
        unit=Unit.METRE if quantity % 1000 else Unit.PIECE,
        mark=Mark(MarkType.GS1M, f"010460742867912821{index}") if is_marked else None,
        planned_status=status if is_marked else None,
    )


def _vector(text: str) -> Vector:
    row = json.loads(text)
    sign, on = CalculationSign(row["sign"]), date.fromisoformat(row["D"])
    is_usn = row["id"].startswith("E10")
    seller = replace(SELLER, tax_system=TaxSystem.USN_INCOME if is_usn else TaxSystem.OSN)
    is_reverse = row["id"] == "E13-1"
    document = receipt(
        *(_vector_line(index, sign, one) for index, one in enumerate(row["lines"])),
        paid={PaymentKind(int(tag)): kopecks for tag, kopecks in row["pay"].items()},
        sign=sign,
        total=Money(row["total"]),
        seller=seller,
        settled_on=on,
        correction=Correction(CorrectionType.SELF, on, is_reverse=is_reverse) if row["doc"] == "correction" else None,
    )
    context = replace(
        COUNTER,
        register=replace(REGISTER, tax_systems=frozenset({seller.tax_system})),
        vat_mode=VatMode.USN_5 if is_usn else VatMode.GENERAL,
        now=datetime(2026, 11, 24, 12, 0, tzinfo=MOSCOW),
        wrong=replace(document, sign=CalculationSign.SALE, correction=None) if is_reverse else None,
    )
    return Vector(row["id"], document, context, {VatCode(int(code)): Money(sum_) for code, sum_ in row["vat"].items()})


VECTORS = [_vector(text) for text in (Path(__file__).parent / "vectors.jsonl").read_text(encoding="utf-8").splitlines()]
"""The worked examples as they stand in `vectors.jsonl`.

One JSON object a line, money in kopecks, quantity in thousandths; `lines` = [1030, 1079, 1023, 1043, 1212, 1214,
1199]; `pay` by tag; `vat` by code of tag 1199 (for the codes 5 and 6 the turnover); `D`: the date of the rate.
"""
