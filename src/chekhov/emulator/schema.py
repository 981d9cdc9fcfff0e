"""Small building blocks for checking a JSON document against a table of fields, without a schema library.

A check is a function of one value that returns nothing or raises ``Bad``; a check of a container adds its key to the
path as the exception passes through, so a good document costs no path at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

Check = Callable[[Any], None]

AMOUNT_LIMIT = 10**10
"""Numbers of this size and more are refused, so that arithmetic on them stays exact."""


class Bad(Exception):
    """A value does not fit; ``path`` leads to it from the root."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = []

    def __str__(self) -> str:
        path = "->".join(map(str, self.path))
        return f"{path}: {self.reason}" if path else self.reason


def _wrong_type(value: Any, kind: str) -> Bad:
    text = "None" if value is None else repr(value)
    return Bad(f"{text[:60]} is not of type {kind}")


def text(
    *, limit: int | None = None, among: Collection[str] | None = None, pattern: str | None = None, filled: bool = False
) -> Check:
    """A string; ``filled`` refuses the empty one."""
    matches = re.compile(pattern).fullmatch if pattern else None

    def check(value: Any) -> None:
        if type(value) is not str:
            raise _wrong_type(value, "string")
        if among is not None and value not in among:
            raise Bad(f"{value[:60]!r} is not one of {', '.join(among)}")
        if filled and not value:
            raise Bad("'' is too short")
        if limit is not None and len(value) > limit:
            raise Bad(f"{value[:60]!r} is longer than {limit}")
        if matches is not None and not matches(value):
            raise Bad(f"{value[:60]!r} does not match {pattern}")

    return check


def integer(*, among: Collection[int] | None = None, least: int | None = None) -> Check:
    """A JSON integer; true and 1.0 are none."""

    def check(value: Any) -> None:
        if type(value) is not int:
            raise _wrong_type(value, "integer")
        if among is not None and value not in among:
            raise Bad(f"{value} is not one of {', '.join(map(str, among))}")
        if least is not None and value < least:
            raise Bad(f"{value} is less than the minimum of {least}")

    return check


def number(*, least: int | None = None, above: int | None = None) -> Check:
    """A JSON number, already read as int or Decimal."""

    def check(value: Any) -> None:
        if type(value) is not Decimal and type(value) is not int:
            raise _wrong_type(value, "number")
        if not -AMOUNT_LIMIT < value < AMOUNT_LIMIT:
            raise Bad(f"a number under {AMOUNT_LIMIT} is wanted")
        if type(value) is Decimal and value and value.adjusted() < -20:
            raise Bad("the number is too small")
        if least is not None and value < least:
            raise Bad(f"{value} is less than the minimum of {least}")
        if above is not None and value <= above:
            raise Bad(f"{value} is not greater than {above}")

    return check


def boolean(value: Any) -> None:
    """true or false."""
    if type(value) is not bool:
        raise _wrong_type(value, "boolean")


def identifier(limit: int | None = None) -> Check:
    """A non-empty string or an integer."""

    def check(value: Any) -> None:
        if type(value) is int:
            return
        if type(value) is not str:
            raise _wrong_type(value, "string, integer")
        if not value:
            raise Bad("'' is too short")
        if limit is not None and len(value) > limit:
            raise Bad(f"{value[:60]!r} is longer than {limit}")

    return check


def nullable(inner: Check) -> Check:
    """``inner`` or null."""

    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def array(item: Check, *, filled: bool = False) -> Check:
    """A list of equal things."""

    def check(value: Any) -> None:
        if type(value) is not list:
            raise _wrong_type(value, "array")
        if filled and not value:
            raise Bad("[] is too short")
        index = 0
        try:
            for element in value:
                item(element)
                index += 1
        except Bad as bad:
            bad.path.insert(0, index)
            raise

    return check


def record(
    fields: Mapping[str, Check],
    required: Collection[str] = (),
    *,
    closed: bool,
    empty_list: bool = False,
    size: int | None = None,
    least_size: int = 0,
) -> Check:
    """An object. ``closed`` refuses unknown keys; ``empty_list`` lets ``[]`` pass for an empty object.

    ``size`` is the exact and ``least_size`` the smallest number of known keys.
    """
    needed = tuple(required)
    find = fields.get

    def check(value: Any) -> None:
        if type(value) is not dict:
            if not (empty_list and value == []):
                raise _wrong_type(value, "object")
            value = {}
        known = 0
        key = ""
        try:
            for key, member in value.items():
                inner = find(key)
                if inner is not None:
                    inner(member)
                    known += 1
                elif closed:
                    raise Bad("unexpected property")
            for key in needed:
                if key not in value:
                    raise Bad("is a required property")
        except Bad as bad:
            bad.path.insert(0, key)
            raise
        if size is not None and (known != size or len(value) != size):
            raise Bad(f"exactly {size} of {', '.join(fields)} is wanted")
        if known < least_size:
            raise Bad(f"at least {least_size} of {', '.join(fields)} is wanted")

    return check
