"""Where alerts arrive in the tests: a mail server, a Telegram Bot API and a webhook, real servers on loopback."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import http.server
import json
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any


@dataclass
class Mail:
    """A mail server's memory and switches."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    login: tuple[str, str] | None = None
    refuse_data: bool = False
    refuse_address: str = ""
    silent: bool = False
    drip: bool = False
    tls: ssl.SSLContext | None = None  # offered by STARTTLS
    is_tls: bool = False  # from the first byte


@contextlib.contextmanager
def mail_server(port: int = 0) -> Iterator[Mail]:
    """A small SMTP server; letters end in `letters`."""
    memory = Mail()

    class Handler(socketserver.StreamRequestHandler):
        timeout = 20

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def protect(self) -> None:
            assert memory.tls is not None
            self.connection = memory.tls.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = socketserver._SocketWriter(self.connection)  # type: ignore[attr-defined]

        def handle(self) -> None:
            try:
                self.talk()
            except (ssl.SSLError, ConnectionError):
                pass  # the client did not like the certificate
            finally:
                self.rfile.close()
                self.connection.close()

        def talk(self) -> None:
            if memory.is_tls:
                self.protect()
            if memory.silent:
                with contextlib.suppress(OSError):
                    self.rfile.readline()
                return
            if memory.drip:
                with contextlib.suppress(OSError):
                    for _ in range(200):
                        self.wfile.write(b"2")
                        time.sleep(0.1)
                return
            self.say("220 test")
            to: list[str] = []
            while line := self.rfile.readline(2000).decode("utf-8", "replace").strip():
                verb = line.upper()
                if verb.startswith(("EHLO", "HELO")):
                    offers = ["test", *["STARTTLS"] * bool(memory.tls), *["AUTH PLAIN"] * bool(memory.login)]
                    for offer in offers[:-1]:
                        self.say(f"250-{offer}")
                    self.say(f"250 {offers[-1]}")
                elif verb == "STARTTLS":
                    self.say("220 go")
                    self.protect()
                elif verb.startswith("AUTH PLAIN"):
                    _, name, password = base64.b64decode(line.split()[2]).decode().split("\0")
                    self.say("235 in" if (name, password) == memory.login else f"535 wrong {password}")
                elif verb.startswith("MAIL"):
                    to = []
                    self.say("250 ok")
                elif verb.startswith("RCPT"):
                    address = line.split("<")[1].split(">")[0]
                    if address == memory.refuse_address:
                        self.say("550 no such person")
                    else:
                        to.append(address)
                        self.say("250 ok")
                elif verb == "DATA":
                    self.say("354 go")
                    body = b""
                    while (row := self.rfile.readline()) not in (b".\r\n", b""):
                        body += row.removeprefix(b".") if row.startswith(b"..") else row
                    if memory.refuse_data:
                        self.say("554 spam")
                        continue
                    memory.letters.append(email.message_from_bytes(body, policy=email.policy.default))  # type: ignore[arg-type]
                    memory.recipients.append(to)
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    with _running(Server(("127.0.0.1", port), Handler)) as server:
        memory.port = server.server_address[1]
        yield memory


@dataclass
class Inbox:
    """What was posted to a server, and what it answers next."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    status: int = 200
    answer: Any = field(default_factory=lambda: {"ok": True, "result": {}})
    answer_headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None  # answers only when this is set

    @property
    def json(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]


@contextlib.contextmanager
def http_inbox(port: int = 0) -> Iterator[Inbox]:
    """An HTTP server that keeps what is posted: the Telegram Bot API, or a shop's own program."""
    inbox = Inbox()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.paths.append(self.path)
            inbox.headers.append({name.lower(): value for name, value in self.headers.items()})
            inbox.bodies.append(body)
            if inbox.hold is not None:
                inbox.hold.wait(30)
            content = inbox.answer if isinstance(inbox.answer, bytes) else json.dumps(inbox.answer).encode()
            self.send_response(inbox.status)
            for name, value in {**inbox.answer_headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        allow_reuse_address, daemon_threads = True, True

    with _running(Server(("127.0.0.1", port), Handler)) as server:
        inbox.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield inbox


@contextlib.contextmanager
def _running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
