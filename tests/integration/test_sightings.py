"""A task that was given up has printed after all: no second document is made, the printed one becomes the receipt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.config.database import execute
from chekhov.delivery.jobs import Job, JobKind, key_of
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.limits import lane_resume, lane_stop
from chekhov.delivery.models import Attempt, Callback, Sighting
from chekhov.delivery.requests import incident_settle, receipt_absent, receipt_cancel, receipt_retry
from chekhov.delivery.selectors import HELD
from chekhov.drivers.contract import Accepted, Done, ErrorKind, NotFound, TaskRef
from chekhov.errors import Conflict, Invalid
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


def test_a_person_who_says_that_the_first_has_not_printed_lets_the_next_go_on(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    assert answer(second, LOST) == "unknown"
    printed_under_the_first_key(receipt)
    assert claim() == []

    incident_settle(incident=incident(), actor=person, note="Прежней задачи в кабинете нет", not_printed=True)

    assert [(job.kind, job.key) for job in claim()] == [(JobKind.ASK, key_of(receipt.uuid, 2))]
    assert Incident.objects.get().note == "Прежней задачи в кабинете нет (прежний чек не пробит)"
    assert Sighting.objects.get(is_own=False).answer == "person"


def test_a_person_must_write_what_he_has_found(receipt: Receipt, person: User) -> None:
    retried(receipt, person)
    printed_under_the_first_key(receipt)

    with pytest.raises(Invalid):
        incident_settle(incident=incident(), actor=person, note="", not_printed=True)

    assert incident().receipt_id == receipt.pk
    assert Sighting.objects.get(is_own=False).answer == ""


# --- an incident that was closed with a true word lets nothing out ----------------------------------------------------


def close() -> None:
    incident_settle(incident=incident(), actor=factories.user("auditor"), note="В кабинете один чек, по первой задаче")


@pytest.mark.parametrize("outcome", [NOT_SENT, refused(ErrorKind.TEMPORARY, "429")], ids=["not sent", "429"])
def test_closed_while_the_next_is_under_way_and_comes_back(receipt: Receipt, person: User, outcome: object) -> None:
    second = retried(receipt, person)
    printed_under_the_first_key(receipt)
    close()

    assert answer(second, outcome) == "queued"

    settled_by_the_first_task(receipt)


def test_closed_while_the_outcome_of_the_next_is_unknown(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    assert answer(second, LOST) == "unknown"
    printed_under_the_first_key(receipt)
    assert claim() == []

    close()

    assert claim() == [], "a repeat makes a second document where the first call had not arrived"
    assert state(receipt).error_code == "person_decides"


def test_closed_and_then_settled_by_a_person(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    assert answer(second, LOST) == "unknown"
    printed_under_the_first_key(receipt)
    close()
    assert claim() == []

    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="Второго в кабинете нет", send_again=True)

    settled_by_the_first_task(receipt)


@pytest.mark.parametrize("closes", [True, False])
def test_a_next_key_that_fails_makes_way_for_the_first(receipt: Receipt, person: User, closes: bool) -> None:
    second = retried(receipt, person)
    assert answer(second, accepted(second, "502")) == "accepted"
    printed_under_the_first_key(receipt)
    if closes:
        close()
    asked = claim_one()

    assert answer(asked, failed(asked)) == "failed"

    settled_by_the_first_task(receipt)
    assert Sighting.objects.get(is_own=False).answer == "printed"


def test_a_word_that_proves_false_holds_nothing_any_more(receipt: Receipt, person: User) -> None:
    second = retried(receipt, person)
    printed_under_the_first_key(receipt)
    assert answer(second, NOT_SENT) == "queued"
    close()
    jobs = claim() or claim()
    assert answer(jobs[0], failed(jobs[0])) == "failed"
    assert Sighting.objects.get(is_own=False).answer == "failed"

    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"

    assert claim_one().key == key_of(receipt.uuid, 3)


# --- late answers about another key than the present one --------------------------------------------------------------


def slow_and_retried(receipt: Receipt, person: User) -> Job:
    """The first worker's POST is slow; another has adopted its task, which failed; a person asked for another try."""
    slow = claim_one()
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    again = claim_one("worker-2")
    assert answer(again, accepted(again), "worker-2") == "accepted"
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    return slow


def done_as(job: Job, task: str) -> Done:
    found = done(job)
    return replace(found, ref=replace(found.ref, provider_id=task))


@pytest.mark.parametrize("kind", [JobKind.SEND, JobKind.LOOKUP])
def test_a_late_done_under_the_first_key_stops_the_next(receipt: Receipt, person: User, kind: JobKind) -> None:
    slow = slow_and_retried(receipt, person)
    second = claim_one()

    answer(replace(slow, kind=kind), done_as(slow, "501"))
    assert incident().receipt_id == receipt.pk
    assert answer(second, NOT_SENT) == "queued"

    settled_by_the_first_task(receipt)


def test_a_late_answer_that_tells_nothing_new_is_no_incident(receipt: Receipt, person: User) -> None:
    slow = slow_and_retried(receipt, person)
    claim_one()

    answer(slow, accepted(slow, "501"))

    assert not Incident.objects.exists()
    assert not Sighting.objects.filter(is_own=False).exists()


def back_under_the_first_key(receipt: Receipt, person: User) -> tuple[Job, Job]:
    """The sending under the second key is lost with its worker, a person says that it made nothing, and the first task,
    of which a notification has told, is asked about: the second job, and the question.
    """
    second = retried(receipt, person)
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    printed_under_the_first_key(receipt)
    assert claim() == []
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="Второго в кабинете нет", send_again=True)
        (question,) = claim() or claim()
    return second, question


def test_the_provider_has_the_second_task_after_all(receipt: Receipt, person: User) -> None:
    second, question = back_under_the_first_key(receipt, person)
    assert answer(question, done(question)) == "fiscalized"
    close()

    answer(second, accepted(second, "502"))

    assert incident().receipt_id == receipt.pk, "two documents, perhaps: somebody has to look"


def test_no_third_key_goes_out_while_the_second_task_may_print(receipt: Receipt, person: User) -> None:
    second, question = back_under_the_first_key(receipt, person)
    answer(second, accepted(second, "502"))
    assert answer(question, failed(question)) == "accepted", "asked before that was known"
    question = claim_one()
    assert answer(question, failed(question)) == "failed"

    (asked,) = claim()

    assert (asked.kind, asked.key, asked.provider_ref) == (JobKind.POLL, second.key, "502")
    assert answer(asked, done(asked)) == "fiscalized"


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


def in_its_place(receipt: Receipt, register: Register, person: User) -> tuple[Receipt, Job]:
    """The former one has printed, says the provider, while the one in its place is being sent."""
    cancelled(receipt, person)
    new = formed_anew(register, person)
    job = claim_one()
    printed_under_the_first_key(receipt)
    question = next(item for item in claim() if item.receipt_id == receipt.pk)
    assert answer(question, done(question)) == "cancelled"
    return new, job


@pytest.mark.parametrize("closes", [True, False])
def test_one_that_comes_back_unsent_gives_way_to_the_former_one(
    receipt: Receipt, register: Register, person: User, closes: bool
) -> None:
    new, job = in_its_place(receipt, register, person)
    if closes:
        close()
    assert answer(job, NOT_SENT) == "queued"

    for _ in range(3):
        for item in claim():
            assert item.kind is JobKind.POLL
            answer(item, done(item))

    assert (state(receipt).state, state(new).state) == ("fiscalized", "cancelled")


def test_one_of_unknown_outcome_in_its_place_is_not_repeated(
    receipt: Receipt, register: Register, person: User
) -> None:
    _, job = in_its_place(receipt, register, person)
    assert answer(job, LOST) == "unknown"
    close()

    assert sends(claim()) == []


def test_an_unknown_one_waits_only_until_the_former_is_clear(
    receipt: Receipt, register: Register, person: User
) -> None:
    cancelled(receipt, person)
    new = formed_anew(register, person)
    assert answer(claim_one(), LOST) == "unknown"
    printed_under_the_first_key(receipt)
    question = next(item for item in claim() if item.receipt_id == receipt.pk)
    assert state(new).due_ms is not None, "nobody has to decide yet"

    assert answer(question, failed(question)) == "cancelled"

    assert [(job.kind, job.receipt_id) for job in claim()] == [(JobKind.ASK, new.pk)]


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
