"""Documents and answers that the driver tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from chekhov.drivers.contract import Connection, HttpReply, HttpRequest, Submission
from chekhov.drivers.errors import TransportError
from chekhov.drivers.komtet.driver import KomtetDriver
from chekhov.fiscal.document import Buyer, Document, Line, Payment, Seller
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity, line_sum
from chekhov.fiscal.vocabulary import (
    CalculationSign,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    TaxSystem,
    VatCode,
)

KEY = "0b0f0c56-7a7e-4c55-8f7b-6a1f2c3d4e5f"
SECRET = "s3cr3t-demo"
CONNECTION = Connection(service_url="https://kassa.komtet.ru", shop_id="demoShop", secret=SECRET, queue=777)
DRIVER = KomtetDriver("https://kassa.komtet.ru")
SUBMISSION = Submission(KEY, b'{"external_id":"%s"}' % KEY.encode())


def line(price: str = "500.00", quantity: str = "2", **changes: Any) -> Line:
    cost, amount = Money.parse(price), Quantity.parse(quantity)
    plain = Line(
        name="Кофе молотый 250 г",
        price=cost,
        quantity=amount,
        sum=line_sum(cost, amount),
        payment_object=PaymentObject.PRODUCT,
        payment_method=PaymentMethod.FULL_PAYMENT,
        vat=VatCode.VAT_22,
    )
    return replace(plain, **changes)


def document(*lines: Line, **changes: Any) -> Document:
    """A sale by card of the given lines, balanced."""
    bought = lines or (line(),)
    total = Money(sum(one.sum.kopecks for one in bought))
    plain = Document(
        sign=CalculationSign.SALE,
        lines=bought,
        payments=(Payment(PaymentKind.CASHLESS, total),),
        total=total,
        seller=Seller(inn="583500000000", name="ИП Петров", tax_system=TaxSystem.USN_INCOME, place="shop.example"),
        buyer=Buyer(email="buyer@example.ru", phone="+79001234567"),
        settled_on=date(2026, 10, 3),
    )
    return replace(plain, **changes)


def answer(status: int = 200, body: object = None, **headers: str) -> HttpReply:
    """A reply: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


class Wire:
    """Answers a flow with the given replies or failures, in order, and keeps the requests."""

    def __init__(self, *answers: HttpReply | TransportError) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        given = self.answers.pop(0)
        if isinstance(given, TransportError):
            raise given
        return given


Send = Callable[[HttpRequest], HttpReply]

TASK = {
    "id": 90210,
    "uuid": "6a1f2c3d-7a7e-4c55-8f7b-0b0f0c564e5f",
    "external_id": KEY,
    "print_queue_id": 777,
    "state": "new",
}
FISCAL_DATA = {
    "i": "15204",
    "fn": "9999078902012345",
    "t": "20261003T1412",
    "n": 1,
    "fp": "0906123456",
    "s": "1250.00",
    "rn": "0001234567012345",
    "sh": "87",
    "shn": "12",
}
DONE = {
    "id": 90210,
    "external_id": KEY,
    "state": "done",
    "error_description": None,
    "fiscal_data": FISCAL_DATA,
    "receipt_url": "https://ofd.example/rec/1",
}
