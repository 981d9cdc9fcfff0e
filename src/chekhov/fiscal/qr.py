"""The QR code of a receipt (tag 1196): what the buyer scans in the tax service's application.

``t=20261124T1015&s=1892.00&fn=9999078900012345&i=4711&fp=2397484188&n=1``
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from chekhov.fiscal.document import FiscalResult
from chekhov.fiscal.money import Money

_AT = re.compile(r"\d{8}T\d{4}(?:\d{2})?", re.ASCII)
_FN = re.compile(r"\d{16}", re.ASCII)
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


class QrError(ValueError):
    """A text is not the QR code of a receipt, or fields cannot make one."""


@dataclass(frozen=True, slots=True)
class QrFields:
    """The six fields of the code."""

    at: str  # tag 1012, local time of the place: YYYYMMDDTHHMM, seconds may follow
    total: Money  # tag 1020
    fn: str  # tag 1041, 16 digits
    fd: int  # tag 1040
    fp: str  # tag 1077, without leading zeros
    sign: int  # tag 1054

    @classmethod
    def of(cls, result: FiscalResult) -> QrFields:
        """The fields of a register's answer. Raises QrError where its fiscal sign is no number."""
        if not _NUMBER.fullmatch(result.fp):
            raise QrError(f"fp: {result.fp!r}")
        return cls(result.at, result.total, result.fn, result.fd, str(int(result.fp)), result.sign)

    @property
    def minute(self) -> str:
        """Date and time without the seconds."""
        return self.at[:13]


def qr_text(fields: QrFields) -> str:
    """The text of the code in its strict form. Raises QrError for a field that cannot stand in it."""
    _check(fields)
    return f"t={fields.at}&s={fields.total}&fn={fields.fn}&i={fields.fd}&fp={fields.fp}&n={fields.sign}"


def parse_qr(text: str) -> QrFields:
    """Read a code: fields in any order and case, with or without seconds, padding zeros and a link before them.

    Raises QrError where a field is missing, doubled or unreadable.
    """
    values: dict[str, str] = {}
    for part in text.strip().rpartition("?")[2].split("&"):
        name, separator, value = part.partition("=")
        name = name.strip().lower()
        if not separator or name not in ("t", "s", "fn", "i", "fp", "n"):
            continue
        if name in values:
            raise QrError(f"{name} occurs twice: {text!r}")
        values[name] = value.strip()
    try:
        fields = QrFields(
            at=values["t"].upper(),
            total=Money.parse(values["s"]),
            fn=values["fn"],
            fd=_number(values["i"]),
            fp=str(_number(values["fp"])),
            sign=_number(values["n"]),
        )
    except KeyError as error:
        raise QrError(f"no field {error.args[0]}: {text!r}") from error
    except ValueError as error:
        raise QrError(f"{error}: {text!r}") from error
    _check(fields)
    return fields


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise QrError(f"not a number: {text!r}")
    return int(text)


def _check(fields: QrFields) -> None:
    if not _AT.fullmatch(fields.at):
        raise QrError(f"t: {fields.at!r}")
    try:
        datetime.strptime(fields.at[:13], "%Y%m%dT%H%M")  # noqa: DTZ007 local time of the place, as the format has it
    except ValueError as error:
        raise QrError(f"t: {fields.at!r}") from error
    if not _FN.fullmatch(fields.fn):
        raise QrError(f"fn: {fields.fn!r}")
    if not 0 < fields.fd < 1 << 32:
        raise QrError(f"i: {fields.fd!r}")
    if not _NUMBER.fullmatch(fields.fp) or fields.fp != str(int(fields.fp)):
        raise QrError(f"fp: {fields.fp!r}")
    if fields.total.kopecks < 0:
        raise QrError(f"s: {fields.total}")
    if fields.sign not in (1, 2, 3, 4):
        raise QrError(f"n: {fields.sign!r}")
