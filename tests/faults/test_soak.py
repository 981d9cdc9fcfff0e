"""A short soak of the database at hand: whole processes, SIGKILL, a provider that lies. `make soak` runs a long one."""

from __future__ import annotations

import os

import pytest
from django.db import connections

from soak import postgres
from soak.campaign import Plan, failed, run

SECONDS = float(os.environ.get("SOAK_SECONDS", "35"))


@pytest.mark.timeout(400)
def test_a_short_soak_loses_nothing_doubles_nothing_and_tells_no_lies() -> None:
    database = "postgresql" if connections.databases["default"]["ENGINE"].endswith("postgresql") else "sqlite"
    if database == "postgresql" and postgres.missing():
        pytest.skip(postgres.missing())

    row = run(Plan.of(database, SECONDS, seed=20261124, fsync=False))

    assert not failed(row), row
    assert row["documents"] == row["facts"] > 20
    assert row["faults"] >= 10
    assert row["database_restarts"] >= (database == "postgresql")
    assert row["workers_seen"] > 1, "workers died and others went on"
