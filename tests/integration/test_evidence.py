"""Evidence that comes late, or against the journal, is never dropped: it settles the receipt or tells a person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.config.database import execute, read_clock_ms
from chekhov.delivery.absence import is_absent, longest_call, present_anywhere
from chekhov.delivery.callbacks import callback_receive
from chekhov.delivery.jobs import Job, JobKind, Result
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.models import Absence, Attempt, Breaker, Callback, Lane
from chekhov.delivery.requests import receipt_absent, receipt_cancel, receipt_found, receipt_retry
from chekhov.delivery.results import results_commit
from chekhov.delivery.standby import standby_serve
from chekhov.drivers.contract import Accepted, Dedup, ErrorKind, KeyRule, NotFound, ProviderError, TaskRef, Unsure
from chekhov.drivers.komtet.driver import CAPABILITIES, KomtetDriver
from chekhov.drivers.komtet.signature import sign
from chekhov.errors import Conflict
from chekhov.fiscal.money import Money
from chekhov.people.models import User
from chekhov.receipts import writer
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import Incident, Receipt, ReceiptState
from chekhov.registers.models import Register
from chekhov.registers.services import notification_link
from tests import factories
from tests.integration.delivering import (
    LOST,
    NOT_SENT,
    OWNER,
    PENDING,
    accepted,
    answer,
    claim,
    claim_one,
    done,
    failed,
    refused,
    through_to_accepted,
    through_to_failed,
)

pytestmark = pytest.mark.django_db
UNKNOWN_TASK = Unsure(
    "Состояние задачи прочитать не удалось.", ProviderError(ErrorKind.CONFIG, KeyRule.SAME, "404", "Нет", status=404)
)


def state() -> ReceiptState:
    return ReceiptState.objects.order_by("pk")[0]


def notify(receipt: Receipt, key: str, **content: Any) -> str:
    """A signed notification; what it led to."""
    account = receipt.account
    body = json.dumps({"id": 501, "state": "done", "external_id": key, **content}).encode()
    headers = {
        "Content-Type": "application/json",
        "X-HMAC-Signature": sign("demo-secret", "POST", notification_link(account), body),
    }
    assert callback_receive(provider=account.provider, token=account.link_token, headers=headers, body=body) == 200
    return Callback.objects.order_by("-pk")[0].effect


def person() -> User:
    return User.objects.first() or factories.user()


def refused_on_a_false_word(receipt: Receipt) -> Job:
    """The first sending arrived and was not answered, the repeat was refused, a person says that nothing is there."""
    first = claim_one("stalled")
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    assert leases_expire() == 1
    assert answer(claim_one(), refused()) == "unknown"
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person(), reason="В кабинете не видно")
    assert state().state == "refused"
    return first


def form_again(receipt: Receipt) -> Receipt:
    choices = Choices(register_id=receipt.register_id, confirmed=True)
    return receipt_form(obligation_id=receipt.obligation_id, choices=choices, actor=person())


# --- an answer of a worker that was away ------------------------------------------------------------------------------


def test_a_late_answer_about_a_refused_receipt_stops_a_second_one(receipt: Receipt) -> None:
    first = refused_on_a_false_word(receipt)

    answer(first, accepted(first), "stalled")

    assert Incident.objects.get().code == "second_document"
    receipt_cancel(receipt=receipt, actor=person(), reason="Не дождались")
    with pytest.raises(Conflict) as refusal:
        form_again(receipt)
    assert refusal.value.code == "asked_again"


def test_a_late_answer_about_a_cancelled_receipt_is_asked_about(receipt: Receipt) -> None:
    first = refused_on_a_false_word(receipt)
    receipt_cancel(receipt=receipt, actor=person(), reason="Не дождались")

    answer(first, accepted(first), "stalled")

    with pytest.raises(Conflict) as refusal:
        form_again(receipt)
    assert refusal.value.code == "asked_again"
    asked = claim_one()
    assert (asked.kind, asked.provider_ref) == (JobKind.POLL, "501")
    assert answer(asked, done(asked)) == "fiscalized"
    assert writer.chain_is_whole(receipt.pk)


def test_a_late_answer_of_the_first_register_after_the_other_was_asked_is_an_incident(receipt: Receipt) -> None:
    first = claim_one("stalled")
    moved(receipt)
    other = claim_one()
    assert other.channel.queue == 778

    answer(first, accepted(first), "stalled")

    assert Incident.objects.get().code == "second_document"
    assert answer(other, accepted(other, "901")) == "accepted"


def moved(receipt: Receipt) -> None:
    """A person said that the first register has nothing, and the receipt went to the one that stands by."""
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    word_of_absence(receipt)
    stands_by(receipt)
    assert standby_serve() == 1


def word_of_absence(receipt: Receipt) -> None:
    Absence.objects.create(
        receipt=receipt, key_number=1, attempt_number=1, found_by="user:x", text="нет", found_at=receipt.created_at
    )
    head = writer.heads([receipt.pk])[receipt.pk]
    writer.apply([writer.Change(head, writer.State.QUEUED, "absent", due_in_ms=0)], actor="user:x")


def stands_by(receipt: Receipt) -> None:
    own = receipt.register
    standby = factories.register(own.region, queue=778, name="Запасная", shop_id="other-shop", active_online=False)
    Register.objects.filter(pk=own.pk).update(standby=standby)
    lanes_ensure()
    clock = read_clock_ms()
    Lane.objects.filter(queue=own.queue).update(
        breaker=Breaker.OPEN.value, open_until_ms=clock + 300_000, broken_since_ms=clock - 16 * 60_000
    )


def test_a_task_whose_number_was_not_told_does_not_count_as_absent(receipt: Receipt) -> None:
    """Absence was found, and then the answer of the very sending came: «I have it», without the number."""
    first = claim_one("stalled")
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    word_of_absence(receipt)

    answer(first, Accepted(TaskRef(first.key), was_known=True), "stalled")

    assert not is_absent(receipt.pk, 1)
    assert present_anywhere([receipt.pk]) == {receipt.pk}
    stands_by(receipt)
    assert standby_serve() == 0
    assert state().state == "accepted" or state().queue == receipt.queue


def test_a_refused_repeat_proves_nothing_once_the_first_is_known_to_be_there(receipt: Receipt) -> None:
    first = claim_one("stalled")
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    word_of_absence(receipt)
    second = claim_one()
    answer(first, accepted(first), "stalled")

    assert answer(second, refused()) == "unknown"


# --- a notification ---------------------------------------------------------------------------------------------------


def test_a_notification_about_a_queued_receipt_keeps_it_from_another_register(receipt: Receipt) -> None:
    first = claim_one()
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    word_of_absence(receipt)

    assert notify(receipt, first.key) == "task_learned"

    stands_by(receipt)
    assert standby_serve() == 0
    Lane.objects.update(breaker="closed", broken_since_ms=0)
    asked = claim_one()
    assert (asked.kind, asked.key, asked.provider_ref) == (JobKind.POLL, first.key, "501")
    assert answer(asked, done(asked)) == "fiscalized"
    assert writer.chain_is_whole(receipt.pk)


@pytest.mark.parametrize("vague", [LOST, NOT_SENT, PENDING, UNKNOWN_TASK], ids=["lost", "unsent", "pending", "404"])
def test_a_question_about_a_cancelled_receipt_is_repeated_until_it_is_answered(receipt: Receipt, vague: object) -> None:
    first = refused_on_a_false_word(receipt)
    receipt_cancel(receipt=receipt, actor=person(), reason="Не дождались")
    assert notify(receipt, first.key) == "task_learned"

    assert answer(claim_one(), vague) == "cancelled"

    with pytest.raises(Conflict) as refusal:
        form_again(receipt)
    assert refusal.value.code == "asked_again"
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"


def test_a_cancelled_receipt_whose_task_has_failed_after_all_may_be_formed_anew(receipt: Receipt) -> None:
    first = refused_on_a_false_word(receipt)
    receipt_cancel(receipt=receipt, actor=person(), reason="Не дождались")
    notify(receipt, first.key)
    asked = claim_one()

    assert answer(asked, failed(asked)) == "cancelled"

    assert form_again(receipt).generation == 2


def test_a_second_document_is_told_once_and_not_asked_about_for_ever(receipt: Receipt) -> None:
    first = refused_on_a_false_word(receipt)
    receipt_cancel(receipt=receipt, actor=person(), reason="Не дождались")
    form_again(receipt)
    assert claim_one().kind is JobKind.SEND, "it has been handed over: it cannot give way any more"
    assert notify(receipt, first.key) == "task_learned"
    (asked,) = [job for job in claim() if job.kind is JobKind.POLL]

    assert answer(asked, done(asked)) == "cancelled"

    assert Incident.objects.get().code == "second_document"
    assert ReceiptState.objects.get(pk=receipt.pk).due_ms is None, (
        "else the incident would open again as soon as it is closed"
    )


# --- a person's word --------------------------------------------------------------------------------------------------


def test_nobody_may_say_that_nothing_is_there_while_a_task_s_number_is_known(receipt: Receipt) -> None:
    first = claim_one("stalled")
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    assert answer(claim_one(), refused()) == "unknown"
    notify(receipt, first.key)

    with time_machine.travel(now() + timedelta(hours=1)), pytest.raises(Conflict) as refusal:
        receipt_absent(receipt=receipt, actor=person(), reason="В кабинете не видно")

    assert refusal.value.code == "not_settleable"
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"


@pytest.mark.parametrize("unknown", [UNKNOWN_TASK, NotFound(definite=False)], ids=["404", "not found"])
def test_a_number_that_a_person_mistyped_is_doubted(receipt: Receipt, unknown: object) -> None:
    answer(claim_one(), LOST)
    receipt_found(receipt=receipt, actor=person(), task="99999")
    for _ in range(5):
        asked = claim_one()
        assert (asked.kind, asked.provider_ref) == (JobKind.POLL, "99999")
        assert answer(asked, unknown) == "unknown"

    asked = claim_one()

    assert asked.kind is JobKind.ASK, "by our own key again"
    assert answer(asked, accepted(asked)) == "accepted"


def test_the_number_that_the_service_told_is_not_doubted_where_nothing_else_finds_it(
    receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KomtetDriver, "capabilities", replace(CAPABILITIES, dedup=Dedup.NONE))
    through_to_accepted("501")
    for _ in range(11):
        assert answer(claim_one(), UNKNOWN_TASK) == "accepted"

    assert claim_one().provider_ref == "501"
    assert claim() == [] or state().provider_ref == "501"


# --- an answer that waited before it was written ----------------------------------------------------------------------


def test_a_no_that_was_said_while_the_call_was_under_way_never_becomes_a_proof(
    receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked a moment after the sending; the database was away for an hour before the answer could be written."""
    monkeypatch.setattr(KomtetDriver, "capabilities", replace(CAPABILITIES, dedup=Dedup.NONE, lookup_by_key=True))
    answer(claim_one(), LOST)
    asked = claim_one()
    assert asked.kind is JobKind.LOOKUP

    with time_machine.travel(now() + timedelta(hours=1)):
        assert answer(asked, NotFound(definite=True)) == "unknown"
        assert not Absence.objects.exists()

        again = claim_one()
        assert answer(again, NotFound(definite=True)) == "queued", "asked when no call could be under way any more"


@pytest.mark.parametrize(("seconds", "becomes"), [(30, "unknown"), (90, "queued")])
def test_the_clocks_of_two_machines_may_differ_by_a_minute(
    receipt: Receipt, monkeypatch: pytest.MonkeyPatch, seconds: int, becomes: str
) -> None:
    """A sending is dated by its own worker's machine: how long ago it was is believed only with a minute to spare."""
    monkeypatch.setattr(KomtetDriver, "capabilities", replace(CAPABILITIES, dedup=Dedup.NONE, lookup_by_key=True))
    answer(claim_one(), LOST)
    with time_machine.travel(now() + longest_call() + timedelta(seconds=seconds)):
        assert answer(claim_one(), NotFound(definite=True)) == becomes


def test_an_answer_goes_to_an_attempt_of_its_own_worker_only(receipt: Receipt) -> None:
    """The database came back from a backup while a worker was at it: the same number is another's sending now."""
    job = claim_one("worker-2")

    assert answer(job, accepted(job), "worker-1") == "sending"

    assert Attempt.objects.get().answered_at is None
    assert answer(job, accepted(job), "worker-2") == "accepted"
    assert Attempt.objects.get().outcome == "accepted"


def test_figures_that_were_not_believed_take_no_document_from_another() -> None:
    register = factories.register(factories.region("msk", factories.organization()))
    buyer = factories.customer(register.region)
    for _ in range(2):
        factories.pay(factories.invoice(buyer))
    for number, job in enumerate(claim()):
        answer(job, accepted(job, f"50{number}"))
    wrong, right = claim()

    results_commit([Result(wrong, done(wrong, fd=7, total=Money(1))), Result(right, done(right, fd=7))], OWNER)

    assert ReceiptState.objects.get(pk=right.receipt_id).state == "fiscalized"
    assert list(Incident.objects.values_list("receipt_id", flat=True)) == [wrong.receipt_id]


def test_a_wish_is_not_fulfilled_by_an_answer_of_an_hour_ago(receipt: Receipt) -> None:
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person())
    asked = claim_one()

    with time_machine.travel(now() + timedelta(hours=1)):
        assert answer(asked, failed(asked)) == "failed"
        assert state().wanted == "retry"

        again = claim_one()
        assert answer(again, done(again)) == "fiscalized", "meanwhile it has printed"


def _retried() -> tuple[Job, Job]:
    """The receipt is asked about under its second key: the late question under the first one, and the new one."""
    through_to_accepted()
    slow = claim_one()
    quick = claim_one()  # a notification has woken it: asked once more
    assert answer(quick, failed(quick)) == "failed"
    receipt_retry(receipt=Receipt.objects.get(), actor=factories.user())
    again = claim_one()
    assert answer(again, failed(again)) == "queued"
    sending = claim_one()
    assert answer(sending, accepted(sending, "900")) == "accepted"
    return slow, claim_one()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_documents_that_are_heard_of_at_once_are_told(receipt: Receipt, order: tuple[int, int]) -> None:
    slow, new = _retried()
    both = [Result(slow, done(slow, fd=12), 200), Result(new, done(new, fd=11), 200)]

    results_commit([both[index] for index in order], OWNER)

    assert (state().state, state().receipt.fiscal.fd) == ("fiscalized", 11)
    (incident,) = Incident.objects.all()
    assert (incident.code, "ФД 12" in incident.text) == ("second_document", True)


def test_a_number_that_was_doubted_and_was_right_settles_its_receipt(receipt: Receipt) -> None:
    through_to_accepted()
    slow = claim_one()
    for _ in range(5):
        job = claim_one()
        answer(job, Unsure("Сервис ответил не о нашем чеке."))
    assert not state().provider_ref

    assert answer(slow, done(slow)) == "fiscalized"

    assert state().provider_ref == slow.provider_ref
    assert not Incident.objects.exists()


def test_a_key_that_another_register_has_seen_is_not_taken_again(receipt: Receipt) -> None:
    through_to_failed()
    sent = Attempt.objects.get()
    Attempt.objects.create(  # the stand-by register refused it under the next key, then the first one said it has it
        receipt=receipt, number=2, key_number=2, key="other", account=sent.account, queue=sent.queue,
        callback_url="http://other", body=b"{}", owner="w", sent_at=sent.sent_at, outcome="refused",
    )  # fmt: skip
    receipt_retry(receipt=receipt, actor=factories.user())
    job = claim_one()

    assert answer(job, failed(job)) == "queued"

    assert state().key_number == 3
    assert claim_one().body != b"{}"
