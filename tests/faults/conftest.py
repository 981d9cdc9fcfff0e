"""A whole installation for each test: a database of its own, an emulator, a worker, the address for notifications.

Nothing is mocked and nothing is rolled back: the worker's thread and other processes see what a test commits. The
database is migrated once for the whole run and copied for each test (a file on SQLite, a template on PostgreSQL).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connections

from chekhov.delivery.callbacks import callback_receive
from chekhov.delivery.worker import Worker
from chekhov.directory.models import Region
from chekhov.directory.services import installation_uuid
from chekhov.emulator import Switches
from chekhov.emulator.testing import EmulatorProcess
from chekhov.registers.models import Register
from soak.ports import HeldPort
from tests import factories
from tests.faults.truth import hurry_all

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS, CONNECT_SECONDS, READ_SECONDS = 4, 1, 1
_numbers = itertools.count(1)


# --- the database -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _using(name: str) -> Iterator[None]:
    """Every connection that this process opens meanwhile is to the database `name`. The former ones stay as they are.

    Not more than a swap of the settings' dictionary: a test database in memory must not be closed.
    """
    former_settings, former = connections.databases["default"], connections["default"]
    connections.databases["default"] = {**former_settings, "NAME": name}
    connections["default"] = connections.create_connection("default")
    installation_uuid.cache_clear()
    try:
        yield
    finally:
        connections["default"].close()
        connections.databases["default"], connections["default"] = former_settings, former
        installation_uuid.cache_clear()


def _is_postgresql() -> bool:
    return connections.databases["default"]["ENGINE"].endswith("postgresql")


def _administer(statement: str) -> None:
    """One statement outside any of our databases."""
    import psycopg

    given = connections.databases["default"]
    with psycopg.connect(
        host=given["HOST"], port=given["PORT"] or 5432, user=given["USER"], password=given["PASSWORD"],
        dbname="postgres", autocommit=True,
    ) as session:  # fmt: skip
        session.execute(statement)


@pytest.fixture(scope="session")
def template(django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated, empty database to copy from."""
    mark = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"chekhov_faults_{mark}_{os.getpid()}"
    if _is_postgresql():
        _administer(f'CREATE DATABASE "{name}"')
    else:
        name = str(tmp_path_factory.mktemp("template") / "template.sqlite3")
    with django_db_blocker.unblock(), _using(name):
        call_command("migrate", verbosity=0, interactive=False)
        if not _is_postgresql():
            connections["default"].cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    yield name
    if _is_postgresql():
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def fresh_database(template: str, folder: Path) -> Iterator[str]:
    """A copy of the template that this process uses meanwhile; its address for other processes."""
    if _is_postgresql():
        name = f"{template}_{next(_numbers)}"
        _administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        given = connections.databases["default"]
        password = f":{given['PASSWORD']}" if given["PASSWORD"] else ""
        address = f"postgresql://{given['USER']}{password}@{given['HOST']}:{given['PORT'] or 5432}/{name}"
    else:
        name = str(folder / "chekhov.sqlite3")
        shutil.copyfile(template, name)
        address = f"sqlite:///{name}"
    try:
        with _using(name):
            yield address
    finally:
        if _is_postgresql():
            _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def database(template: str, tmp_path: Path, django_db_blocker: Any) -> Iterator[str]:
    """A fresh database; its address for other processes."""
    with django_db_blocker.unblock(), fresh_database(template, tmp_path) as address:
        yield address


# --- the emulator -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[EmulatorProcess]:
    with EmulatorProcess() as running:
        yield running


@pytest.fixture
def emulator(emulator_process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    emulator_process.start()
    emulator_process.reset()
    emulator_process.settings(**Switches().as_dict(), pickup_delay_ms=0, print_delay_ms=0)
    yield emulator_process
    emulator_process.start()
    if any(rule["fault"] == "latency" for rule in emulator_process.fault_list()):
        emulator_process.kill()  # a request that still waits must not reach the next test


class Address:
    """An address for notifications on loopback; what is answered there, `receive` says."""

    def __init__(self) -> None:
        address = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(address.receive(self.path, dict(self.headers.items()), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> int:
        raise NotImplementedError

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def hand_over(path: str, headers: dict[str, str], body: bytes) -> int:
    """What the web process does with a notification, without the web process; the status."""
    _, _, provider, token = path.split("/")
    return callback_receive(provider=provider, token=token, headers=headers, body=body)


class Hooks(Address):
    """Notifications are heard as they come."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        super().__init__()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> int:
        try:
            status = hand_over(path, headers, body)
        finally:
            connections.close_all()
        self.statuses.append(status)
        return status


class Mailbox(Address):
    """Notifications are answered with 200 and kept until somebody delivers them."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self.letters.append((path, headers, body))
        return 200

    def deliver(self, least: int = 1) -> None:
        """Everything that has come, in its order; waits until there are so many."""
        wait_for(lambda: len(self.letters) >= least)
        for letter in self.letters:
            assert hand_over(*letter) == 200


@pytest.fixture
def mailbox(installation: Installation, settings: Any) -> Iterator[Mailbox]:
    """Notifications arrive when the test says so."""
    box = Mailbox()
    settings.CHEKHOV_BASE_URL = box.url
    yield box
    box.close()


@pytest.fixture
def hooks(installation: Installation, settings: Any) -> Iterator[Hooks]:
    """Notifications arrive. Without this fixture they go to an address where nobody listens."""
    running = Hooks()
    settings.CHEKHOV_BASE_URL = running.url
    yield running
    running.close()


# --- the installation -------------------------------------------------------------------------------------------------


@dataclass
class Installation:
    """A shop with one active register on the emulator."""

    emulator: EmulatorProcess
    region: Region
    register: Register
    address: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def sell(self, count: int = 1, amount: str = "385.50") -> list[Any]:
        """So many invoices, each paid whole on the site."""
        buyer = factories.customer(self.region)
        line = factories.LineContent(name="Свеча зажигания", price=amount, quantity="1")
        return [factories.pay(factories.invoice(buyer, line)) for _ in range(count)]

    def deliver(
        self,
        until: Callable[[], bool],
        *,
        seconds: float = 15,
        patient: bool = False,
        workers: int = 1,
        meanwhile: Callable[[], Any] | None = None,
    ) -> None:
        """Run workers in this process until something holds, and see to it that it does.

        `patient` keeps the real waits; otherwise whatever waits for its time is looked at ten times a second.
        """
        with ThreadPoolExecutor(1) as side:
            try:
                asyncio.run(self._deliver(until, seconds, patient, workers, side, meanwhile))
            finally:
                side.submit(connections.close_all).result()

    async def _deliver(
        self,
        until: Callable[[], bool],
        seconds: float,
        patient: bool,
        workers: int,
        side: ThreadPoolExecutor,
        meanwhile: Callable[[], Any] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        crew = [Worker(name=f"worker-{number}") for number in range(workers)]
        runs = [asyncio.create_task(worker.run()) for worker in crew]
        deadline = loop.time() + seconds
        try:
            while not await loop.run_in_executor(side, until):
                assert loop.time() < deadline, f"not reached within {seconds} s: {until.__doc__ or until}"
                for run in runs:
                    if run.done():
                        run.result()
                if not patient:
                    await loop.run_in_executor(side, hurry_all)
                if meanwhile is not None:
                    await loop.run_in_executor(side, meanwhile)
                await asyncio.sleep(0.1)
        finally:
            for worker in crew:
                worker.stop()
            await asyncio.gather(*runs)

    def environment(self) -> dict[str, str]:
        """What another process of this installation is started with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "chekhov.config.settings",
            "CHEKHOV_DATA_DIR": str(self.folder),
            "CHEKHOV_DATABASE_URL": self.address,
            "CHEKHOV_BASE_URL": django_settings.CHEKHOV_BASE_URL,
            "CHEKHOV_SECRET_KEY": django_settings.SECRET_KEY,
            "CHEKHOV_ENCRYPTION_KEYS": ",".join(django_settings.CHEKHOV_ENCRYPTION_KEYS),
            "CHEKHOV_LEASE_SECONDS": "5",
            "CHEKHOV_CONNECT_TIMEOUT_SECONDS": "1",
            "CHEKHOV_READ_TIMEOUT_SECONDS": "2",
            "CHEKHOV_LOG_LEVEL": "WARNING",
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Another process of this installation: ``start("-m", "chekhov.cli", "worker")``."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("-m", "chekhov.cli", "worker")


@pytest.fixture
def installation(database: str, emulator: EmulatorProcess, tmp_path: Path, settings: Any) -> Iterator[Installation]:
    settings.CHEKHOV_LEASE_SECONDS = LEASE_SECONDS
    settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS = CONNECT_SECONDS
    settings.CHEKHOV_READ_TIMEOUT_SECONDS = READ_SECONDS
    settings.CHEKHOV_BASE_URL = "http://127.0.0.1:9"
    region = factories.region("msk", factories.organization())
    register = factories.register(region, service_url=emulator.base_url)
    made = Installation(emulator, region, register, database, tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def port() -> Iterator[int]:
    """For a web process of this test alone."""
    with HeldPort() as held:
        yield held.number


def wait_for(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds, and see to it that it does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not reached within {seconds} s"
        time.sleep(0.05)
