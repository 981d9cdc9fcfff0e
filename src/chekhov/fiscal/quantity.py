"""Quantity (tag 1023) as integer thousandths of a unit. Three decimals are the safe precision of the format."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chekhov.fiscal.money import Money

MAX_THOUSANDTHS = 99_999_999
"""The largest quantity that registers accept: 99 999.999."""

_QUANTITY = re.compile(r"(\d{1,8})(?:\.(\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A quantity in thousandths of its unit. Cannot be added to money."""

    thousandths: int

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Read ``"2"``, ``"1.357"``. Raises ValueError for more than three decimals or anything but digits."""
        match = _QUANTITY.fullmatch(text)
        if match is None:
            raise ValueError(f"not a quantity with at most three decimals: {text!r}")
        whole, fraction = match.groups()
        return cls(int(whole) * 1000 + int((fraction or "").ljust(3, "0")))

    @classmethod
    def pieces(cls, count: int) -> Quantity:
        """A whole number of units."""
        return cls(count * 1000)

    def __add__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        return Quantity(self.thousandths + other.thousandths)

    def __sub__(self, other: Quantity) -> Quantity:
        if not isinstance(other, Quantity):
            return NotImplemented
        return Quantity(self.thousandths - other.thousandths)

    def __str__(self) -> str:
        """As short as it can be: ``2``, ``1.357``."""
        whole, rest = divmod(self.thousandths, 1000)
        return str(whole) if not rest else f"{whole}.{rest:03d}".rstrip("0")

    @property
    def is_whole(self) -> bool:
        return self.thousandths % 1000 == 0

    @property
    def human(self) -> str:
        """As people read it in Russian: ``1,357``."""
        return str(self).replace(".", ",")


ONE = Quantity(1000)


def line_sum(price: Money, quantity: Quantity) -> Money:
    """Price × quantity, half-up to the kopeck: tag 1043 = 1079 × 1023. Both must not be negative."""
    return Money((price.kopecks * quantity.thousandths + 500) // 1000)
