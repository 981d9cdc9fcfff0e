"""The provider misbehaves in every way that the emulator knows: each settlement still gets exactly one document."""

from __future__ import annotations

from typing import Any

import pytest

from chekhov.delivery.models import Attempt, Callback, Lane
from chekhov.delivery.requests import receipt_cancel, receipt_retry
from chekhov.receipts.models import Receipt, ReceiptEvent
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Hooks, Installation
from tests.faults.truth import all_in, assert_books_agree, hurry_all, printed, states

FISCALIZED = all_in(State.FISCALIZED)


def events(receipt: Receipt) -> list[str]:
    return list(ReceiptEvent.objects.filter(receipt=receipt).order_by("number").values_list("to_state", flat=True))


def outcomes() -> list[str]:
    return list(Attempt.objects.order_by("receipt_id", "number").values_list("outcome", flat=True))


def test_nothing_happens_to_a_healthy_provider(installation: Installation) -> None:
    installation.sell(5)

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=5)
    assert outcomes() == ["accepted"] * 5


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"fault": "drop", "when": "before", "count": 3}, id="cut before it is stored"),
        pytest.param({"fault": "drop", "when": "after", "count": 3}, id="cut after it is stored"),
        pytest.param({"fault": "half_answer", "count": 3}, id="half an answer"),
        pytest.param({"fault": "status", "status": 500, "when": "before", "count": 3}, id="500 before"),
        pytest.param({"fault": "status", "status": 500, "when": "after", "count": 3}, id="500 after"),
        pytest.param({"fault": "status", "status": 502, "when": "before", "count": 3}, id="502 HTML before"),
        pytest.param({"fault": "status", "status": 502, "when": "after", "count": 3}, id="502 HTML after"),
        pytest.param({"fault": "status", "status": 429, "when": "before", "count": 3}, id="429"),
        pytest.param({"fault": "status", "status": 302, "when": "before", "count": 3}, id="a redirect"),
        pytest.param({"fault": "latency", "ms": 1600, "when": "before", "count": 3}, id="slow before"),
        pytest.param({"fault": "latency", "ms": 1600, "when": "after", "count": 3}, id="slow after"),
        pytest.param({"fault": "no_service", "count": 3}, id="SRV00"),
        pytest.param({"fault": "unauthorised", "count": 3}, id="AUT00"),
    ],
)
def test_a_fault_of_the_post_neither_loses_nor_doubles(installation: Installation, fault: dict[str, Any]) -> None:
    installation.emulator.faults({**fault, "match": {"method": "POST"}})
    installation.sell(3)

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=3)
    assert installation.emulator.fault_list()[0]["hits"] == 3


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"fault": "drop", "count": 4}, id="cut"),
        pytest.param({"fault": "half_answer", "count": 4}, id="half an answer"),
        pytest.param({"fault": "status", "status": 500, "count": 4}, id="500"),
        pytest.param({"fault": "status", "status": 502, "count": 4}, id="502 HTML"),
        pytest.param({"fault": "status", "status": 404, "count": 4}, id="404"),
        pytest.param({"fault": "status", "status": 429, "count": 4}, id="429"),
        pytest.param({"fault": "latency", "ms": 1600, "count": 4}, id="slow"),
        pytest.param({"fault": "unauthorised", "count": 4}, id="AUT00"),
        pytest.param({"fault": "no_service", "count": 4}, id="SRV00"),
    ],
)
def test_a_fault_of_the_question_proves_nothing(installation: Installation, fault: dict[str, Any]) -> None:
    installation.emulator.faults({**fault, "match": {"method": "GET"}})
    installation.sell(2)

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=2)
    assert outcomes() == ["accepted"] * 2, "nothing is sent twice because a question was not answered"


def test_a_lost_answer_is_asked_for_under_the_same_key(installation: Installation) -> None:
    installation.emulator.faults({"fault": "drop", "when": "after", "count": 1, "match": {"method": "POST"}})
    installation.sell()

    installation.deliver(FISCALIZED)

    receipt = Receipt.objects.get()
    attempts = list(Attempt.objects.order_by("number"))
    assert events(receipt) == ["queued", "sending", "unknown", "accepted", "fiscalized"]
    assert [attempt.outcome for attempt in attempts] == ["unsure", "accepted"]
    assert {attempt.key for attempt in attempts} == {str(receipt.uuid)}
    assert len({bytes(attempt.body) for attempt in attempts} - {b""}) == 1, "the bytes of the first sending, no others"
    assert_books_agree(installation.emulator, facts=1)


def test_an_unanswered_sending_is_unknown_and_says_so(installation: Installation) -> None:
    installation.emulator.faults({"fault": "drop", "when": "before", "match": {"method": "POST"}})
    installation.sell()

    installation.deliver(all_in(State.UNKNOWN), patient=True)

    assert_books_agree(installation.emulator, settled=False)
    assert printed(installation.emulator) == []
    installation.emulator.clear_faults()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=1)


def test_a_provider_that_is_down_leaves_receipts_in_the_queue(installation: Installation) -> None:
    installation.emulator.kill()
    installation.sell(2)

    installation.deliver(lambda: outcomes().count("not_sent") >= 4)
    waiting = states()
    installation.emulator.start()
    installation.deliver(FISCALIZED)

    assert set(waiting) <= {"queued", "sending"}
    assert "unsure" not in outcomes()
    assert_books_agree(installation.emulator, facts=2)


def test_a_provider_killed_while_it_prints_gives_each_receipt_once(installation: Installation) -> None:
    installation.emulator.settings(print_delay_ms=400)
    installation.sell(6)

    installation.deliver(lambda: states()["accepted"] + states()["fiscalized"] == 6)
    installation.emulator.kill()
    installation.emulator.start()
    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=6)


def test_the_key_is_taken_but_the_task_is_not_named(installation: Installation) -> None:
    installation.emulator.faults(
        {"fault": "drop", "when": "after", "count": 1, "match": {"method": "POST"}},
        {"fault": "duplicate_without_task", "count": 2},
    )
    installation.sell()

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=1)


def test_a_service_without_money_rests_the_lane_and_loses_nothing(installation: Installation) -> None:
    installation.emulator.faults({"fault": "no_service"})
    installation.sell(3)

    installation.deliver(lambda: "refused" in outcomes(), patient=True)

    lane = Lane.objects.get()
    assert lane.pause_code == "SRV00"
    assert set(states()) == {"queued"}, "the document is not at fault"
    installation.emulator.clear_faults()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=3)


def test_too_many_requests_are_obeyed(installation: Installation) -> None:
    installation.emulator.faults({"fault": "status", "status": 429, "retry_after": 2, "count": 1})
    installation.sell(1)

    installation.deliver(FISCALIZED, patient=True)

    moved = list(ReceiptEvent.objects.order_by("number").values_list("to_state", "at"))
    refused_at = next(at for state, at in moved[1:] if state == "queued")
    again_at = [at for state, at in moved if state == "sending"][1]
    assert (again_at - refused_at).total_seconds() >= 1.9
    assert_books_agree(installation.emulator, facts=1)


def test_figures_of_another_receipt_never_make_it_fiscalized(installation: Installation) -> None:
    installation.emulator.faults({"fault": "wrong_total", "total": "0.01", "count": 1})
    installation.sell()

    installation.deliver(lambda: Receipt.objects.get().status.error_code != "")

    status = Receipt.objects.get().status
    assert status.state == State.ACCEPTED
    assert status.error_code == "FISCAL_MISMATCH"
    installation.deliver(lambda: True)
    assert Receipt.objects.get().status.due_ms is None, "it waits for a person, not for the clock"
    assert len(installation.emulator.receipts()) == 1


def test_done_without_figures_is_not_fiscalized(installation: Installation) -> None:
    installation.emulator.faults({"fault": "no_fiscal_data", "count": 1})
    installation.sell()

    installation.deliver(lambda: Receipt.objects.get().status.polls >= 3)

    assert set(states()) == {"accepted"}
    assert len(installation.emulator.receipts()) == 1


def test_a_stuck_task_is_asked_for_and_never_sent_again(installation: Installation) -> None:
    installation.emulator.faults({"fault": "stuck", "count": 1})
    installation.sell()

    installation.deliver(lambda: Receipt.objects.get().status.polls >= 3)

    assert set(states()) == {"accepted"}
    assert outcomes() == ["accepted"]


def test_a_passive_queue_keeps_receipts_until_its_register_wakes(installation: Installation) -> None:
    installation.emulator.faults({"fault": "passive"})
    installation.sell(2)

    installation.deliver(lambda: states()["accepted"] == 2)
    installation.emulator.clear_faults()
    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=2)


# --- a register's error, and what people do then ----------------------------------------------------------------------


def fail(installation: Installation) -> Receipt:
    installation.sell()
    installation.deliver(all_in(State.FAILED))
    return Receipt.objects.get()


def test_a_failed_receipt_waits_for_a_person(installation: Installation) -> None:
    installation.emulator.faults({"fault": "paper_out"})
    receipt = fail(installation)

    hurry_all()
    installation.deliver(lambda: True)

    assert receipt.status.due_ms is None
    assert outcomes() == ["accepted"]
    assert_books_agree(installation.emulator, settled=False)


def test_the_old_task_is_asked_before_a_new_key_is_used(installation: Installation) -> None:
    installation.emulator.faults({"fault": "device_error", "count": 1})
    receipt = fail(installation)

    receipt_retry(receipt=receipt, actor=factories.user())
    installation.deliver(FISCALIZED)

    first, second = installation.emulator.receipts()
    assert first["external_id"] == str(receipt.uuid)
    assert second["external_id"] != first["external_id"]
    assert (first["state"], second["state"]) == ("error", "done")
    assert Receipt.objects.get().status.key_number == 2
    assert events(receipt) == ["queued", "sending", "accepted", "failed", "queued", "sending", "accepted", "fiscalized"]
    assert_books_agree(installation.emulator, facts=1)


def test_an_error_that_became_a_receipt_meanwhile_is_not_repeated(installation: Installation) -> None:
    installation.emulator.faults({"fault": "late_done", "delay_ms": 700, "count": 1})
    receipt = fail(installation)
    installation.deliver(lambda: bool(printed(installation.emulator)))

    receipt_retry(receipt=receipt, actor=factories.user())
    installation.deliver(FISCALIZED)

    assert len(installation.emulator.receipts()) == 1, "the wish was not needed: the old task lived after all"
    assert_books_agree(installation.emulator, facts=1)


def test_a_wish_waits_while_the_provider_cannot_be_asked(installation: Installation) -> None:
    installation.emulator.faults({"fault": "device_error", "count": 1})
    receipt = fail(installation)
    installation.emulator.faults({"fault": "status", "status": 500, "match": {"method": "GET"}})

    receipt_retry(receipt=receipt, actor=factories.user())
    installation.deliver(lambda: installation.emulator.fault_list()[-1]["hits"] >= 3)

    assert outcomes() == ["accepted"], "no new key without the old one's answer"
    assert Receipt.objects.get().status.wanted == "retry"
    installation.emulator.clear_faults()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=1)


def test_a_failed_receipt_is_cancelled_after_one_more_question(installation: Installation) -> None:
    installation.emulator.faults({"fault": "device_error", "count": 1})
    receipt = fail(installation)

    receipt_cancel(receipt=receipt, actor=factories.user(), reason="Пробили на другой кассе")
    installation.deliver(all_in(State.CANCELLED))

    assert_books_agree(installation.emulator, settled=False)
    assert printed(installation.emulator) == []


def test_cancelling_does_not_hide_a_receipt_that_exists(installation: Installation) -> None:
    installation.emulator.faults({"fault": "late_done", "delay_ms": 500, "count": 1})
    receipt = fail(installation)
    installation.deliver(lambda: bool(printed(installation.emulator)))

    receipt_cancel(receipt=receipt, actor=factories.user(), reason="Пробили на другой кассе")
    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=1)


def test_refused_credentials_for_a_second_key_refuse_no_document(installation: Installation) -> None:
    installation.emulator.faults({"fault": "device_error", "count": 1})
    receipt = fail(installation)
    installation.emulator.faults({"fault": "unauthorised", "count": 1, "match": {"method": "POST"}})

    receipt_retry(receipt=receipt, actor=factories.user())
    installation.deliver(FISCALIZED)

    assert "refused" not in events(receipt)
    assert_books_agree(installation.emulator, facts=1)


# --- notifications ----------------------------------------------------------------------------------------------------


def test_a_notification_shortens_the_wait(installation: Installation, hooks: Hooks) -> None:
    installation.sell()

    installation.deliver(FISCALIZED, seconds=2.5, patient=True)

    assert_books_agree(installation.emulator, facts=1)


@pytest.mark.parametrize(
    "fault",
    [
        "callback_early",
        "callback_duplicate",
        "callback_late",
        "callback_missing",
        "callback_forged",
        "callback_unsigned",
        "callback_wrong_url",
        "callback_out_of_order",
    ],
)
def test_notifications_may_misbehave_as_they_like(installation: Installation, hooks: Hooks, fault: str) -> None:
    installation.emulator.faults({"fault": fault})
    installation.sell(3)

    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=3)


def test_a_notification_before_the_answer_is_not_forgotten(installation: Installation, hooks: Hooks) -> None:
    installation.emulator.faults({"fault": "callback_early"})
    installation.sell()

    installation.deliver(FISCALIZED, seconds=2.5, patient=True)

    assert Callback.objects.get().effect == "early"
    assert_books_agree(installation.emulator, facts=1)


def test_a_forged_notification_leads_to_nothing(installation: Installation, hooks: Hooks) -> None:
    installation.emulator.faults({"fault": "callback_forged"}, {"fault": "stuck", "count": 1, "skip": 1})
    installation.sell(1)

    installation.deliver(lambda: 403 in hooks.statuses)

    assert Callback.objects.get().effect == "none"
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=1)


# --- several at once --------------------------------------------------------------------------------------------------


def test_one_slow_answer_holds_back_none(installation: Installation, hooks: Hooks) -> None:
    slow = installation.sell(1)[0].answer.receipts[0].id
    rule = {"fault": "latency", "ms": 900, "when": "after", "match": {"external_id": str(slow), "method": "POST"}}
    installation.emulator.faults(rule)
    installation.sell(10)

    installation.deliver(FISCALIZED, patient=True)

    accepted = dict(ReceiptEvent.objects.filter(to_state="accepted").values_list("receipt__uuid", "at"))
    answered_at = accepted.pop(slow)
    assert len(accepted) == 10
    assert max(accepted.values()) < answered_at
    assert_books_agree(installation.emulator, facts=11)


def test_everything_at_once_by_chance(installation: Installation, hooks: Hooks) -> None:
    installation.emulator.faults(
        {"fault": "drop", "when": "after", "chance": 15, "seed": 1, "match": {"method": "POST"}},
        {"fault": "drop", "when": "before", "chance": 15, "seed": 2},
        {"fault": "status", "status": 502, "when": "after", "chance": 15, "seed": 3, "match": {"method": "POST"}},
        {"fault": "status", "status": 429, "chance": 10, "seed": 4},
        {"fault": "half_answer", "chance": 15, "seed": 5},
        {"fault": "callback_missing", "chance": 30, "seed": 6},
        {"fault": "callback_duplicate", "chance": 30, "seed": 7},
        {"fault": "duplicate_without_task", "chance": 30, "seed": 8},
    )
    installation.sell(60)

    installation.deliver(FISCALIZED, seconds=25)

    assert_books_agree(installation.emulator, facts=60)
