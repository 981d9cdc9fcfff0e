"""`chekhov up`: one parent that starts web, worker, watch and, in a demo, the emulator; restarts what falls; stops all.

The parent owns nothing but its children. A child that ends is started again with a growing pause; when the parent is
killed the kernel ends the children (Linux), so a second `chekhov up` finds its ports free.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.core.management import call_command

from chekhov.config.processes import die_with_parent

STOP_SECONDS = 45
_KILL_SECONDS = 30  # how long a web process may finish what it has begun


@dataclass(slots=True)
class Child:
    """One process that must live as long as the parent."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)
    pause_seconds: float = 1.0
    start_at: float = 0.0
    started_at: float = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 -- our own interpreter and modules
            self.command,
            env={**os.environ, **self.environment},
            preexec_fn=die_with_parent,  # noqa: PLW1509 -- the parent has no threads
            start_new_session=True,
        )
        self.started_at = time.monotonic()

    def tend(self) -> None:
        """Start the process if it is time to; note when it has ended."""
        moment = time.monotonic()
        if self.process is None:
            if moment >= self.start_at:
                self.start()
        elif self.process.poll() is not None:
            lived = moment - self.started_at
            self.pause_seconds = 1.0 if lived > 60 else min(self.pause_seconds * 2, 30.0)
            print(
                f"chekhov: {self.name} ended with code {self.process.returncode}, "
                f"starting again in {self.pause_seconds:.0f} s",
                file=sys.stderr,
            )
            self.process, self.start_at = None, moment + self.pause_seconds


class Supervisor:
    """Tends its children until it is told to stop."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._stopping = False

    def add(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a child now."""
        child = Child(name, command, environment or {})
        self._children.append(child)
        child.start()

    def run(self, each: Callable[[], None] = lambda: None) -> None:
        """Tend the children until SIGTERM or SIGINT, then stop them in order. `each` is called on every round."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        try:
            while not self._stopping:
                for child in self._children:
                    child.tend()
                each()
                time.sleep(0.2)
        finally:
            self.end()

    def stop(self) -> None:
        self._stopping = True

    def end(self) -> None:
        """Ask every child to end, web first so that nothing new comes in, and wait; kill what does not listen."""
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            if child.process is None:
                continue
            try:
                child.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def web_command(host: str, port: int) -> list[str]:
    """The command line of the web server."""
    return [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        host,
        "--port",
        str(port),
        "--workers",
        str(settings.CHEKHOV_WEB_PROCESSES),
        "--blocking-threads",
        str(settings.CHEKHOV_WEB_THREADS),
        "--backlog",
        "1024",
        "--no-ws",
        "--log-level",
        "warning",
        "--respawn-failed-workers",
        "--workers-kill-timeout",
        str(_KILL_SECONDS),
        "chekhov.config.web_process:application",
    ]


def serve(*, host: str, port: int) -> int:
    """Become the web server."""
    command = web_command(host, port)
    os.execv(command[0], command)  # noqa: S606 -- our own interpreter
    return 0


def up(*, host: str, port: int) -> int:
    """Run web, worker and watch until SIGTERM."""
    if not are_free(host, port):
        return 1
    call_command("migrate", verbosity=0, interactive=False)
    supervisor = Supervisor()
    environment = own_address(host, port)
    supervisor.add("web", web_command(host, port), environment)
    supervisor.add("worker", chekhov_command("worker"), environment)
    supervisor.add("watch", chekhov_command("watch"), environment)
    print(f"Chekhov: http://{host}:{port}/admin/", flush=True)
    supervisor.run()
    return 0


def own_address(host: str, port: int) -> dict[str, str]:
    """The base URL for children where none is set."""
    return {} if "CHEKHOV_BASE_URL" in os.environ else {"CHEKHOV_BASE_URL": f"http://{host}:{port}"}


def are_free(host: str, *ports: int) -> bool:
    """Whether servers could listen on these ports; says on standard error which one is taken."""
    taken = [port for port in ports if not is_free(host, port)]
    if taken:
        print(f"chekhov: port {taken[0]} is in use; choose another with --port or --emulator-port", file=sys.stderr)
    return not taken


def chekhov_command(*arguments: str) -> list[str]:
    """A `chekhov …` command for a child process."""
    return [sys.executable, "-m", "chekhov.cli", *arguments]


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen here."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of loopback that nobody uses at the moment."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
