"""Clocks jump: the database's (leases, waits) and the business clock (dates on receipts). Neither loses nor doubles.

The database's clock cannot be set by a test. What a jump changes is the distance between "now" and the times that are
stored, so the stored times are moved instead.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from chekhov.config.clock import now
from chekhov.config.database import execute, writing
from chekhov.delivery.claims import Claimer
from chekhov.delivery.worker import lanes_ensure, leases_expire
from chekhov.receipts.models import ReceiptEvent
from chekhov.receipts.states import State
from tests.faults.conftest import Installation
from tests.faults.truth import all_in, assert_books_agree, states

FISCALIZED = all_in(State.FISCALIZED)
DAY_MS = 86_400_000


def jump(by_ms: int) -> None:
    """The database's clock stands so much later (or, negative, earlier) from now on."""
    with writing():
        execute(
            "UPDATE receipts_receiptstate SET due_ms = due_ms - %s, lease_until_ms = lease_until_ms - %s",
            [by_ms, by_ms],
        )
        execute(
            "UPDATE delivery_lane SET paused_until_ms = CASE WHEN paused_until_ms > 0 THEN paused_until_ms - %s "
            "ELSE 0 END, served_ms = CASE WHEN served_ms > 0 THEN served_ms - %s ELSE 0 END",
            [by_ms, by_ms],
        )
        execute("UPDATE delivery_pace SET next_slot_ms = next_slot_ms - %s WHERE next_slot_ms > 0", [by_ms])
        execute("UPDATE delivery_workerbeat SET seen_ms = seen_ms - %s", [by_ms])


def test_a_jump_forward_ends_leases_that_are_alive(installation: Installation) -> None:
    """Everybody is asked for again, under the same keys, while the first workers still hold their answers."""
    installation.emulator.faults({"fault": "latency", "ms": 700, "when": "after", "match": {"method": "POST"}})
    installation.sell(4)
    jumped: list[bool] = []

    def once() -> None:
        if not jumped and states()["sending"] == 4:
            jump(DAY_MS)
            jumped.append(True)

    installation.deliver(FISCALIZED, workers=2, meanwhile=once)

    assert jumped
    assert_books_agree(installation.emulator, facts=4)


def test_a_jump_back_does_not_leave_receipts_waiting_for_the_day_that_comes_twice(installation: Installation) -> None:
    installation.sell(3)
    lanes_ensure()
    assert len(Claimer("dead").claim(1)) == 1

    jump(-DAY_MS)
    leases_expire()
    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=3)


@pytest.mark.parametrize("hours", [-30, 30])
def test_the_business_clock_jumps_between_sending_and_asking(installation: Installation, hours: int) -> None:
    """The document is what was sent: its date does not follow the clock, and a repeat carries the same bytes."""
    installation.emulator.faults({"fault": "drop", "when": "after", "count": 2, "match": {"method": "POST"}})
    installation.sell(2)
    installation.deliver(all_in(State.UNKNOWN), patient=True)

    with time_machine.travel(now() + timedelta(hours=hours)):
        installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=2)
    assert ReceiptEvent.objects.filter(reason="adopted").count() == 2
