"""Real processes, killed: whatever dies at whatever moment, each fact has exactly one receipt in the end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from chekhov.delivery import results
from chekhov.delivery.channels import Channels
from chekhov.delivery.claims import Claimer
from chekhov.delivery.due import is_work_due
from chekhov.delivery.jobs import Result
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.models import Attempt
from chekhov.delivery.results import results_commit
from chekhov.drivers.contract import Accepted, TaskRef
from chekhov.receipts.models import Obligation, Receipt, ReceiptState
from chekhov.receipts.states import State
from chekhov.sales.models import Fact, Invoice
from tests import factories
from tests.faults.conftest import Installation, wait_for
from tests.faults.truth import all_in, assert_books_agree, end_leases, hurry_all, printed, states

FISCALIZED = all_in(State.FISCALIZED)


def wait_hurried(holds: Callable[[], bool], seconds: float = 20) -> None:
    def hurried() -> bool:
        hurry_all()
        return holds()

    wait_for(hurried, seconds)


_NURSERY = """
import os, sys, django
django.setup()
from chekhov.delivery.worker import work
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


class Nursery:
    """Starts workers without the seconds that importing takes: each is a process of its own, forked from one."""

    def __init__(self, installation: Installation) -> None:
        self._process = installation.start("-c", _NURSERY)

    def start(self) -> int:
        """A new worker; its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"start\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def kill(self, worker: int) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process.stdout is not None
        os.kill(worker, signal.SIGKILL)
        assert self._process.stdout.readline() == b"gone\n"


def test_a_worker_killed_again_and_again_neither_loses_nor_doubles(installation: Installation) -> None:
    dice = random.Random(20261124)
    installation.emulator.settings(pickup_delay_ms=20, print_delay_ms=30)
    nursery = Nursery(installation)
    recorded = len(installation.sell(10))
    for _ in range(14):
        worker = nursery.start()
        recorded += len(installation.sell(4))
        time.sleep(dice.random() * 0.4)
        hurry_all()
        time.sleep(dice.random() * 0.2)
        nursery.kill(worker)

    worker = nursery.start()
    wait_hurried(FISCALIZED, 25)
    nursery.kill(worker)

    assert_books_agree(installation.emulator, facts=recorded)
    assert Attempt.objects.values("owner").distinct().count() > 3, "several workers had their part in it"


def test_sigterm_finishes_what_is_under_way(installation: Installation) -> None:
    installation.emulator.faults({"fault": "latency", "ms": 700, "when": "after", "match": {"method": "POST"}})
    installation.sell(10)
    worker = installation.start_worker()
    wait_for(lambda: states()["sending"] == 10, 15)

    worker.send_signal(signal.SIGTERM)
    code = worker.wait(timeout=10)

    assert code == 0
    assert set(states()) <= {"accepted", "fiscalized"}, "each answer that was under way was waited for and written"
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"accepted"}


def test_two_workers_on_one_database_make_no_double(installation: Installation) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("one worker on SQLite")
    installation.emulator.settings(print_delay_ms=50)
    installation.emulator.faults(
        {"fault": "drop", "when": "after", "chance": 20, "seed": 7, "match": {"method": "POST"}}
    )
    installation.sell(100)

    installation.deliver(FISCALIZED, workers=3, seconds=25)

    assert_books_agree(installation.emulator, facts=100)
    owners = set(Attempt.objects.values_list("owner", flat=True))
    assert len(owners) > 1, "they shared the work"


_RECORDING = """
import sys, django
django.setup()
from tests import factories
from chekhov.sales.models import Customer
buyer = Customer.objects.get()
print("ready", flush=True)
while True:
    factories.pay(factories.invoice(buyer, external_id=f"{sys.argv[1]}-{next(factories._numbers)}"))
"""


def test_a_web_process_killed_while_it_records_leaves_whole_facts_or_none(installation: Installation) -> None:
    factories.customer(installation.region)
    dice = random.Random(54)
    for round_number in range(3):
        recording = installation.start("-c", _RECORDING, f"round{round_number}")
        assert recording.stdout is not None
        assert recording.stdout.readline() == b"ready\n"
        before = Fact.objects.count()
        wait_for(lambda before=before: Fact.objects.count() > before)
        time.sleep(dice.random() * 0.1)
        recording.kill()
        recording.wait()

    facts = Fact.objects.count()
    assert facts > 3
    assert Obligation.objects.count() == facts
    assert Receipt.objects.count() == ReceiptState.objects.count() == facts
    paid = {row.pk: row.paid_kopecks for row in Invoice.objects.all()}
    for fact in Fact.objects.all():
        assert paid.pop(fact.invoice_id) == fact.amount_kopecks
    assert not any(paid.values()), "an invoice without a fact is not paid"
    installation.deliver(FISCALIZED, seconds=25)
    assert_books_agree(installation.emulator, facts=facts)


def test_the_same_payment_from_many_threads_is_one_fact(installation: Installation) -> None:
    bill = factories.invoice(factories.customer(installation.region))

    def pay(_number: int) -> bool:
        try:
            return factories.pay(bill, id="P-1", paid_at=bill.created_at).created
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(pay, range(16)))

    assert sum(created) == 1
    assert Receipt.objects.count() == 1


# --- numbered moments of a delivery: what a crash just there leaves behind --------------------------------------------


def _crash(*_arguments: object, **_options: object) -> None:
    raise SystemExit("crashed here")


def test_a_crash_within_the_claim_leaves_the_receipt_in_the_queue(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.sell(2)
    lanes_ensure()
    with monkeypatch.context() as broken:
        broken.setattr(Channels, "remember_url", _crash)
        with pytest.raises(SystemExit):
            Claimer("dead").claim(10)

    assert states() == {"queued": 2}
    assert Attempt.objects.count() == 0
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=2)


def test_a_crash_between_the_claim_and_the_call_is_found_out_by_the_same_key(installation: Installation) -> None:
    installation.sell(2)
    lanes_ensure()
    jobs = Claimer("dead").claim(10)

    assert len(jobs) == 2
    assert states() == {"sending": 2}
    end_leases()
    installation.deliver(FISCALIZED)

    keys = {attempt.key for attempt in Attempt.objects.all()}
    assert keys == {job.key for job in jobs}
    assert_books_agree(installation.emulator, facts=2)


def test_a_crash_between_the_answer_and_its_commit_is_found_out_by_the_same_key(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.sell(3)
    with monkeypatch.context() as broken:
        broken.setattr("chekhov.delivery.worker.results_commit", _crash)
        with pytest.raises((SystemExit, AssertionError, RuntimeError)):
            installation.deliver(lambda: len(printed(installation.emulator)) == 3 and False, seconds=2)

    assert len(printed(installation.emulator)) == 3
    assert states() == {"sending": 3}
    end_leases()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=3)


def test_a_crash_within_the_commit_of_outcomes_writes_none_of_them(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.sell(1)
    lanes_ensure()
    (job,) = Claimer("first").claim(10)
    with monkeypatch.context() as broken:
        broken.setattr(results, "_fiscal_write", _crash)
        with pytest.raises(SystemExit):
            results_commit([Result(job, Accepted(TaskRef(job.key, "5")), 200, "{}")], "first")

    assert states() == {"sending": 1}
    assert Attempt.objects.get().answered_at is None


def test_a_late_answer_of_a_lost_lease_is_kept_and_does_not_disturb(installation: Installation) -> None:
    installation.sell(1)
    lanes_ensure()
    (job,) = Claimer("slow").claim(10)
    end_leases()
    installation.deliver(FISCALIZED)

    results_commit([Result(job, Accepted(TaskRef(job.key, "5")), 200, '{"late": true}')], "slow")

    attempt = Attempt.objects.get(number=1)
    assert (attempt.outcome, attempt.answer) == ("accepted", '{"late": true}')
    assert_books_agree(installation.emulator, facts=1)


def test_a_lease_ends_by_the_clock_of_the_database(installation: Installation) -> None:
    installation.sell(1)
    lanes_ensure()
    Claimer("dead").claim(10)

    assert leases_expire() == 0
    time.sleep(0.2)
    connection.cursor().execute("UPDATE receipts_receiptstate SET lease_until_ms = lease_until_ms - 60000")
    assert leases_expire() == 1

    assert states() == {"unknown": 1}
    assert is_work_due()
