"""A task that was said to have failed prints after all, while something else is being done about its fact."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.delivery.limits import lane_resume, lane_stop
from chekhov.delivery.models import Attempt
from chekhov.delivery.requests import incident_settle, receipt_absent, receipt_cancel, receipt_retry
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import Incident, Obligation, Receipt
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Hooks, Installation, Mailbox
from tests.faults.test_cancelled import lose_and_refuse
from tests.faults.truth import all_in, assert_books_agree, printed

FISCALIZED = all_in(State.FISCALIZED)
PRINTS_LATE = {"fault": "late_done", "delay_ms": 3_600_000, "count": 1}  # or when a rule is deleted
TOO_OFTEN = (
    {"fault": "latency", "ms": 900, "match": {"method": "POST"}},
    {"fault": "status", "status": 429, "retry_after": 1, "match": {"method": "POST"}},
)
NEVER_ARRIVES = ({"fault": "drop", "when": "before", "match": {"method": "POST"}},)


def incident_is_open() -> bool:
    return Incident.objects.filter(closed_at__isnull=True).exists()


def settle() -> None:
    """A person has looked into it."""
    incident_settle(
        incident=Incident.objects.get(closed_at__isnull=True),
        actor=factories.user("auditor"),
        note="В кабинете один чек",
    )


def fail_and_retry(installation: Installation, faults: tuple[dict[str, object], ...]) -> Receipt:
    """A failed receipt is tried again, which comes to nothing; then the old task prints."""
    (rule,) = installation.emulator.faults(PRINTS_LATE)
    installation.sell()
    installation.deliver(all_in(State.FAILED), seconds=10)
    receipt = Receipt.objects.get()
    installation.emulator.faults(*faults)
    receipt_retry(receipt=receipt, actor=factories.user())
    installation.deliver(lambda: Attempt.objects.filter(key_number=2).exclude(outcome="").exists(), seconds=15)
    installation.emulator.clear_faults(rule["id"])
    installation.deliver(lambda: len(printed(installation.emulator)) == 1, seconds=15)
    return receipt


def test_a_next_key_that_came_back_unsent_is_not_sent_again(installation: Installation, hooks: Hooks) -> None:
    fail_and_retry(installation, TOO_OFTEN)
    installation.emulator.clear_faults()

    installation.deliver(FISCALIZED, seconds=15)

    if incident_is_open():  # the word came while the next key was under way
        settle()
    assert_books_agree(installation.emulator, facts=1)


def test_a_next_key_of_unknown_outcome_is_not_repeated(installation: Installation, hooks: Hooks) -> None:
    receipt = fail_and_retry(installation, NEVER_ARRIVES)
    installation.deliver(incident_is_open, seconds=15)
    installation.emulator.clear_faults()
    installation.deliver(lambda: Receipt.objects.get().status.error_code == "person_decides", seconds=15)
    assert len(printed(installation.emulator)) == 1

    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=factories.user("owner"), reason="Второго в кабинете нет", send_again=True)
    installation.deliver(FISCALIZED, seconds=15)
    settle()

    assert_books_agree(installation.emulator, facts=1)


def test_one_formed_anew_and_never_sent_gives_way(installation: Installation, hooks: Hooks) -> None:
    installation.emulator.faults(PRINTS_LATE)
    installation.sell()
    installation.deliver(all_in(State.FAILED), seconds=10)
    person, register = factories.user(), installation.register
    receipt_cancel(receipt=Receipt.objects.get(), actor=person, reason="Касса сломалась")
    installation.deliver(all_in(State.CANCELLED), seconds=10)
    lane_stop(register=register, actor=person, reason="Меняют ленту")
    choices = Choices(register.pk, confirmed=True)
    new = receipt_form(obligation_id=Obligation.objects.get().pk, choices=choices, actor=person)
    installation.emulator.clear_faults()
    installation.deliver(lambda: Receipt.objects.get(pk=new.pk).status.state == State.CANCELLED, seconds=15)
    lane_resume(register=register, actor=person, reason="Лента на месте")

    installation.deliver(lambda: Receipt.objects.filter(status__state=State.FISCALIZED).count() == 1, seconds=15)

    assert not Attempt.objects.filter(receipt=new).exists()
    assert_books_agree(installation.emulator, facts=1)


@pytest.mark.parametrize("closes", [True, False], ids=["after closing the incident", "with the incident open"])
def test_one_refused_on_a_false_word_becomes_what_it_is(
    installation: Installation, mailbox: Mailbox, closes: bool
) -> None:
    receipt = lose_and_refuse(installation)
    person = factories.user()
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="В кабинете не видно")
    mailbox.deliver()
    installation.emulator.clear_faults()
    if closes:
        incident_settle(incident=Incident.objects.get(), actor=person, note="Чек в кабинете есть, пробит")

    receipt_cancel(receipt=receipt, actor=person, reason="Больше с ним ничего не сделать")
    installation.deliver(FISCALIZED, seconds=15)

    if not closes:
        settle()
    assert_books_agree(installation.emulator, facts=1)


def test_a_task_that_an_early_notification_named_is_not_forgotten(installation: Installation, hooks: Hooks) -> None:
    """The POST's answer is lost, and the repeat is told that the key is taken, but not by which task."""
    installation.emulator.faults(
        {"fault": "callback_early"},
        {"fault": "drop", "when": "after", "count": 1, "match": {"method": "POST"}},
        {"fault": "duplicate_without_task"},
    )
    installation.sell()

    installation.deliver(FISCALIZED, seconds=15)

    assert_books_agree(installation.emulator, facts=1)
