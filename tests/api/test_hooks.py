"""The door for callbacks: bounded, without CSRF, an answer without a body. What it means is tested with delivery."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chekhov.delivery.models import Callback
from chekhov.registers.models import Account

Calls = list[dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the door hands on, instead of handing it on."""
    taken: Calls = []

    def receive(**arguments: Any) -> int:
        taken.append(arguments)
        return 200

    monkeypatch.setattr("chekhov.api.hooks.is_link", lambda _provider, _token: True)
    monkeypatch.setattr("chekhov.api.hooks.callback_receive", receive)
    return taken


def post(path: str, body: bytes, **headers: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="application/json", headers=headers)


def test_a_callback_is_handed_on_as_it_came(calls: Calls) -> None:
    answer = post("/hooks/komtet/Tok_en-1", b'{"a": 1}', **{"X-HMAC-Signature": "abc"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert (calls[0]["provider"], calls[0]["token"], calls[0]["body"]) == ("komtet", "Tok_en-1", b'{"a": 1}')
    assert {name.lower(): value for name, value in calls[0]["headers"].items()}["x-hmac-signature"] == "abc"


def test_a_large_body_is_not_read(calls: Calls) -> None:
    assert post("/hooks/komtet/token", b" " * (64 * 1024 + 1)).status_code == 413
    assert post("/hooks/komtet/token", b" " * (3 * 1024 * 1024)).status_code == 413
    assert post("/hooks/komtet/token", b" " * (64 * 1024)).status_code == 200
    assert len(calls) == 1


@pytest.mark.parametrize("path", ["/hooks/kom%00tet/token", "/hooks/komtet/to%00ken", "/hooks/komtet/" + "x" * 101])
def test_a_link_that_could_be_nobodys_is_not_looked_up(calls: Calls, path: str) -> None:
    assert post(path, b"{}").status_code == 404
    assert calls == []


def test_only_post(calls: Calls) -> None:
    for method in ("get", "put", "delete", "head"):
        answer = getattr(Client(), method)("/hooks/komtet/token")
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert calls == []


@pytest.mark.django_db
def test_an_unknown_link_is_not_found_and_a_forged_callback_is_kept(shop: None) -> None:
    assert post("/hooks/test/unknown", b"{}").status_code == 404
    account = Account.objects.get()
    answer = post(f"/hooks/{account.provider}/{account.link_token}", b"{}", **{"X-HMAC-Signature": "0" * 32})
    assert (answer.status_code, answer.content) == (403, b"")
    assert Callback.objects.get().verdict == "forged"


def test_a_secret_that_cannot_be_read_asks_the_provider_to_come_again(db: Any) -> None:
    account = Account.objects.create(
        provider="test", service_url="http://127.0.0.1:1", shop_id="s", secret_encrypted="broken", link_token="token-1"
    )

    answer = post(f"/hooks/{account.provider}/{account.link_token}", b'{"id": 1}', **{"X-HMAC-Signature": "abc"})

    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "secret_unreadable"
    assert not Callback.objects.exists(), "what cannot be judged is not stored: it comes again"
