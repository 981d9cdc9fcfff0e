"""The short way answers as the long one does, without the panel's middleware and whatever the Host is."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from tests.api.conftest import Caller, payment

DIRECT = "chekhov.api.direct.DirectMiddleware"
SHORT = [DIRECT, *(name for name in settings.MIDDLEWARE if name != DIRECT)]
LONG = SHORT[1:]


@pytest.mark.parametrize("middleware", [SHORT, LONG], ids=["short", "long"])
def test_both_ways_answer_alike(billed: Caller, middleware: list[str]) -> None:
    with override_settings(MIDDLEWARE=middleware):
        caller = Caller(billed.key)
        assert caller.made("invoices/A-1/payments/P-1", payment())["receipts"]
        assert caller.get("nothing")[1]["code"] == "route_not_found"
        assert caller("DELETE", "customers/C-1")[1]["code"] == "method_not_allowed"
        metrics = Client().get("/metrics")
        assert (metrics.status_code, metrics["Content-Length"]) == (200, str(len(metrics.content)))
        assert Client().post("/hooks/test/none", b"{}", content_type="application/json").status_code == 404
        assert Client().get("/api/v1/regions").status_code == 401


@override_settings(MIDDLEWARE=SHORT)
def test_probes_may_ask_by_any_address(db: Any) -> None:
    answer = Client().get("/healthz", headers={"Host": "10.0.0.7:8000"})
    assert (answer.status_code, answer["X-Content-Type-Options"]) == (200, "nosniff")
    assert Client().get("/admin/login/", headers={"Host": "10.0.0.7:8000"}).status_code == 400


@override_settings(MIDDLEWARE=SHORT)
def test_the_page_for_people_keeps_its_policy() -> None:
    assert "script-src" in Client().get("/api/v1/docs")["Content-Security-Policy"]
