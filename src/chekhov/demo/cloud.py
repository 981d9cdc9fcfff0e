"""The demo's side of the emulator: its credentials, made once, and its control calls."""

from __future__ import annotations

import json
import os
import secrets
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chekhov.supervision import Supervisor, chekhov_command

QUEUES = {"msk": 101, "spb": 102, "kzn": 201}
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class DemoCloud:
    """Where the emulator is and what opens it."""

    url: str
    folder: Path
    shop: str
    secret: str = field(repr=False)

    @classmethod
    def at(cls, url: str, folder: Path) -> DemoCloud:
        """The emulator of this data folder; its credentials are made on the first start."""
        folder.mkdir(parents=True, exist_ok=True)
        shop_file, secret_file = folder / "emulator.shop", folder / "emulator.secret"
        if not secret_file.exists():
            shop_file.write_text(f"demo{secrets.token_hex(4)}", encoding="ascii")
            descriptor = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24))
        return cls(url, folder, shop_file.read_text("ascii"), secret_file.read_text("ascii"))

    def start(self, supervisor: Supervisor, host: str, port: int, *, clock_offset_seconds: int) -> None:
        """Start the emulator as a child and wait until it answers. Raises TimeoutError."""
        queues = [text for queue in QUEUES.values() for text in ("--queue", str(queue))]
        supervisor.add(
            "emulator",
            chekhov_command(
                "emulator",
                "--host",
                host,
                "--port",
                str(port),
                "--shop",
                self.shop,
                "--secret-file",
                str(self.folder / "emulator.secret"),
                "--db",
                str(self.folder / "emulator.sqlite3"),
                "--print-delay-ms",
                "1200",
                "--clock-offset-seconds",
                str(clock_offset_seconds),
                *queues,
            ),
        )
        wait_for(f"{self.url}/_emulator/health", "эмулятор")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the emulator's control API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data=data, method=method)  # noqa: S310
        with _open(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


def wait_for(url: str, what: str, *, seconds: float = 60) -> None:
    """Wait until an address answers. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with _open(url, timeout=5):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} не отвечает: {url}") from error
            time.sleep(0.1)
