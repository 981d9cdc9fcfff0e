"""Real `chekhov watch` processes: two at once tell everything once, a killed one is replaced, a dead worker is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from chekhov.supervision import free_port
from tests.watch.servers import Inbox, http_inbox

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(240)


class House:
    """An installation of its own: a database, and processes over it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")}
        self.environment = {
            **clean,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "chekhov.config.settings",
            "CHEKHOV_DATA_DIR": str(folder),
            "CHEKHOV_DATABASE_URL": address,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.run("-m", "chekhov.cli", "migrate")

    def run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def python(self, code: str) -> str:
        """Run some lines over this installation's database."""
        return self.run("-c", f"import django; django.setup()\n{code}")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            command = [sys.executable, "-m", "chekhov.cli", *arguments]
            process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self) -> str:
        return "\n".join(file.read_text("utf-8", "replace")[-3000:] for file in self.folder.glob("*.log"))

    def until(self, what: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    given = settings.DATABASES["default"]
    if not given["ENGINE"].endswith("postgresql"):
        made = House(tmp_path, f"sqlite:///{tmp_path / 'chekhov.sqlite3'}")
        try:
            yield made
        finally:
            made.stop()
        return
    import psycopg

    name = f"chekhov_watch_{uuid.uuid4().hex[:12]}"
    user = given["USER"] + (f":{given['PASSWORD']}" if given["PASSWORD"] else "")
    server = f"postgresql://{user}@{given['HOST']}:{given['PORT'] or 5432}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}"')
    made = House(tmp_path, f"{server}/{name}")
    try:
        yield made
    finally:
        made.stop()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
            session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


SEED = """
from tests import factories
from tests.watch.conftest import SIGNING, move, only, receipt_of
from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import WorkerBeat
from chekhov.receipts.states import State
from chekhov.watch.models import AlertPolicy
from chekhov.watch.services import ChannelContent, channel_save
from django.utils import timezone
register = factories.register(factories.region("msk", factories.organization()), name="Касса")
AlertPolicy.objects.create(quiet_on=False, messages_an_hour=60)
only("register_failing", "worker_silent", "incident_open")
channel_save(content=ChannelContent("webhook", "Программа", "URL/alerts", SIGNING), actor=None)
WorkerBeat.objects.create(name="dead", started_at=timezone.now(), seen_ms=read_clock_ms() - 600_000)
move(receipt_of(register), State.SENDING, State.FAILED)
"""
INCIDENT = """
from chekhov.receipts.incidents import FIGURES, incident_open
from chekhov.receipts.models import Receipt
incident_open(receipt_id=Receipt.objects.get().pk, code=FIGURES, text="Сумма не та.")
"""


def told(inbox: Inbox) -> list[str]:
    return [f"{event['kind']} {event['rule']}" for body in inbox.json for event in body["events"]]


def test_two_watches_tell_everything_once_and_one_that_is_killed_is_replaced(house: House) -> None:
    with http_inbox() as inbox:
        house.python(SEED.replace("URL", inbox.url))
        first, second = house.start("watch"), house.start("watch")
        house.until(lambda: len(told(inbox)) >= 2)
        time.sleep(18)  # both have evaluated, or could have, once more
        assert sorted(told(inbox)) == ["opened register_failing", "opened worker_silent"]

        first.send_signal(signal.SIGKILL)
        first.wait()
        house.python(INCIDENT)
        house.until(lambda: "opened incident_open" in told(inbox))

        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
        assert len(told(inbox)) == 3


def test_a_slow_channel_holds_up_neither_the_rules_nor_the_other_channels(house: House) -> None:
    import threading

    with http_inbox() as slow, http_inbox() as quick:
        slow.hold = threading.Event()
        house.python(SEED.replace("URL", slow.url))
        house.python(
            "from chekhov.watch.services import ChannelContent, channel_save\n"
            f"channel_save(content=ChannelContent('webhook', 'Вторая', '{quick.url}/', 'x' * 20), actor=None)"
        )
        try:
            house.start("watch")
            house.until(lambda: len(told(quick)) == 2 and len(slow.bodies) == 1)
            house.python(INCIDENT)
            house.until(lambda: "opened incident_open" in told(quick), 40)
        finally:
            slow.hold.set()


def test_up_runs_the_watch_as_well(house: House) -> None:
    port = free_port()
    up = house.start("up", "--port", str(port))
    house.until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"))

    def evaluated() -> bool:
        return (
            house.python(
                "from chekhov.watch.turns import watched_seconds_ago; print(watched_seconds_ago() is not None)"
            ).strip()
            == "True"
        )

    house.until(evaluated)
    body = json.loads(_get(f"http://127.0.0.1:{port}/readyz"))
    assert body["workers"]
    assert all(set(worker) == {"seconds_ago"} for worker in body["workers"])
    assert b"chekhov_workers_alive 1.0" in _get(f"http://127.0.0.1:{port}/metrics")
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0


def _get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        content: bytes = answer.read()
        return content


def _answers(url: str) -> Any:
    with contextlib.suppress(OSError):
        return _get(url)
    return b""
