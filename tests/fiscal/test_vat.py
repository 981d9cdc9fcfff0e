"""VAT codes by class, mode, method and date."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.fiscal.money import MAX_KOPECKS, ZERO, Money
from chekhov.fiscal.vat import (
    VAT_TABLE,
    VatDateError,
    allowed_codes,
    code_for,
    is_in_force,
    is_legal_on,
    vat_amount,
    vat_totals,
)
from chekhov.fiscal.vocabulary import PaymentMethod, VatClass, VatCode, VatMode
from tests.fiscal.samples import line

HANDOVER = PaymentMethod.FULL_PAYMENT
PREPAYMENT = PaymentMethod.ADVANCE
DAY = timedelta(days=1)
codes = st.sampled_from(VatCode)
methods = st.sampled_from(PaymentMethod)
dates = st.dates(date(2017, 1, 1), date(2031, 12, 31))

# code, rate, calculated form, first day, last day; None: no bound
LAW = [
    (1, 20, False, date(2019, 1, 1), date(2025, 12, 31)),
    (2, 10, False, None, None),
    (3, 20, True, date(2019, 1, 1), date(2025, 12, 31)),
    (4, 10, True, None, None),
    (7, 5, False, date(2025, 1, 1), None),
    (8, 7, False, date(2025, 1, 1), None),
    (9, 5, True, date(2025, 1, 1), None),
    (10, 7, True, date(2025, 1, 1), None),
    (11, 22, False, date(2026, 1, 1), None),
    (12, 22, True, date(2026, 1, 1), None),
]


@pytest.mark.parametrize(("number", "percent", "calculated", "first", "last"), LAW)
def test_code_has_the_rate_and_the_days_of_the_law(
    number: int, percent: int, calculated: bool, first: date | None, last: date | None
) -> None:
    code = VatCode(number)
    use, other = (PREPAYMENT, HANDOVER) if calculated else (HANDOVER, PREPAYMENT)

    assert (VAT_TABLE[code].percent, VAT_TABLE[code].is_calculated) == (percent, calculated)
    assert VAT_TABLE[code].label == code.label
    assert is_legal_on(code, use, first or date(2017, 1, 1))
    assert is_legal_on(code, use, last or date(2031, 12, 31))
    assert first is None or not is_legal_on(code, use, first - DAY)
    assert last is None or not is_legal_on(code, use, last + DAY)
    assert not is_legal_on(code, other, date(2025, 6, 1))


@given(methods, dates)
def test_zero_and_no_vat_are_always_legal(method: PaymentMethod, on: date) -> None:
    assert is_legal_on(VatCode.VAT_0, method, on)
    assert is_legal_on(VatCode.NO_VAT, method, on)


@given(codes, methods, dates)
def test_what_is_legal_is_in_force(code: VatCode, method: PaymentMethod, on: date) -> None:
    assert is_in_force(code, on) or not is_legal_on(code, method, on)


def test_table_has_every_code() -> None:
    assert set(VAT_TABLE) == set(VatCode)


@pytest.mark.parametrize(
    ("vat_class", "mode", "handover", "prepayment"),
    [
        (VatClass.STANDARD, VatMode.GENERAL, 11, 12),
        (VatClass.REDUCED, VatMode.GENERAL, 2, 4),
        (VatClass.ZERO, VatMode.GENERAL, 5, 5),
        (VatClass.EXEMPT, VatMode.GENERAL, 6, 6),
        (VatClass.STANDARD, VatMode.USN_5, 7, 9),
        (VatClass.REDUCED, VatMode.USN_5, 7, 9),
        (VatClass.ZERO, VatMode.USN_5, 5, 5),
        (VatClass.STANDARD, VatMode.USN_7, 8, 10),
        (VatClass.REDUCED, VatMode.USN_7, 8, 10),
        (VatClass.EXEMPT, VatMode.USN_7, 6, 6),
        (VatClass.STANDARD, VatMode.EXEMPT, 6, 6),
        (VatClass.ZERO, VatMode.EXEMPT, 6, 6),
    ],
)
def test_code_follows_class_and_mode(vat_class: VatClass, mode: VatMode, handover: int, prepayment: int) -> None:
    on = date(2026, 11, 16)

    for method in PaymentMethod:
        expected = prepayment if method <= 3 else handover
        assert code_for(vat_class, mode, method, on) == expected


@pytest.mark.parametrize(
    ("on", "handover", "prepayment"),
    [
        (date(2019, 1, 1), 1, 3),
        (date(2025, 12, 31), 1, 3),
        (date(2026, 1, 1), 11, 12),
        (date(2031, 1, 1), 11, 12),
    ],
)
def test_standard_rate_follows_the_date_of_the_settlement(on: date, handover: int, prepayment: int) -> None:
    assert code_for(VatClass.STANDARD, VatMode.GENERAL, HANDOVER, on) == handover
    assert code_for(VatClass.STANDARD, VatMode.GENERAL, PREPAYMENT, on) == prepayment


@pytest.mark.parametrize(
    ("mode", "on"),
    [
        (VatMode.GENERAL, date(2018, 12, 31)),
        (VatMode.USN_5, date(2024, 12, 31)),
        (VatMode.USN_7, date(2024, 12, 31)),
    ],
)
def test_rate_that_cannot_be_printed_is_refused(mode: VatMode, on: date) -> None:
    with pytest.raises(VatDateError, match="вручную"):
        code_for(VatClass.STANDARD, mode, HANDOVER, on)


@given(st.sampled_from(VatClass), st.sampled_from(VatMode), methods, dates)
def test_derived_code_is_always_legal_and_the_sellers(
    vat_class: VatClass, mode: VatMode, method: PaymentMethod, on: date
) -> None:
    try:
        code = code_for(vat_class, mode, method, on)
    except VatDateError:
        return

    assert is_legal_on(code, method, on)
    assert code in allowed_codes(mode)


def test_simplified_rates_are_never_beside_general_ones() -> None:
    assert allowed_codes(VatMode.USN_5) == {5, 6, 7, 9}
    assert allowed_codes(VatMode.USN_7) == {5, 6, 8, 10}
    assert allowed_codes(VatMode.GENERAL) == {1, 2, 3, 4, 5, 6, 11, 12}
    assert allowed_codes(VatMode.EXEMPT) == {6}


@pytest.mark.parametrize(
    ("kopecks", "code", "expected"),
    [
        (80730, VatCode.VAT_22, 14558),
        (80730, VatCode.VAT_22_122, 14558),
        (1001, VatCode.VAT_22, 181),
        (61, VatCode.VAT_22, 11),
        (3, VatCode.VAT_20, 1),  # half a kopeck goes up
        (2, VatCode.VAT_20, 0),
        (436665, VatCode.VAT_10, 39697),
        (2712000, VatCode.VAT_5_105, 129143),
        (100, VatCode.VAT_0, 0),
        (100, VatCode.NO_VAT, 0),
    ],
)
def test_tax_is_taken_out_of_the_sum_half_up(kopecks: int, code: VatCode, expected: int) -> None:
    assert vat_amount(Money(kopecks), code) == Money(expected)


@given(st.integers(0, MAX_KOPECKS), codes)
def test_tax_is_within_half_a_kopeck_of_the_exact_one(kopecks: int, code: VatCode) -> None:
    percent = VAT_TABLE[code].percent or 0

    amount = vat_amount(Money(kopecks), code).kopecks

    assert -(100 + percent) <= 2 * (kopecks * percent - amount * (100 + percent)) < 100 + percent


def test_totals_add_rounded_lines_by_code_and_turnover_without_tax() -> None:
    lines = [
        line(price=1001),
        line(price=1001),
        line(price=500, vat=VatCode.NO_VAT),
        line(price=700, vat=VatCode.NO_VAT),
        line(price=300, vat=VatCode.VAT_0),
    ]

    assert vat_totals(lines) == {
        VatCode.VAT_22: Money(362),
        VatCode.NO_VAT: Money(1200),
        VatCode.VAT_0: Money(300),
    }
    assert vat_totals([]) == {}
    assert vat_amount(ZERO, VatCode.VAT_22) == ZERO
