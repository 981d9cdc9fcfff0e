"""A PostgreSQL server of our own, from the system's binaries: it may be killed, restarted and listened to elsewhere."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

USER = "postgres"


def missing() -> str:
    """Why no server can be started here; empty if one can."""
    if _binaries() is None:
        return "no PostgreSQL binaries under /usr/lib/postgresql"
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            return "PostgreSQL does not run as root, and there is no setpriv to become another user"
        try:
            pwd.getpwnam(USER)
        except KeyError:
            return f"PostgreSQL does not run as root, and there is no user {USER}"
    return ""


class OwnPostgres:
    """One server with trust authentication; gone with everything in it at the end of ``with``.

    `listen` are the addresses of this machine on which it listens, `clients` the networks that may come, `parent` the
    folder that its own is made in.
    """

    def __init__(
        self,
        port: int,
        *,
        listen: str = "127.0.0.1",
        clients: Sequence[str] = (),
        fsync: bool = False,
        parent: Path = Path("/tmp"),
    ) -> None:
        reason = missing()
        if reason:
            raise RuntimeError(reason)
        binaries = _binaries()
        assert binaries is not None
        self._bin = binaries
        self._port, self._listen, self._fsync = port, listen, fsync
        self._process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.folder = Path(tempfile.mkdtemp(prefix="chekhov-pg-", dir=parent))
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)
        self._data = self.folder / "data"
        subprocess.run(
            self._as_user(str(self._bin / "initdb"), "-D", str(self._data), "-U", USER, "-A", "trust", "-N"),
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        if clients:
            with (self._data / "pg_hba.conf").open("a", encoding="ascii") as rules:
                rules.writelines(f"host all all {network} trust\n" for network in clients)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(immediate=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str = "postgres", host: str = "127.0.0.1") -> str:
        """The address of a database of this server."""
        return f"postgresql://{USER}@{host}:{self._port}/{name}"

    def start(self, *, seconds: float = 60) -> None:
        """Start it and wait until it answers. After a crash it first recovers from its log."""
        deadline = time.monotonic() + seconds
        while True:
            if self._process is None or self._process.poll() is not None:  # a predecessor may still hold the memory
                with (self.folder / "server.log").open("ab") as log:
                    self._process = subprocess.Popen(self._as_user(*self._command()), stderr=log, stdout=log, cwd="/")
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    text = (self.folder / "server.log").read_text("utf-8", "replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start:\n{text}") from None
                time.sleep(0.1)
            else:
                return

    def stop(self, *, immediate: bool) -> None:
        """End it: at once, without a checkpoint, as in a crash; or in order, throwing everybody out."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, *, away_seconds: float = 0) -> None:
        """Crash it, leave it away for so long, and start it again."""
        self.stop(immediate=True)
        time.sleep(away_seconds)
        self.start()
        self.restarts += 1

    def create(self, name: str, template: str = "template1") -> str:
        """A new database; its address."""
        with psycopg.connect(self.url(), autocommit=True) as session:
            session.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def throw_out(self) -> int:
        """End every session on the server, as an administrator or a failing network would; how many there were."""
        with psycopg.connect(self.url(), autocommit=True) as session:
            rows = session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
        return len(rows)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": self._listen,
            "port": str(self._port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self._fsync else "off",  # processes die here, machines do not
            "shared_buffers": "64MB",
            "max_connections": "80",
            "log_min_messages": "fatal",
        }
        pairs = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self._data), *pairs]

    @staticmethod
    def _as_user(*command: str) -> list[str]:
        if os.geteuid() != 0:
            return list(command)
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--pdeathsig=QUIT", "--", *command]


def _binaries() -> Path | None:
    """The newest installed version's folder."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: float(path.parent.name), default=None)
