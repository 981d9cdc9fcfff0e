"""A shop with three regions, and callers that hold keys of two of its sites."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from chekhov.people.services import apikey_create
from chekhov.receipts.models import Obligation, Receipt, ReceiptEvent, ReceiptState
from chekhov.sales.models import Customer, Fact, Invoice
from tests import factories

PAID_AT = "2026-01-20T10:15:00+03:00"
LINES = [
    {"id": "1", "name": "Фильтр масляный", "price": "450.00", "quantity": "2"},
    {"id": "2", "name": "Замена масла", "price": "1200.00", "quantity": "1", "object": "service"},
]


def payment(amount: Any = "2100.00", **fields: Any) -> dict[str, Any]:
    """A payment's body: by card on the site."""
    return {"amount": amount, "means": "card", "channel": "online", "paid_at": PAID_AT, **fields}


def invoice(customer: str = "C-1", **fields: Any) -> dict[str, Any]:
    """An invoice's body: 2100.00."""
    return {"customer": customer, "lines": LINES, **fields}


def buyer(**fields: Any) -> dict[str, Any]:
    """A customer's body, in the region with an active register."""
    return {"name": "Иванова Анна", "email": "anna@example.com", "region": "msk", **fields}


@dataclass
class Caller:
    """Speaks to the API with one key."""

    key: str
    client: Client = field(default_factory=Client)

    def raw(self, method: str, path: str, body: bytes = b"", **headers: str) -> HttpResponse:
        answer: HttpResponse = self.client.generic(
            method,
            path if path.startswith("/") else f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}", **headers} if self.key else headers,
        )
        return answer

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer = self.raw(method, path, data)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"
            problem = json.loads(answer.content)
            assert set(problem) == {"type", "title", "status", "code", "detail", "next_step", "errors"}
            assert problem["status"] == answer.status_code
            assert problem["detail"]
            return answer.status_code, problem
        return answer.status_code, json.loads(answer.content)

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        return self("PUT", path, body)

    def get(self, path: str) -> tuple[int, Any]:
        return self("GET", path)

    def made(self, path: str, body: Any) -> Any:
        """What a PUT of something new gives back."""
        status, answer = self.put(path, body)
        assert status == 201, answer
        return answer


def shop_make() -> None:
    """Regions msk (a register active on-line), spb (one that is not), ekb (none)."""
    seller = factories.organization("parts")
    msk, spb = factories.region("msk", seller), factories.region("spb", seller)
    factories.region("ekb", seller)
    factories.register(msk, queue=1)
    factories.register(spb, queue=2, active_online=False)


def caller_make(source: str = "site") -> Caller:
    return Caller(apikey_create(source=factories.source(source), name=source)[1])


@pytest.fixture
def shop(db: Any) -> None:
    shop_make()


@pytest.fixture
def api(shop: None) -> Caller:
    """A caller of the site."""
    return caller_make("site")


@pytest.fixture
def other(shop: None) -> Caller:
    """A caller of another site of the same shop."""
    return caller_make("other")


@pytest.fixture
def billed(api: Caller) -> Caller:
    """A caller whose customer C-1 has the invoice A-1 of 2100.00."""
    api.made("customers/C-1", buyer())
    api.made("invoices/A-1", invoice())
    return api


MODELS = (Customer, Invoice, Fact, Obligation, Receipt, ReceiptState, ReceiptEvent)


def everything() -> list[list[dict[str, Any]]]:
    """All rows that a call of the API could have changed."""
    return [list(model._default_manager.order_by("pk").values()) for model in MODELS]


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """Asserts that a call is refused with a status and a code, and that nothing at all has changed."""

    def check(
        caller: Caller, method: str, path: str, body: Any, status: int, code: str, *faults: tuple[str, str]
    ) -> dict[str, Any]:
        before = everything()
        got, problem = caller(method, path, body)
        assert (got, problem["code"]) == (status, code), problem
        assert {(fault["path"], fault["code"]) for fault in problem["errors"]} >= set(faults), problem
        assert everything() == before
        return dict(problem)

    return check
