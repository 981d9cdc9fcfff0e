"""The worst order of all: the first sending was stored, its answer lost, the repeat refused, and a person gives up."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.delivery.models import Attempt
from chekhov.delivery.requests import receipt_absent, receipt_cancel
from chekhov.errors import Conflict
from chekhov.people.models import User
from chekhov.receipts.composing import Choices, receipt_form
from chekhov.receipts.models import Incident, Obligation, Receipt
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Installation, Mailbox
from tests.faults.truth import all_in, assert_books_agree, hurry_all, printed

FISCALIZED = all_in(State.FISCALIZED)
LOST = {"fault": "drop", "when": "after", "count": 1, "match": {"method": "POST"}}
REFUSED = {"fault": "no_service", "skip": 1, "match": {"method": "POST"}}


def lose_and_refuse(installation: Installation) -> Receipt:
    """One receipt that exists, whose sending was not answered and whose repeat was refused."""
    installation.emulator.faults(LOST, REFUSED)
    installation.sell()
    installation.deliver(lambda: Attempt.objects.filter(outcome="refused").exists())
    receipt = Receipt.objects.get()
    assert receipt.status.state == State.UNKNOWN
    assert len(printed(installation.emulator)) == 1
    return receipt


def test_what_may_exist_cannot_be_cancelled(installation: Installation) -> None:
    receipt = lose_and_refuse(installation)

    with pytest.raises(Conflict) as refusal:
        receipt_cancel(receipt=receipt, actor=factories.user(), reason="Покупатель ждёт")

    assert refusal.value.code == "not_cancellable"
    installation.emulator.clear_faults()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=1)


def cancel_on_a_false_word(receipt: Receipt) -> None:
    """Long after the last sending a person says that the cabinet has no such receipt, which is not so, and cancels."""
    person = factories.user()
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="В кабинете не видно")
    receipt_cancel(receipt=receipt, actor=person, reason="Не дождались")


def test_a_notification_brings_a_cancelled_receipt_back(installation: Installation, mailbox: Mailbox) -> None:
    receipt = lose_and_refuse(installation)
    cancel_on_a_false_word(receipt)

    mailbox.deliver()
    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=1)


def test_a_receipt_that_has_taken_its_place_meanwhile_makes_it_an_incident(
    installation: Installation, mailbox: Mailbox
) -> None:
    """Nothing can undo two documents. They are said aloud."""
    receipt = lose_and_refuse(installation)
    cancel_on_a_false_word(receipt)
    person = User.objects.get()
    choices = Choices(installation.register.pk, confirmed=True)
    second = receipt_form(obligation_id=Obligation.objects.get().pk, choices=choices, actor=person)
    installation.emulator.clear_faults()

    installation.deliver(lambda: Receipt.objects.get(pk=second.pk).status.state == State.FISCALIZED)
    mailbox.deliver(2)
    installation.deliver(lambda: Incident.objects.filter(closed_at__isnull=True).exists())

    assert Incident.objects.get().receipt == receipt
    assert len(printed(installation.emulator)) == 2


def test_a_notification_about_a_refused_receipt_stops_a_second_one(
    installation: Installation, mailbox: Mailbox
) -> None:
    receipt = lose_and_refuse(installation)
    person = factories.user()
    with time_machine.travel(now() + timedelta(hours=1)):
        receipt_absent(receipt=receipt, actor=person, reason="В кабинете не видно")

    mailbox.deliver()

    assert Incident.objects.get(closed_at__isnull=True).receipt == receipt
    receipt_cancel(receipt=receipt, actor=person, reason="Не дождались")
    choices = Choices(installation.register.pk, confirmed=True)
    with pytest.raises(Conflict) as refusal:
        receipt_form(obligation_id=Obligation.objects.get().pk, choices=choices, actor=person)
    assert refusal.value.code == "asked_again"
    hurry_all()
    assert len(printed(installation.emulator)) == 1
