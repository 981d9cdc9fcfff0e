"""What the worker itself survives: a fault of ours must be loud and must hold back nobody else's receipt."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from chekhov.config.database import execute, is_postgresql, wal_fold, writing
from chekhov.delivery import results
from chekhov.delivery.claims import Claimer
from chekhov.delivery.models import Attempt, WorkerBeat
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Installation
from tests.faults.truth import all_in, assert_books_agree, states

FISCALIZED = all_in(State.FISCALIZED)


def test_an_outcome_that_cannot_be_written_holds_back_none_of_its_neighbours(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = installation.sell(1)[0].answer.receipts[0].id
    real = results.after_submission

    def faulty(head: Any, *rest: Any, **options: Any) -> Any:
        if head.uuid == poisoned:
            raise AssertionError("a mistake of ours")
        return real(head, *rest, **options)

    with monkeypatch.context() as broken:
        broken.setattr(results, "after_submission", faulty)
        installation.sell(5)
        installation.deliver(lambda: states()["fiscalized"] == 5)

    assert Receipt.objects.get(uuid=poisoned).status.state in {"sending", "unknown"}
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=6)


def test_a_database_that_is_away_while_outcomes_wait_loses_none(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [OperationalError("gone"), OperationalError("still gone")]
    real = results._commit

    def faulty(*arguments: Any) -> Any:
        if away:
            raise away.pop()
        return real(*arguments)

    monkeypatch.setattr(results, "_commit", faulty)
    installation.sell(3)

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=3)


def test_a_group_that_the_database_never_takes_whole_goes_in_parts(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A limit of the server's, such as statement_timeout: each try of the whole would fail for ever."""
    settings.CHEKHOV_LEASE_SECONDS = 60  # longer than all the tries
    real = results._commit
    sizes: list[int] = []

    def faulty(group: Any, owner: str) -> Any:
        sizes.append(len(group))
        if len(group) > 2:
            raise OperationalError("canceling statement due to statement timeout")
        return real(group, owner)

    monkeypatch.setattr(results, "_commit", faulty)
    installation.sell(4)

    installation.deliver(FISCALIZED)

    assert max(sizes) > 2
    assert_books_agree(installation.emulator, facts=4)


def test_an_outcome_that_the_database_does_not_take_waits_behind_the_others(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CHEKHOV_LEASE_SECONDS = 60  # longer than all the tries
    poisoned = Receipt.objects.get(uuid=installation.sell(1)[0].answer.receipts[0].id).pk
    real = results._commit

    def faulty(group: Any, owner: str) -> Any:
        if any(item.job.receipt_id == poisoned for item in group) and states()["fiscalized"] < 4:
            raise OperationalError("canceling statement due to statement timeout")
        return real(group, owner)

    monkeypatch.setattr(results, "_commit", faulty)
    installation.sell(4)

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=5)


@pytest.mark.parametrize("step", ["leases_expire", "lanes_ensure", "waits_bound", "standby_serve"])
def test_a_step_of_the_beat_that_fails_holds_back_no_other(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def faulty() -> None:
        raise RuntimeError("a mistake of ours")

    reached: list[str] = []

    def noting(name: str) -> Callable[[], None]:
        def note() -> None:
            reached.append(name)

        return note

    for name in ("leases_expire", "lanes_ensure", "waits_bound", "standby_serve"):
        monkeypatch.setattr(f"chekhov.delivery.worker.{name}", faulty if name == step else noting(name))
    monkeypatch.setattr("chekhov.delivery.worker.BEAT_SECONDS", 0.1)

    installation.deliver(lambda: WorkerBeat.objects.exists(), seconds=5)

    assert len(set(reached)) == 3


def test_a_register_connected_while_the_worker_runs_is_served(installation: Installation) -> None:
    installation.sell(1)
    spb = factories.region("spb", installation.register.organization)

    def connect() -> None:
        if spb.registers.exists():
            return
        factories.register(spb, queue=779, service_url=installation.emulator.base_url)
        factories.pay(factories.invoice(factories.customer(spb)))

    shop = {"shop": installation.emulator.shop, "secret": installation.emulator.secret, "queues": [777, 779]}
    installation.emulator.call("POST", "shops", shop)
    installation.deliver(lambda: states()["fiscalized"] == 2, meanwhile=connect)

    assert_books_agree(installation.emulator, facts=2)


def test_a_claim_that_took_its_time_shortens_the_time_to_send(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The lease runs from the claim, not from when the worker learned of it: a call must end before the lease does."""
    settings.CHEKHOV_LEASE_SECONDS = 4
    settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS = settings.CHEKHOV_READ_TIMEOUT_SECONDS = 1
    slow = [2.5]
    real = Claimer.claim

    def claim(claimer: Claimer, *arguments: Any) -> Any:
        jobs = real(claimer, *arguments)
        if jobs and slow:
            time.sleep(slow.pop())  # a commit on a disk that is busy, a machine that stood still
        return jobs

    monkeypatch.setattr(Claimer, "claim", claim)
    installation.sell(1)

    installation.deliver(FISCALIZED)

    assert list(Attempt.objects.order_by("number").values_list("outcome", flat=True)) == ["not_sent", "accepted"]
    assert_books_agree(installation.emulator, facts=1)


def test_the_log_of_sqlite_is_carried_into_its_file_beside_the_writers(installation: Installation) -> None:
    """A writer that finds the log full carries it while all the others wait: little is left for it."""
    if is_postgresql():
        pytest.skip("PostgreSQL has processes of its own for that")
    installation.sell(3)
    file = Path(connection.settings_dict["NAME"])
    with writing():
        execute("UPDATE receipts_receiptstate SET error_text = 'folded in the meantime'")
        assert b"folded in the meantime" not in file.read_bytes()

    wal_fold()

    assert b"folded in the meantime" in file.read_bytes()
