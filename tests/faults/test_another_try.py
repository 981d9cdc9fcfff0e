"""A task that was said to have failed prints while a person's wish is on its way, in each position that there is.

The steps of a worker are taken one by one against the emulator over HTTP; its notification comes at once, when all is
over, or never.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

import pytest

from chekhov.delivery.calls import call
from chekhov.delivery.claims import Claimer
from chekhov.delivery.jobs import Job, JobKind, Result
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.requests import incident_settle, receipt_cancel, receipt_retry
from chekhov.delivery.results import results_commit
from chekhov.errors import Conflict
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import FiscalRecord, Incident, Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.registers.transport import session
from tests import factories
from tests.faults.conftest import Installation, Mailbox, wait_for
from tests.faults.truth import all_in, assert_books_agree, hurry_all, printed

OWNER = "step by step"
QUESTION = (
    "before the question is claimed",
    "between its claim and its call",
    "between its call and its commit",
    "between its commit and the claim of the next key",
)
NEXT_KEY = (
    "between the claim of the next key and its call, which is not made",
    "between the claim of the next key and its call",
    "between the call of the next key and its commit",
)
WORDS = ("at once", "at the end", "never")
SURVIVED = (
    {(position, word) for position in QUESTION[:2] for word in WORDS}
    | {(position, "at once") for position in (*QUESTION[2:], NEXT_KEY[0])}
    | {(NEXT_KEY[0], "at the end")}
)
"""Where the truth could be asked for, or was told, before the next key was handed over."""


class Steps:
    """One worker's steps; the failed task prints `where`, and the word of it comes `when`."""

    def __init__(self, installation: Installation, mailbox: Mailbox, where: str, when: str) -> None:
        self.emulator, self.mailbox, self.where, self.when = installation.emulator, mailbox, where, when
        self.claimer = Claimer(OWNER)

    def at(self, position: str) -> None:
        if position == self.where:
            self.emulator.clear_faults()  # then it prints
            wait_for(lambda: bool(printed(self.emulator)))
            if self.when == "at once":
                self.mailbox.deliver(2)  # the error, and the receipt

    def claim(self, *kinds: JobKind) -> Job | None:
        lanes_ensure()
        hurry_all()
        jobs = self.claimer.claim(10)
        assert len(jobs) <= 1
        assert {job.kind for job in jobs} <= set(kinds)
        return jobs[0] if jobs else None

    def call(self, job: Job, until: float = math.inf) -> Result:
        async def once() -> Result:
            async with session(connections=1) as client:
                return await call(job, client, (until, until))

        return asyncio.run(once())

    def ask(self) -> None:
        """The question about the old task."""
        self.at(QUESTION[0])
        asked = self.claim(JobKind.POLL)
        assert asked is not None
        self.at(QUESTION[1])
        result = self.call(asked)
        self.at(QUESTION[2])
        results_commit([result], OWNER)
        self.at(QUESTION[3])

    def send(self) -> None:
        """The next key, if it is sent at all."""
        second = self.claim(JobKind.SEND, JobKind.POLL)
        if second is None or second.kind is JobKind.POLL:
            return
        self.at(NEXT_KEY[0])
        self.at(NEXT_KEY[1])
        result = self.call(second, 0.0 if self.where == NEXT_KEY[0] else math.inf)
        self.at(NEXT_KEY[2])
        results_commit([result], OWNER)


@pytest.fixture
def failed(installation: Installation, mailbox: Mailbox) -> Receipt:
    """One receipt whose task has failed, says the provider. It prints when the emulator's rules are taken away."""
    installation.emulator.faults({"fault": "late_done", "delay_ms": 3_600_000, "count": 1})
    installation.sell()
    steps = Steps(installation, mailbox, "", "")
    for kind in (JobKind.SEND, JobKind.POLL):
        job = steps.claim(kind)
        assert job is not None
        wait_for(lambda: kind is JobKind.SEND or installation.emulator.receipts()[0]["state"] == "error")  # noqa: B023
        results_commit([steps.call(job)], OWNER)
    receipt = Receipt.objects.get()
    assert receipt.status.state == State.FAILED
    return receipt


@pytest.mark.parametrize("when", WORDS)
@pytest.mark.parametrize("where", [*QUESTION, *NEXT_KEY])
def test_the_old_task_prints_while_another_try_is_on_its_way(
    installation: Installation, mailbox: Mailbox, failed: Receipt, where: str, when: str
) -> None:
    receipt_retry(receipt=failed, actor=factories.user())
    steps = Steps(installation, mailbox, where, when)

    steps.ask()
    if Receipt.objects.get().status.state == State.QUEUED:
        steps.send()
    if when == "at the end":
        mailbox.deliver(2)
    installation.deliver(all_in(State.FISCALIZED), seconds=15)

    documents = printed(installation.emulator)
    if (where, when) in SURVIVED:
        assert len(documents) == 1
        settle_all()
        assert_books_agree(installation.emulator, facts=1)
        return
    real = {(document["fiscal_data"]["fn"], int(document["fiscal_data"]["i"])) for document in documents}
    assert set(FiscalRecord.objects.values_list("fn", "fd")) <= real
    assert len(real) == 2, "it was handed over before anybody could know"
    assert Incident.objects.exists() == (when != "never"), "it is told as soon as it is known"


@pytest.mark.parametrize("when", WORDS[:2])
@pytest.mark.parametrize("where", QUESTION)
def test_the_old_task_prints_while_a_cancellation_is_on_its_way(
    installation: Installation, mailbox: Mailbox, failed: Receipt, where: str, when: str
) -> None:
    """And somebody wants to form another receipt in its place as soon as that is allowed."""
    person = factories.user()
    receipt_cancel(receipt=failed, actor=person, reason="Касса сломалась")
    steps = Steps(installation, mailbox, where, when)

    steps.ask()
    if when == "at the end":
        mailbox.deliver(2)
    with contextlib.suppress(Conflict):
        choices = Choices(installation.register.pk, confirmed=True)
        receipt_form(obligation_id=Obligation.objects.get().pk, choices=choices, actor=person)
    installation.deliver(one_settled(), seconds=15)

    assert len(printed(installation.emulator)) == 1
    assert_books_agree(installation.emulator, facts=1)


def one_settled() -> Callable[[], bool]:
    def settled() -> bool:
        """the fact has its receipt and nothing is under way"""
        states = sorted(Receipt.objects.values_list("status__state", flat=True))
        return states in (["fiscalized"], ["cancelled", "fiscalized"])

    return settled


def settle_all() -> None:
    """A person looks into the provider's cabinet, which has one receipt."""
    auditor = factories.user("auditor")
    for incident in Incident.objects.filter(closed_at__isnull=True):
        incident_settle(incident=incident, actor=auditor, note="В кабинете один чек")
