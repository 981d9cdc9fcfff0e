"""One installation of real processes that may die at any moment: web by granian, workers, emulator, clerk."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from chekhov.emulator.testing import EmulatorProcess
from soak.ports import HeldPort

ROOT = Path(__file__).resolve().parent.parent
LEASE_SECONDS, CONNECT_SECONDS, READ_SECONDS = 5, 1, 2
QUEUES = (777, 778)
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class HouseError(Exception):
    """A process did not come to life; the text says which."""


@dataclass(slots=True)
class Member:
    """A process that is started again and again under one name. Its group dies with it."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False

    def start(self) -> None:
        """Start it unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 -- prctl alone, which is loaded already
            )

    def signal(self, number: int) -> None:
        """Send a signal to it and to its children."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.stopped = False
        if self.process is not None:
            self.process.wait()

    def end(self, seconds: float = 15) -> None:
        """SIGTERM, and see that it goes."""
        self.signal(signal.SIGCONT)
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self.signal(signal.SIGKILL)

    def children(self) -> list[int]:
        """Process ids of its children: granian's web processes."""
        if self.process is None:
            return []
        found: list[int] = []
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{self.process.pid}/task").iterdir():
                found += [int(word) for word in (task / "children").read_text().split()]
        return found


class House:
    """The processes of one installation. Use as a context manager; everything is gone afterwards.

    :param address: the database's address; empty: a SQLite file in the house's own folder.
    :param machines: what a process's command is put behind, by its name: ``{"worker-0": ["ip", "netns", "exec", …]}``.
    :param web_host: where the web processes listen.
    :param cloud_host: where the emulator listens.
    """

    def __init__(
        self,
        address: str,
        *,
        webs: int,
        workers: int,
        machines: Mapping[str, Sequence[str]] | None = None,
        web_host: str = "127.0.0.1",
        cloud_host: str = "127.0.0.1",
    ) -> None:
        self._machines = machines or {}
        self.web_host = web_host
        self.folder = Path(tempfile.mkdtemp(prefix="chekhov-soak-"))
        self.address = address or f"sqlite:///{self.folder / 'chekhov.sqlite3'}"
        self._held = [HeldPort() for _ in range(webs)]
        self.ports = [held.number for held in self._held]
        self.base_url = f"http://{web_host}:{self.ports[0]}"
        flags = [text for queue in QUEUES[1:] for text in ("--queue", str(queue))]
        self.emulator = EmulatorProcess(
            "--pickup-delay-ms", "20", "--print-delay-ms", "80", "--switch", "callback_intervals_ms=0,500,3000",
            "--host", cloud_host, *flags, queue=QUEUES[0],
        )  # fmt: skip
        self.webs = [
            self._member(f"web-{n}", "web", "--host", web_host, "--port", str(port))
            for n, port in enumerate(self.ports)
        ]
        self.workers = [self._member(f"worker-{number}", "worker") for number in range(workers)]
        self._clerk: subprocess.Popen[bytes] | None = None
        self.key = ""

    def __enter__(self) -> House:
        try:
            self.key = self.clerk("open_shop", cloud_url=self.emulator.base_url, queues=list(QUEUES))["key"]
            self.start()
            self.await_web(60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in [*self.webs, *self.workers]:
            member.kill()
        if self._clerk is not None:
            self._clerk.kill()
            self._clerk.wait()
            for stream in (self._clerk.stdin, self._clerk.stdout):
                if stream is not None:
                    stream.close()
        self.emulator.stop()
        for held in self._held:
            held.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start whatever of web and workers does not run, and wake what was stopped."""
        for member in [*self.webs, *self.workers]:
            member.signal(signal.SIGCONT)
            member.stopped = False
            member.start()

    def await_web(self, seconds: float) -> None:
        """Wait until every web process answers. Raises HouseError with what it wrote."""
        deadline = time.monotonic() + seconds
        for member, port in zip(self.webs, self.ports, strict=True):
            while True:
                try:
                    _open(f"http://{self.web_host}:{port}/healthz", timeout=2).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise HouseError(f"{member.name}: {self.said(member)}") from None
                    member.start()
                    time.sleep(0.1)

    def clerk(self, do: str, **values: Any) -> dict[str, Any]:
        """Ask the clerk, a process of this installation that knows Django; see `soak.clerk`."""
        if self._clerk is None:
            self._clerk = subprocess.Popen(
                [sys.executable, "-m", "soak.clerk"],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                preexec_fn=die_with_parent,  # noqa: PLW1509 -- prctl alone, which is loaded already
            )
        assert self._clerk.stdin is not None
        assert self._clerk.stdout is not None
        self._clerk.stdin.write(orjson.dumps({"do": do, **values}) + b"\n")
        self._clerk.stdin.flush()
        line = self._clerk.stdout.readline()
        if not line:
            raise HouseError(f"the clerk fell while doing «{do}»")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def environment(self) -> dict[str, str]:
        """What every process of this installation is started with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "chekhov.config.settings",
            "CHEKHOV_DATA_DIR": str(self.folder),
            "CHEKHOV_DATABASE_URL": self.address,
            "CHEKHOV_BASE_URL": self.base_url,
            "CHEKHOV_LEASE_SECONDS": str(LEASE_SECONDS),
            "CHEKHOV_CONNECT_TIMEOUT_SECONDS": str(CONNECT_SECONDS),
            "CHEKHOV_READ_TIMEOUT_SECONDS": str(READ_SECONDS),
            "CHEKHOV_LOG_LEVEL": "WARNING",
        }

    def said(self, member: Member) -> str:
        """The end of what a process wrote."""
        return member.log.read_text("utf-8", "replace")[-2000:] if member.log.exists() else ""

    def _member(self, name: str, *arguments: str) -> Member:
        command = [*self._machines.get(name, ()), sys.executable, "-m", "chekhov.cli", *arguments]
        return Member(name, command, self.environment(), self.folder / f"{name}.log")


def die_with_parent() -> None:
    """For `preexec_fn`: the child is killed when this process ends, however it ends (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
