"""The rows of old sales as clones of one real sale: pure, so that it can be tested without a database."""

from __future__ import annotations

import hmac
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

REPEATED, FAILED, WAITS = (200, 7), (20_000, 13), (20_000, 17)  # one in so many, at this remainder
TABLES = (
    "sales_customer",
    "sales_invoice",
    "sales_fact",
    "receipts_obligation",
    "receipts_receipt",
    "receipts_receiptstate",
    "receipts_receiptevent",
    "delivery_attempt",
    "receipts_fiscalrecord",
)
VARYING = {
    "sales_customer": ("id", "uuid", "external_id", "email", "created_at"),
    "sales_invoice": ("id", "uuid", "external_id", "number", "search_number", "customer_id", "created_at"),
    "sales_fact": ("id", "uuid", "external_id", "invoice_id", "customer_id", "occurred_at", "recorded_at"),
    "receipts_obligation": ("id", "uuid", "fact_id", "invoice_id", "customer_id", "due_at", "recorded_at"),
    "receipts_receipt": (
        "id", "uuid", "obligation_id", "generation", "document", "contact", "customer_id", "invoice_id", "created_at",
    ),
    "receipts_receiptstate": (
        "receipt_id", "obligation_id", "state", "version", "head", "provider_ref", "error_code", "error_text",
        "changed_at",
    ),
    "receipts_receiptevent": (
        "id", "receipt_id", "number", "from_state", "to_state", "actor", "reason", "at", "mac",
    ),
    "delivery_attempt": ("id", "receipt_id", "key", "body", "answer", "sent_at", "answered_at"),
    "receipts_fiscalrecord": ("receipt_id", "fd", "fp", "printed_at", "number", "recorded_at"),
}  # fmt: skip
FISCALIZED = (
    ("", "queued", "bench", "formed", "100001"),
    ("queued", "sending", "worker:old", "claimed", "200001"),
    ("sending", "accepted", "worker:old", "accepted", "300001"),
    ("accepted", "fiscalized", "worker:old", "done", "900001"),
)
BROKEN = (*FISCALIZED[:3], ("accepted", "failed", "worker:old", "device_error", "900001"))
CANCELLED = (FISCALIZED[0], ("queued", "cancelled", "bench", "cancelled_by_person", "150001"))


@dataclass(frozen=True, slots=True)
class Template:
    """A row to clone: all its columns, and which of them a clone brings."""

    table: str
    columns: tuple[str, ...]
    values: dict[str, Any]

    def insert(self) -> str:
        """An INSERT for SQLite that has the constant columns in its text."""
        held = ["?" if name in VARYING[self.table] else _literal(self.values[name]) for name in self._ordered()]
        return f"INSERT INTO {self.table} ({', '.join(self._ordered())}) VALUES ({', '.join(held)})"

    def copy(self) -> tuple[str, str]:
        """A COPY for PostgreSQL, and the line of one row as a %-format."""
        held = [
            "%s" if name in VARYING[self.table] else _copied(self.values[name]).replace("%", "%%")
            for name in self._ordered()
        ]
        return f"COPY {self.table} ({', '.join(self._ordered())}) FROM STDIN", "\t".join(held) + "\n"

    def _ordered(self) -> list[str]:
        varying = VARYING[self.table]
        return [*varying, *(name for name in self.columns if name not in varying)]


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _copied(value: Any) -> str:
    return "\\N" if value is None else escaped(str(value))


def escaped(text: str) -> str:
    """Text as COPY reads it."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def chain(key: bytes, receipt: str, steps: Sequence[tuple[str, str, str, str, str]], second: int) -> list[str]:
    """The codes of a receipt's events, as `chekhov.receipts.writer` makes them; `receipt` is 32 hex digits."""
    code, codes = "", []
    for number, (before, after, actor, reason, micro) in enumerate(steps, 1):
        words = (code, receipt, str(number), before, after, actor, reason, "", f"{second}.{micro}")
        code = hmac.digest(key, "\x1f".join(words).encode(), "sha256").hex()
        codes.append(code)
    return codes


class Press:
    """Makes the rows of old sales, chunk by chunk, from the templates."""

    def __init__(
        self, templates: dict[str, Template], first: dict[str, int], customers: int, *, key: bytes, postgresql: bool
    ) -> None:
        self._postgresql = postgresql
        self._next = dict(first)
        self._customers, self._customer = customers, first["sales_customer"]
        self._key = key
        self._bits = random.Random(20260101).getrandbits
        receipt, attempt = templates["receipts_receipt"].values, templates["delivery_attempt"].values
        contact = templates["sales_customer"].values["email"]
        self._document = self._text(receipt["document"]).split(contact)
        body = attempt["body"]
        raw = bytes.fromhex(body[2:]) if isinstance(body, str) else bytes(body)
        self._body = raw.split(attempt["key"].encode())
        self._body_hex = [part.hex() for part in self._body]
        self._answer = self._text(attempt["answer"]).split(attempt["key"])
        if not len(self._document) == len(self._body) == len(self._answer) == 2:
            raise ValueError("the sale to clone is not as expected: its contact or key is not there once")

    def _text(self, text: str) -> str:
        return escaped(text) if self._postgresql else text

    def _uuid(self) -> str:
        number = self._bits(128) & ~(0xF << 76) & ~(0x3 << 62) | (4 << 76) | (2 << 62)
        return f"{number:032x}"

    def _take(self, table: str, count: int = 1) -> int:
        found = self._next[table]
        self._next[table] = found + count
        return found

    def buyers(self, start: int, stop: int, instant: str) -> list[tuple[Any, ...]]:
        """Customers of these numbers."""
        return [
            (self._take("sales_customer"), self._uuid(), f"OLD-C-{number}", f"old{number}@example.ru", instant)
            for number in range(start, stop)
        ]

    def sales(self, numbers: range, since: int, step: float) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of these sales, by table."""
        rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES[1:]}
        zone = "+00" if self._postgresql else ""
        for number in numbers:
            second = since + int(number * step)
            at = time.strftime("%Y-%m-%d %H:%M:%S.", time.gmtime(second))
            begun = f"{at}100001{zone}"
            buyer = number * 7919 % self._customers
            customer = self._customer + buyer
            invoice, fact = self._take("sales_invoice"), self._take("sales_fact")
            owed = self._take("receipts_obligation")
            name = f"OLD-{number}"
            rows["sales_invoice"].append((invoice, self._uuid(), name, name, name.lower(), customer, begun))
            rows["sales_fact"].append((fact, self._uuid(), f"OLD-P-{number}", invoice, customer, begun, begun))
            rows["receipts_obligation"].append((owed, self._uuid(), fact, invoice, customer, begun, begun))
            generation = 1
            about = (owed, f"old{buyer}@example.ru", customer, invoice, second, at, zone)
            if number % REPEATED[0] == REPEATED[1] or number % WAITS[0] == WAITS[1]:
                self._receipt(rows, CANCELLED, generation, *about)
                generation += 1
            if number % FAILED[0] == FAILED[1]:
                self._receipt(rows, BROKEN, generation, *about)
            elif number % WAITS[0] != WAITS[1]:
                self._receipt(rows, FISCALIZED, generation, *about)
        return rows

    def _receipt(
        self,
        rows: dict[str, list[tuple[Any, ...]]],
        steps: Sequence[tuple[str, str, str, str, str]],
        generation: int,
        owed: int,
        contact: str,
        customer: int,
        invoice: int,
        second: int,
        at: str,
        zone: str,
    ) -> None:
        receipt, uuid = self._take("receipts_receipt"), self._uuid()
        document = contact.join(self._document)
        begun = f"{at}100001{zone}"
        rows["receipts_receipt"].append((receipt, uuid, owed, generation, document, contact, customer, invoice, begun))
        codes = chain(self._key, uuid, steps, second)
        event = self._take("receipts_receiptevent", len(steps))
        for place, (before, after, actor, reason, micro) in enumerate(steps):
            rows["receipts_receiptevent"].append(
                (event + place, receipt, place + 1, before, after, actor, reason, f"{at}{micro}{zone}", codes[place])
            )
        state, last = steps[-1][1], f"{at}{steps[-1][4]}{zone}"
        fault = ("device", "Нет бумаги.") if state == "failed" else ("", "")
        sent = state != "cancelled"
        rows["receipts_receiptstate"].append(
            (receipt, owed, state, len(steps), codes[-1], str(receipt) if sent else "", *fault, last)
        )
        if not sent:
            return
        key = f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"
        body: Any = key.encode().join(self._body)
        if self._postgresql:
            body = "\\\\x" + key.encode().hex().join(self._body_hex)
        rows["delivery_attempt"].append(
            (self._take("delivery_attempt"), receipt, key, body, key.join(self._answer),
             f"{at}200001{zone}", f"{at}300001{zone}")
        )  # fmt: skip
        if state == "fiscalized":
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(second))
            rows["receipts_fiscalrecord"].append(
                (receipt, receipt, str(1_000_000_000 + receipt), stamp, receipt % 250 + 1, last)
            )
