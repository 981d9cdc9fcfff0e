"""/healthz and /readyz."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError
from django.test import Client

from chekhov.config import immutability
from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import WorkerBeat
from chekhov.watch import health


@pytest.fixture(autouse=True)
def _looked_at_anew() -> Iterator[None]:
    health.forget()
    yield
    health.forget()


def test_health_touches_no_database(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


@pytest.mark.django_db
def test_ready_without_any_worker(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": [], "workers": []})


@pytest.mark.django_db
def test_a_dead_worker_is_told_and_stops_nothing(client: Client) -> None:
    WorkerBeat.objects.create(name="w1", started_at=datetime.now(UTC), seen_ms=read_clock_ms() - 3_600_000)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    (worker,) = answer.json()["workers"]
    assert 3600 <= worker.pop("seconds_ago") < 3700
    assert worker == {}  # neither its name nor its machine's is for everybody
    assert "w1" not in answer.content.decode()


@pytest.mark.django_db
def test_lost_triggers_stop_the_taking_of_payments(client: Client) -> None:
    immutability.remove()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["triggers_missing"])
    immutability.reinstall()
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_unapplied_migrations_stop_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    applied = MigrationRecorder.applied_migrations

    def without_the_last(recorder: MigrationRecorder) -> object:
        found = dict(applied(recorder))
        del found[max(key for key in found if key[0] == "delivery")]
        return found

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", without_the_last)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["migrations_unapplied"])


@pytest.mark.django_db
def test_a_database_that_is_away_stops_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[str]:
        raise DatabaseError("gone")

    monkeypatch.setattr(health, "missing", away)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["database_unreachable"])
