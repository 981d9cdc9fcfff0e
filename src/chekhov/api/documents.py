"""A stored document and the register's answer as the API shows them: money as text, words with their tags."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chekhov.config.clock import zone
from chekhov.fiscal.document import Document, FiscalResult, Line
from chekhov.fiscal.money import Money
from chekhov.fiscal.qr import QrError, QrFields, qr_text
from chekhov.fiscal.vocabulary import Labelled
from chekhov.receipts.models import FiscalRecord

Json = dict[str, Any]


def word(tag: int, member: Labelled) -> Json:
    """An enumeration's member with its tag."""
    return {"tag": tag, "value": member.value, "label": member.label}


def offset_text(time_zone: int) -> str:
    """The offset of a time zone by tag 1011: ``+03:00`` for 2."""
    return f"+{time_zone + 1:02d}:00"


def document_json(document: Document) -> Json:
    """A document as it went to the register."""
    seller, buyer, cashier, correction = document.seller, document.buyer, document.cashier, document.correction
    return {
        "sign": word(1054, document.sign),
        "settled_on": document.settled_on.isoformat(),
        "time_zone": offset_text(document.time_zone),
        "internet": document.internet,
        "print_paper": document.print_paper,
        "total": str(document.total),
        "seller": {
            "inn": seller.inn,
            "name": seller.name,
            "tax_system": word(1055, seller.tax_system),
            "place": seller.place,
            "address": seller.address or None,
            "email": seller.email or None,
        },
        "buyer": {
            "email": buyer.email or None,
            "phone": buyer.phone or None,
            "name": buyer.name or None,
            "inn": buyer.inn or None,
        },
        "cashier": {"name": cashier.name, "inn": cashier.inn or None} if cashier else None,
        "correction": {
            "type": word(1173, correction.type),
            "base_on": correction.base_on.isoformat(),
            "base_number": correction.base_number or None,
        }
        if correction
        else None,
        "lines": [_line_json(line) for line in document.lines],
        "payments": [
            {"tag": payment.kind.value, "label": payment.kind.label, "amount": str(payment.amount)}
            for payment in document.payments
        ],
    }


def _line_json(line: Line) -> Json:
    return {
        "id": line.id or None,
        "name": line.name,
        "price": str(line.price),
        "quantity": str(line.quantity),
        "sum": str(line.sum),
        "object": word(1212, line.payment_object),
        "method": word(1214, line.payment_method),
        "vat": word(1199, line.vat),
        "unit": word(2108, line.unit),
        "mark": line.mark.type.label if line.mark else None,
    }


def fiscal_json(record: FiscalRecord, time_zone: int) -> Json:
    """What the register gave back; its local time with the offset of the place."""
    pattern = "%Y%m%dT%H%M%S" if len(record.printed_at) > 13 else "%Y%m%dT%H%M"
    printed_at = datetime.strptime(record.printed_at, pattern).replace(tzinfo=zone(time_zone))
    return {
        "fn": record.fn,
        "fd": record.fd,
        "fp": record.fp,
        "at": printed_at.isoformat(),
        "rn": record.rn or None,
        "shift": record.shift,
        "number": record.number,
        "total": str(Money(record.total_kopecks)),
        "qr": _qr(record),
        "ofd_url": record.url or None,
    }


def _qr(record: FiscalRecord) -> str | None:
    result = FiscalResult(record.fn, record.fd, record.fp, record.printed_at, record.sign, Money(record.total_kopecks))
    try:
        return qr_text(QrFields.of(result))
    except QrError:
        return None
