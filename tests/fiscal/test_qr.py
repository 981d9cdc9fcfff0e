"""The QR code is written strictly and read tolerantly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.qr import QrError, QrFields, parse_qr, qr_text
from tests.fiscal.samples import answer_to, receipt

FIELDS = QrFields("20261124T1015", Money(189200), "9999078900012345", 4711, "2397484188", 1)
TEXT = "t=20261124T1015&s=1892.00&fn=9999078900012345&i=4711&fp=2397484188&n=1"


def test_code_is_written_as_the_tax_service_reads_it() -> None:
    assert qr_text(FIELDS) == TEXT
    assert parse_qr(TEXT) == FIELDS


@given(
    st.datetimes().map(lambda at: at.replace(year=2000 + at.year % 100).strftime("%Y%m%dT%H%M")),
    st.integers(0, MAX_KOPECKS).map(Money),
    st.integers(0, 10**16 - 1).map(lambda number: f"{number:016d}"),
    st.integers(1, 2**32 - 1),
    st.integers(0, 10**10 - 1).map(str),
    st.integers(1, 4),
)
def test_what_is_written_is_read(at: str, total: Money, fn: str, fd: int, fp: str, sign: int) -> None:
    fields = QrFields(at, total, fn, fd, fp, sign)

    assert parse_qr(qr_text(fields)) == fields


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("T1015", "T101559"),
        "n=1&fp=2397484188&i=4711&fn=9999078900012345&s=1892.00&t=20261124T1015",
        TEXT.replace("i=4711", "i=0000004711"),
        TEXT.replace("1892.00", "1892"),
        f" {TEXT}\n",
        f"https://check.example.ru/?{TEXT}",
        TEXT.replace("t=", "T=") + "&extra=1",
    ],
)
def test_other_spellings_are_read(text: str) -> None:
    fields = parse_qr(text)

    assert replace(fields, at=fields.minute) == FIELDS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        TEXT.removesuffix("&n=1"),
        TEXT + "&n=1",
        TEXT.replace("n=1", "n=5"),
        TEXT.replace("fn=9999078900012345", "fn=12345"),
        TEXT.replace("i=4711", "i=0"),
        TEXT.replace("i=4711", "i=-4"),
        TEXT.replace("fp=2397484188", "fp=12345678901"),
        TEXT.replace("s=1892.00", "s=1892,00"),
        TEXT.replace("20261124T1015", "20261324T1015"),
        TEXT.replace("20261124T1015", "2026-11-24"),
    ],
)
def test_unreadable_code_is_refused(text: str) -> None:
    with pytest.raises(QrError):
        parse_qr(text)


@pytest.mark.parametrize(
    "fields",
    [
        replace(FIELDS, fp="0239748418"),
        replace(FIELDS, total=Money(-1)),
        replace(FIELDS, fn="1"),
        replace(FIELDS, sign=0),
        replace(FIELDS, at="20261124"),
    ],
)
def test_senseless_code_is_not_written(fields: QrFields) -> None:
    with pytest.raises(QrError):
        qr_text(fields)


def test_code_of_an_answer_drops_padding_of_the_fiscal_sign() -> None:
    answer = answer_to(receipt(), fp="0239748418")

    assert qr_text(QrFields.of(answer)).endswith("&fp=239748418&n=1")


def test_answer_without_a_fiscal_sign_has_no_code() -> None:
    with pytest.raises(QrError):
        QrFields.of(answer_to(receipt(), fp=""))
