"""An emulator for tests: a real process on a free port of loopback, with handles on its control API."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlencode

_SOURCE = Path(__file__).resolve().parents[2]
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class EmulatorProcess:
    """Starts on construction or on entry of ``with``; ``stop`` ends it and deletes its memory, if that was its own.

    ``flags`` are further command line flags, for example ``"--print-delay-ms", "50"``.
    """

    def __init__(
        self,
        *flags: str,
        shop: str = "demo-shop",
        secret: str = "demo-secret",  # noqa: S107 - of a test server
        queue: int = 777,
        port: int = 0,
        db: Path | None = None,
        start_seconds: float = 20,
    ) -> None:
        self.shop = shop
        self.secret = secret
        self.queue = queue
        self.base_url = ""
        self._flags = flags
        self._port = port
        self._start_seconds = start_seconds
        self._folder = tempfile.TemporaryDirectory(prefix="chekhov-emulator-", ignore_cleanup_errors=True)
        self.db = db or Path(self._folder.name) / "emulator.db"
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        try:
            self.start()
        except RuntimeError:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the running emulator."""
        assert self._process is not None, "the emulator is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; after the first time on the same port and memory as before.

        :raises RuntimeError: with what it wrote to standard error, when it ends or does not get ready.
        """
        if self._process is not None:
            return
        command = [sys.executable, "-m", "chekhov.emulator", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--shop", self.shop, "--secret", self.secret, "--queue", str(self.queue), "--db", str(self.db)]
        path = os.pathsep.join(filter(None, [str(_SOURCE), os.environ.get("PYTHONPATH", "")]))
        self._errors = (Path(self._folder.name) / "stderr.txt").open("a+", encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, *self._flags],
            env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"(http://\S+?:(\d+))/", line)
        if found is None:
            self._end(kill=True)
            raise RuntimeError(f"the emulator did not start: {self.errors()}")
        self.base_url, self._port = found[1], int(found[2])
        deadline = time.monotonic() + self._start_seconds
        while True:
            try:
                self.call("GET", "health")
            except OSError as error:
                if time.monotonic() > deadline:
                    self._end(kill=True)
                    raise RuntimeError(f"the emulator does not answer: {self.errors()}") from error
                time.sleep(0.02)
            else:
                return

    def errors(self) -> str:
        """What the process wrote to standard error so far."""
        file = Path(self._folder.name) / "stderr.txt"
        return file.read_text("utf-8") if file.exists() else ""

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is flushed."""
        self._end(kill=True)

    def terminate(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        return self._end(kill=False)

    def restart(self) -> None:
        """End it in order, unless it was killed, and start it again on the same port and memory."""
        self._end(kill=False)
        self.start()

    def stop(self) -> None:
        """End it for good."""
        self._end(kill=False)
        self._folder.cleanup()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control API, ``path`` below ``/_emulator/``.

        :raises ValueError: with the emulator's reason, when it refuses.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.base_url}/_emulator/{path}", data=data, method=method
        )
        try:
            with _open(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(error.read().decode()) from None

    def faults(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """Put rules in force, for example ``{"fault": "drop", "when": "after", "count": 1}``; returns them."""
        added: list[dict[str, Any]] = self.call("POST", "faults", list(rules))
        return added

    def fault_list(self) -> list[dict[str, Any]]:
        """The rules with what is left of each and how often it has struck."""
        rules: list[dict[str, Any]] = self.call("GET", "faults")
        return rules

    def clear_faults(self, rule: int | None = None) -> None:
        """Take all rules away, or the one with this ``id``."""
        self.call("DELETE", "faults" if rule is None else f"faults/{rule}")

    def settings(self, **values: Any) -> dict[str, Any]:
        """Change switches and delays, if any are given; returns all."""
        result: dict[str, Any] = self.call("POST", "settings", values) if values else self.call("GET", "settings")
        return result

    def receipts(self, **filters: Any) -> list[dict[str, Any]]:
        """All tasks with their requests, oldest first; ``external_id``, ``state``, ``shop``, ``after``."""
        found: list[dict[str, Any]] = []
        limit = 1000
        while True:
            page = self.call("GET", f"receipts?{urlencode({'limit': limit, **filters})}")
            found += page
            if len(page) < limit:
                return found
            filters["after"] = page[-1]["id"]

    def callbacks(self, task: int | None = None) -> list[dict[str, Any]]:
        """All callbacks with what became of them, or those of one task."""
        found: list[dict[str, Any]] = self.call("GET", "callbacks" if task is None else f"callbacks?task={task}")
        return found

    def reset(self) -> None:
        """Forget tasks, callbacks, orders, employees and faults; issued numbers stay issued."""
        self.call("POST", "reset", {})

    def _end(self, *, kill: bool) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if self._errors is not None:
            self._errors.close()
        return code
