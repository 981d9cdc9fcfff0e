"""The database server dies in the middle of everything, and comes back. A server that the test started for itself."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from django.db import connections

from chekhov.supervision import free_port
from soak import postgres
from soak.house import House
from soak.postgres import OwnPostgres
from soak.shop import Shop
from tests.faults.conftest import wait_for


@pytest.fixture
def server() -> OwnPostgres:
    if not connections.databases["default"]["ENGINE"].endswith("postgresql"):
        pytest.skip("SQLite has no server")
    if postgres.missing():
        pytest.skip(postgres.missing())
    return OwnPostgres(free_port())


@pytest.mark.timeout(240)
def test_a_database_server_that_crashes_again_and_again_loses_and_doubles_nothing(
    server: OwnPostgres, tmp_path: Path
) -> None:
    """Two web processes and three workers go on by themselves: nobody starts them again."""
    with server, House(server.create("chekhov"), webs=2, workers=3) as house:
        house.emulator.faults({"fault": "latency", "ms": 300, "when": "after", "match": {"method": "POST"}})
        processes = [member.process for member in (*house.webs, *house.workers)]
        shop = Shop(house.ports, house.key, rate=15, threads=4, seed=54)
        for away_seconds in (0.0, 1.5, 0.5):
            taken = len(shop.ledger.taken)
            wait_for(lambda taken=taken: len(shop.ledger.taken) >= taken + 12, 40)  # type: ignore[misc]
            server.restart(away_seconds=away_seconds)
        assert shop.close(60)
        assert not shop.ledger.wrong

        def settled() -> bool:
            house.clerk("hurry")
            return house.clerk("counts")["open"] == 0

        wait_for(settled, 60)
        tasks, sent = tmp_path / "tasks.json", tmp_path / "sent.json"
        tasks.write_bytes(orjson.dumps(house.emulator.receipts()))
        sent.write_bytes(orjson.dumps([fact for fact, _ in shop.ledger.taken.values()]))
        found = house.clerk("books", tasks=str(tasks), sent=str(sent))
        assert found["lost"] == found["doubled"] == found["false_states"] == []
        assert found["documents"] == len(shop.ledger.taken) > 36
        assert server.restarts == 3
        assert [member.process for member in (*house.webs, *house.workers)] == processes
        assert all(process is not None and process.poll() is None for process in processes)
