"""Web and workers on machines of their own (network namespaces) over one PostgreSQL; one machine is cut off.

The links are real (veth), the server listens on their side of it, and cutting off is taking the link down: no process
learns of it but by silence.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connections

from chekhov.supervision import free_port
from soak import postgres
from soak.house import House
from soak.postgres import OwnPostgres
from soak.shop import exchange
from tests.faults.conftest import wait_for

MACHINES = ("web-0", "worker-0", "worker-1")
LINES = [{"name": "Свеча", "price": "385.50", "quantity": "1"}]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Net:
    """A namespace for each machine, each on a link of its own; the hub's address is reachable from all of them."""

    def __init__(self) -> None:
        self._mark = f"ck{os.getpid() % 10_000}"
        block = os.getpid() % 200
        self.hub = f"10.231.{block}.1"
        self.network = "10.231.0.0/16"
        self.addresses: dict[str, str] = {}
        try:
            self._lay(block)
        except subprocess.CalledProcessError:
            self.close()
            raise

    def _lay(self, block: int) -> None:
        _ip("link", "add", f"{self._mark}hub", "type", "bridge")  # a device to hold an address: no machine is on it
        _ip("addr", "add", f"{self.hub}/32", "dev", f"{self._mark}hub")
        _ip("link", "set", f"{self._mark}hub", "up")
        for number, name in enumerate(MACHINES, start=1):
            here, there, space = f"{self._mark}h{number}", f"{self._mark}m{number}", f"{self._mark}-{name}"
            ours, theirs = f"10.231.{block}.{number * 4 + 1}", f"10.231.{block}.{number * 4 + 2}"
            _ip("netns", "add", space)
            _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", space)
            _ip("addr", "add", f"{ours}/30", "dev", here)
            _ip("link", "set", here, "up")
            _ip("-n", space, "addr", "add", f"{theirs}/30", "dev", there)
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", there, "up")
            _ip("-n", space, "route", "add", "default", "via", ours)
            self.addresses[name] = theirs

    def inside(self, name: str) -> list[str]:
        """What a command on this machine is put behind."""
        return ["ip", "netns", "exec", f"{self._mark}-{name}"]

    def cut(self, name: str) -> None:
        """Pull the cable: on our side of it, so that the machine itself sees nothing but silence."""
        _ip("link", "set", f"{self._mark}h{MACHINES.index(name) + 1}", "down")

    def mend(self, name: str) -> None:
        _ip("link", "set", f"{self._mark}h{MACHINES.index(name) + 1}", "up")

    def close(self) -> None:
        for number, name in enumerate(MACHINES, start=1):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "del", f"{self._mark}h{number}")
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", f"{self._mark}-{name}")
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", f"{self._mark}hub")


@pytest.fixture
def net() -> Iterator[Net]:
    if not connections.databases["default"]["ENGINE"].endswith("postgresql"):
        pytest.skip("SQLite lives on one machine")
    if postgres.missing():
        pytest.skip(postgres.missing())
    if shutil.which("ip") is None:
        pytest.skip("no ip (iproute2) here")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    try:
        made = Net()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted here: {error.stderr.decode().strip()}")
    yield made
    made.close()


@dataclass
class Cluster:
    """One database, one cloud, a machine for the web and two for workers."""

    net: Net
    house: House
    server: OwnPostgres
    folder: Path
    said: list[tuple[str, str, str, str]]
    paid_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def sell(self, count: int) -> None:
        """The shop is outside and talks to the web machine."""
        for _ in range(count):
            mark = f"A-{len(self.said)}"
            money = {"amount": "385.50", "means": "card", "channel": "online", "paid_at": self.paid_at}
            assert self.put(f"invoices/{mark}", {"customer": "C-1", "lines": LINES}) == 201
            assert self.put(f"invoices/{mark}/payments/1", money) == 201
            self.said.append(("payment", mark, "1", "385.50"))

    def put(self, path: str, body: Any) -> int:
        return exchange(self.net.addresses["web-0"], self.house.ports[0], self.house.key, "PUT", path, body)[0]

    def rows(self, statement: str) -> list[Any]:
        with psycopg.connect(self.server.url("chekhov")) as session:
            return session.execute(statement.encode()).fetchall()

    def states(self) -> dict[str, int]:
        states: dict[str, int] = self.house.clerk("counts")["states"]
        return states

    def settle(self, seconds: float = 40) -> None:
        """Wait until everything that was said is fiscalized."""

        def settled() -> bool:
            self.house.clerk("hurry")
            return self.states() == {"fiscalized": len(self.said)}

        wait_for(settled, seconds)

    def owners(self) -> set[str]:
        return {row[0] for row in self.rows("SELECT DISTINCT owner FROM delivery_attempt")}

    def assert_books_agree(self) -> None:
        tasks, sent = self.folder / "tasks.json", self.folder / "sent.json"
        tasks.write_bytes(orjson.dumps(self.house.emulator.receipts()))
        sent.write_bytes(orjson.dumps(self.said))
        found = self.house.clerk("books", tasks=str(tasks), sent=str(sent))
        assert found["lost"] == found["doubled"] == found["false_states"] == []
        assert found["documents"] == len(self.said)


@pytest.fixture
def cluster(net: Net, tmp_path: Path) -> Iterator[Cluster]:
    port = free_port()
    with OwnPostgres(port, listen=f"127.0.0.1,{net.hub}", clients=[net.network]) as server:
        server.create("chekhov")
        house = House(
            server.url("chekhov", net.hub),
            webs=1,
            workers=2,
            machines={name: net.inside(name) for name in MACHINES},
            web_host=net.addresses["web-0"],
            cloud_host=net.hub,
        )
        with house:
            made = Cluster(net, house, server, tmp_path, [])
            assert made.put("customers/C-1", {"name": "Иван", "email": "i@example.ru", "region": "msk"}) == 201
            yield made


SLOW = {"fault": "latency", "ms": 1800, "when": "after", "count": 6, "match": {"method": "POST"}}


@pytest.mark.timeout(240)
def test_a_machine_that_is_cut_off_in_mid_send_doubles_nothing_when_it_comes_back(cluster: Cluster) -> None:
    first, second = cluster.house.workers
    second.kill()
    cluster.house.emulator.faults(SLOW)
    cluster.sell(6)
    wait_for(lambda: cluster.states().get("sending") == 6, 20)
    (cut_off,) = cluster.owners()

    cluster.net.cut("worker-0")
    second.start()
    cluster.sell(3)
    cluster.settle()

    assert len(cluster.owners()) == 2, "another took over what the first had begun"
    cluster.assert_books_agree()
    cluster.net.mend("worker-0")
    second.kill()
    cluster.sell(4)
    cluster.settle(60)
    cluster.assert_books_agree()
    assert first.process is not None
    assert first.process.poll() is None, "the machine that was cut off goes on by itself"
    late = cluster.rows("SELECT count(*) FROM delivery_attempt WHERE answered_at IS NULL")
    assert cut_off in cluster.owners()
    assert late[0][0] <= 6


HOLD = """
import sys, time, django
django.setup()
from django.db import connection, transaction
with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("SELECT id FROM delivery_lane FOR NO KEY UPDATE")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.timeout(240)
def test_a_machine_that_is_cut_off_in_the_middle_of_a_claim_does_not_keep_its_locks(cluster: Cluster) -> None:
    """The server gives up a silent client in half a minute, not in two hours."""
    cluster.house.workers[0].kill()
    cluster.sell(1)
    cluster.settle()
    command = [*cluster.net.inside("worker-0"), sys.executable, "-c", HOLD]
    with subprocess.Popen(command, env=cluster.house.environment(), stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            cluster.net.cut("worker-0")
            began = time.monotonic()
            cluster.sell(3)
            assert cluster.states().get("queued", 0) == 3
            cluster.settle(75)
            took = time.monotonic() - began
        finally:
            holder.kill()
    assert took > 2, "the lanes were locked"
    cluster.assert_books_agree()
