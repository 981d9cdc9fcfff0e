"""What holds a lane up, step by step: the breaker with its single probe, a person's stop, clocks that were put back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from chekhov.config import clock
from chekhov.config.database import execute, fetch, read_clock_ms
from chekhov.delivery import claims
from chekhov.delivery.breaker import Heard, hear_statement
from chekhov.delivery.channels import Channels
from chekhov.delivery.claims import Claimer
from chekhov.delivery.due import is_work_due
from chekhov.delivery.jobs import Channel, Job, JobKind, Result
from chekhov.delivery.lanes import LaneRow, lanes_ensure
from chekhov.delivery.leases import WAIT_MOST_MS, leases_expire, waits_bound
from chekhov.delivery.limits import Limits, lane_resume, lane_stop, limits_of, register_put
from chekhov.delivery.models import Attempt, Breaker, Lane, Pace
from chekhov.delivery.requests import (
    receipt_cancel,
    receipt_leave_for_correction,
    receipt_retry,
    receipts_send_late,
)
from chekhov.delivery.results import results_commit
from chekhov.delivery.selectors import LATE, Hold, lane_states, waiting_for_person
from chekhov.drivers.contract import ErrorKind, KeyRule, ProviderError, Refused
from chekhov.errors import Conflict, Invalid
from chekhov.fiscal.vocabulary import RegisterVatRate, TaxSystem
from chekhov.people.models import Action
from chekhov.receipts import writer
from chekhov.receipts.answers import fact_answers
from chekhov.receipts.composing import Choices, receipt_form, receipt_preview
from chekhov.receipts.models import Obligation, Receipt, ReceiptEvent, ReceiptState
from chekhov.registers.models import Account, Register
from chekhov.registers.services import RegisterContent
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
    refused,
    through_to_accepted,
    through_to_failed,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def register() -> Register:
    found = factories.register(factories.region("msk", factories.organization()))
    lanes_ensure()
    return found


def sell(register: Register, count: int = 1, **values: object) -> list[Receipt]:
    buyer = factories.customer(register.region)
    for _ in range(count):
        factories.pay(factories.invoice(buyer), **values)  # type: ignore[arg-type]
    return list(Receipt.objects.order_by("pk"))


def lose(job: Job, outcome: object = LOST) -> None:
    """No answer at all."""
    results_commit([Result(job, outcome)], OWNER)  # type: ignore[arg-type]


def lane() -> Lane:
    return Lane.objects.get()


def opened(register: Register) -> None:
    """The breaker is open after five lost answers."""
    sell(register, 5)
    for job in claim():
        lose(job)
    assert lane().breaker == Breaker.OPEN


# --- the breaker ------------------------------------------------------------------------------------------------------


def test_an_open_breaker_gives_nothing_not_even_questions(register: Register) -> None:
    opened(register)

    assert claim() == []
    assert not is_work_due()


def test_after_its_time_one_probe_goes_for_all_workers(register: Register) -> None:
    opened(register)
    Lane.objects.update(open_until_ms=read_clock_ms())

    probe = claim("worker-1")

    assert len(probe) == 1
    assert lane().breaker == Breaker.HALF_OPEN
    assert claim("worker-2") == []


def test_a_probe_that_is_answered_lets_all_go(register: Register) -> None:
    opened(register)
    Lane.objects.update(open_until_ms=read_clock_ms())
    (probe,) = claim()

    assert answer(probe, accepted(probe)) == "accepted"

    assert lane().breaker == Breaker.CLOSED
    assert len(claim()) == 5


def test_a_probe_that_fails_opens_it_for_longer(register: Register) -> None:
    opened(register)
    first = lane()
    Lane.objects.update(open_until_ms=read_clock_ms())
    (probe,) = claim()

    lose(probe)

    again = lane()
    assert again.breaker == Breaker.OPEN
    assert again.openings == 2
    assert again.broken_since_ms == first.broken_since_ms
    assert 9_000 < again.open_until_ms - read_clock_ms() <= 10_000


def test_a_probe_whose_worker_died_is_followed_by_another(register: Register) -> None:
    opened(register)
    Lane.objects.update(open_until_ms=read_clock_ms())
    assert len(claim()) == 1
    Lane.objects.update(probe_until_ms=read_clock_ms())

    assert len(claim()) == 1


def test_the_probe_is_a_question_where_there_is_one(register: Register) -> None:
    through = sell(register, 1)[0]
    through_to_accepted("501")
    opened_with_others(register)
    Lane.objects.update(open_until_ms=read_clock_ms())
    sell(register, 3)

    (probe,) = claim()

    assert (probe.kind, probe.receipt_id) == (JobKind.POLL, through.pk)


def opened_with_others(register: Register) -> None:
    sell(register, 5)
    for job in claim():
        if job.kind is JobKind.SEND:
            lose(job)
    assert lane().breaker == Breaker.OPEN


def test_the_breaker_of_one_queue_leaves_its_neighbour_alone(register: Register) -> None:
    opened(register)
    other = factories.register(factories.region("spb", register.organization), queue=778)
    factories.pay(factories.invoice(factories.customer(other.region)))

    (job,) = claim()

    assert job.channel.queue == 778


def _two_lanes(register: Register) -> Register:
    """Receipts of two queues wait; the register of the second one."""
    other = factories.register(factories.region("spb", register.organization), queue=778)
    lanes_ensure()
    sell(register)
    sell(other)
    return other


def _by_a_mistake_of_python(monkeypatch: pytest.MonkeyPatch, queue: int) -> None:
    made = Channels.made

    def faulty(self: Channels, account_id: int, number: int, account: Sequence[object]) -> Channel | None:
        if number == queue:
            raise ZeroDivisionError
        return made(self, account_id, number, account)

    monkeypatch.setattr(Channels, "made", faulty)


def _by_an_error_of_the_database(monkeypatch: pytest.MonkeyPatch, queue: int) -> None:
    """Found by PostgreSQL only when it comes to the statement, which is after the next ones were sent."""
    served = claims.lane_served

    def faulty(lane: LaneRow, now_ms: int) -> None:
        if lane.queue == queue:
            execute("INSERT INTO delivery_workerbeat (name, started_at, seen_ms, sent) VALUES (NULL, NULL, 0, 0)")
        served(lane, now_ms)

    monkeypatch.setattr(claims, "lane_served", faulty)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", [_by_a_mistake_of_python, _by_an_error_of_the_database])
def test_a_lane_that_goes_wrong_is_put_aside_and_holds_back_no_other(
    register: Register, monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch, int], None]
) -> None:
    other = _two_lanes(register)
    broken(monkeypatch, register.queue)

    worker = Claimer(OWNER)
    taken = [job for _ in range(4) for job in worker.claim(100)]

    assert [job.channel.queue for job in taken] == [other.queue]
    assert Lane.objects.get(queue=register.queue).pause_code == "internal"
    assert not Lane.objects.get(queue=other.queue).pause_code
    states = {row.queue: row.state for row in ReceiptState.objects.all()}
    assert states == {register.queue: "queued", other.queue: "sending"}
    assert Attempt.objects.count() == 1


def test_what_did_not_leave_keeps_its_place_in_the_order_of_time(register: Register) -> None:
    sell(register, 3)
    execute("UPDATE receipts_receiptstate SET due_ms = due_ms - 600000 + 1000 * receipt_id")
    before = dict(ReceiptState.objects.values_list("pk", "due_ms"))
    jobs = Claimer(OWNER).claim(2)

    for job in reversed(jobs):
        lose(job, NOT_SENT)

    after = dict(ReceiptState.objects.values_list("pk", "due_ms"))
    assert sorted(before, key=lambda key: before[key]) == sorted(after, key=lambda key: after[key] or 0)
    assert all(abs((after[key] or 0) - (before[key] or 0)) < 500 for key in before)


def test_a_healthy_lane_is_not_written(register: Register) -> None:
    sell(register, 3)
    jobs = claim()
    before = Lane.objects.values().get()

    results_commit([Result(job, accepted(job, str(job.receipt_id)), 200, "{}") for job in jobs], OWNER)

    assert Lane.objects.values().get() == before


def test_the_longest_of_the_pauses_that_a_group_asks_for_is_kept(register: Register) -> None:
    sell(register, 2)
    long, short = claim()
    asks = [
        Refused(ProviderError(ErrorKind.TEMPORARY, KeyRule.SAME, "busy", "Занято", retry_after_seconds=seconds))
        for seconds in (300, 5)
    ]

    results_commit([Result(long, asks[0], 429), Result(short, asks[1], 429)], OWNER)

    assert lane().paused_until_ms > read_clock_ms() + 200_000


def test_every_lane_that_an_answer_may_let_rest_is_locked_with_the_others_in_one_order(register: Register) -> None:
    factories.register(register.region, queue=register.queue + 1)
    lanes_ensure()
    keys = list(Lane.objects.order_by("account_id", "queue").values_list("account_id", "queue"))
    said_no, works = Heard(True), Heard(True, works=True)

    assert [row[:2] for row in fetch(*hear_statement([(keys[1], said_no), (keys[0], works)]))] == [keys[1]]
    assert [row[:2] for row in fetch(*hear_statement([(key, said_no) for key in reversed(keys)]))] == keys


def test_an_account_whose_provider_is_no_longer_installed_leaves_the_others_their_lanes(register: Register) -> None:
    other = factories.register(factories.region("spb", register.organization), queue=779, shop_id="another-shop")
    Lane.objects.all().delete()
    Account.objects.filter(pk=register.account_id).update(provider="gone")

    lanes_ensure()

    assert list(Lane.objects.values_list("account_id", flat=True)) == [other.account_id]


def test_a_success_ends_the_memory_of_pauses(register: Register) -> None:
    sell(register)
    assert answer(claim_one(), refused(ErrorKind.CONFIG, "AUT00")) == "queued"
    since = lane().pause_since_ms
    assert since
    Lane.objects.update(paused_until_ms=0)
    assert answer(claim_one(), refused(ErrorKind.CONFIG, "AUT00")) == "queued"
    assert lane().pause_since_ms == since, "the first of the pauses is remembered"
    Lane.objects.update(paused_until_ms=0)

    through_to_accepted()

    assert lane().pause_since_ms == 0


# --- a person's stop --------------------------------------------------------------------------------------------------


def test_a_stop_holds_sendings_and_repeats_and_asks_on(register: Register) -> None:
    asked, lost, _ = sell(register, 3)
    for job in Claimer(OWNER).claim(2):
        (answer(job, accepted(job)) if job.receipt_id == asked.pk else lose(job))
    lane_stop(register=register, actor=factories.user(), reason="меняем ФН")

    jobs = claim()

    assert [(job.kind, job.receipt_id) for job in jobs] == [(JobKind.POLL, asked.pk)]
    assert ReceiptState.objects.get(pk=lost.pk).state == "unknown"
    (state,) = lane_states()
    assert (state.hold, state.stopped_by, state.stopped_why) == (Hold.STOPPED, "user:petrova", "меняем ФН")
    assert Action.objects.get(kind="lane_stop").details == {"with_polls": False}


def test_a_whole_stop_asks_nothing_either(register: Register) -> None:
    sell(register)
    through_to_accepted()
    lane_stop(register=register, actor=factories.user(), reason="меняем ФН", with_polls=True)

    assert claim() == []


def test_a_stop_is_taken_back_and_both_are_journaled(register: Register) -> None:
    cashier = factories.user()
    sell(register)
    lane_stop(register=register, actor=cashier, reason="меняем ФН")
    assert claim() == []

    lane_resume(register=register, actor=cashier, reason="ФН заменён")

    assert len(claim()) == 1
    assert list(Action.objects.filter(kind__startswith="lane_").values_list("kind", flat=True).order_by("pk")) == [
        "lane_stop", "lane_resume",
    ]  # fmt: skip
    with pytest.raises(Conflict):
        lane_resume(register=register, actor=cashier, reason="ещё раз")
    with pytest.raises(Invalid):
        lane_stop(register=register, actor=cashier, reason=" ")


# --- limits -----------------------------------------------------------------------------------------------------------


def content(register: Register, **values: object) -> RegisterContent:
    fields: dict[str, object] = {
        "provider": "test",
        "region_id": register.region_id,
        "name": register.name,
        "shop_id": "demo-shop",
        "queue": register.queue,
        "tax_system": TaxSystem.OSN,
        "vat_rate": RegisterVatRate.R22,
        "place_id": register.place_id,
        **values,
    }
    return RegisterContent(**fields)  # type: ignore[arg-type]


def test_limits_are_obeyed_from_the_next_claim_on(register: Register) -> None:
    sell(register, 9)

    register_put(content=content(register), limits=Limits(3, 50), actor=factories.user(), register=register)

    assert limits_of(register) == Limits(3, 50)
    assert len(claim()) == 3
    assert Pace.objects.get().rate_per_second == 50
    assert Action.objects.filter(kind="register_limits").count() == 1


@pytest.mark.parametrize("limits", [Limits(0, 5), Limits(1001, 5), Limits(16, -1), Limits(16, 101)])
def test_limits_that_cannot_be_are_refused_and_change_nothing(register: Register, limits: Limits) -> None:
    before = limits_of(register)

    with pytest.raises(Invalid):
        register_put(content=content(register, name="Иначе"), limits=limits, actor=None, register=register)

    assert limits_of(register) == before
    assert Register.objects.get().name == register.name


def test_a_live_register_has_always_a_rate(register: Register) -> None:
    with pytest.raises(Invalid) as refusal:
        register_put(content=content(register, provider="komtet", secret="s"), limits=Limits(16, 0), actor=None)

    assert refusal.value.code == "rate_per_second"


# --- late receipts ----------------------------------------------------------------------------------------------------


DAYS_AGO = timedelta(days=2)


def late(register: Register) -> Receipt:
    return sell(register, paid_at=clock.now() - DAYS_AGO)[-1]


def test_a_late_receipt_is_not_sent_and_says_so(register: Register) -> None:
    receipt = late(register)

    assert claim() == []

    state = ReceiptState.objects.get()
    assert (state.state, state.error_code, state.due_ms) == ("queued", LATE, None)
    assert not Attempt.objects.exists()
    assert list(waiting_for_person(LATE).values_list("pk", flat=True)) == [receipt.pk]
    assert writer.chain_is_whole(receipt.pk)
    assert lane_states()[0].late == 1


def test_a_receipt_just_within_the_day_goes(register: Register) -> None:
    sell(register, paid_at=clock.now() - timedelta(hours=23, minutes=59))

    assert len(claim()) == 1


def test_the_threshold_is_a_setting(register: Register, settings: object) -> None:
    settings.CHEKHOV_LATE_HOURS = 72  # type: ignore[attr-defined]
    late(register)

    assert len(claim()) == 1


def test_lateness_is_told_by_the_business_clock(register: Register) -> None:
    sell(register)

    with clock.moved(DAYS_AGO):
        assert claim() == []
    assert waiting_for_person(LATE).count() == 1


def test_an_unknown_outcome_is_asked_about_however_late(register: Register) -> None:
    sell(register)
    lose(claim_one())

    with clock.moved(DAYS_AGO):
        job = claim_one()
        assert job.kind is JobKind.ASK
        assert answer(job, accepted(job)) == "accepted"


def test_one_that_came_back_unsent_and_late_stops_here(register: Register) -> None:
    sell(register)
    lose(claim_one(), NOT_SENT)

    with clock.moved(DAYS_AGO):
        assert claim() == []
    assert waiting_for_person(LATE).count() == 1


def test_late_ones_hold_back_none_that_is_in_time(register: Register) -> None:
    sell(register, 30, paid_at=clock.now() - DAYS_AGO)
    fresh = sell(register)[-1]
    execute("UPDATE receipts_receiptstate SET due_ms = due_ms - 1000 WHERE receipt_id <> %s", [fresh.pk])

    jobs = Claimer(OWNER).claim(5)

    assert [job.receipt_id for job in jobs] == [fresh.pk]
    assert waiting_for_person(LATE).count() == 30


def test_sending_it_all_the_same_is_a_choice_with_a_reason(register: Register) -> None:
    receipt = late(register)
    claim()
    cashier = factories.user()
    with pytest.raises(Invalid):
        receipts_send_late(receipt_ids=[receipt.pk], actor=cashier, reason="")

    receipts_send_late(receipt_ids=[receipt.pk], actor=cashier, reason="касса чинилась")

    job = claim_one()
    lose(job, NOT_SENT)
    job = claim_one()  # the choice outlives a way back to the queue
    assert answer(job, accepted(job)) == "accepted"
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"
    event = ReceiptEvent.objects.get(reason="late_sent_anyway")
    assert (event.actor, event.text) == ("user:petrova", "касса чинилась")
    assert Action.objects.get(kind="receipt_send_late").summary == "касса чинилась"
    assert writer.chain_is_whole(receipt.pk)


def test_it_is_chosen_once(register: Register) -> None:
    receipt = late(register)
    claim()
    receipts_send_late(receipt_ids=[receipt.pk], actor=factories.user(), reason="касса чинилась")

    with pytest.raises(Conflict) as refusal:
        receipts_send_late(receipt_ids=[receipt.pk], actor=factories.user("ivanova"), reason="и я тоже")

    assert refusal.value.code == "not_late"
    assert Action.objects.filter(kind="receipt_send_late").count() == 1


def test_leaving_it_for_a_correction_lists_the_settlement(register: Register) -> None:
    receipt = late(register)
    claim()

    receipt_leave_for_correction(receipt=receipt, actor=factories.user(), reason="бухгалтер оформит коррекцию")

    assert ReceiptState.objects.get().state == "cancelled"
    fact = Obligation.objects.get().fact_id
    missing = fact_answers([fact])[fact].missing
    assert missing is not None
    assert missing.code == "needs_correction"
    assert "здесь чеков коррекции ещё нет" in missing.next_step, "no promise of what is not there"
    assert claim() == []


def test_a_late_receipt_may_be_cancelled_as_any_that_was_never_sent(register: Register) -> None:
    receipt = late(register)
    claim()

    receipt_cancel(receipt=receipt, actor=factories.user(), reason="ошибка в счёте")

    assert not waiting_for_person(LATE).exists()


def test_another_try_of_a_late_failure_is_the_choice(register: Register) -> None:
    receipt = sell(register)[0]
    through_to_failed()

    with clock.moved(DAYS_AGO):
        receipt_retry(receipt=Receipt.objects.select_related("obligation").get(), actor=factories.user())
        from tests.integration.delivering import failed

        asked = claim_one()
        assert answer(asked, failed(asked)) == "queued"
        job = claim_one()

    assert job.kind is JobKind.SEND
    assert "хотя чек опоздал" in Action.objects.get(kind="receipt_retry").summary
    assert receipt.pk == job.receipt_id


def test_whoever_makes_a_late_receipt_in_the_composer_confirms_it_and_has_chosen(register: Register) -> None:
    late(register)
    claim()
    receipt_leave_for_correction(receipt=Receipt.objects.get(), actor=factories.user(), reason="бухгалтер оформит")
    obligation = Obligation.objects.get()
    preview = receipt_preview(obligation=obligation, choices=Choices(register.pk), actor=None)
    assert "RECEIPT_LATE" in [item.code for item in preview.notices]
    with pytest.raises(Invalid) as refusal:
        receipt_form(obligation_id=obligation.pk, choices=Choices(register.pk), actor=factories.user("ivanova"))
    assert refusal.value.code == "needs_confirmation"

    receipt_form(
        obligation_id=obligation.pk, choices=Choices(register.pk, confirmed=True), actor=factories.user("sidorova")
    )

    assert claim_one().kind is JobKind.SEND


# --- clocks -----------------------------------------------------------------------------------------------------------


HOURS = 5 * 3_600_000


def test_a_clock_that_was_put_back_holds_no_lane_up(register: Register) -> None:
    sell(register)
    ahead = read_clock_ms() + HOURS
    Lane.objects.update(paused_until_ms=ahead, served_ms=ahead)
    Pace.objects.update(rate_per_second=5, next_slot_ms=ahead)

    assert is_work_due()
    assert len(claim()) == 1


@pytest.mark.parametrize("state", [Breaker.OPEN, Breaker.HALF_OPEN])
def test_a_clock_that_was_put_back_keeps_no_breaker_open(register: Register, state: Breaker) -> None:
    sell(register)
    ahead = read_clock_ms() + HOURS
    Lane.objects.update(breaker=state.value, open_until_ms=ahead, probe_until_ms=ahead)

    assert len(claim()) == 1


def test_a_clock_that_was_put_back_lets_no_receipt_wait_for_ever(register: Register) -> None:
    sell(register, 2)
    through = Claimer(OWNER).claim(1)[0]
    answer(through, accepted(through))
    execute("UPDATE receipts_receiptstate SET due_ms = due_ms + %s", [HOURS])

    assert waits_bound() == 2

    assert sorted(job.kind for job in Claimer(OWNER).claim(9)) == [JobKind.POLL, JobKind.SEND]
    assert waits_bound() == 0


def test_no_ordinary_wait_is_cut_short(register: Register) -> None:
    sell(register)
    execute("UPDATE receipts_receiptstate SET due_ms = %s", [read_clock_ms() + WAIT_MOST_MS - 60_000])

    assert waits_bound() == 0


def test_a_lease_from_before_the_clock_was_put_back_ends_and_nothing_is_sent_twice(register: Register) -> None:
    sell(register)
    job = claim_one()
    execute("UPDATE receipts_receiptstate SET lease_until_ms = lease_until_ms + %s", [HOURS])

    assert leases_expire() == 1

    repeated = claim_one("worker-2")
    assert (repeated.kind, repeated.key, repeated.body) == (JobKind.ASK, job.key, job.body)
    assert answer(repeated, accepted(repeated), "worker-2") == "accepted"
    assert answer(job, accepted(job)) == "accepted", "the first worker's answer does no harm"


def test_pending_hints_of_a_provider_are_bounded(register: Register) -> None:
    from dataclasses import replace

    sell(register)
    through_to_accepted()
    asked = claim_one()
    answer(asked, replace(PENDING, next_poll_seconds=10**9))

    due_ms = ReceiptState.objects.get().due_ms
    assert due_ms is not None
    assert due_ms <= read_clock_ms() + 3_600_000
