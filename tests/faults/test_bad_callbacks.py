"""Notifications as anybody on the net may send them: malformed, enormous, slow, ten thousand times."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from chekhov.delivery.models import Callback
from chekhov.people.services import apikey_create
from chekhov.receipts.models import ReceiptEvent
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Installation, wait_for
from tests.faults.truth import all_in, assert_books_agree, states

THREADS = 4  # of the web process, by default
FISCALIZED = all_in(State.FISCALIZED)


@dataclass
class Web:
    """A web process of the installation, as `chekhov web` starts it."""

    port: int
    link: str
    key: str

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        """One request; its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def put(self, path: str, body: Any) -> int:
        """One write of the shop."""
        bearer = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return self.call("PUT", f"/api/v1/{path}", json.dumps(body).encode(), **bearer)

    def pay(self, mark: str) -> int:
        """A customer, an invoice, a payment; the status of the last."""
        self.put(f"customers/{mark}", {"name": "Иван", "email": "i@example.ru", "region": "msk"})
        lines = [{"name": "Свеча", "price": "385.50", "quantity": "1"}]
        self.put(f"invoices/{mark}", {"customer": mark, "lines": lines})
        money = {"amount": "385.50", "means": "card", "channel": "online", "paid_at": datetime.now(UTC).isoformat()}
        return self.put(f"invoices/{mark}/payments/1", money)

    def is_alive(self) -> bool:
        with contextlib.suppress(OSError):
            return self.call("GET", "/healthz") == 200
        return False

    def dribble(self, path: str, **headers: str) -> socket.socket:
        """A client that promises a body and sends three bytes of it."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 5000"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        client.sendall("\r\n".join([*lines, "", "abc"]).encode())
        return client


@pytest.fixture
def web(installation: Installation, settings: Any, port: int) -> Iterator[Web]:
    settings.CHEKHOV_BASE_URL = f"http://127.0.0.1:{port}"
    process = installation.start("-m", "chekhov.cli", "web", "--port", str(port))
    key = apikey_create(source=factories.source("site"), name="site")[1]
    running = Web(port, f"/hooks/test/{installation.register.account.link_token}", key)
    wait_for(running.is_alive, 30)
    yield running
    process.terminate()
    process.wait(20)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 403, id="nothing"),
        pytest.param(b"{", 403, id="not JSON"),
        pytest.param(b"\x00\xff" * 500, 403, id="bytes"),
        pytest.param(b"[" * 60_000, 403, id="bottomless"),
        pytest.param(b'{"state":"done"}', 403, id="unsigned"),
        pytest.param(b"x" * (64 * 1024 + 1), 413, id="too large"),
        pytest.param(b"x" * 3_000_000, 413, id="enormous"),
    ],
)
def test_a_malformed_or_enormous_notification_is_refused(web: Web, body: bytes, status: int) -> None:
    assert web.call("POST", web.link, body, **{"X-HMAC-Signature": "0" * 32}) == status

    assert web.is_alive()
    assert sum(len(kept.body) for kept in Callback.objects.all()) <= 64 * 1024


def test_an_endless_notification_without_a_length_is_not_read(web: Web) -> None:
    """Chunked, a hundred megabytes: the answer comes at once, the rest is not taken."""
    client = socket.create_connection(("127.0.0.1", web.port), timeout=10)
    head = f"POST {web.link} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with client, contextlib.suppress(OSError):
        client.sendall(head.encode())
        for _ in range(1600):
            client.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            sent += 65_536

    assert sent < 50_000_000
    assert web.is_alive()
    assert not any(len(kept.body) for kept in Callback.objects.all())


@pytest.mark.parametrize("path", ["the link", "/hooks/test/nobody", "/api/v1/batch", "/admin/login/"])
def test_slow_clients_stop_nobody_else(web: Web, path: str) -> None:
    """Ten times as many as the web process has threads, each with a body that does not come."""
    path = web.link if path == "the link" else path
    with contextlib.ExitStack() as slow:
        for _ in range(THREADS * 10):
            slow.enter_context(web.dribble(path, Authorization="Bearer chk_nobody"))
        started = time.monotonic()

        assert web.pay("A-1") == 201
        assert web.is_alive()
        assert web.call("GET", "/admin/login/") == 200

        assert time.monotonic() - started < 8
    assert web.call("POST", web.link, b"{}") in (403, 503)
    wait_for(lambda: web.call("POST", web.link, b"{}") == 403, 10)


def test_clients_that_do_not_even_finish_their_headers_stop_nobody(web: Web) -> None:
    with contextlib.ExitStack() as slow:
        for _ in range(300):
            client = slow.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=10))
            client.sendall(b"POST /hooks/test/nobody HTTP/1.1\r\nHost: 127")

        assert web.pay("A-1") == 201


def test_ten_thousand_duplicates_of_one_notification_are_stored_once_and_ask_nothing(
    installation: Installation, web: Web
) -> None:
    installation.emulator.faults({"fault": "stuck", "count": 1})
    web.pay("A-1")
    installation.deliver(lambda: states()["accepted"] == 1, patient=True)
    body, headers = signed_letter(installation, web)

    def many(count: int) -> Counter[int]:
        connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
        statuses: Counter[int] = Counter()
        for _ in range(count):
            connection.request("POST", web.link, body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        connection.close()
        return statuses

    with ThreadPoolExecutor(4) as senders:
        statuses = sum(senders.map(many, [2_500] * 4), Counter())

    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 9_000
    kept = Callback.objects.get()
    assert (kept.verdict, kept.effect) == ("verified", "hurried")
    assert ReceiptEvent.objects.count() == 3, "queued, sending, accepted: not one more"
    installation.emulator.kill()  # releases what was stuck
    installation.emulator.start()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=1)


def signed_letter(installation: Installation, web: Web) -> tuple[bytes, dict[str, str]]:
    """A notification about the one task, «processing», with the signature that the provider would make."""
    (task,) = installation.emulator.receipts()
    body = json.dumps({"id": task["id"], "external_id": task["external_id"], "state": "processing"}).encode()
    text = b"POST" + f"http://127.0.0.1:{web.port}{web.link}".encode() + body
    signature = hmac.new(installation.emulator.secret.encode(), text, hashlib.md5).hexdigest()
    return body, {"X-HMAC-Signature": signature, "Content-Type": "application/json"}
