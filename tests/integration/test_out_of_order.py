"""A word of the provider's that comes while an answer is on its way: the answer is the older one, the word is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.config.database import execute
from chekhov.delivery import results
from chekhov.delivery.jobs import Job, JobKind, Result, key_of
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.models import Attempt, Sighting
from chekhov.delivery.requests import (
    incident_settle,
    receipt_absent,
    receipt_cancel,
    receipt_leave_for_correction,
    receipt_retry,
)
from chekhov.delivery.results import results_commit
from chekhov.drivers.contract import Dedup, ErrorKind, Failed, KeyRule, NotFound, ProviderError, TaskRef, Unsure
from chekhov.drivers.komtet.driver import CAPABILITIES, KomtetDriver
from chekhov.errors import Conflict
from chekhov.fiscal.money import Money
from chekhov.people.models import User
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import Incident, Obligation, Receipt
from chekhov.registers.models import Register
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
from tests.integration.test_callbacks import notify, state

pytestmark = pytest.mark.django_db

UNCLEAR = Unsure("500", ProviderError(ErrorKind.TEMPORARY, KeyRule.SAME, "500", "Сбой", status=500))
BY_KEY_ONLY = replace(CAPABILITIES, lookup_by_key=True, dedup=Dedup.NONE)


@pytest.fixture
def auditor() -> User:
    return factories.user("auditor")


@pytest.fixture
def asked_by_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that can be asked by our key and takes a repeat for another document."""
    monkeypatch.setattr(KomtetDriver, "capabilities", BY_KEY_ONLY)


def printed(receipt: Receipt, key: str = "", **content: object) -> None:
    """The provider says so by itself."""
    assert notify(receipt.account, external_id=key or str(receipt.uuid), state="done", **content) == 200


def close(auditor: User, note: str = "В кабинете один чек, по первой задаче", *, not_printed: bool = False) -> None:
    incident_settle(
        incident=Incident.objects.get(closed_at__isnull=True), actor=auditor, note=note, not_printed=not_printed
    )


def next_jobs() -> list[Job]:
    """What is called next. Lanes do not rest; the first claim may find out only that it must ask."""
    execute("UPDATE delivery_lane SET paused_until_ms = 0, breaker = 'closed'")
    return claim() or claim()


def assert_nothing_is_sent() -> None:
    assert [job.kind for job in next_jobs() if job.kind.is_sending] == []


def formed_anew(register: Register, person: User) -> Receipt:
    choices = Choices(register.pk, confirmed=True)
    return receipt_form(obligation_id=Obligation.objects.get().pk, choices=choices, actor=person)


def lost_with_its_worker() -> None:
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()


def next_key(receipt: Receipt, person: User) -> Job:
    """Another try of a failed receipt: the sending under its next key."""
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    return claim_one()


def cancelled(receipt: Receipt, person: User) -> None:
    through_to_failed()
    receipt_cancel(receipt=receipt, actor=person, reason="Касса сломалась")
    asked = claim_one()
    assert answer(asked, failed(asked)) == "cancelled"


# --- between a question and its answer --------------------------------------------------------------------------------


def test_a_retry_does_not_come_true_on_an_answer_older_than_the_word(receipt: Receipt, person: User) -> None:
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    printed(receipt)

    assert answer(asked, failed(asked)) == "failed"

    asked = claim_one()
    assert asked.kind is JobKind.POLL
    assert answer(asked, done(asked)) == "fiscalized"


def test_nor_does_a_cancellation(receipt: Receipt, register: Register, person: User) -> None:
    through_to_failed()
    receipt_cancel(receipt=receipt, actor=person, reason="Касса сломалась")
    asked = claim_one()
    printed(receipt)

    assert answer(asked, failed(asked)) == "failed"

    with pytest.raises(Conflict):
        formed_anew(register, person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "cancelled", "asked after the word"


@pytest.mark.parametrize("outcome", ["failed", "pending"])
def test_an_accepted_receipt_is_asked_about_once_more(receipt: Receipt, outcome: str) -> None:
    through_to_accepted()
    asked = claim_one()
    printed(receipt)

    assert answer(asked, failed(asked) if outcome == "failed" else PENDING) == "accepted"

    again = claim_one()
    assert again.kind is JobKind.POLL
    assert state(receipt).due_ms is not None
    assert answer(again, failed(again)) == "failed", "this one was asked after the word"


def test_a_question_by_key_that_is_older_proves_no_absence(receipt: Receipt, asked_by_key_only: None) -> None:
    assert answer(claim_one(), LOST) == "unknown"
    with time_machine.travel(now() + timedelta(hours=1)):
        asked = claim_one()
        assert asked.kind is JobKind.LOOKUP
        notify(receipt.account, external_id=str(receipt.uuid), state="done", id=None)

        assert answer(asked, NotFound(definite=True)) == "unknown"

        assert_nothing_is_sent()


def test_an_answer_that_is_older_answers_no_sighting(receipt: Receipt, person: User, auditor: User) -> None:
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    slow = claim_one()
    asked = claim_one()  # a notification had hurried it: two questions at once
    assert answer(asked, failed(asked)) == "queued"
    second = claim_one()
    printed(receipt)

    answer(slow, failed(slow))

    assert Sighting.objects.get(is_own=False).answer == ""
    close(auditor)
    assert answer(second, NOT_SENT) == "queued"
    assert_nothing_is_sent()


def test_a_commit_that_is_written_again_answers_no_sighting(receipt: Receipt, person: User) -> None:
    """The connection was lost in the commit, and a notification has come before the group is written again."""
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    claim_one("worker-2")
    printed(receipt)

    answer(asked, failed(asked))

    assert Sighting.objects.get(is_own=False).answer == ""


# --- a word that comes anew -------------------------------------------------------------------------------------------


def test_what_the_provider_denied_once_may_be_sighted_anew(receipt: Receipt, person: User, auditor: User) -> None:
    through_to_failed()
    second = next_key(receipt, person)
    printed(receipt)
    assert answer(second, NOT_SENT) == "queued"
    close(auditor)
    (asked,) = next_jobs()
    assert answer(asked, failed(asked)) == "failed"
    third = next_key(receipt, person)

    printed(receipt, again=1)
    close(auditor)

    assert answer(third, NOT_SENT) == "queued"
    assert_nothing_is_sent()
    assert [found.answer for found in Sighting.objects.filter(is_own=False).order_by("pk")] == ["failed", ""]


def test_what_a_person_denied_once_may_be_sighted_anew(receipt: Receipt, person: User, auditor: User) -> None:
    through_to_failed()
    second = next_key(receipt, person)
    printed(receipt)
    close(auditor, "Прежней задачи в кабинете нет", not_printed=True)

    printed(receipt, again=1)
    close(auditor, "Чек пробит по первой задаче")

    assert answer(second, NOT_SENT) == "queued"
    assert_nothing_is_sent()


def test_a_task_that_was_found_late_failed_and_printed_holds_anew(
    receipt: Receipt, person: User, auditor: User
) -> None:
    through_to_failed()
    second = next_key(receipt, person)
    lost_with_its_worker()
    printed(receipt)
    assert claim() == []
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="Второго в кабинете нет", send_again=True)
        assert next_jobs()
    answer(second, accepted(second, "502"))
    for key, task in ((str(receipt.uuid), "501"), (second.key, "502")):
        (asked,) = next_jobs()
        assert (asked.key, asked.provider_ref) == (key, task)
        assert answer(asked, failed(asked)) == "failed"
    close(auditor)
    third = next_key(receipt, person)
    assert third.key == key_of(receipt.uuid, 3)

    printed(receipt, second.key, id=502)
    close(auditor)

    assert answer(third, NOT_SENT) == "queued"
    assert_nothing_is_sent()


# --- evidence is kept -------------------------------------------------------------------------------------------------


def test_closing_the_incident_of_a_cancelled_receipt_asks_once_more(
    receipt: Receipt, register: Register, person: User, auditor: User
) -> None:
    cancelled(receipt, person)
    printed(receipt)
    for _ in range(10):
        (asked,) = next_jobs()
        answer(asked, UNCLEAR)
    assert next_jobs() == [], "a person has to look"

    close(auditor, "Чек в кабинете есть, пробит")

    with pytest.raises(Conflict):
        formed_anew(register, person)
    assert [(job.kind, job.provider_ref) for job in next_jobs()] == [(JobKind.POLL, "501")]


@pytest.mark.parametrize("closes_first", [True, False])
def test_a_late_answer_that_took_a_refused_receipt_is_asked_about(
    receipt: Receipt, person: User, auditor: User, closes_first: bool
) -> None:
    first = claim_one()
    lost_with_its_worker()
    again = claim_one("worker-2")
    assert answer(again, refused(ErrorKind.CONFIG, "SRV00"), "worker-2") == "unknown"
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="В кабинете не видно")

    answer(first, accepted(first, "501"))  # the worker that slept
    if closes_first:
        close(auditor)
    receipt_cancel(receipt=receipt, actor=person, reason="Больше с ним ничего не сделать")
    if not closes_first:
        close(auditor)

    assert [(job.kind, job.provider_ref) for job in next_jobs()] == [(JobKind.POLL, "501")]


def doubted(receipt: Receipt) -> tuple[Job, Job]:
    """A slow question about a number that was doubted meanwhile, and the repeat by our key."""
    job = claim_one()
    notify(receipt.account, external_id=str(receipt.uuid), state="new")
    assert answer(job, LOST) == "unknown"
    slow = claim_one()
    for _ in range(5):
        answer(claim_one(), NotFound(definite=False))
    again = claim_one()
    assert again.kind is JobKind.ASK
    return slow, again


def test_figures_outweigh_what_a_person_did_not_see(receipt: Receipt, person: User) -> None:
    slow, again = doubted(receipt)
    assert answer(again, refused(ErrorKind.CONFIG, "SRV00")) == "unknown"
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="В кабинете не видно")

    assert answer(slow, done(slow)) == "refused"

    assert Incident.objects.get().receipt_id == receipt.pk
    receipt_cancel(receipt=receipt, actor=person, reason="Больше с ним ничего не сделать")
    (asked,) = next_jobs()
    assert answer(asked, done(asked)) == "fiscalized"


def test_figures_of_what_is_being_repeated_are_the_receipts(receipt: Receipt) -> None:
    slow, again = doubted(receipt)

    assert answer(slow, done(slow)) == "fiscalized"

    assert answer(again, accepted(again, "501")) == "fiscalized"
    assert not Incident.objects.exists()


def test_wrong_figures_of_an_old_task_leave_no_queued_receipt_for_ever(
    receipt: Receipt, person: User, auditor: User
) -> None:
    through_to_failed()
    receipt_retry(receipt=receipt, actor=person)
    slow = claim_one()
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"

    assert answer(slow, done(slow, total=Money(1))) == "queued"

    assert Incident.objects.get().code == "figures"
    close(auditor, "В кабинете сумма верная")
    (asked,) = next_jobs()
    assert (asked.kind, asked.provider_ref) == (JobKind.POLL, "501")
    assert answer(asked, done(asked)) == "fiscalized"


@pytest.mark.usefixtures("asked_by_key_only")
def test_wrong_figures_that_a_question_by_key_told_are_asked_for_once_more(receipt: Receipt, auditor: User) -> None:
    assert answer(claim_one(), LOST) == "unknown"
    asked = claim_one()
    assert answer(asked, done(asked, total=Money(1))) == "unknown"
    assert claim() == []

    close(auditor, "В кабинете сумма верная")

    (asked,) = next_jobs()
    assert answer(asked, done(asked)) == "fiscalized"


def test_answers_of_two_keys_that_are_written_together_are_both_heard(receipt: Receipt, person: User) -> None:
    """A worker that slept wakes with the answers of both its sendings."""
    slow = claim_one()
    lost_with_its_worker()
    again = claim_one("worker-2")
    assert answer(again, accepted(again), "worker-2") == "accepted"
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    second = next_key(receipt, person)
    lost_with_its_worker()
    printed(receipt)
    assert claim() == []
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="Второго в кабинете нет", send_again=True)

    both = [Result(slow, accepted(slow, "501"), 200, "{}"), Result(second, accepted(second, "502"), 200, "{}")]
    results_commit(both, OWNER)

    assert Attempt.objects.get(key_number=2).outcome == "accepted"
    found = {state(receipt).provider_ref, *Sighting.objects.values_list("provider_ref", flat=True)}
    assert found >= {"501", "502"}


def test_leaving_a_late_receipt_for_a_correction_asks_about_the_former_one(
    receipt: Receipt, register: Register, person: User, auditor: User
) -> None:
    cancelled(receipt, person)
    new = formed_anew(register, person)
    job = claim_one()
    printed(receipt)
    question = next(item for item in claim() if item.receipt_id == receipt.pk)
    assert answer(question, done(question)) == "cancelled"
    close(auditor)
    assert answer(job, NOT_SENT) == "queued"
    with time_machine.travel(now() + timedelta(hours=30)):
        claim()
        assert state(new).error_code == "late"

        receipt_leave_for_correction(receipt=new, actor=person, reason="Опоздали")

        asked = claim_one()
    assert (asked.kind, asked.receipt_id) == (JobKind.POLL, receipt.pk)
    assert answer(asked, done(asked)) == "fiscalized"


# --- wishes -----------------------------------------------------------------------------------------------------------


def test_a_wish_comes_true_only_after_each_task_was_asked_about(receipt: Receipt, person: User, auditor: User) -> None:
    """The second has failed and another try is wished; then the first is said to have printed, which is not so."""
    through_to_failed()
    second = next_key(receipt, person)
    answer(second, accepted(second, "502"))
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    receipt_retry(receipt=receipt, actor=person)
    printed(receipt)
    close(auditor, "Ни одного не вижу")

    for task in ("501", "502"):
        (asked,) = next_jobs()
        assert (asked.kind, asked.provider_ref) == (JobKind.POLL, task)
        answer(asked, failed(asked))

    (third,) = next_jobs()
    assert (third.kind, third.key) == (JobKind.SEND, key_of(receipt.uuid, 3))
    assert set(Sighting.objects.values_list("provider_ref", "answer")) == {("501", "failed"), ("502", "failed")}


def asked_until_it_is_settled(receipt: Receipt, **tasks: str) -> list[str]:
    """What is asked about, each task answering as it is told to, until something is sent or the receipt is settled."""
    asked: list[str] = []
    for _ in range(6):
        for job in next_jobs():
            asked.append(job.provider_ref or job.kind.value)
            if job.kind is JobKind.POLL:
                answer(job, done(job) if tasks.get(f"task{job.provider_ref}") == "done" else failed(job))
        if asked[-1:] == ["send"] or state(receipt).state in ("fiscalized", "cancelled"):
            break
    return asked


@pytest.mark.parametrize("wish", ["retry", "cancel"])
def test_the_newest_task_is_asked_once_more_though_the_former_was_asked_last(
    receipt: Receipt, person: User, auditor: User, wish: str
) -> None:
    """The second fails while the first is said to have printed, which is not so; later the second becomes done."""
    through_to_failed()
    second = next_key(receipt, person)
    answer(second, accepted(second, "502"))
    printed(receipt)
    close(auditor)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    asked = claim_one()
    assert asked.provider_ref == "501"
    assert answer(asked, failed(asked)) == "failed"

    if wish == "retry":
        receipt_retry(receipt=receipt, actor=person)
    else:
        receipt_cancel(receipt=receipt, actor=person, reason="Касса сломалась")

    assert "send" not in asked_until_it_is_settled(receipt, task502="done")
    assert state(receipt).state == "fiscalized"


def test_a_person_who_denies_the_former_task_does_not_deny_the_newest(
    receipt: Receipt, person: User, auditor: User
) -> None:
    through_to_failed()
    second = next_key(receipt, person)
    answer(second, accepted(second, "502"))
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    printed(receipt)
    close(auditor, "Задачи 501 нет", not_printed=True)

    receipt_retry(receipt=receipt, actor=person)

    assert "send" not in asked_until_it_is_settled(receipt, task502="done")
    assert state(receipt).state == "fiscalized"


@pytest.mark.parametrize("is_sending", [True, False])
def test_a_slow_repeat_about_a_task_that_was_given_up_tells_nothing_new(
    receipt: Receipt, person: User, is_sending: bool
) -> None:
    """Its number was learned from a notification; a person has asked for another try meanwhile."""
    assert answer(claim_one(), LOST) == "unknown"
    slow = claim_one()
    notify(receipt.account, external_id=str(receipt.uuid), state="error")
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    receipt_retry(receipt=receipt, actor=person)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    second = claim_one() if is_sending else None

    answer(slow, replace(accepted(slow, "501"), was_known=True))

    assert not Incident.objects.exists()
    second = second or claim_one()
    assert (second.kind, second.key) == (JobKind.SEND, key_of(receipt.uuid, 2))
    assert answer(second, accepted(second, "502")) == "accepted"


# --- one that was formed in the place of another ----------------------------------------------------------------------


def in_its_place(receipt: Receipt, register: Register, person: User) -> Receipt:
    """The first is cancelled; the one in its place has been taken."""
    cancelled(receipt, person)
    new = formed_anew(register, person)
    job = claim_one()
    assert answer(job, accepted(job, "777")) == "accepted"
    return new


def failed_and_tried_again(new: Receipt, person: User) -> None:
    (asked,) = next_jobs()
    assert asked.receipt_id == new.pk
    assert answer(asked, failed(asked)) == "failed"
    receipt_retry(receipt=new, actor=person)
    (asked,) = next_jobs()
    assert answer(asked, failed(asked)) == "queued"


def test_one_that_failed_gives_way_when_it_waits_for_its_next_try(
    receipt: Receipt, register: Register, person: User, auditor: User
) -> None:
    """Nobody lies: the first prints late, the second fails. What was sighted is asked about, not only waited for."""
    new = in_its_place(receipt, register, person)
    printed(receipt)
    for item in next_jobs():
        answer(item, done(item) if item.receipt_id == receipt.pk else PENDING)
    close(auditor, "Прежний пробит, ждём, что станет с новым")
    failed_and_tried_again(new, person)

    (asked,) = next_jobs()

    assert (asked.receipt_id, asked.provider_ref) == (receipt.pk, "501")
    assert answer(asked, done(asked)) == "fiscalized"
    assert state(new).state == "cancelled"


def test_nor_is_an_incident_opened_again_at_every_closing(receipt: Receipt, register: Register, person: User) -> None:
    new = in_its_place(receipt, register, person)
    failed_and_tried_again(new, person)

    printed(receipt)
    asked = next(item for item in next_jobs() if item.receipt_id == receipt.pk)

    assert answer(asked, done(asked)) == "fiscalized"
    assert state(new).state == "cancelled"
    assert not Incident.objects.exists(), "there is one document"


def test_a_vague_answer_that_nobody_needs_does_not_begin_to_ask(receipt: Receipt, person: User) -> None:
    through_to_failed()
    receipt_cancel(receipt=receipt, actor=person, reason="Касса сломалась")
    asked, again = claim_one(), claim_one("worker-2")
    assert answer(asked, failed(asked)) == "cancelled"

    answer(again, UNCLEAR, "worker-2")

    assert state(receipt).due_ms is None


def test_a_cancelled_receipt_is_not_asked_about_for_ever_when_a_person_has_answered(
    receipt: Receipt, register: Register, person: User, auditor: User
) -> None:
    cancelled(receipt, person)
    printed(receipt)
    for _ in range(10):
        answer(claim_one(), UNCLEAR)
        execute("UPDATE delivery_lane SET paused_until_ms = 0, breaker = 'closed'")
    printed(receipt, again=1)
    (asked,) = next_jobs()

    close(auditor, "В кабинете ошибка", not_printed=True)

    assert state(receipt).due_ms is None
    answer(asked, UNCLEAR)
    assert state(receipt).due_ms is None
    new = formed_anew(register, person)
    assert [(job.kind, job.receipt_id) for job in next_jobs()] == [(JobKind.SEND, new.pk)]


def test_what_was_being_asked_before_sightings_were_kept_is_sighted_by_the_migration(
    receipt: Receipt, person: User
) -> None:
    cancelled(receipt, person)
    execute("UPDATE receipts_receiptstate SET due_ms = 1")

    execute(import_module("chekhov.delivery.migrations.0007_sighted_anew").SIGHT_WHAT_IS_ASKED)

    (asked,) = next_jobs()
    answer(asked, UNCLEAR)
    assert state(receipt).due_ms is not None, "asked about until the answer is clear"
    (asked,) = next_jobs()
    answer(asked, failed(asked))
    assert state(receipt).due_ms is None


def test_what_comes_back_unsent_in_the_same_group_gives_way(receipt: Receipt, register: Register, person: User) -> None:
    cancelled(receipt, person)
    new = formed_anew(register, person)
    job = claim_one()
    printed(receipt)
    asked = next(item for item in next_jobs() if item.receipt_id == receipt.pk)

    results_commit([Result(asked, done(asked), 200, "{}"), Result(job, NOT_SENT)], OWNER)

    (asked,) = [item for item in next_jobs() if item.receipt_id == receipt.pk]
    assert answer(asked, done(asked)) == "fiscalized"
    assert state(new).state == "cancelled"
    assert not Incident.objects.exists(), "there is one document"


def test_questions_by_key_and_repeats_take_turns(receipt: Receipt, monkeypatch: pytest.MonkeyPatch) -> None:
    both = replace(CAPABILITIES, lookup_by_key=True, dedup=Dedup.STRONG)
    monkeypatch.setattr(KomtetDriver, "capabilities", both)
    assert answer(claim_one(), LOST) == "unknown"
    kinds = []
    for _ in range(4):
        job = claim_one()
        kinds.append(job.kind)
        answer(job, NotFound(definite=False) if job.kind is JobKind.LOOKUP else LOST)

    assert kinds == [JobKind.LOOKUP, JobKind.ASK, JobKind.LOOKUP, JobKind.ASK]


def test_a_receipt_without_a_number_that_has_printed_is_an_incident(receipt: Receipt, person: User) -> None:
    assert answer(claim_one(), refused()) == "refused"
    receipt_cancel(receipt=receipt, actor=person, reason="Отказ")

    printed(receipt, id=None)

    assert Incident.objects.get().receipt_id == receipt.pk


def test_a_mistake_of_ours_about_one_receipt_drops_no_answer_about_another(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        factories.pay(factories.invoice(factories.customer(register.region)))
    poisoned, other = Receipt.objects.order_by("pk")
    jobs = {job.receipt_id: job for job in claim()}
    assert answer(jobs[other.pk], accepted(jobs[other.pk])) == "accepted"
    asked, again = (next(job for job in claim() if job.receipt_id == other.pk) for _ in range(2))
    real = results._decide

    def mistaken(item: Result, *rest: Any) -> Any:
        assert item.job.receipt_id != poisoned.pk, "a mistake of ours"
        return real(item, *rest)

    monkeypatch.setattr(results, "_decide", mistaken)
    group = [
        Result(jobs[poisoned.pk], accepted(jobs[poisoned.pk], "900"), 200, "{}"),
        Result(asked, PENDING, 200, "{}"),
        Result(again, failed(again), 200, "{}"),
    ]
    with pytest.raises(AssertionError):
        results_commit(group, OWNER)

    assert state(other).state == "failed"


@pytest.mark.usefixtures("asked_by_key_only")
@pytest.mark.parametrize("wish", ["retry", "cancel"])
def test_a_wish_about_a_failed_task_without_a_number_comes_true(receipt: Receipt, person: User, wish: str) -> None:
    assert answer(claim_one(), LOST) == "unknown"
    asked = claim_one()
    without_number = Failed(TaskRef(asked.key), ProviderError(ErrorKind.DEVICE, KeyRule.NEW, "error", "Нет бумаги"))
    assert answer(asked, without_number) == "failed"

    if wish == "retry":
        receipt_retry(receipt=receipt, actor=person)
    else:
        receipt_cancel(receipt=receipt, actor=person, reason="Касса сломалась")
    asked = claim_one()
    assert asked.kind is JobKind.LOOKUP
    answer(asked, UNCLEAR)
    assert state(receipt).state == "failed"
    (asked,) = next_jobs()

    assert answer(asked, without_number) == {"retry": "queued", "cancel": "cancelled"}[wish]
