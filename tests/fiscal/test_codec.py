"""What is stored comes back exactly."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.fiscal.codec import CodecError, dump, dump_result, load, load_result
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
    SectoralProp,
    Seller,
    Supplier,
)
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    CorrectionType,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    PlannedStatus,
    TaxSystem,
    Unit,
    VatCode,
)
from tests.fiscal.samples import answer_to, line, receipt

texts = st.text(max_size=8)
money = st.integers(-(2**63), 2**63 - 1).map(Money)
dates = st.dates()
phones = st.lists(texts, max_size=2).map(tuple)


def of(members: type) -> st.SearchStrategy:
    return st.sampled_from(list(members))


agents = st.builds(Agent, of(AgentSign), texts, phones, phones, texts, phones, texts, texts)
marks = st.builds(Mark, of(MarkType), texts, st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9)), st.booleans())
lines = st.builds(
    Line,
    texts,
    money,
    st.integers(0, 2**40).map(Quantity),
    money,
    of(PaymentObject),
    of(PaymentMethod),
    of(VatCode),
    of(Unit),
    texts,
    st.none() | dates,
    st.none() | marks,
    st.none() | of(PlannedStatus),
    texts,
    st.lists(st.builds(SectoralProp, texts, dates, texts, texts), max_size=2).map(tuple),
    st.none() | agents,
    st.none() | st.builds(Supplier, texts, phones, texts),
    st.none() | money,
    texts,
    texts,
    texts,
)
documents = st.builds(
    Document,
    of(CalculationSign),
    st.lists(lines, max_size=3).map(tuple),
    st.lists(st.builds(Payment, of(PaymentKind), money), max_size=3).map(tuple),
    money,
    st.builds(Seller, texts, texts, of(TaxSystem), texts, texts, texts),
    st.builds(Buyer, texts, texts, texts, texts),
    dates,
    st.integers(1, 11),
    st.booleans(),
    st.booleans(),
    st.none() | st.builds(Cashier, texts, texts),
    st.none() | st.builds(Correction, of(CorrectionType), dates, texts, st.booleans()),
    texts,
    st.none() | st.tuples(texts, texts),
)
results = st.builds(
    FiscalResult,
    texts,
    st.integers(0, 2**40),
    texts,
    texts,
    st.integers(1, 4),
    money,
    texts,
    st.none() | st.integers(0, 2**32),
    st.none() | st.integers(0, 2**32),
    texts,
)


@given(documents)
@settings(max_examples=300)
def test_document_comes_back_exactly(document: Document) -> None:
    assert load(dump(document)) == document


@given(documents)
@settings(max_examples=50)
def test_same_document_is_the_same_text(document: Document) -> None:
    assert dump(load(dump(document))) == dump(document)


@given(results)
def test_answer_comes_back_exactly(result: FiscalResult) -> None:
    assert load_result(dump_result(result)) == result


def test_types_come_back_too() -> None:
    document = load(dump(receipt(line(unit=Unit.LITRE, planned_status=PlannedStatus.PIECE_SOLD))))

    assert type(document.sign) is CalculationSign
    assert type(document.lines[0].vat) is VatCode
    assert document.lines[0].unit is Unit.LITRE
    assert type(document.lines[0].planned_status) is PlannedStatus
    assert type(document.payments[0].kind) is PaymentKind


def test_text_holds_the_numbers_of_the_format_and_no_defaults() -> None:
    stored = json.loads(dump(receipt(line(quantity=Quantity(2000)), cashier=None, print_paper=False)))

    assert stored["lines"] == [
        {
            "name": "Фильтр масляный",
            "price": 45000,
            "quantity": 2000,
            "sum": 90000,
            "object": 1,
            "method": 4,
            "vat": 11,
        }
    ]
    assert stored["payments"] == [[1031, 90000]]
    assert stored["settled_on"] == "2026-11-16"
    assert set(stored) == {"sign", "settled_on", "total", "lines", "payments", "seller", "buyer"}


def test_text_is_compact() -> None:
    assert '": ' not in dump(receipt())


GOOD = dump(receipt())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        GOOD[:-1],
        GOOD.replace('"vat":11', '"vat":13'),
        GOOD.replace('"vat":11', '"vat":11,"colour":1'),
        GOOD.replace('"sign":1', '"sign":1,"colour":1'),
        GOOD.replace("2026-11-16", "16.11.2026"),
        GOOD.replace('"buyer":{}', '"buyer":{"colour":1}'),
    ],
)
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        load(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", dump_result(answer_to(receipt())).replace('"fd"', '"df"')])
def test_damaged_answer_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        load_result(text)


def test_date_of_a_line_is_kept() -> None:
    document = receipt(line(settled_on=date(2025, 12, 31)))

    assert load(dump(document)).lines[0].settled_on == date(2025, 12, 31)
