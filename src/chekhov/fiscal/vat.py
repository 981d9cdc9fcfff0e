"""VAT: which code of tag 1199 is legal when, which one a line takes, and how many kopecks of tax are in a sum.

The table is data with dates. Codes 7-10 came with law 176-ФЗ (from 2025-01-01), 22 % and 22/122 with law 425-ФЗ (from
2026-01-01; codes 11 and 12 by order of ФНС № ЕД-7-20/1050@ of 2025-12-08). Code 1 keeps the meaning 20 %, so that
a sale of 2025 can be returned in 2026 at its own rate (letter of ФНС № АБ-4-20/11248@ of 2025-12-15).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from chekhov.fiscal.document import Line
from chekhov.fiscal.money import ZERO, Money
from chekhov.fiscal.vocabulary import PaymentMethod, VatClass, VatCode, VatMode


class VatDateError(ValueError):
    """No code of tag 1199 can express the tax of this settlement on this date."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days on which something is in force, both ends included; None: no bound."""

    valid_from: date | None = None
    valid_to: date | None = None

    def __contains__(self, on: date) -> bool:
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)


@dataclass(frozen=True, slots=True)
class VatRow:
    """One code of tag 1199. A use without a period is a use in which the code never stands."""

    code: VatCode
    percent: int | None  # None: no tax is computed; receipts carry the turnover instead (tags 1104, 1105)
    is_calculated: bool  # the form rate/(100 + rate) of a prepayment
    handover: Period | None  # with the methods 4, 5, 6, 7
    prepayment: Period | None  # with the methods 1, 2, 3

    @property
    def label(self) -> str:
        """As people see it: ``22/122``."""
        return self.code.label

    def period(self, method: PaymentMethod) -> Period | None:
        """When the code may stand with this payment method; None: never."""
        return self.prepayment if method.is_prepayment else self.handover


_ALWAYS = Period()
_TWENTY = Period(date(2019, 1, 1), date(2025, 12, 31))
_TWENTY_TWO = Period(date(2026, 1, 1))
_SIMPLIFIED = Period(date(2025, 1, 1))

VAT_TABLE: dict[VatCode, VatRow] = {
    row.code: row
    for row in (
        VatRow(VatCode.VAT_20, 20, False, _TWENTY, None),
        VatRow(VatCode.VAT_10, 10, False, _ALWAYS, None),
        VatRow(VatCode.VAT_20_120, 20, True, None, _TWENTY),
        VatRow(VatCode.VAT_10_110, 10, True, None, _ALWAYS),
        VatRow(VatCode.VAT_0, None, False, _ALWAYS, _ALWAYS),
        VatRow(VatCode.NO_VAT, None, False, _ALWAYS, _ALWAYS),
        VatRow(VatCode.VAT_5, 5, False, _SIMPLIFIED, None),
        VatRow(VatCode.VAT_7, 7, False, _SIMPLIFIED, None),
        VatRow(VatCode.VAT_5_105, 5, True, None, _SIMPLIFIED),
        VatRow(VatCode.VAT_7_107, 7, True, None, _SIMPLIFIED),
        VatRow(VatCode.VAT_22, 22, False, _TWENTY_TWO, None),
        VatRow(VatCode.VAT_22_122, 22, True, None, _TWENTY_TWO),
    )
}

HANDOVER_CODES = frozenset(code for code, row in VAT_TABLE.items() if row.handover is not None)
"""Codes that a line with the methods 4, 5, 6, 7 may carry on some date."""

PREPAYMENT_CODES = frozenset(code for code, row in VAT_TABLE.items() if row.prepayment is not None)
"""Codes that a line with the methods 1, 2, 3 may carry on some date."""

_PERCENT = {code: row.percent or 0 for code, row in VAT_TABLE.items()}

_ALLOWED = {
    VatMode.GENERAL: frozenset(
        {
            VatCode.VAT_20,
            VatCode.VAT_20_120,
            VatCode.VAT_22,
            VatCode.VAT_22_122,
            VatCode.VAT_10,
            VatCode.VAT_10_110,
            VatCode.VAT_0,
            VatCode.NO_VAT,
        }
    ),
    VatMode.USN_5: frozenset({VatCode.VAT_5, VatCode.VAT_5_105, VatCode.VAT_0, VatCode.NO_VAT}),
    VatMode.USN_7: frozenset({VatCode.VAT_7, VatCode.VAT_7_107, VatCode.VAT_0, VatCode.NO_VAT}),
    VatMode.EXEMPT: frozenset({VatCode.NO_VAT}),
}


def allowed_codes(mode: VatMode) -> frozenset[VatCode]:
    """Codes that a seller of this VAT mode may print; those of 20 % only for dates on which they were in force."""
    return _ALLOWED[mode]


def is_legal_on(code: VatCode, method: PaymentMethod, on: date) -> bool:
    """Whether the code may stand with the method when the settlement that chooses the rate was on this date.

    `on` is the date of the payment or the hand-over in the time zone of the place: the original's for a return and
    for the payment of a credit, tag 1178 for a correction.
    """
    period = VAT_TABLE[code].period(method)
    return period is not None and on in period


def is_in_force(code: VatCode, on: date) -> bool:
    """Whether the code is in force on the date in any use, hand-over or prepayment."""
    row = VAT_TABLE[code]
    period = row.handover or row.prepayment
    return period is not None and on in period


def code_for(vat_class: VatClass, mode: VatMode, method: PaymentMethod, on: date) -> VatCode:
    """The code that a new line takes. A return and the payment of a credit copy the original's code instead.

    Raises VatDateError where no current code has the rate of that date: 18 % before 2019, 5 % and 7 % before 2025.
    """
    code = _derive(vat_class, mode, method.is_prepayment, on)
    if not is_legal_on(code, method, on):
        raise VatDateError(
            f"На {on:%d.%m.%Y} ставки «{code.label}» не было, а действовавшую тогда касса напечатать не может: "
            "оформите такой чек вручную вместе с бухгалтером."
        )
    return code


def _derive(vat_class: VatClass, mode: VatMode, prepaid: bool, on: date) -> VatCode:
    if mode is VatMode.EXEMPT or vat_class is VatClass.EXEMPT:
        return VatCode.NO_VAT
    if vat_class is VatClass.ZERO:
        return VatCode.VAT_0
    if mode is VatMode.USN_5:
        return VatCode.VAT_5_105 if prepaid else VatCode.VAT_5
    if mode is VatMode.USN_7:
        return VatCode.VAT_7_107 if prepaid else VatCode.VAT_7
    if vat_class is VatClass.REDUCED:
        return VatCode.VAT_10_110 if prepaid else VatCode.VAT_10
    if on in _TWENTY_TWO:
        return VatCode.VAT_22_122 if prepaid else VatCode.VAT_22
    return VatCode.VAT_20_120 if prepaid else VatCode.VAT_20


def vat_amount(sum: Money, code: VatCode) -> Money:
    """The tax inside a sum that includes it, half-up to the kopeck; zero for the codes 5 (0 %) and 6 (no VAT)."""
    percent = _PERCENT[code]
    whole = 100 + percent
    return Money((2 * sum.kopecks * percent + whole) // (2 * whole)) if percent else ZERO


def vat_totals(lines: Iterable[Line]) -> dict[VatCode, Money]:
    """The tax by code as the sum of rounded lines; for the codes 5 and 6 the turnover (tags 1104 and 1105).

    A register may compute from the summed base instead: its figure may differ by a kopeck a line.
    """
    totals: dict[VatCode, int] = {}
    for line in lines:
        percent = _PERCENT[line.vat]
        whole = 100 + percent
        kopecks = line.sum.kopecks
        amount = (2 * kopecks * percent + whole) // (2 * whole) if percent else kopecks
        totals[line.vat] = totals.get(line.vat, 0) + amount
    return {code: Money(kopecks) for code, kopecks in totals.items()}
