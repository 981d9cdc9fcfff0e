"""A task that was given up has printed after all: no second document is made, the printed one becomes the receipt."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.config.database import execute
from chekhov.delivery.jobs import Job, JobKind, key_of
from chekhov.delivery.limits import lane_resume, lane_stop
from chekhov.delivery.models import Attempt, Callback
from chekhov.delivery.requests import incident_settle, receipt_absent, receipt_cancel, receipt_retry
from chekhov.delivery.selectors import HELD
from chekhov.drivers.contract import Accepted, ErrorKind, NotFound, TaskRef
from chekhov.errors import Conflict
from chekhov.fiscal.money import Money
from chekhov.people.models import User
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import FiscalRecord, Incident, Obligation, Receipt, ReceiptEvent
from chekhov.registers.models import Register
from tests import factories
from tests.integration.delivering import (
    LOST,
    NOT_SENT,
    accepted,
    answer,
    claim,
    claim_one,
    done,
    failed,
    lanes_ensure,
    refused,
    through_to_accepted,
    through_to_failed,
)
from tests.integration.test_callbacks import notify, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def register() -> Register:
    return factories.register(factories.region("msk", factories.organization()))


@pytest.fixture
def receipt(register: Register) -> Receipt:
    factories.pay(factories.invoice(factories.customer(register.region)))
    return Receipt.objects.get()


@pytest.fixture
def person() -> User:
    return factories.user()


def retried(receipt: Receipt, person: User) -> Job:
    """The first task has failed, a person asked for another try, and the second key is being sent."""
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    second = claim_one()
    assert (second.kind, second.key) == (JobKind.SEND, key_of(receipt.uuid, 2))
    return second


def printed_under_the_first_key(receipt: Receipt) -> None:
    """The provider says so, by a signed notification."""
    assert notify(receipt.account, external_id=str(receipt.uuid), state="done") == 200


def sends(jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if job.kind.is_sending]


def settled_by_the_first_task(receipt: Receipt) -> None:
    """The worker asks about the first task, nothing else, and its figures are the receipt's."""
    execute("UPDATE delivery_lane SET paused_until_ms = 0")
    jobs = claim() or claim()  # the first claim finds out that it must ask
    assert [(job.kind, job.key, job.provider_ref) for job in jobs] == [(JobKind.POLL, str(receipt.uuid), "501")]
    assert answer(jobs[0], done(jobs[0])) == "fiscalized"
    assert FiscalRecord.objects.get().receipt_id == receipt.pk


def formed_anew(register: Register, person: User) -> Receipt:
    choices = Choices(register.pk, confirmed=True)
    return receipt_form(obligation_id=Obligation.objects.get().pk, choices=choices, actor=person)


def incident() -> Incident:
    return Incident.objects.get(closed_at__isnull=True)


# --- nothing is sent while an incident is open ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome", [NOT_SENT, refused(ErrorKind.TEMPORARY, "429"), refused(ErrorKind.CONFIG, "AUT00")], ids=str
)
def test_what_came_back_unsent_gives_way_to_the_task_that_printed(
    receipt: Receipt, person: User, outcome: object
) -> None:
    second = retried(receipt, person)
    printed_under_the_first_key(receipt)
    assert incident().receipt_id == receipt.pk

    assert answer(second, outcome) == "queued"

    settled_by_the_first_task(receipt)
    assert Attempt.objects.filter(key_number=2).count() == 1


def test_an_unknown_outcome_is_not_repeated_under_an_open_incident(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    assert answer(second, LOST) == "unknown"
    printed_under_the_first_key(receipt)

    assert claim() == []

    assert state(receipt).error_code == "person_decides", "a person is told that he has to decide"
    assert Attempt.objects.filter(key_number=2).count() == 1


def test_a_person_who_settles_it_gets_the_receipt_that_was_printed(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    assert answer(second, LOST) == "unknown"
    printed_under_the_first_key(receipt)
    assert claim() == []

    with time_machine.travel(now() + timedelta(hours=1)):  # no call can be under way any more
        receipt_absent(receipt=receipt, actor=person, reason="Второго в кабинете нет", send_again=True)

    settled_by_the_first_task(receipt)


def test_closing_the_incident_takes_the_question_up_again(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    assert answer(second, LOST) == "unknown"
    printed_under_the_first_key(receipt)
    assert claim() == []

    incident_settle(incident=incident(), actor=person, note="Прежней задачи в кабинете нет")

    assert [(job.kind, job.key) for job in claim()] == [(JobKind.ASK, key_of(receipt.uuid, 2))]


def test_another_try_is_refused_while_an_incident_is_open(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    answer(second, accepted(second, "502"))
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    printed_under_the_first_key(receipt)

    with pytest.raises(Conflict) as refusal:
        receipt_retry(receipt=receipt, actor=person)

    assert refusal.value.code == "incident_open"
    assert state(receipt).wanted == ""


def test_a_failed_receipt_is_asked_about_under_the_key_that_printed(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    answer(second, accepted(second, "502"))
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"

    printed_under_the_first_key(receipt)

    settled_by_the_first_task(receipt)


def test_an_old_answer_about_the_first_task_is_remembered(receipt: Receipt, person: User) -> None:
    """It comes while the second key is under way, which then proves not to have left."""
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    slow = claim_one()
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    second = claim_one()
    answer(slow, done(slow))
    assert incident().receipt_id == receipt.pk

    assert answer(second, NOT_SENT) == "queued"

    settled_by_the_first_task(receipt)


# --- a receipt that was cancelled, and one that was formed in its place -----------------------------------------------


def cancelled(receipt: Receipt, person: User) -> None:
    through_to_failed()
    receipt_cancel(receipt=receipt, actor=person, reason="Касса сломалась")
    asked = claim_one()
    assert answer(asked, failed(asked)) == "cancelled"


def test_one_that_was_never_sent_gives_way_to_the_former_one(
    receipt: Receipt, register: Register, person: User
) -> None:
    cancelled(receipt, person)
    other = factories.register(register.region, queue=778, name="Вторая", shop_id="second")
    lanes_ensure()
    lane_stop(register=other, actor=person, reason="Меняют ФН")
    new = formed_anew(other, person)

    printed_under_the_first_key(receipt)
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"

    assert state(new).state == "cancelled"
    assert ReceiptEvent.objects.filter(receipt=new).last().reason == "former_printed"
    lane_resume(register=other, actor=person, reason="ФН заменён")
    assert claim() == []
    assert not Attempt.objects.filter(receipt=new).exists()
    assert not Incident.objects.exists(), "there is one document"


def test_one_formed_anew_waits_while_the_former_is_asked_about(
    receipt: Receipt, register: Register, person: User
) -> None:
    cancelled(receipt, person)
    new = formed_anew(register, person)

    printed_under_the_first_key(receipt)
    jobs = claim()

    assert [(job.kind, job.receipt_id) for job in jobs] == [(JobKind.POLL, receipt.pk)]
    assert state(new).error_code == HELD
    assert answer(jobs[0], failed(jobs[0])) == "cancelled"
    assert [(job.kind, job.receipt_id) for job in claim()] == [(JobKind.SEND, new.pk)]


def test_the_former_one_is_asked_about_when_the_one_in_its_place_is_given_up(
    receipt: Receipt, register: Register, person: User
) -> None:
    """The new one was refused, but until somebody has looked that is not its end."""
    cancelled(receipt, person)
    new = formed_anew(register, person)
    job = claim_one()
    printed_under_the_first_key(receipt)
    question = next(item for item in claim() if item.receipt_id == receipt.pk)
    assert answer(question, done(question)) == "cancelled", "the new one may exist: an incident"
    assert incident().receipt_id == receipt.pk

    assert answer(job, refused()) == "refused"
    receipt_cancel(receipt=new, actor=person, reason="Прежний чек пробит")

    asked = claim_one()
    assert (asked.kind, asked.receipt_id) == (JobKind.POLL, receipt.pk)
    assert answer(asked, done(asked)) == "fiscalized"


def test_closing_an_incident_of_two_real_documents_does_not_open_it_again(
    receipt: Receipt, register: Register, person: User
) -> None:
    cancelled(receipt, person)
    formed_anew(register, person)
    job = claim_one()
    printed_under_the_first_key(receipt)
    question = next(item for item in claim() if item.receipt_id == receipt.pk)
    answer(question, done(question))
    assert answer(job, accepted(job, "777")) == "accepted"
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"

    incident_settle(incident=incident(), actor=person, note="Лишний чек исправлен возвратом")

    assert claim() == []
    assert not Incident.objects.filter(closed_at__isnull=True).exists()


def test_one_cancelled_under_the_next_key_is_asked_about_under_the_first(receipt: Receipt, person: User) -> None:
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    receipt_cancel(receipt=receipt, actor=person, reason="Передумали")

    printed_under_the_first_key(receipt)

    assert Callback.objects.get().effect == "old_key_adopted"
    settled_by_the_first_task(receipt)


def test_a_refused_one_that_has_printed_is_asked_about_once_it_is_cancelled(receipt: Receipt, person: User) -> None:
    job = claim_one()
    assert answer(job, refused()) == "refused"
    printed_under_the_first_key(receipt)
    incident_settle(incident=incident(), actor=person, note="Чек в кабинете есть")

    receipt_cancel(receipt=receipt, actor=person, reason="Больше с ним ничего не сделать")

    settled_by_the_first_task(receipt)


# --- a notification that comes before the answer ----------------------------------------------------------------------


def test_the_task_that_an_early_notification_named_is_known_when_the_answer_is_lost(receipt: Receipt) -> None:
    job = claim_one()
    printed_under_the_first_key(receipt)
    assert Callback.objects.get().effect == "early"

    assert answer(job, LOST) == "unknown"

    settled_by_the_first_task(receipt)


@pytest.mark.parametrize("outcome", [refused(), NOT_SENT], ids=["refused", "not sent"])
def test_a_refusal_is_no_proof_where_a_notification_has_named_the_task(receipt: Receipt, outcome: object) -> None:
    job = claim_one()
    printed_under_the_first_key(receipt)

    assert answer(job, outcome) == "unknown"

    settled_by_the_first_task(receipt)


def test_a_task_that_nobody_knows_is_doubted_and_the_key_asked_about(receipt: Receipt) -> None:
    """A notification that was wrong does not hold the receipt for ever."""
    job = claim_one()
    notify(receipt.account, external_id=str(receipt.uuid), state="new", id=999)
    assert answer(job, refused()) == "unknown"
    for _ in range(5):
        asked = claim_one()
        assert (asked.kind, asked.provider_ref) == (JobKind.POLL, "999")
        answer(asked, NotFound(definite=True))

    again = claim_one()

    assert again.kind is JobKind.ASK
    assert answer(again, Accepted(TaskRef(again.key, "501"))) == "accepted"


# --- figures that cannot be -------------------------------------------------------------------------------------------


def test_an_incident_about_figures_that_is_closed_asks_once_more(receipt: Receipt, person: User) -> None:
    through_to_accepted()
    asked = claim_one()
    assert answer(asked, done(asked, total=Money(1))) == "accepted"
    assert claim() == [], "not asked by itself"

    incident_settle(incident=incident(), actor=person, note="В кабинете сумма верная")

    settled_by_the_first_task(receipt)


def test_figures_that_are_wrong_again_are_an_incident_again(receipt: Receipt, person: User) -> None:
    through_to_accepted()
    asked = claim_one()
    answer(asked, done(asked, total=Money(1)))
    incident_settle(incident=incident(), actor=person, note="Не понимаю")
    asked = claim_one()

    assert answer(asked, done(asked, total=Money(1))) == "accepted"

    assert incident().code == "figures"
    assert Incident.objects.count() == 2
