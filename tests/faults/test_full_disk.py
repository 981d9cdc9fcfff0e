"""The disk is full: a fact is refused with a stable code and leaves nothing by halves; the worker waits and goes on."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from chekhov.people.services import apikey_create
from chekhov.receipts.models import Obligation, Receipt, ReceiptState
from chekhov.receipts.states import State
from chekhov.sales.models import Fact
from chekhov.supervision import free_port
from soak import postgres
from soak.house import House
from soak.postgres import OwnPostgres
from tests import factories
from tests.faults.conftest import Installation, wait_for
from tests.faults.truth import all_in, assert_books_agree

MONEY = {"amount": "385.50", "means": "card", "channel": "online", "paid_at": datetime.now(UTC).isoformat()}
LINES = [{"name": "Свеча", "price": "385.50", "quantity": "1"}]


def test_a_database_that_cannot_grow_refuses_the_fact_whole(installation: Installation) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's own limit of pages; PostgreSQL has the test with a small file system")
    key = apikey_create(source=factories.source("site"), name="site")[1]
    api = Client(headers={"Authorization": f"Bearer {key}"})

    def put(path: str, body: Any) -> Any:
        return api.put(f"/api/v1/{path}", json.dumps(body), content_type="application/json")

    assert put("customers/C-1", {"name": "Иван", "email": "i@example.ru", "region": "msk"}).status_code == 201
    pages = limit_pages(0)
    taken = refused = 0
    for number in range(400):
        answers = [put(f"invoices/A-{number}", {"customer": "C-1", "lines": LINES})]
        answers.append(put(f"invoices/A-{number}/payments/1", MONEY))
        statuses = [answer.status_code for answer in answers]
        taken += statuses[-1] == 201
        if 503 in statuses:
            refused += 1
            (first,) = [answer for answer in answers if answer.status_code == 503][:1]
            assert json.loads(first.content)["code"] == "unavailable"
            break

    assert taken
    assert refused, f"{taken} facts went into {pages} pages"
    facts = Fact.objects.count()
    assert facts == taken
    assert Obligation.objects.count() == Receipt.objects.count() == ReceiptState.objects.count() == facts
    limit_pages(1_000_000)
    assert put("invoices/A-new", {"customer": "C-1", "lines": LINES}).status_code == 201
    assert put("invoices/A-new/payments/1", MONEY).status_code == 201
    installation.deliver(all_in(State.FISCALIZED))
    assert_books_agree(installation.emulator, facts=facts + 1)


def limit_pages(more: int) -> int:
    """The database may not grow by more than so many pages; how many it has."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        pages = int(cursor.fetchone()[0])
        cursor.execute(f"PRAGMA max_page_count = {pages + more}")
    return pages


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own that can be filled, where every user may come."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = Path(tempfile.mkdtemp(prefix="chekhov-disk-", dir="/tmp"))
    size = "200m" if connections.databases["default"]["ENGINE"].endswith("postgresql") else "12m"
    options = f"size={size},mode=0755"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"no small file system here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


def fill(folder: Path) -> Path:
    """A file that takes all the room there is; again, what has become free since."""
    file = folder / "filler"
    with file.open("ab", buffering=0) as out:
        try:
            while True:
                out.write(b"\0" * 65_536)
        except OSError:
            pass
        try:
            while True:
                out.write(b"\0" * 512)
        except OSError:
            pass
    return file


def call(house: House, method: str, path: str, body: Any) -> tuple[int, Any]:
    """One write of the shop through the web process; 0 without an answer."""
    web = http.client.HTTPConnection("127.0.0.1", house.ports[0], timeout=30)
    try:
        headers = {"Authorization": f"Bearer {house.key}", "Content-Type": "application/json"}
        web.request(method, f"/api/v1/{path}", json.dumps(body).encode(), headers)
        answer = web.getresponse()
        return answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        web.close()


def pay(house: House, mark: str) -> list[tuple[int, Any]]:
    """An invoice and its payment; both answers."""
    return [
        call(house, "PUT", f"invoices/{mark}", {"customer": "C-1", "lines": LINES}),
        call(house, "PUT", f"invoices/{mark}/payments/1", MONEY),
    ]


@pytest.mark.timeout(240)
def test_web_and_worker_live_through_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """Real processes on a file system that is really full, for a while."""
    if connections.databases["default"]["ENGINE"].endswith("postgresql"):
        if postgres.missing():
            pytest.skip(postgres.missing())
        with OwnPostgres(free_port(), parent=small_disk) as server:
            _live_through(small_disk, tmp_path, server.create("chekhov"), server)
    else:
        _live_through(small_disk, tmp_path, f"sqlite:///{small_disk / 'chekhov.sqlite3'}", None)


def _live_through(disk: Path, tmp_path: Path, address: str, server: OwnPostgres | None) -> None:
    with House(address, webs=1, workers=1) as house:
        buyer = {"name": "Иван", "email": "i@example.ru", "region": "msk"}
        assert call(house, "PUT", "customers/C-1", buyer)[0] == 201
        house.emulator.faults({"fault": "passive"})  # something is under way all the time
        taken = ["A-0"] if pay(house, "A-0")[-1][0] == 201 else []
        filler = fill(disk)

        refusal = None
        for number in range(1, 400):
            answers = pay(house, f"A-{number}")
            fill(disk)  # a checkpoint may have made room
            if answers[-1][0] == 201:
                taken.append(f"A-{number}")
            refusal = next((body for status, body in answers if status == 503), None)
            if refusal is not None:
                break
        assert refusal is not None, f"{len(taken)} facts went onto a full disk"
        assert refusal["code"] == "unavailable"
        assert house.workers[0].process is not None
        assert house.workers[0].process.poll() is None, "the worker waits"

        filler.unlink()
        if server is not None:
            server.start()  # where it could not even write its log it has stopped, as it must

        def goes_on() -> bool:
            return pay(house, "A-after")[-1][0] in (200, 201)

        wait_for(goes_on, 60)
        house.emulator.clear_faults()

        def settled() -> bool:
            house.clerk("hurry")
            return house.clerk("counts")["open"] == 0

        wait_for(settled, 60)
        said = [f"A-{n}" for n in range(number + 1)] + ["A-after"]
        for mark in said:  # a refused fact is said again, and one whose answer was lost
            assert pay(house, mark)[-1][0] in (200, 201)
        wait_for(settled, 60)
        recorded = house.clerk("counts")["facts"]
        assert recorded == len(said)
        tasks, sent = tmp_path / "tasks.json", tmp_path / "sent.json"
        tasks.write_text(json.dumps(house.emulator.receipts()))
        sent.write_text(json.dumps([("payment", mark, "1", MONEY["amount"]) for mark in said]))
        found = house.clerk("books", tasks=str(tasks), sent=str(sent))
        assert (found["facts"], found["documents"], found["lost"]) == (recorded, recorded, [])
        assert found["doubled"] == found["false_states"] == []
