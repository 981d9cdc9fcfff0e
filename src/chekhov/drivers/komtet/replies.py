"""Reading what came back, trusting nothing: any bytes, any JSON, keys missing or unknown, numbers as strings.

Nothing here raises. Numbers with a point are read as Decimal, never as float.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from chekhov.fiscal.document import FiscalResult
from chekhov.fiscal.money import Money

MAX_TEXT = 1000
"""Characters of the provider's words that are kept."""
MAX_ID = 64
MAX_RETRY_AFTER_SECONDS = 86_400

_ID = re.compile(r"[0-9]{1,20}")
_AT = re.compile(r"[0-9]{8}T[0-9]{4}([0-9]{2})?")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

JsonObject = Mapping[str, Any]


def _no_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


def json_object(body: bytes) -> JsonObject | None:
    """The JSON object in `body`, or None when it holds anything else: HTML, a list, half an answer, NaN."""
    try:
        value = _DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return value if isinstance(value, dict) else None


def words(value: object) -> str:
    """The provider's text made fit for a page and a database: one piece, no control characters, bounded."""
    if not isinstance(value, str):
        return ""
    return _UNPRINTABLE.sub("\ufffd", value[:MAX_TEXT]).strip()


def identifier(value: object) -> str:
    """A task's number, given as an integer or as digits; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    if isinstance(value, int):
        return str(value) if 0 < value < 10**20 else ""
    return str(int(value)) if _ID.fullmatch(value) and int(value) > 0 else ""


def external_id(value: object) -> str:
    """Our key as the service repeats it: a string, or the integer that an older version of it made of digits."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    if isinstance(value, int):
        return str(value) if 0 <= value < 10**MAX_ID else ""
    return value if len(value) <= MAX_ID and value.isascii() and value.isprintable() else ""


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value whatever the letter case; empty if absent."""
    wanted = name.lower()
    for given, value in headers.items():
        if given.lower() == wanted:
            return value
    return ""


def retry_after_seconds(headers: Mapping[str, str]) -> int | None:
    """`Retry-After` in seconds; its date form is not read."""
    value = header(headers, "Retry-After").strip()
    if not re.fullmatch(r"[0-9]{1,9}", value):
        return None
    return min(int(value), MAX_RETRY_AFTER_SECONDS)


class Unreadable(Exception):
    """Fiscal data is there, but a field is not what the format says. Its name is the argument."""


def fiscal_result(task: JsonObject) -> FiscalResult | None:
    """The register's figures of a finished task; None while one that proves a receipt is absent.

    `i, fn, t, n, fp, s` are expected always, `rn, sh, shn` and the link are not and never spoil the rest. Each may come
    as a string or as a number. `fn`, `fp` and `rn` are text: leading zeros are part of them, and a `fn` or `rn` that
    came as a number gets its 16 digits back. Raises `Unreadable`.
    """
    data = task.get("fiscal_data")
    if not isinstance(data, dict) or any(data.get(name) in (None, "") for name in ("i", "fn", "t", "n", "fp", "s")):
        return None
    fn = _digits(data["fn"], 16, width=16)
    if len(fn) != 16:
        raise Unreadable("fn")
    fd = _digits(data["i"], 10)
    fp = _digits(data["fp"], 10)
    sign = _digits(data["n"], 1)
    if not fd or int(fd) == 0:
        raise Unreadable("i")
    if not fp:
        raise Unreadable("fp")
    if sign not in ("1", "2", "3", "4"):
        raise Unreadable("n")
    shift, number = _digits(data.get("sh"), 9), _digits(data.get("shn"), 9)
    return FiscalResult(
        fn=fn,
        fd=int(fd),
        fp=fp,
        at=_at(data["t"]),
        sign=int(sign),
        total=_total(data["s"]),
        rn=_digits(data.get("rn"), 20, width=16),
        shift=int(shift) if shift else None,
        number=int(number) if number else None,
        url=_link(task.get("receipt_url")),
    )


def _digits(value: object, most: int, width: int = 0) -> str:
    """Digits as text, at most so many; a number is filled up with zeros to `width`. Empty for anything else."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value).zfill(width) if 0 <= value < 10**most else ""
    if isinstance(value, str):
        text = value.strip()
        return text if len(text) <= most and text.isascii() and text.isdigit() else ""
    return ""


def _at(value: object) -> str:
    """`YYYYMMDDTHHMM`, seconds if there are any: the place's own time, without a zone."""
    if not isinstance(value, str) or _AT.fullmatch(value) is None:
        raise Unreadable("t")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise Unreadable("t") from None
    return value


def _total(value: object) -> Money:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unreadable("s")
    if isinstance(value, Decimal):
        if not -2 <= value.adjusted() <= 8 or len(value.as_tuple().digits) > 20:
            raise Unreadable("s")
        # 1250.0 and 1250.000 are the same sum as 1250.00
        kopecks = value.scaleb(2)
        if kopecks != kopecks.to_integral_value() or kopecks < 0:
            raise Unreadable("s")
        return Money(int(kopecks))
    if isinstance(value, int) and not 0 <= value < 10**8:
        raise Unreadable("s")
    try:
        return Money.parse(str(value).strip())
    except ValueError:
        raise Unreadable("s") from None


def _link(value: object) -> str:
    text = words(value)
    return text if text.startswith(("https://", "http://")) and len(text) <= 500 and " " not in text else ""
