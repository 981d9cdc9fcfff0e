"""Money and quantity are exact and never mistaken for each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.fiscal.money import ZERO, Money, total
from chekhov.fiscal.quantity import ONE, Quantity, line_sum

kopecks = st.integers(0, 10**10 - 1)


@given(kopecks)
def test_money_is_read_as_it_is_written(amount: int) -> None:
    assert Money.parse(str(Money(amount))) == Money(amount)


@given(st.integers(0, 99_999_999))
def test_quantity_is_read_as_it_is_written(thousandths: int) -> None:
    assert Quantity.parse(str(Quantity(thousandths))) == Quantity(thousandths)


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1,5", "1.234", "1e3", "1.", ".5", " 1", "1 000", "٣", "NaN", "1" * 9]
)
def test_anything_else_is_not_an_amount(text: str) -> None:
    with pytest.raises(ValueError):
        Money.parse(text)


@pytest.mark.parametrize("text", ["", "-1", "1,5", "1.2345", "1e3", "1.", "٣"])
def test_anything_else_is_not_a_quantity(text: str) -> None:
    with pytest.raises(ValueError):
        Quantity.parse(text)


def test_money_is_shown_to_people_with_spaces_and_a_comma() -> None:
    assert Money(123456789).human == "1\u00a0234\u00a0567,89"
    assert Money(-5).human == "-0,05"
    assert str(Money(-5)) == "-0.05"


def test_money_and_quantity_do_not_mix() -> None:
    with pytest.raises(TypeError):
        Money(1) + ONE  # type: ignore[operator]
    with pytest.raises(TypeError):
        ONE - Money(1)  # type: ignore[operator]
    with pytest.raises(TypeError):
        Money(1) + 1  # type: ignore[operator]


@given(st.lists(kopecks.map(Money)))
def test_total_is_the_sum(amounts: list[Money]) -> None:
    expected = ZERO
    for amount in amounts:
        expected = expected + amount

    assert total(amounts) == expected
    assert expected - expected == ZERO
    assert not (expected - expected)


@pytest.mark.parametrize(
    ("price", "thousandths", "expected"),
    [(28990, 1357, 39339), (1, 500, 1), (1, 499, 0), (3, 500, 2), (45000, 2000, 90000)],
)
def test_line_sum_is_half_up(price: int, thousandths: int, expected: int) -> None:
    assert line_sum(Money(price), Quantity(thousandths)) == Money(expected)


def test_quantity_is_shown_short() -> None:
    assert (str(Quantity(2000)), str(Quantity(1357)), str(Quantity(1500))) == ("2", "1.357", "1.5")
    assert Quantity(1500).human == "1,5"
    assert Quantity.pieces(2) + ONE == Quantity(3000)
    assert not Quantity(1500).is_whole
