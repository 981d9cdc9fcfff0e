"""A cash register: its fiscal drive, its shifts, the numbers and the fiscal sign of each document.

Opening and closing a shift are fiscal documents too and take a number each, as on a real drive. A register keeps its
shift by Moscow time and changes it with the date.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from chekhov.emulator import vocabulary as words
from chekhov.emulator.config import Switches
from chekhov.emulator.store import Row
from chekhov.emulator.wire import KOPECK, Document, Receipt, as_object

MARKERS: dict[str, str] = {
    "#kkt-error": "Ошибка ККТ: не удалось закрыть чек",
    "#kkt-paper": "Ошибка ККТ: закончилась бумага",
    "#kkt-shift": "Ошибка ККТ: смена превысила 24 часа",
    "#kkt-marking": "Проверка кода маркировки не пройдена",
}
"""A receipt whose ``external_id`` or line name contains a marker ends in this error."""

PAPER_OUT = MARKERS["#kkt-paper"]


@lru_cache(maxsize=32)
def _stamps(minute: int, timezone: int) -> tuple[str, str]:
    """Date and ``YYYYMMDDTHHMM`` of a Unix minute by the clock of a zone of tag 1011: n means UTC+(n+1)."""
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute + (timezone + 1) * 60)
    return local.strftime("%Y-%m-%d"), local.strftime("%Y%m%dT%H%M")


def business_now(offset_seconds: int) -> datetime:
    """The instant that receipts are dated with."""
    return datetime.now(UTC) + timedelta(seconds=offset_seconds)


@dataclass(slots=True)
class Register:
    """The register of one queue."""

    queue: int
    fn: str
    """Number of the fiscal drive, 16 digits; drawn by lot, so that two installations never share one."""
    rn: str
    """Registration number, 16 digits."""
    document: int = 1
    """Last fiscal document number; 1 is the report about the registration."""
    shift: int = 0
    shift_on: str = ""
    """Date of the open shift."""
    number: int = 0
    """Last receipt number within the shift."""

    @classmethod
    def fresh(cls, queue: int) -> Register:
        """A register just taken into use."""
        return cls(queue=queue, fn=f"9999{secrets.randbelow(10**12):012}", rn=f"000{secrets.randbelow(10**13):013}")

    def row(self) -> Row:
        """For the table ``registers``."""
        return (self.queue, self.fn, self.rn, self.document, self.shift, self.shift_on, self.number)

    def issue(self, receipt: Receipt, now: datetime) -> dict[str, Any]:
        """Write one document to the drive and return its ``fiscal_data``."""
        today, _ = _stamps(int(now.timestamp()) // 60, words.MOSCOW)
        if self.shift_on != today:
            self.document += 2 if self.shift else 1  # the old shift is closed, the new one opened
            self.shift += 1
            self.shift_on = today
            self.number = 0
        self.document += 1
        self.number += 1
        total = f"{receipt.total:.2f}"
        _, moment = _stamps(int(now.timestamp()) // 60, receipt.timezone)
        seed = f"{self.fn}|{self.rn}|{self.document}|{moment}|{total}".encode()
        sign = int.from_bytes(hashlib.sha256(seed).digest()[:4], "big")
        return {
            "i": str(self.document),
            "fn": self.fn,
            "t": moment,
            "n": words.ALL_INTENTS[receipt.intent][0],
            "fp": f"{sign:010}",
            "s": total,
            "rn": self.rn,
            "sh": str(self.shift),
            "shn": str(self.number),
        }


_V1_DATE = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])").fullmatch
_V2_DATE = re.compile(r"([0-2]\d|3[01])\.(0\d|1[0-2])\.\d{4}").fullmatch


def device_error(receipt: Receipt, version: str, *, inn: str, switches: Switches) -> str | None:
    """Why the register would not print the receipt, as the text of the task; None when it would."""
    document = receipt.document
    texts = "\n".join([receipt.external_id, *[line["name"] for line in document["positions"]]])
    if "#kkt-" in texts:
        for marker, error in MARKERS.items():
            if marker in texts:
                return error
    client = as_object(document.get("client"))
    given_inn = as_object(document.get("company")).get("inn")
    if inn and given_inn and given_inn != inn:
        return f"ИНН организации в чеке ({given_inn}) не совпадает с ИНН кассы ({inn})"
    has_contact = document.get("user") or client.get("email") or client.get("phone")
    if switches.internet_only and not has_contact:
        return "Касса зарегистрирована для расчётов в сети Интернет: не указан e-mail или телефон покупателя"
    if receipt.intent in words.CORRECTION_INTENTS:
        if switches.ffd == "1.05" and "Return" in receipt.intent:
            return "Коррекция возврата не поддерживается в ФФД 1.05"
        if version == "v1":
            fits = _V1_DATE(document["correction"]["date"])
        else:
            fits = _V2_DATE(document["correction_info"]["base_date"])
        if not fits:
            return "Неверный формат даты документа коррекции"
    return _agent_error(document) if switches.strict else None


def _agent_error(document: Document) -> str | None:
    """The register's program wants every member of an agent's block and names the one that it misses."""
    wanted = {
        "paying_agent": ("phones", "operation"),
        "receive_payments_operator": ("phones",),
        "money_transfer_operator": ("name", "phones", "address", "inn"),
    }
    for holder in (document, *document["positions"]):
        if "agent_info" not in holder:
            continue
        for block, keys in wanted.items():
            for key in keys:
                if block in holder["agent_info"] and key not in holder["agent_info"][block]:
                    return f"'{key}'"
        for key in ("name", "phones", "inn"):
            if key not in as_object(holder.get("supplier_info")):
                return f"'{key}'"
    return None


def printed_lines(price: Decimal, quantity: Decimal, total: Decimal) -> list[tuple[Decimal, Decimal, Decimal]]:
    """How the register prints a line with a discount: ``(price, quantity, total)`` once or twice.

    The discount lowers the unit price; what rounding leaves over goes into one unit of its own.
    """
    discount = price * quantity - total
    unit = price - (discount / quantity).quantize(KOPECK, ROUND_HALF_UP)
    if total == unit * quantity or quantity <= 1:
        return [(unit, quantity, total)]
    rest = quantity - 1
    most = (unit * rest).quantize(KOPECK, ROUND_HALF_UP)
    return [(unit, rest, most), (total - most, Decimal(1), total - most)]
