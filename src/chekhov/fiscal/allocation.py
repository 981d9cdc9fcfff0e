"""Kopecks without loss: spreading a sum over lines and expressing a sum through price × quantity.

A fiscal receipt has no field for a discount: it lives in the unit price, and tag 1043 must equal 1079 × 1023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import ONE, Quantity, line_sum
from chekhov.fiscal.vocabulary import Unit

NAME_LIMIT = 128
"""Characters of tag 1030."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One kopeck that largest remainder gave to a line above the whole part of its exact share."""

    line: int  # index among the weights, from 0
    rank: int  # place of the line's remainder among all, from 1
    numerator: int  # the exact share in kopecks is numerator / denominator
    denominator: int
    share: Money  # what the line has with the kopeck

    @property
    def exact(self) -> str:
        """The exact share in kopecks with four decimals, half-up: ``5626,7017``."""
        ten_thousandths = (self.numerator * 20_000 + self.denominator) // (2 * self.denominator)
        whole, rest = divmod(ten_thousandths, 10_000)
        return f"{whole},{rest:04d}"

    @property
    def sentence(self) -> str:
        """Why the kopeck is here, in Russian."""
        return (
            f"Строка {self.line + 1}: точная доля {self.exact} коп., с распределённой копейкой {self.share} руб.: "
            f"дробный остаток этой строки — {self.rank}-й по величине."
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """A sum spread over lines, to the kopeck."""

    shares: tuple[Money, ...]  # in the order of the weights; their sum is the sum that was spread
    moved: tuple[Moved, ...]  # by rank; empty where every share is whole


def spread(total: Money, weights: Sequence[Money]) -> Spread:
    """Spread a discount, a part payment or a charge over lines in proportion to the weights, by largest remainder.

    `weights` are the gross sums of the lines. The shares add up to `total` exactly, and none is above its weight where
    `total` is not above their sum. Equal remainders go to the earlier line.

    Raises ValueError for a negative sum or weight, and for a sum with nothing to spread it over.
    """
    sums = [weight.kopecks for weight in weights]
    whole = sum(sums)
    amount = total.kopecks
    if amount < 0 or min(sums, default=0) < 0:
        raise ValueError("a negative sum cannot be spread")
    if whole == 0:
        if amount:
            raise ValueError("there is nothing to spread the sum over")
        return Spread(tuple(weights), ())
    products = [amount * weight for weight in sums]
    shares = [product // whole for product in products]
    rest = amount - sum(shares)
    if not rest:
        return Spread(tuple(map(Money, shares)), ())
    order = sorted(range(len(sums)), key=lambda index: (-(products[index] % whole), index))
    moved = []
    for rank, index in enumerate(order[:rest], start=1):
        shares[index] += 1
        moved.append(Moved(index, rank, products[index], whole, Money(shares[index])))
    return Spread(tuple(map(Money, shares)), tuple(moved))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line for which price × quantity = sum, half-up."""

    price: Money
    quantity: Quantity
    sum: Money
    as_one: bool = False  # the quantity could not be kept: it is 1, and the measure belongs in the name


def split_line(total: Money, quantity: Quantity) -> tuple[Piece, ...]:
    """Express a line's sum through unit prices: at most two pieces one kopeck apart, the dearer first.

    A whole quantity divides into units at ``b + 1`` and at ``b`` kopecks. A fractional one keeps its quantity if some
    price gives the sum exactly, otherwise it goes as quantity 1; so does a share below one kopeck a unit.

    Raises ValueError for a negative sum or a quantity that is not positive.
    """
    amount, thousandths = total.kopecks, quantity.thousandths
    if amount < 0 or thousandths <= 0:
        raise ValueError("only a sum that is not negative over a positive quantity can be split")
    if amount == 0:
        return (Piece(total, quantity, total),)
    units, fraction = divmod(thousandths, 1000)
    if fraction == 0:
        price, dearer = divmod(amount, units)
        if dearer == 0:
            return (Piece(Money(price), quantity, total),)
        if price == 0:
            return (Piece(total, ONE, total, as_one=True),)
        return (
            Piece(Money(price + 1), Quantity.pieces(dearer), Money((price + 1) * dearer)),
            Piece(Money(price), Quantity.pieces(units - dearer), Money(price * (units - dearer))),
        )
    nearest = (2 * amount * 1000 + thousandths) // (2 * thousandths)
    for kopecks in (nearest, nearest - 1):  # a product of exactly half a kopeck over is met by the lower price
        price_ = Money(kopecks)
        if kopecks > 0 and line_sum(price_, quantity) == total:
            return (Piece(price_, quantity, total),)
    return (Piece(total, ONE, total, as_one=True),)


def measured_name(name: str, quantity: Quantity, unit: Unit) -> str:
    """The name of a line that goes as quantity 1, with its real measure: ``Шланг топливный, 1.357 м``.

    The name gives way to the measure where both do not fit into the 128 characters of tag 1030.
    """
    name = name.removesuffix(f", {unit.label}")
    measure = f", {quantity} {unit.label}" if unit is not Unit.OTHER else f", {quantity}"
    return name[: NAME_LIMIT - len(measure)].rstrip(" ,") + measure
