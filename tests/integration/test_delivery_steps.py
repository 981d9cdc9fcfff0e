"""From claim to outcome, step by step: what each answer may do to a receipt, and what it must never do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chekhov.config.database import read_clock_ms
from chekhov.delivery.claims import Claimer
from chekhov.delivery.due import is_work_due
from chekhov.delivery.jobs import JobKind, Result, key_of
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.models import Attempt, CallbackUrl, Lane, Pace
from chekhov.delivery.requests import receipt_cancel, receipt_retry
from chekhov.delivery.results import results_commit
from chekhov.drivers.contract import Accepted, ErrorKind, NotFound, TaskRef, Unsure
from chekhov.errors import Conflict, Invalid
from chekhov.fiscal.money import Money
from chekhov.people.models import Action
from chekhov.receipts import writer
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import FiscalRecord, Incident, Receipt, ReceiptState
from chekhov.registers.models import Register
from chekhov.registers.services import RegisterContent, register_archive, register_save
from tests import factories
from tests.integration import delivering
from tests.integration.delivering import LOST, NOT_SENT, accepted, answer, claim, claim_one, done, failed, refused

pytestmark = pytest.mark.django_db


def state() -> ReceiptState:
    return ReceiptState.objects.get()


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_the_attempt_is_written_with_its_bytes_before_anything_is_called(receipt: Receipt) -> None:
    job = claim_one()

    attempt = Attempt.objects.get()
    assert (attempt.key, attempt.number, attempt.queue) == (str(receipt.uuid), 1, receipt.queue)
    assert bytes(attempt.body) == job.body
    assert attempt.answered_at is None
    assert (state().state, state().lease_owner) == ("sending", delivering.OWNER)
    assert CallbackUrl.objects.get().url == attempt.callback_url


def test_what_is_claimed_is_not_claimed_again(receipt: Receipt) -> None:
    claim_one()

    assert claim("another") == []
    assert not is_work_due()


def test_a_repeat_sends_the_very_bytes_of_the_first_time(receipt: Receipt, settings: object) -> None:
    first = claim_one()
    answer(first, LOST)
    settings.CHEKHOV_BASE_URL = "https://moved.example"  # type: ignore[attr-defined]

    second = claim_one()

    assert second.kind is JobKind.ASK
    assert (second.key, second.body) == (first.key, first.body)


def test_a_repeat_goes_where_the_first_attempt_went_whatever_the_record_says_now(
    receipt: Receipt, register: Register
) -> None:
    first = claim_one()
    answer(first, LOST)
    content = RegisterContent(
        provider="test", region_id=register.region_id, name="Другая", shop_id="another-shop", secret="x", queue=900,
        tax_system=factories.TaxSystem.OSN, vat_rate=factories.RegisterVatRate.R22,
    )  # fmt: skip
    register_save(content=content, actor=None, register=register)

    second = claim_one()

    assert second.channel.connection == first.channel.connection
    assert (second.channel.account_id, second.channel.queue) == (first.channel.account_id, first.channel.queue)


def test_a_receipt_is_delivered_though_its_record_was_moved_to_another_queue_before_any_worker_ran(
    receipt: Receipt, register: Register
) -> None:
    content = RegisterContent(
        provider="test", region_id=register.region_id, name="Другая", shop_id="another-shop", secret="x", queue=900,
        tax_system=factories.TaxSystem.OSN, vat_rate=factories.RegisterVatRate.R22,
    )  # fmt: skip
    register_save(content=content, actor=None, register=register)

    job = claim_one()

    assert job.channel.queue == receipt.queue == 777


def test_what_is_queued_on_an_archived_record_is_still_sent(receipt: Receipt, register: Register) -> None:
    register_archive(register=register, actor=factories.user())

    assert claim_one().receipt_id == receipt.pk


def test_a_paused_lane_gives_nothing(receipt: Receipt) -> None:
    lanes_ensure()
    Lane.objects.update(paused_until_ms=read_clock_ms() + 60_000)

    assert not is_work_due()
    assert claim() == []


def test_the_rate_of_an_account_holds_for_all_its_queues_together(register: Register) -> None:
    other = factories.register(factories.region("spb", register.organization), queue=778)
    for region in (register.region, other.region):
        buyer = factories.customer(region)
        for _ in range(10):
            factories.pay(factories.invoice(buyer))
    lanes_ensure()
    Pace.objects.update(rate_per_second=5)

    assert len(claim()) == 5
    assert len(claim()) <= 1, "the second's allowance is used up"


def test_no_more_is_in_flight_than_the_lane_allows(register: Register) -> None:
    buyer = factories.customer(register.region)
    for _ in range(5):
        factories.pay(factories.invoice(buyer))
    lanes_ensure()
    Lane.objects.update(in_flight_max=3)

    assert len(claim()) == 3
    assert claim() == []


def test_neither_questions_nor_new_documents_starve_the_other(register: Register) -> None:
    buyer = factories.customer(register.region)
    for _ in range(3):
        factories.pay(factories.invoice(buyer))
    results_commit([Result(job, LOST) for job in claim()], delivering.OWNER)
    for _ in range(3):
        factories.pay(factories.invoice(buyer))
    delivering.hurry(list(ReceiptState.objects.filter(state="unknown").values_list("pk", flat=True)))

    kinds = [job.kind for _ in range(4) for job in Claimer("w").claim(1)]

    assert sorted(kinds) == [JobKind.ASK, JobKind.SEND, JobKind.SEND, JobKind.SEND]


def test_a_secret_that_cannot_be_read_rests_the_lane_and_says_why(receipt: Receipt, register: Register) -> None:
    register.account.secret_encrypted = "gAAAAnonsense"
    register.account.save()

    assert claim() == []

    assert Lane.objects.get().pause_code == "secret_unreadable"
    assert state().state == "queued"


# --- outcomes ---------------------------------------------------------------------------------------------------------


def test_a_refusal_after_a_lost_answer_is_not_believed(receipt: Receipt) -> None:
    answer(claim_one(), LOST)

    assert answer(claim_one(), refused()) == "unknown"
    assert state().error_code == "VLD00"


def test_a_refusal_alone_is_final_and_may_be_cancelled(receipt: Receipt) -> None:
    assert answer(claim_one(), refused()) == "refused"

    receipt_cancel(receipt=receipt, actor=factories.user(), reason="Формируем заново")

    assert state().state == "cancelled"
    assert Action.objects.get(kind="receipt_cancel").summary == "Формируем заново"


def test_not_sent_after_a_lost_answer_stays_unknown(receipt: Receipt) -> None:
    answer(claim_one(), LOST)

    assert answer(claim_one(), NOT_SENT) == "unknown"


def test_not_sent_and_then_refused_credentials_leave_it_in_the_queue(receipt: Receipt) -> None:
    assert answer(claim_one(), NOT_SENT) == "queued"

    assert answer(claim_one(), refused(ErrorKind.CONFIG, "AUT00")) == "queued"

    assert Lane.objects.get().pause_code == "AUT00"


def test_a_late_answer_clears_up_what_a_refused_repeat_could_not(receipt: Receipt) -> None:
    first = claim_one()
    connection.cursor().execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    assert leases_expire() == 1
    second = claim_one("another")
    assert answer(second, refused(), "another") == "unknown"

    assert answer(first, refused()) == "refused"


def test_an_answer_is_fenced_by_its_lease(receipt: Receipt) -> None:
    job = claim_one()
    connection.cursor().execute("UPDATE receipts_receiptstate SET lease_owner = 'another'")

    assert answer(job, refused()) == "sending"

    assert Attempt.objects.get().outcome == "refused", "the answer is kept as evidence"


def test_an_answer_is_written_once(receipt: Receipt) -> None:
    job = claim_one()
    answer(job, accepted(job))
    before = Attempt.objects.values().get()

    answer(job, refused())

    assert Attempt.objects.values().get() == before
    assert state().state == "accepted"


def test_a_task_that_is_not_found_proves_nothing(receipt: Receipt) -> None:
    delivering.through_to_accepted()

    assert answer(claim_one(), NotFound(definite=False)) == "accepted"
    assert state().due_ms is not None


def test_an_answer_about_another_task_is_ignored(receipt: Receipt) -> None:
    delivering.through_to_accepted("501")
    asked = claim_one()
    connection.cursor().execute("UPDATE receipts_receiptstate SET provider_ref = '502'")

    assert answer(asked, done(asked)) == "accepted"


@pytest.mark.parametrize("wrong", [{"total": Money(1)}, {"sign": 2}, {"fn": "12"}, {"fd": 0}])
def test_figures_that_cannot_be_right_wait_for_a_person(receipt: Receipt, wrong: dict[str, object]) -> None:
    delivering.through_to_accepted()
    asked = claim_one()

    assert answer(asked, done(asked, **wrong)) == "accepted"

    assert state().error_code in {"FISCAL_MISMATCH", "FISCAL_RESULT"}
    assert state().due_ms is None
    assert not FiscalRecord.objects.exists()


def test_the_same_document_number_for_two_receipts_waits_for_a_person(register: Register) -> None:
    buyer = factories.customer(register.region)
    factories.pay(factories.invoice(buyer))
    asked = delivering.through_to_fiscalized()
    factories.pay(factories.invoice(buyer))
    delivering.through_to_accepted("502")
    second = claim_one()

    assert answer(second, done(second, fd=4000 + asked.receipt_id)) == "accepted"

    assert ReceiptState.objects.get(pk=second.receipt_id).error_code == "FISCAL_RESULT"
    assert FiscalRecord.objects.count() == 1


def test_two_answers_with_one_document_number_in_one_group_do_not_both_count(register: Register) -> None:
    buyer = factories.customer(register.region)
    for _ in range(2):
        factories.pay(factories.invoice(buyer))
    jobs = claim()
    results_commit([Result(job, accepted(job, str(job.receipt_id))) for job in jobs], delivering.OWNER)
    first, second = claim()

    results_commit([Result(job, done(job, fd=5)) for job in (first, second)], delivering.OWNER)

    assert FiscalRecord.objects.count() == 1
    assert sorted(ReceiptState.objects.values_list("state", flat=True)) == ["accepted", "fiscalized"]


def test_a_register_s_number_of_odd_length_does_not_hold_back_a_group(register: Register) -> None:
    buyer = factories.customer(register.region)
    for _ in range(3):
        factories.pay(factories.invoice(buyer))
    jobs = claim()
    results_commit([Result(job, accepted(job, str(job.receipt_id))) for job in jobs], delivering.OWNER)
    asked = claim()

    results_commit([Result(job, done(job, rn="0" * 20 if job is asked[1] else "1")) for job in asked], delivering.OWNER)

    assert set(ReceiptState.objects.values_list("state", flat=True)) == {"fiscalized"}


# --- keys -------------------------------------------------------------------------------------------------------------


def retried(receipt: Receipt) -> None:
    receipt_retry(receipt=receipt, actor=factories.user())
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"


def test_a_retry_goes_under_the_next_key_after_asking_for_the_old_task(receipt: Receipt) -> None:
    old = delivering.through_to_failed()

    retried(receipt)
    job = claim_one()

    assert job.kind is JobKind.SEND
    assert job.key == key_of(receipt.uuid, 2) != old.key
    assert Attempt.objects.count() == 2


def test_a_retry_of_what_lived_after_all_is_not_needed(receipt: Receipt) -> None:
    delivering.through_to_failed()
    receipt_retry(receipt=receipt, actor=factories.user())
    asked = claim_one()

    assert answer(asked, done(asked)) == "fiscalized"


def test_a_late_answer_of_an_old_key_that_waits_for_the_next_is_asked_under_its_own_key(receipt: Receipt) -> None:
    first = claim_one()
    connection.cursor().execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    second = claim_one("another")
    answer(second, Accepted(TaskRef(second.key, "501"), was_known=True), "another")
    asked = claim_one()
    answer(asked, failed(asked))
    retried(receipt)

    answer(first, accepted(first, "502"))
    asked = claim_one()

    assert (asked.kind, asked.key, asked.provider_ref) == ("poll", first.key, "502")


def test_a_late_answer_of_an_old_key_is_not_taken_for_the_next_one_s(receipt: Receipt) -> None:
    first = claim_one()
    connection.cursor().execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    second = claim_one("another")
    answer(second, Accepted(TaskRef(second.key, "501"), was_known=True), "another")
    asked = claim_one()
    answer(asked, failed(asked))
    retried(receipt)
    third = claim_one()
    assert answer(third, LOST) == "unknown"

    answer(first, accepted(first, "501"))

    assert (state().state, state().provider_ref) == ("unknown", "")
    assert claim_one().key == third.key


def test_only_a_failed_receipt_can_be_tried_again(receipt: Receipt) -> None:
    with pytest.raises(Conflict) as refusal:
        receipt_retry(receipt=receipt, actor=factories.user())
    assert refusal.value.code == "not_failed"


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_a_queued_receipt_that_never_left_is_cancelled_at_once(receipt: Receipt) -> None:
    receipt_cancel(receipt=receipt, actor=factories.user(), reason="Ошиблись кассой")

    assert state().state == "cancelled"
    assert writer.chain_is_whole(receipt.pk)


def test_what_may_exist_is_not_cancelled(receipt: Receipt) -> None:
    user = factories.user()
    claim_one()
    with pytest.raises(Conflict) as refusal:
        receipt_cancel(receipt=receipt, actor=user, reason="Ошиблись кассой")

    assert refusal.value.code == "not_cancellable"
    assert state().state == "sending"


def test_a_receipt_that_waits_for_its_second_key_may_be_cancelled_for_the_first_one_s_task_has_failed(
    receipt: Receipt,
) -> None:
    delivering.through_to_failed()
    retried(receipt)

    receipt_cancel(receipt=receipt, actor=factories.user("ivanova"), reason="Ошиблись кассой")

    assert state().state == "cancelled"


def test_a_cancelled_receipt_is_never_sent(receipt: Receipt) -> None:
    receipt_cancel(receipt=receipt, actor=factories.user(), reason="Ошиблись кассой")

    writer.hurry([receipt.pk])

    assert claim() == []
    assert not Attempt.objects.exists()


def test_a_cancelled_receipt_whose_task_printed_after_all_is_what_it_is(receipt: Receipt) -> None:
    delivering.through_to_failed()
    receipt_cancel(receipt=receipt, actor=factories.user(), reason="Пробили на другой кассе")
    asked = claim_one()
    assert answer(asked, failed(asked)) == "cancelled"

    writer.hurry([receipt.pk])
    asked = claim_one()

    assert answer(asked, done(asked)) == "fiscalized"


def test_a_task_that_printed_after_another_receipt_took_its_place_is_an_incident(
    receipt: Receipt, register: Register
) -> None:
    petrova = factories.user()
    delivering.through_to_failed()
    receipt_cancel(receipt=receipt, actor=petrova, reason="Пробили на другой кассе")
    asked = claim_one()
    assert answer(asked, failed(asked)) == "cancelled"
    receipt_form(obligation_id=receipt.obligation_id, choices=Choices(register.pk, confirmed=True), actor=petrova)
    second = claim_one()
    answer(second, accepted(second, "502"))
    writer.hurry([receipt.pk])
    asked = next(job for job in claim() if job.receipt_id == receipt.pk)

    assert answer(asked, done(asked)) == "cancelled"

    incident = Incident.objects.get()
    assert (incident.receipt_id, incident.code, incident.closed_at) == (receipt.pk, "second_document", None)


@pytest.mark.parametrize("reason", ["", "  ", "да", "х" * 301])
def test_a_cancellation_needs_a_reason(receipt: Receipt, reason: str) -> None:
    with pytest.raises(Invalid) as refusal:
        receipt_cancel(receipt=receipt, actor=factories.user(), reason=reason)
    assert refusal.value.code == "reason"


def test_a_person_with_a_long_name_may_press_too(receipt: Receipt) -> None:
    receipt_cancel(receipt=receipt, actor=factories.user("п" * 150), reason="Ошиблись кассой")

    assert state().state == "cancelled"


def test_a_person_with_a_long_name_may_ask_for_a_retry(receipt: Receipt) -> None:
    delivering.through_to_failed()

    receipt_retry(receipt=receipt, actor=factories.user("п" * 150))

    assert state().wanted == "retry"


# --- leases -----------------------------------------------------------------------------------------------------------


def test_an_unsure_poll_leaves_the_error_to_be_read(receipt: Receipt) -> None:
    delivering.through_to_accepted()

    answer(claim_one(), Unsure("Состояние прочитать не удалось."))

    assert (state().error_code, state().error_text) == ("unreadable", "Состояние прочитать не удалось.")


def test_the_business_clock_moves_no_lease(receipt: Receipt, settings: object) -> None:
    settings.CHEKHOV_CLOCK = timezone.now() - timedelta(days=700)  # type: ignore[attr-defined]

    claim_one()

    assert leases_expire() == 0
    assert state().lease_until_ms > 1_700_000_000_000
