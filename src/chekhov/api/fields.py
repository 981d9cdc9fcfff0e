"""The kinds of values in the API's bodies. JSON numbers are never money: a float has lost the kopeck already."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

TEXT_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
MONEY_PATTERN = r"^\d{1,8}(\.\d{1,2})?$"
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,6})?\d*([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 9998  # the law's receipts are younger; the edges overflow in other time zones

Text = Annotated[str, Field(pattern=TEXT_PATTERN)]
"""Any text without control characters: databases and registers choke on them."""

Roubles = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": MONEY_PATTERN,
            "description": "Рубли строкой, не больше двух знаков после точки. Число JSON не принимается.",
            "examples": ["1250.00", "1250"],
        }
    ),
]
"""Roubles as text. Whether it reads as an amount is judged once, by the rooms below."""


def _quantity(value: Any) -> Any:
    return str(value) if type(value) is int else value


QuantityText = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d{1,5}(\.\d{1,3})?$"},
                {"type": "integer", "minimum": 1, "maximum": 99999},
            ],
            "description": "Количество строкой, не больше трёх знаков после точки; целое можно числом.",
            "examples": ["2", "1.357"],
        }
    ),
]


def instant_parse(value: Any) -> datetime:
    """An instant with its offset, like ``2026-11-24T10:15:00+03:00``. Raises a pydantic error of type `instant`."""
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        day, clock, fraction, zone = match.groups()
        try:
            parsed = datetime.fromisoformat(f"{day}T{clock}{fraction or ''}{zone.upper()}")
        except ValueError:
            parsed = None
        if parsed is not None and _EARLIEST_YEAR <= parsed.year <= _LATEST_YEAR:
            return parsed
    raise PydanticCustomError(
        "instant", "Нужны дата и время со смещением, не раньше 2000 года: 2026-11-24T10:15:00+03:00."
    )


Instant = Annotated[
    datetime,
    PlainValidator(instant_parse),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^2\d{3}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
            "description": "Дата и время со смещением от UTC.",
            "examples": ["2026-11-24T10:15:00+03:00"],
        }
    ),
]
