"""An installation of its own for the bench: a database, a data folder, and the processes that run in it."""

from __future__ import annotations

import ctypes
import itertools
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg

ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL = os.environ.get("BENCH_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_houses = itertools.count(1)


class BenchError(Exception):
    """A measure could not be taken; the text says why."""


def postgresql_missing() -> str:
    """Why there is no PostgreSQL to measure on; empty if there is."""
    try:
        psycopg.connect(POSTGRESQL, connect_timeout=3).close()
    except psycopg.Error as error:
        return f"PostgreSQL not reachable at {POSTGRESQL.rsplit('@', 1)[-1]}: {str(error).splitlines()[0]}"
    return ""


def free_port() -> int:
    """A port of loopback that nobody uses at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class House:
    """A data folder and a database that are gone afterwards. Use as a context manager.

    With `like`, a copy of that kept installation (bench.cache): its secrets, and its database file or `like_database`.
    """

    def __init__(self, database: str, *, like: Path | None = None, like_database: str = "") -> None:
        self.database = database
        parent = ROOT / "var"
        parent.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
        self.name = f"chekhov_bench_{os.getpid()}_{next(_houses)}"
        if like is not None:
            shutil.copytree(like, self.folder, dirs_exist_ok=True)
        if database == "sqlite":
            self.url = f"sqlite:///{self.folder / 'chekhov.sqlite3'}"
        else:
            self.url = POSTGRESQL.rsplit("/", 1)[0] + f"/{self.name}"
            with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
                template = f' TEMPLATE "{like_database}"' if like_database else ""
                admin.execute(f'CREATE DATABASE "{self.name}"{template}')
        self.web_port = free_port()
        self.key = ""
        self.row = 2500
        self.body = 900
        self._processes: list[subprocess.Popen[bytes]] = []
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.database == "postgresql":
            with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    def rest(self) -> None:
        """End every process of the installation."""
        for process in self._processes[::-1]:
            self.end(process)
        self._keeper = None

    def environment(self, **more: str) -> dict[str, str]:
        """What every process of this installation sees; settings of the caller's own are left behind."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")}
        return kept | {
            "CHEKHOV_DATA_DIR": str(self.folder),
            "CHEKHOV_DATABASE_URL": self.url,
            "CHEKHOV_BASE_URL": f"http://127.0.0.1:{self.web_port}",
            "CHEKHOV_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "chekhov.config.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
            **more,
        }

    def start(self, command: Sequence[str], **more: str) -> subprocess.Popen[bytes]:
        """A process that ends with this one."""
        process = subprocess.Popen(command, env=self.environment(**more), cwd=ROOT, preexec_fn=die_with_parent)  # noqa: PLW1509 -- one thread
        self._processes.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Ask it to stop, and see that it does."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self._processes:
            self._processes.remove(process)

    def keep(self, do: str, **values: Any) -> dict[str, Any]:
        """Ask the keeper."""
        if self._keeper is None:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "bench.keeper"],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                preexec_fn=die_with_parent,  # noqa: PLW1509 -- one thread
            )
            self._processes.insert(0, self._keeper)
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(orjson.dumps({"do": do, **values}) + b"\n")
        self._keeper.stdin.flush()
        line = self._keeper.stdout.readline()
        if not line:
            raise BenchError(f"the keeper fell while doing «{do}»")
        return dict(orjson.loads(line))

    def once(self, module: str, spec: dict[str, Any], *, seconds: float = 180) -> dict[str, Any]:
        """Run a module of the bench to its end; the object that it prints."""
        done = subprocess.run(
            [sys.executable, "-m", module, orjson.dumps(spec).decode()],
            env=self.environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{module} {spec.get('kind')} ended with code {done.returncode}")
        return dict(orjson.loads(done.stdout))

    def cloud(self, port: int) -> subprocess.Popen[bytes]:
        """An instant provider, listening."""
        command = [sys.executable, "-m", "bench.cloud", "--port", str(port)]
        process = self.start(command)
        _await_port(port, process)
        return process

    def web(self) -> subprocess.Popen[bytes]:
        """One web process, by the command line of `chekhov web`, listening and warm."""
        command = [sys.executable, "-m", "chekhov.cli", "web", "--port", str(self.web_port)]
        process = self.start(command)
        _await_port(self.web_port, process)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/healthz", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return process
        raise BenchError("the web process does not answer /healthz")

    def worker(self, in_flight: int) -> subprocess.Popen[bytes]:
        """One worker by `chekhov worker`, alive: its first beat is in the database."""
        self.keep("retire")
        command = [sys.executable, "-m", "chekhov.cli", "worker"]
        process = self.start(command, CHEKHOV_WORKER_IN_FLIGHT=str(in_flight))
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if self.keep("beating")["workers"]:
                time.sleep(0.1)
                return process
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise BenchError("the worker did not come to life")


def told(port: int, path: str) -> Any:
    """What the instant provider says of the run."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return orjson.loads(answer.read())


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time of a process and its living children so far."""
    total = 0.0
    for pid in (process.pid, *_children(process.pid)):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Peak resident memory of a process, MB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise BenchError("no VmHWM in /proc")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _await_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise BenchError(f"nothing listens on port {port}")


def die_with_parent() -> None:
    """For `preexec_fn`: the child ends when this process does, and leaves no core behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
