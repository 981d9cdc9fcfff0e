"""The sale that every peer sends: the order of the bench, made into a task with the vendor's SDK."""

from __future__ import annotations

import os
from typing import Any

from komtet_kassa_sdk import v2

LINES = [
    ["Свеча зажигания NGK BKR6E-11", 385.5, 4],
    ["Фильтр масляный MANN W 712/95", 1190.0, 1],
    ["Доставка курьером", 350.0, 1],
]
TOTAL = 3082.0


def order(number: int) -> dict[str, Any]:
    """What is intended: the content of a job, as JSON."""
    return {"number": number, "email": f"buyer{number % 100}@example.ru", "lines": LINES, "total": TOTAL}


def check(order: dict[str, Any]) -> v2.Check:
    """The SDK's document of an order."""
    made = v2.Check(f"peer-{order['number']}", v2.Intent.SELL)
    made.set_client(email=order["email"])
    made.set_company("parts.example.ru", v2.TaxSystem.COMMON, place_address="г. Москва, Варшавское ш., д. 132")
    for name, price, quantity in order["lines"]:
        made.add_position(
            v2.Position(
                name,
                price,
                quantity,
                v2.MeasureTypes.PIECE,
                v2.PaymentObject.PAYMENT,
                v2.PaymentMethod.PRE_PAYMENT_FULL,
                vat=v2.VatRate.RATE_22,
            )
        )
    made.add_payment(order["total"])
    return made


def client() -> v2.Client:
    """The vendor's client, pointed at the provider of the bench."""
    return v2.Client("bench", "bench").set_host(provider()).set_default_queue(1)


def provider() -> str:
    """The provider's address."""
    return f"http://127.0.0.1:{os.environ['BENCH_PROVIDER_PORT']}"


def asks() -> bool:
    """Whether the job includes the question what became of the receipt."""
    return os.environ["BENCH_PEERS_ASK"] == "1"
