"""A provider of the plainest kind on loopback, and its driver: each capability can be had or not.

The server keeps what it was given and prints it at once, a document for each sending that it does not know for a
repeat. It answers, or cuts the connection before or after storing, as a test says.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from chekhov.drivers import registry
from chekhov.drivers.access import AccessReport, AccessState
from chekhov.drivers.contract import (
    Accepted,
    CallbackVerdict,
    Capabilities,
    Connection,
    Dedup,
    Done,
    ErrorKind,
    Failed,
    Flow,
    HttpReply,
    HttpRequest,
    KeyRule,
    LookupOutcome,
    NotFound,
    PollOutcome,
    Problem,
    Provider,
    ProviderError,
    Refused,
    SettingField,
    Submission,
    SubmitOutcome,
    TaskRef,
    Unsure,
    Verdict,
)
from chekhov.drivers.flows import ask
from chekhov.drivers.komtet.driver import CAPABILITIES, KomtetDriver
from chekhov.fiscal.document import Document, FiscalResult
from chekhov.fiscal.money import Money


@dataclass
class Cabinet:
    """The provider's side: what it has printed and how it misbehaves."""

    knows_repeats: bool = False
    finds_by_key: bool = True
    lookup_fails: bool = False  # the device reports every task as an error when it is looked up
    cut_before: int = 0  # so many POSTs are cut before anything is stored
    cut_after: int = 0  # so many after it is stored
    refuse: int = 0
    url: str = ""
    documents: list[tuple[str, bytes]] = field(default_factory=list)  # key and bytes of everything printed
    bodies: dict[str, set[bytes]] = field(default_factory=dict)  # everything that was posted under a key
    posts: Counter[str] = field(default_factory=Counter)
    lookups: Counter[str] = field(default_factory=Counter)

    def printed(self, key: str) -> int:
        return sum(1 for found, _ in self.documents if found == key)

    def post(self, key: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        self.posts[key] += 1
        self.bodies.setdefault(key, set()).add(body)
        if self.cut_before:
            self.cut_before -= 1
            return None
        if self.refuse:
            self.refuse -= 1
            return 400, {"error": "refused"}
        if not (self.knows_repeats and self.printed(key)):
            self.documents.append((key, body))
        if self.cut_after:
            self.cut_after -= 1
            return None
        return 200, {"id": self._id(key)}

    def find(self, key: str) -> tuple[int, dict[str, Any]]:
        self.lookups[key] += 1
        if not self.finds_by_key or not self.printed(key):
            return 404, {"error": "no such key"}
        return 200, {"id": self._id(key), "failed": self.lookup_fails}

    def task(self, number: int) -> tuple[int, dict[str, Any]]:
        if not 0 < number <= len(self.documents):
            return 404, {"error": "no such task"}
        key, body = self.documents[number - 1]
        kopecks = sum(round(payment["sum"] * 100) for payment in json.loads(body)["payments"])
        return 200, {"key": key, "fd": number, "kopecks": kopecks}

    def _id(self, key: str) -> str:
        return str(max(index for index, (found, _) in enumerate(self.documents, start=1) if found == key))


@contextmanager
def serving(cabinet: Cabinet) -> Iterator[Cabinet]:
    """The cabinet as a real server on a free port of loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(cabinet.post(self.path.removeprefix("/documents/"), body))

        def do_GET(self) -> None:
            if self.path.startswith("/documents/"):
                self.answer(cabinet.find(self.path.removeprefix("/documents/")))
            else:
                word = self.path.removeprefix("/tasks/")
                self.answer(cabinet.task(int(word) if word.isdigit() else 0))

        def answer(self, answer: tuple[int, dict[str, Any]] | None) -> None:
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    cabinet.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cabinet
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class PlainDriver:
    """The protocol of `Cabinet`. Documents are written as the real driver writes them."""

    def __init__(self, *, lookup: bool, dedup: Dedup, definite: bool = True, window_seconds: int = 0) -> None:
        self._capabilities = replace(
            CAPABILITIES,
            lookup_by_key=lookup,
            dedup=dedup,
            dedup_window_seconds=window_seconds,
            requests_per_second=100,
            queue_state=False,
        )
        self._definite = definite
        self._wire = KomtetDriver()

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def settings(self) -> tuple[SettingField, ...]:
        return ()

    def connection(self, values: Mapping[str, str]) -> Connection:
        return Connection(values["service_url"], values["shop_id"], values["secret"], int(values["queue"]))

    def validate(self, document: Document) -> tuple[Problem, ...]:
        return ()

    def encode(self, document: Document, key: str, callback_url: str | None) -> bytes:
        return self._wire.encode(document, key, callback_url)

    def submit(self, connection: Connection, submission: Submission) -> Flow[SubmitOutcome]:
        url = f"{connection.service_url}/documents/{submission.key}"
        reply = yield from ask(HttpRequest("POST", url, {"Content-Type": "application/json"}, submission.body))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 400:
            return Refused(ProviderError(ErrorKind.INPUT, KeyRule.STOP, "refused", "Не принято", status=400))
        return Accepted(TaskRef(submission.key, json.loads(reply.body)["id"]))

    def lookup(self, connection: Connection, key: str) -> Flow[LookupOutcome]:
        reply = yield from ask(HttpRequest("GET", f"{connection.service_url}/documents/{key}", {}))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return NotFound(self._definite)
        answer = json.loads(reply.body)
        ref = TaskRef(key, answer["id"])
        if answer["failed"]:
            return Failed(ref, ProviderError(ErrorKind.DEVICE, KeyRule.NEW, "error", "Кончилась бумага"))
        return Accepted(ref, was_known=True)

    def poll(self, connection: Connection, ref: TaskRef) -> Flow[PollOutcome]:
        reply = yield from ask(HttpRequest("GET", f"{connection.service_url}/tasks/{ref.provider_id}", {}))
        if not isinstance(reply, HttpReply):
            return reply
        answer = json.loads(reply.body)
        if reply.status != 200 or answer["key"] != ref.key:
            return Unsure("Сервис ответил не о нашем чеке.")
        result = FiscalResult(
            "9999078900012345", answer["fd"], "2397484188", "20261124T1015", 1, Money(answer["kopecks"])
        )
        return Done(ref, result)

    def check_access(self, connection: Connection) -> Flow[AccessReport]:
        yield HttpRequest("GET", connection.service_url, {})
        return AccessReport(AccessState.OK)

    def verify_callback(
        self, secret: str, urls: Sequence[str], raw_body: bytes, headers: Mapping[str, str]
    ) -> CallbackVerdict:
        return CallbackVerdict(Verdict.FORGED)

    def describe(self, document: Document) -> str:
        return "чек"


def provided(monkeypatch: Any, driver: PlainDriver, url: str) -> str:
    """Make the driver a provider; its code."""
    monkeypatch.setitem(registry._providers(), "plain", Provider("plain", "Простой сервис", driver, url))
    return "plain"
