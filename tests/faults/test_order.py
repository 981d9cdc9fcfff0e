"""A receipt that follows another never overtakes it, whatever happens to the first.

Nothing sets `after` yet: refunds will. The column is set here by hand, as their room will set it.
"""

from __future__ import annotations

import pytest
from django.db import connection

from chekhov.config import immutability
from chekhov.delivery.models import Attempt
from chekhov.delivery.requests import receipt_retry
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Installation
from tests.faults.truth import all_in, assert_books_agree, states

FISCALIZED = all_in(State.FISCALIZED)


def sell_and_follow(installation: Installation) -> tuple[Receipt, Receipt]:
    """Two receipts of which the second must wait for the first. A receipt is immutable: its triggers are put aside."""
    installation.sell(2)
    first, second = Receipt.objects.order_by("pk")
    immutability.remove()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE receipts_receipt SET after_id = %s WHERE id = %s", [first.pk, second.pk])
    immutability.reinstall()
    return first, second


def printed_in_order(installation: Installation) -> list[str]:
    done = [task for task in installation.emulator.receipts() if task["state"] == "done"]
    return [task["external_id"] for task in sorted(done, key=lambda task: int(task["fiscal_data"]["i"]))]


def test_the_follower_is_printed_after_its_sale(installation: Installation) -> None:
    installation.emulator.settings(print_delay_ms=300)
    first, second = sell_and_follow(installation)

    installation.deliver(FISCALIZED)

    assert printed_in_order(installation) == [str(first.uuid), str(second.uuid)]
    assert_books_agree(installation.emulator, facts=2)


@pytest.mark.parametrize(
    ("fault", "stands"),
    [
        ({"fault": "drop", "when": "after", "match": {"method": "POST"}}, "unknown"),
        ({"fault": "stuck"}, "accepted"),
        ({"fault": "no_service"}, "queued"),
        ({"fault": "device_error"}, "failed"),
    ],
)
def test_the_follower_is_not_even_sent_while_its_sale_is_not_settled(
    installation: Installation, fault: dict[str, object], stands: str
) -> None:
    installation.emulator.faults(fault)
    first, second = sell_and_follow(installation)

    installation.deliver(
        lambda: Attempt.objects.filter(receipt=first).exclude(outcome="").exists() and states()[stands] >= 1
    )
    installation.deliver(lambda: True)

    assert Receipt.objects.get(pk=first.pk).status.state == stands
    assert Receipt.objects.get(pk=second.pk).status.state == State.QUEUED
    assert not Attempt.objects.filter(receipt=second).exists()
    installation.emulator.clear_faults()
    installation.emulator.kill()  # releases what was stuck
    installation.emulator.start()
    if stands == "failed":
        receipt_retry(receipt=first, actor=factories.user())
    installation.deliver(FISCALIZED)
    order = printed_in_order(installation)
    assert order[1] == str(second.uuid)
    assert_books_agree(installation.emulator, facts=2)
