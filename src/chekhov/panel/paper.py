"""A fiscal document as the buyer sees it on paper: only values that are in the document, in the words of the format."""

from __future__ import annotations

from dataclasses import dataclass

import segno

from chekhov.fiscal.document import Document, FiscalResult, Line
from chekhov.fiscal.money import Money
from chekhov.fiscal.qr import QrError, QrFields, qr_text
from chekhov.fiscal.vat import VAT_TABLE, vat_totals
from chekhov.fiscal.vocabulary import Unit, VatCode
from chekhov.receipts.models import FiscalRecord


@dataclass(frozen=True, slots=True)
class Paper:
    """What the template draws."""

    document: Document
    lines: tuple[tuple[Line, str], ...]  # each with its unit, empty for pieces
    vat: tuple[tuple[str, Money], ...]
    fiscal: FiscalRecord | None
    printed_at: str
    qr_svg: str


def paper_of(document: Document, fiscal: FiscalRecord | None) -> Paper:
    """The drawing of a document, with the register's figures and the QR code once they are known."""
    units = tuple((line, "" if line.unit is Unit.PIECE else line.unit.label) for line in document.lines)
    vat = tuple((_vat_words(code), amount) for code, amount in sorted(vat_totals(document.lines).items()))
    return Paper(
        document,
        units,
        vat,
        fiscal,
        printed_words(fiscal.printed_at) if fiscal else "",
        qr_svg(fiscal) if fiscal else "",
    )


def qr_svg(fiscal: FiscalRecord) -> str:
    """The QR code (tag 1196) as SVG; empty where the register's figures cannot make one."""
    result = FiscalResult(
        fn=fiscal.fn,
        fd=fiscal.fd,
        fp=fiscal.fp,
        at=fiscal.printed_at,
        sign=fiscal.sign,
        total=Money(fiscal.total_kopecks),
    )
    try:
        text = qr_text(QrFields.of(result))
    except QrError:
        return ""
    return str(segno.make_qr(text, error="m").svg_inline(scale=4, border=2, omitsize=True))


def printed_words(at: str) -> str:
    """``20261124T1015`` → ``24.11.2026 10:15``; anything else as it is."""
    if len(at) >= 13 and at[8] == "T":
        return f"{at[6:8]}.{at[4:6]}.{at[:4]} {at[9:11]}:{at[11:13]}"
    return at


def _vat_words(code: VatCode) -> str:
    if code is VatCode.NO_VAT:
        return "Сумма без НДС"
    if code is VatCode.VAT_0:
        return "Сумма с НДС 0 %"
    return f"В том числе НДС {VAT_TABLE[code].label}"
