"""What the judges look at: the document with the sums that several of them need, counted once."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import date

from chekhov.fiscal.context import RuleContext
from chekhov.fiscal.document import Document, Figures, FiscalResult, Line
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import (
    CalculationSign,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    VatCode,
)

MARKED_TYPES = frozenset({MarkType.GS1M, MarkType.SHORT, MarkType.FUR, MarkType.EGAIS20, MarkType.EGAIS30})
"""Codes that stand for goods subject to marking (tags 1305-1309)."""

MARKED_OBJECTS = frozenset(
    {
        PaymentObject.EXCISE_NO_CODE,
        PaymentObject.EXCISE_WITH_CODE,
        PaymentObject.MARKED_NO_CODE,
        PaymentObject.MARKED_WITH_CODE,
    }
)

WITH_CODE = frozenset({PaymentObject.EXCISE_WITH_CODE, PaymentObject.MARKED_WITH_CODE})

HANDOVER_METHODS = frozenset({PaymentMethod.FULL_PAYMENT, PaymentMethod.PARTIAL_CREDIT, PaymentMethod.CREDIT})
"""The methods with which goods change hands: 4, 5, 6."""

RETURNS = frozenset({CalculationSign.SALE_RETURN, CalculationSign.PURCHASE_RETURN})


class Case:
    """A document in its context. Sums are in kopecks."""

    __slots__ = (
        "cash",
        "cashless",
        "context",
        "counter",
        "credit",
        "document",
        "has_agents",
        "has_marks",
        "is_internet",
        "is_return",
        "is_sale",
        "lines",
        "lines_sum",
        "methods",
        "objects",
        "paid",
        "prepaid",
        "register",
        "settled_on",
        "sums",
        "total",
        "vats",
    )

    def __init__(self, document: Document, context: RuleContext) -> None:
        self.document = document
        self.context = context
        self.register = context.register
        self.lines: tuple[Line, ...] = document.lines
        self.total: int = document.total.kopecks
        self.is_sale: bool = document.sign is CalculationSign.SALE
        self.is_return: bool = document.sign in RETURNS
        self.is_internet: bool = document.internet
        correction = document.correction
        self.settled_on: date = document.settled_on if correction is None else correction.base_on

        lines_sum = 0
        sums: dict[PaymentMethod, int] = {}
        objects: set[PaymentObject] = set()
        vats: set[VatCode] = set()
        has_marks = has_agents = False
        for line in document.lines:
            kopecks = line.sum.kopecks
            lines_sum += kopecks
            method = line.payment_method
            sums[method] = sums.get(method, 0) + kopecks
            objects.add(line.payment_object)
            vats.add(line.vat)
            if line.mark is not None or line.planned_status is not None:
                has_marks = True
            if line.agent is not None or line.supplier is not None:
                has_agents = True
        self.lines_sum = lines_sum
        self.sums = sums
        """S(m): the sum of the lines with each payment method."""
        self.methods = sums.keys()
        self.objects = objects
        self.vats = vats
        self.has_marks = has_marks
        self.has_agents = has_agents

        paid: dict[PaymentKind, int] = {}
        for payment in document.payments:
            paid[payment.kind] = paid.get(payment.kind, 0) + payment.amount.kopecks
        self.paid: int = sum(paid.values())
        self.cash: int = paid.get(PaymentKind.CASH, 0)
        self.cashless: int = paid.get(PaymentKind.CASHLESS, 0)
        self.prepaid: int = paid.get(PaymentKind.PREPAID, 0)
        self.credit: int = paid.get(PaymentKind.CREDIT, 0)
        self.counter: int = paid.get(PaymentKind.COUNTER_PROVISION, 0)

    def settled(self, line: Line) -> date:
        """The date that chooses the line's VAT rate."""
        return line.settled_on or self.settled_on

    @property
    def has_contact(self) -> bool:
        buyer = self.document.buyer
        return bool(buyer.email or buyer.phone)


@dataclass(frozen=True, slots=True)
class Answer:
    """The register's answer beside what was sent."""

    document: Document | Figures
    result: FiscalResult
    known: Container[tuple[str, int]]  # pairs (tag 1041, tag 1040) of other documents
    qr: str  # the text of the QR code, where the provider gives it
    vat: Mapping[VatCode, Money] | None  # VAT by code, where the provider gives it


def roubles(kopecks: int) -> str:
    """Kopecks as people read them: ``1 250,00 руб.``."""
    return f"{Money(kopecks).human} руб."
