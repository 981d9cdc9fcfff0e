"""Every worked example of a settlement is a lawful document, to the kopeck of its VAT."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chekhov.fiscal.allocation import split_line, spread
from chekhov.fiscal.codec import dump, load
from chekhov.fiscal.document import Buyer
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.rules import check
from chekhov.fiscal.vat import is_legal_on, vat_totals
from chekhov.fiscal.vocabulary import VatCode
from tests.fiscal.samples import ONLINE, SITE, VECTORS, Vector

BY_ID = {vector.id: vector for vector in VECTORS}
each_example = pytest.mark.parametrize("vector", VECTORS, ids=list(BY_ID))


def test_all_examples_are_read() -> None:
    assert len(BY_ID) == len(VECTORS) == 35


@each_example
def test_example_breaks_no_rule(vector: Vector) -> None:
    assert check(vector.document, vector.context) == ()


@each_example
def test_example_carries_its_vat(vector: Vector) -> None:
    assert vat_totals(vector.document.lines) == vector.vat


@each_example
def test_example_codes_are_legal_on_their_date(vector: Vector) -> None:
    for line in vector.document.lines:
        assert is_legal_on(line.vat, line.payment_method, vector.document.settled_on)


@each_example
def test_example_survives_storing(vector: Vector) -> None:
    assert load(dump(vector.document)) == vector.document


def test_e2_prepayment_passes_as_an_internet_receipt() -> None:
    document = replace(
        BY_ID["E2-1"].document, internet=True, seller=SITE, buyer=Buyer("buyer@example.ru"), print_paper=False
    )

    assert check(document, ONLINE) == ()


def test_e6_discount_is_spread_as_in_its_table() -> None:
    gross = [Money(59997), Money(45050), Money(15050)]

    result = spread(Money(15000), gross)

    assert result.shares == (Money(7493), Money(5627), Money(1880))
    assert [(one.line, one.rank, one.exact) for one in result.moved] == [(2, 1, "1879,7306"), (1, 2, "5626,7017")]
    assert [whole - part for whole, part in zip(gross, result.shares, strict=True)] == [
        Money(52504),
        Money(39423),
        Money(13170),
    ]


def test_e6_net_sums_become_the_lines_of_the_receipt() -> None:
    nets = ((52504, 3), (39423, 1), (13170, 2))

    pieces = [piece for net, count in nets for piece in split_line(Money(net), Quantity.pieces(count))]

    assert [(piece.price, piece.quantity, piece.sum) for piece in pieces] == [
        (line.price, line.quantity, line.sum) for line in BY_ID["E6"].document.lines
    ]


def test_e6_says_in_russian_where_each_kopeck_went() -> None:
    moved = spread(Money(15000), [Money(59997), Money(45050), Money(15050)]).moved

    assert moved[0].sentence == (
        "Строка 3: точная доля 1879,7306 коп., с распределённой копейкой 18.80 руб.: "
        "дробный остаток этой строки — 1-й по величине."
    )


def test_e18_fractional_quantity_keeps_its_measure() -> None:
    (piece,) = split_line(Money(39339), Quantity(1357))

    assert (piece.price, piece.quantity, piece.as_one) == (Money(28990), Quantity(1357), False)


def test_e19_vat_by_lines_differs_from_the_vat_of_the_whole() -> None:
    document = BY_ID["E19"].document
    whole = replace(document.lines[0], sum=document.total)

    assert vat_totals(document.lines) == {VatCode.VAT_22: Money(543)}
    assert vat_totals([whole]) == {VatCode.VAT_22: Money(542)}
