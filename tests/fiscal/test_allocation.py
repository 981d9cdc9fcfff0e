"""No kopeck is lost or made when sums are spread and lines are split."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chekhov.fiscal.allocation import measured_name, split_line, spread
from chekhov.fiscal.money import ZERO, Money, total
from chekhov.fiscal.quantity import ONE, Quantity, line_sum
from chekhov.fiscal.vocabulary import Unit

sums = st.integers(0, 10**9).map(Money)
weights = st.lists(st.integers(0, 10**7).map(Money), min_size=1, max_size=100)
quantities = st.integers(1, 99_999_999).map(Quantity)


@given(sums, weights)
def test_shares_add_up_to_what_was_spread(amount: Money, parts: list[Money]) -> None:
    assume(total(parts))

    assert total(list(spread(amount, parts).shares)) == amount


@given(weights, st.data())
def test_no_share_is_above_its_weight(parts: list[Money], data: st.DataObject) -> None:
    assume(total(parts))
    amount = Money(data.draw(st.integers(0, total(parts).kopecks)))

    shares = spread(amount, parts).shares

    assert all(ZERO <= share <= weight for share, weight in zip(shares, parts, strict=True))


@given(sums, weights)
def test_each_share_is_within_a_kopeck_of_the_exact_one(amount: Money, parts: list[Money]) -> None:
    whole = total(parts).kopecks
    assume(whole)

    for share, weight in zip(spread(amount, parts).shares, parts, strict=True):
        assert abs(share.kopecks - Fraction(amount.kopecks * weight.kopecks, whole)) < 1


@given(sums, weights)
def test_every_moved_kopeck_is_explained(amount: Money, parts: list[Money]) -> None:
    whole = total(parts).kopecks
    assume(whole)

    result = spread(amount, parts)

    floors = [amount.kopecks * weight.kopecks // whole for weight in parts]
    raised = {index for index, share in enumerate(result.shares) if share.kopecks > floors[index]}
    assert raised == {one.line for one in result.moved}
    assert [one.rank for one in result.moved] == list(range(1, len(result.moved) + 1))
    remainders = [one.numerator % one.denominator for one in result.moved]
    assert remainders == sorted(remainders, reverse=True)


def test_equal_remainders_go_to_the_earlier_line() -> None:
    result = spread(Money(100), [Money(1), Money(1), Money(1)])

    assert result.shares == (Money(34), Money(33), Money(33))
    assert result.moved[0].line == 0


def test_whole_shares_move_nothing() -> None:
    assert spread(Money(40), [Money(100), Money(300)]).moved == ()


def test_exact_share_is_shown_with_four_decimals_half_up() -> None:
    assert spread(Money(2), [Money(1), Money(2)]).moved[0].exact == "0,6667"


def test_nothing_spreads_over_nothing() -> None:
    assert spread(ZERO, [ZERO, ZERO]).shares == (ZERO, ZERO)


@pytest.mark.parametrize(
    ("amount", "parts"),
    [(Money(1), []), (Money(1), [ZERO]), (Money(-1), [Money(1)]), (Money(1), [Money(2), Money(-1)])],
)
def test_senseless_spread_is_refused(amount: Money, parts: list[Money]) -> None:
    with pytest.raises(ValueError):
        spread(amount, parts)


@given(sums, quantities)
def test_price_times_quantity_is_the_sum_of_each_piece(amount: Money, quantity: Quantity) -> None:
    pieces = split_line(amount, quantity)

    assert all(line_sum(piece.price, piece.quantity) == piece.sum for piece in pieces)
    assert total([piece.sum for piece in pieces]) == amount


@given(sums, quantities)
def test_quantity_is_kept_unless_a_piece_goes_as_one(amount: Money, quantity: Quantity) -> None:
    pieces = split_line(amount, quantity)

    if pieces[0].as_one:
        assert [(piece.price, piece.quantity) for piece in pieces] == [(amount, ONE)]
    else:
        assert sum(piece.quantity.thousandths for piece in pieces) == quantity.thousandths


@given(sums, st.integers(1, 99_999).map(Quantity.pieces))
def test_whole_quantity_makes_at_most_two_pieces_a_kopeck_apart(amount: Money, quantity: Quantity) -> None:
    pieces = split_line(amount, quantity)

    assert len(pieces) <= 2
    if len(pieces) == 2:
        assert pieces[0].price - pieces[1].price == Money(1)
        assert all(piece.quantity.is_whole for piece in pieces)


@given(sums, st.integers(1, 99_999))
def test_whole_quantity_goes_as_one_only_below_a_kopeck_a_unit(amount: Money, count: int) -> None:
    (first, *_) = split_line(amount, Quantity.pieces(count))

    assert first.as_one == (0 < amount.kopecks < count)


@given(st.integers(1, 10**7).map(Money), quantities)
def test_price_that_gives_the_sum_is_found(price: Money, quantity: Quantity) -> None:
    amount = line_sum(price, quantity)
    assume(amount)
    assume(not quantity.is_whole)

    (piece,) = split_line(amount, quantity)

    assert not piece.as_one


def test_line_of_nothing_keeps_its_quantity() -> None:
    (piece,) = split_line(ZERO, Quantity.pieces(3))

    assert (piece.price, piece.quantity, piece.as_one) == (ZERO, Quantity.pieces(3), False)


def test_sum_without_a_price_goes_as_one() -> None:
    (piece,) = split_line(Money(39340), Quantity(1357))

    assert (piece.price, piece.quantity, piece.sum, piece.as_one) == (Money(39340), ONE, Money(39340), True)


@pytest.mark.parametrize(("amount", "quantity"), [(Money(-1), ONE), (Money(1), Quantity(0)), (Money(1), Quantity(-1))])
def test_senseless_split_is_refused(amount: Money, quantity: Quantity) -> None:
    with pytest.raises(ValueError):
        split_line(amount, quantity)


@pytest.mark.parametrize(
    ("name", "quantity", "unit", "expected"),
    [
        ("Шланг топливный", Quantity(1357), Unit.METRE, "Шланг топливный, 1.357 м"),
        ("Шланг топливный, м", Quantity(1357), Unit.METRE, "Шланг топливный, 1.357 м"),
        ("Заклепка", Quantity.pieces(200), Unit.PIECE, "Заклепка, 200 шт"),
        ("Смесь", Quantity(500), Unit.OTHER, "Смесь, 0.5"),
    ],
)
def test_measure_goes_into_the_name(name: str, quantity: Quantity, unit: Unit, expected: str) -> None:
    assert measured_name(name, quantity, unit) == expected


@given(st.text(max_size=200), quantities, st.sampled_from(Unit))
def test_measured_name_fits_and_keeps_its_measure(name: str, quantity: Quantity, unit: Unit) -> None:
    result = measured_name(name, quantity, unit)

    assert len(result) <= 128
    assert str(quantity) in result
