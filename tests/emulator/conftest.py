"""An emulator process for the whole run, emptied before each test, and a client that signs for itself."""

from __future__ import annotations

import copy
import hashlib
import hmac
import http.client
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chekhov.emulator import Switches
from chekhov.emulator.testing import EmulatorProcess

INN = "583500000000"

LINE_V2 = {
    "name": "Колодки тормозные",
    "price": 500.00,
    "quantity": 2,
    "total": 950.00,
    "vat": "22",
    "measure": 0,
    "payment_method": "full_payment",
    "payment_object": "product",
}
LINE_V1 = {"name": "Колодки тормозные", "price": 500.00, "quantity": 2, "total": 950.00, "vat": "22"}


def hand_made_signature(secret: str, method: str, url: str, body: bytes = b"") -> str:
    """HMAC-MD5 spelt out, so that the tests do not check the emulator's signature with itself."""
    key = secret.encode().ljust(64, b"\0")
    assert len(key) == 64
    inner = hashlib.md5(bytes(b ^ 0x36 for b in key) + method.encode() + url.encode() + body).digest()
    outer = hashlib.md5(bytes(b ^ 0x5C for b in key) + inner).hexdigest()
    assert outer == hmac.new(secret.encode(), (method + url).encode() + body, "md5").hexdigest()
    return outer


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return self.json["code"]


@dataclass
class Shop:
    """A shop's own HTTP client: signs, sends the very bytes, follows nothing."""

    base_url: str
    shop: str
    secret: str
    queue: int

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        signed_url: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        url = signed_url or self.base_url + path
        signature = hand_made_signature(self.secret, method, url, body or b"")
        sent = {"Authorization": self.shop, "X-HMAC-Signature": signature, "Accept": "application/json"}
        connection = http.client.HTTPConnection(self.base_url.removeprefix("http://"), timeout=20)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def post(self, document: Any, version: str = "v2", queue: int | None = None) -> Answer:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.call("POST", f"/api/shop/{version}/queues/{queue or self.queue}/task", body)

    def post_many(self, documents: Any, version: str = "v2") -> Answer:
        return self.call("POST", f"/api/shop/{version}/queues/{self.queue}/multi-tasks", json.dumps(documents).encode())

    def task(self, number: int, version: str = "v2") -> Answer:
        return self.call("GET", f"/api/shop/{version}/tasks/{number}")

    def final(self, number: int, *states: str) -> dict[str, Any]:
        """The task once it is in one of ``states`` (default: done or error)."""
        wanted = states or ("done", "error")
        deadline = time.monotonic() + 10
        while True:
            task = self.task(number).json
            if task["state"] in wanted:
                return task
            assert time.monotonic() < deadline, task
            time.sleep(0.01)


@dataclass
class Received:
    path: str
    body: bytes
    signature: str | None
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Listener:
    """A shop's address for callbacks; ``statuses`` are answered in turn, the last one from then on."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = [200]
        self.on_call: Callable[[], None] | None = None
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if listener.on_call is not None:
                    listener.on_call()
                listener.received.append(Received(self.path, body, self.headers.get("X-HMAC-Signature")))
                statuses = listener.statuses
                self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def wait(self, count: int, seconds: float = 8) -> list[Received]:
        deadline = time.monotonic() + seconds
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"{len(self.received)} of {count} callbacks came"
            time.sleep(0.01)
        return self.received

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def process() -> Iterator[EmulatorProcess]:
    with EmulatorProcess("--inn", INN) as running:
        yield running
        assert running.errors() == "", "the emulator met an exception that it did not foresee"


@pytest.fixture
def emulator(process: EmulatorProcess) -> EmulatorProcess:
    process.reset()
    process.settings(**Switches().as_dict(), pickup_delay_ms=0, print_delay_ms=0)
    process.call("POST", "clock", {"offset_seconds": 0})
    process.call("POST", "shops", {"shop": process.shop, "secret": process.secret, "queues": [process.queue]})
    return process


@pytest.fixture
def shop(emulator: EmulatorProcess) -> Shop:
    return Shop(emulator.base_url, emulator.shop, emulator.secret, emulator.queue)


@pytest.fixture
def listener() -> Iterator[Listener]:
    running = Listener()
    yield running
    running.close()


@pytest.fixture
def receipt_v2() -> Callable[..., dict[str, Any]]:
    """Makes a good v2 sale; keyword arguments replace top-level members, None removes one."""

    def make(external_id: str | int = "A-1", **changes: Any) -> dict[str, Any]:
        document: dict[str, Any] = {
            "external_id": external_id,
            "intent": "sell",
            "print": False,
            "client": {"email": "buyer@example.ru"},
            "company": {"payment_address": "shop.example", "sno": 1},
            "positions": [copy.deepcopy(LINE_V2)],
            "payments": [{"type": "card", "sum": 950.00}],
        }
        return _changed(document, changes)

    return make


@pytest.fixture
def receipt_v1() -> Callable[..., dict[str, Any]]:
    """Makes a good v1 sale; keyword arguments replace top-level members, None removes one."""

    def make(external_id: str | int = "A-1", **changes: Any) -> dict[str, Any]:
        document: dict[str, Any] = {
            "external_id": external_id,
            "intent": "sell",
            "print": False,
            "user": "buyer@example.ru",
            "sno": 1,
            "positions": [copy.deepcopy(LINE_V1)],
            "payments": [{"type": "card", "sum": 950.00}],
        }
        return _changed(document, changes)

    return make


def _changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if value is None:
            del document[key]
        else:
            document[key] = value
    return document
