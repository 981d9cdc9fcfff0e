"""The schema is whole and true: schemathesis calls what it describes, and the examples are real answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from chekhov.api import v1
from chekhov.api.problems import CODES
from tests.api.conftest import Caller, buyer, invoice, payment

SCHEMA: dict[str, Any] = json.loads(v1.openapi())
schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Between requests Django closes a connection with a transaction open, and a test is such a transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_the_api_is_as_its_schema_says(case: schemathesis.Case, billed: Caller, one_connection: None) -> None:
    """On an order that exists half of the time, so that answers of all kinds are met."""
    if case.path_parameters and crc32(str(case.body).encode()) % 2:
        known = {"customer_id": "C-1", "invoice_id": "A-1", "payment_id": "P-1", "topup_id": "T-1"}
        case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
    response = case.call(headers={"Authorization": f"Bearer {billed.key}"})
    own_answers = case.operation.path == "/api/v1/batch"  # a wrong item is refused in its own answer, the batch is not
    case.validate_response(response, checks=CHECKS[:-1] if own_answers else CHECKS)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in SCHEMA["paths"].items() for method, operation in item.items()]


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_an_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["tags"]
    assert operation["security"] == [{"ApiKey": []}]
    assert {"401", "500", "503"} <= set(operation["responses"])
    for status, answer in operation["responses"].items():
        media = "application/problem+json" if int(status) >= 400 else "application/json"
        assert list(answer["content"]) == [media]
        if int(status) >= 400:
            assert set(answer["content"][media]["examples"]) <= set(CODES)
    if method == "put":
        assert {"200", "201", "400", "413", "422"} <= set(operation["responses"])


def test_every_body_and_answer_of_the_order_has_an_example() -> None:
    schemas = SCHEMA["components"]["schemas"]
    for name in (
        "CustomerBody", "InvoiceBody", "PaymentBody", "TopupBody",
        "CustomerAnswer", "InvoiceAnswer", "PaymentAnswer", "TopupAnswer", "ReceiptPage", "RegionAnswer",
    ):  # fmt: skip
        assert schemas[name]["examples"], name
    assert "ApiKey" in SCHEMA["components"]["securitySchemes"]


def test_every_code_is_listed() -> None:
    for code in CODES:
        assert f"`{code}`" in SCHEMA["info"]["description"]


def test_the_examples_of_the_bodies_are_taken(api: Caller) -> None:
    schemas = SCHEMA["components"]["schemas"]
    for path, name in (
        ("customers/C-1", "CustomerBody"),
        ("invoices/A-1001", "InvoiceBody"),
        ("invoices/A-1001/payments/P-1", "PaymentBody"),
        ("customers/C-1/topups/T-1", "TopupBody"),
    ):
        body = schemas[name]["examples"][0]
        if "paid_at" in body:
            body = body | {"paid_at": "2026-01-20T10:15:00+03:00"}  # an example may lie in the future
        answer = api.made(path, body)
        assert set(answer) == set(schemas[name.replace("Body", "Answer")]["examples"][0])


def test_the_answers_have_the_shapes_of_the_schema(billed: Caller) -> None:
    """Answers are made by hand, so each is held against the model that describes it."""
    from chekhov.api import shapes

    shapes.CustomerAnswer.model_validate(billed.put("customers/C-1", buyer())[1])
    paid = billed.made("invoices/A-1/payments/P-1", payment())
    shapes.PaymentAnswer.model_validate(paid)
    shapes.TopupAnswer.model_validate(billed.made("customers/C-1/topups/T-1", payment()))
    shapes.InvoiceAnswer.model_validate(billed.put("invoices/A-1", invoice())[1])
    shapes.ReceiptPage.model_validate(billed.get("receipts")[1])
    receipt = paid["receipts"][0]["id"]
    shapes.ReceiptAnswer.model_validate(billed.get(f"receipts/{receipt}")[1])
    shapes.EventsAnswer.model_validate(billed.get(f"receipts/{receipt}/events")[1])
    shapes.RegionsAnswer.model_validate(billed.get("regions")[1])
    shapes.RegistersAnswer.model_validate(billed.get("registers")[1])


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert "http" not in text
    assert "<script>" not in text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "page.js"):
        assert f"docs/{name}" in text
        asset = client.get(f"/api/v1/docs/{name}")
        assert (asset.status_code, len(asset.content) > 100) == (200, True)
    assert client.get("/api/v1/docs/other.js").status_code == 404
    assert client.get("/api/v1/openapi.json").json()["openapi"] == "3.1.0"
