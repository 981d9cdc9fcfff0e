"""Money as integer kopecks. A type of its own, so that a sum is never mistaken for a quantity or a plain number."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_KOPECKS = 4_294_967_295
"""The largest price, sum or total that registers accept: 42 949 672.95 roubles (2³²-1 kopecks)."""

_ROUBLES = re.compile(r"(\d{1,8})(?:\.(\d{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in kopecks. Arithmetic is exact; adding anything but money is a TypeError."""

    kopecks: int

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read roubles as the API writes them: ``"1250"``, ``"1250.5"``, ``"1250.00"``.

        Raises ValueError for anything else: a sign, an exponent, a comma, more than two decimals.
        """
        match = _ROUBLES.fullmatch(text)
        if match is None:
            raise ValueError(f"not an amount in roubles: {text!r}")
        roubles, fraction = match.groups()
        return cls(int(roubles) * 100 + int((fraction or "").ljust(2, "0")))

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.kopecks + other.kopecks)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.kopecks - other.kopecks)

    def __bool__(self) -> bool:
        return self.kopecks != 0

    def __str__(self) -> str:
        """Roubles with exactly two decimals and a point: ``1250.00``."""
        sign = "-" if self.kopecks < 0 else ""
        roubles, kopecks = divmod(abs(self.kopecks), 100)
        return f"{sign}{roubles}.{kopecks:02d}"

    @property
    def human(self) -> str:
        """As people read it in Russian: ``1 250,00`` with a no-break space between thousands."""
        sign = "-" if self.kopecks < 0 else ""
        roubles, kopecks = divmod(abs(self.kopecks), 100)
        return f"{sign}{roubles:,},{kopecks:02d}".replace(",", "\u00a0", f"{roubles:,}".count(","))


ZERO = Money(0)


def total(amounts: list[Money]) -> Money:
    """Sum of amounts; zero for none."""
    return Money(sum(amount.kopecks for amount in amounts))
