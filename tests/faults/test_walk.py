"""One settlement, an honest provider whose failed tasks may print late, two workers and people, in any order.

Where test_machine.py waits until a late print is over before a person decides, here nothing waits: a task
may print between any two steps, its notification may come before, after or never, and answers are written long after
they were read. There is no network and no time: an order takes a fraction of a second.

It holds that nothing is sent while a task of the fact is known to have printed; that every order ends, without a crowd
of questions; that the journal shows no figures but real ones; and that two documents, which a late print can make, are
told as soon as they are known. WALK_SECONDS walks longer, WALK_SEED begins elsewhere.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from chekhov.config.clock import now
from chekhov.config.database import execute
from chekhov.delivery.claims import Claimer
from chekhov.delivery.jobs import Job, Result, key_of
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.requests import incident_settle, receipt_absent, receipt_cancel, receipt_found, receipt_retry
from chekhov.delivery.results import results_commit
from chekhov.drivers.contract import (
    Accepted,
    Done,
    ErrorKind,
    KeyRule,
    Pending,
    PollOutcome,
    ProviderError,
    SubmitOutcome,
    TaskRef,
    Unsure,
)
from chekhov.errors import Refusal
from chekhov.people.models import User
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import FiscalRecord, Incident, Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from tests import factories
from tests.integration.delivering import LOST, NOT_SENT, claim, failed, figures, refused
from tests.integration.test_callbacks import notify

pytestmark = pytest.mark.django_db

SECONDS = float(os.environ.get("WALK_SECONDS", "10"))
SEED = int(os.environ.get("WALK_SEED", "0"))
WORKERS = ("worker-1", "worker-2")
ROUNDS_MOST = 40  # of work and of people, until all is settled
QUESTIONS_MOST = 15  # one after the other, without a pause
TROUBLE = Unsure("500", ProviderError(ErrorKind.TEMPORARY, KeyRule.SAME, "500", "Сбой", status=500))
REFUSALS = (refused(), refused(ErrorKind.CONFIG, "AUT00"), refused(ErrorKind.TEMPORARY, "429"))


@dataclass(slots=True)
class Task:
    """What the provider has under one key."""

    number: str
    job: Job
    state: str = "new"
    is_told: bool = False  # that it has printed: by a notification, or by an answer that was written


@dataclass(slots=True)
class Walk:
    """One order of events."""

    dice: random.Random
    register: Register
    person: User
    tasks: dict[str, Task] = field(default_factory=dict)  # by key
    claimed: list[tuple[str, Job]] = field(default_factory=list)
    answered: list[tuple[str, Result]] = field(default_factory=list)
    letters: list[tuple[Task, str]] = field(default_factory=list)
    late_prints: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, *words: object) -> None:
        self.said.append(" ".join(str(word) for word in words))

    def chance(self, percent: int) -> bool:
        return self.dice.randrange(100) < percent

    # --- workers ------------------------------------------------------------------------------------------------------

    def claim(self, *, again: bool = True) -> None:
        """`again`: whatever waits for its time is due."""
        owner = self.dice.choice(WORKERS)
        execute("UPDATE delivery_lane SET paused_until_ms = 0, breaker = 'closed', failures = 0")
        for job in claim(owner) if again else Claimer(owner).claim(100):
            self.say(owner, "claims", job.kind, job.receipt_id, job.key[:8], job.provider_ref, job.wanted)
            known = [task.number for task in self.tasks.values() if task.is_told]
            is_new = job.kind.is_sending and job.key not in self.tasks
            assert not (is_new and known), f"sent, though {known} has printed"
            self.claimed.append((owner, job))

    def call(self, *, calm: bool = False) -> None:
        if self.claimed:
            owner, job = self.claimed.pop(0 if calm else self.dice.randrange(len(self.claimed)))
            outcome = self.take(job, calm) if job.kind.is_sending else self.tell(job, calm)
            self.say(owner, "hears", job.kind, job.key[:8], job.provider_ref, type(outcome).__name__)
            self.answered.append((owner, Result(job, outcome, 200, "{}")))

    def take(self, job: Job, calm: bool) -> SubmitOutcome:
        """The provider takes a document; a key that it knows is that task."""
        is_new = job.key not in self.tasks
        if not calm and self.chance(25):
            return self.dice.choice((NOT_SENT, LOST, REFUSALS[-1]))
        if not calm and is_new and self.chance(15):
            return self.dice.choice(REFUSALS)
        task = self.tasks.setdefault(job.key, Task(str(501 + len(self.tasks)), job))
        if not calm and self.chance(30):
            return LOST
        is_named = is_new or calm or self.chance(80)
        return Accepted(TaskRef(job.key, task.number if is_named else ""), was_known=not is_new)

    def tell(self, job: Job, calm: bool) -> PollOutcome:
        task = self.tasks.get(job.key)
        if not calm and self.chance(15):
            return TROUBLE
        if task is None or task.number != job.provider_ref:
            return Unsure("Сервис ответил не о нашем чеке.")
        if task.state == "done":
            return Done(TaskRef(job.key, task.number), figures(job, fd=int(task.number)))
        return failed(job) if task.state == "error" else Pending("new")

    def commit(self, *, calm: bool = False) -> None:
        if not self.answered:
            return
        owner = self.answered[0][0] if calm else self.dice.choice(self.answered)[0]
        mine = [result for name, result in self.answered if name == owner]
        group = mine[: self.dice.randint(1, len(mine))]
        self.answered = [(name, result) for name, result in self.answered if result not in group]
        results_commit(group, owner)
        for result in group:
            if isinstance(result.outcome, Done):
                self.tasks[result.job.key].is_told = True
        self.look()

    def end_leases(self) -> None:
        execute("UPDATE receipts_receiptstate SET lease_until_ms = 1 WHERE lease_until_ms IS NOT NULL")
        leases_expire()

    # --- the provider -------------------------------------------------------------------------------------------------

    def settle(self, task: Task, state: str) -> None:
        task.state = state
        self.letters.append((task, state))
        self.say("the provider:", task.number, state)

    def work(self) -> None:
        """A task ends; one that has failed may print after all, twice in an order."""
        new = [task for task in self.tasks.values() if task.state == "new"]
        if new:
            self.settle(self.dice.choice(new), "done" if self.chance(15) else "error")
        dead = [task for task in self.tasks.values() if task.state == "error"]
        if dead and self.late_prints < 2 and self.chance(20):
            self.late_prints += 1
            self.settle(self.dice.choice(dead), "done")

    def work_on(self) -> None:
        """Everything ends, and well, where nobody knows of a document yet."""
        for task in self.tasks.values():
            if task.state == "new":
                is_known = any(other.is_told for other in self.tasks.values())
                self.settle(task, "error" if is_known else "done")

    def deliver(self, *, calm: bool = False) -> None:
        """A notification arrives, or is lost, or overtakes another."""
        if not self.letters:
            return
        task, state = self.letters.pop(self.dice.randrange(len(self.letters)) if self.chance(30) else 0)
        if not calm and self.chance(12):
            return
        self.say("told:", task.number, state)
        account = Receipt.objects.get(pk=task.job.receipt_id).account
        assert notify(account, external_id=task.job.key, state=state, id=int(task.number), n=len(self.said)) == 200
        task.is_told = task.is_told or state == "done"
        self.look()

    # --- people -------------------------------------------------------------------------------------------------------

    def decide(self, *, calm: bool = False) -> None:
        for receipt in Receipt.objects.select_related("status").order_by("pk"):
            if calm or self.chance(60):
                self.decide_on(receipt, calm)
        for incident in Incident.objects.filter(closed_at__isnull=True):
            if calm or self.chance(40):
                # who says that nothing has printed has looked
                not_printed = self.chance(50) and all(task.state == "error" for task in self.tasks.values())
                self.say("a person closes the incident of", incident.receipt_id, not_printed)
                incident_settle(incident=incident, actor=self.person, note="Посмотрел", not_printed=not_printed)
        if not Receipt.objects.exclude(status__state=State.CANCELLED).exists():
            choices = Choices(self.register.pk, confirmed=True)
            obligation_id = Obligation.objects.get().pk
            self.ask("form", lambda: receipt_form(obligation_id=obligation_id, choices=choices, actor=self.person))
        self.look()

    def decide_on(self, receipt: Receipt, calm: bool) -> None:
        state, reason = receipt.status.state, "Так решили"
        is_under_way = any(job.receipt_id == receipt.pk for _, job in self.claimed) or any(
            result.job.receipt_id == receipt.pk for _, result in self.answered
        )
        if state == State.FAILED and not receipt.status.wanted and self.chance(50):
            self.ask("retry", lambda: receipt_retry(receipt=receipt, actor=self.person))
        elif state in (State.FAILED, State.REFUSED) or (state == State.QUEUED and not calm and self.chance(10)):
            self.ask("cancel", lambda: receipt_cancel(receipt=receipt, actor=self.person, reason=reason))
        elif state in (State.UNKNOWN, State.ACCEPTED) and not receipt.status.provider_ref and not is_under_way:
            task = self.tasks.get(key_of(receipt.uuid, receipt.status.key_number))
            if task is not None:
                self.ask("found", lambda: receipt_found(receipt=receipt, actor=self.person, task=task.number))
                return
            again = self.chance(50)
            with time_machine.travel(now() + timedelta(hours=1)):
                self.ask(
                    "absent",
                    lambda: receipt_absent(receipt=receipt, actor=self.person, reason=reason, send_again=again),
                )

    def ask(self, what: str, wish: Callable[[], object]) -> None:
        try:
            wish()
            self.say("a person:", what)
        except Refusal as refusal:
            self.say("a person:", what, "is refused,", refusal.code)

    # --- the whole ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Figures that the journal shows are those of a task that has printed."""
        real = {int(task.number) for task in self.tasks.values() if task.state == "done"}
        assert set(FiscalRecord.objects.values_list("fd", flat=True)) <= real

    def step(self) -> None:
        acts = (self.claim, self.call, self.commit, self.deliver, self.work, self.decide, self.end_leases)
        self.dice.choices(acts, (25, 20, 20, 10, 8, 12, 5))[0]()

    def finish(self) -> None:
        """Nothing goes wrong any more: what is under way ends, and work and people take turns until all is settled."""
        while self.claimed:
            self.call(calm=True)
        for _ in range(ROUNDS_MOST):
            self.end_leases()
            self.rest()
            self.claim()
            for questions in range(QUESTIONS_MOST + 1):
                assert questions < QUESTIONS_MOST, "a crowd of questions without a pause"
                if not self.claimed:
                    break
                while self.claimed:
                    self.call(calm=True)
                self.rest()
                self.claim(again=False)
            if self.is_settled():
                break
            self.decide(calm=True)
        assert self.is_settled(), "it never ends"
        assert len([task for task in self.tasks.values() if task.is_told]) == 1 or Incident.objects.exists()

    def rest(self) -> None:
        while self.answered:
            self.commit(calm=True)
        self.work_on()
        while self.letters:
            self.deliver(calm=True)

    def is_settled(self) -> bool:
        live = Receipt.objects.exclude(status__state=State.CANCELLED).values_list("status__state", flat=True)
        return list(live) == [State.FISCALIZED] and not Incident.objects.filter(closed_at__isnull=True).exists()


def test_any_order_ends_well_and_sends_nothing_that_is_known_to_be_printed() -> None:
    register = factories.register(factories.region("msk", factories.organization()))
    person = factories.user()
    ends, seed = time.monotonic() + SECONDS, SEED
    while seed == SEED or time.monotonic() < ends:
        with transaction.atomic():
            factories.pay(factories.invoice(factories.customer(register.region)))
            walk = Walk(random.Random(seed), register, person)
            try:
                for _ in range(walk.dice.randint(60, 220)):
                    walk.step()
                walk.finish()
            except Exception as error:
                raise AssertionError(f"WALK_SEED={seed}: {error}\n" + "\n".join(walk.said[-80:])) from error
            transaction.set_rollback(True)
        seed += 1
    assert seed > SEED + 3
