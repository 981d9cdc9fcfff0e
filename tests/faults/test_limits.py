"""Limits, breaker and stand-by against real registers: one that hangs, one that is away, one that comes back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chekhov.config.database import execute, read_clock_ms
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.models import Attempt, Breaker, Lane, Pace
from chekhov.delivery.standby import standby_serve
from chekhov.emulator import Switches
from chekhov.emulator.testing import EmulatorProcess
from chekhov.receipts.models import Obligation, Receipt, ReceiptEvent, ReceiptState
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from tests import factories
from tests.faults.conftest import Installation
from tests.faults.truth import all_in, assert_books_agree, printed

FISCALIZED = all_in(State.FISCALIZED)


@pytest.fixture(scope="module")
def second_process() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(shop="second-shop", secret="second-secret", queue=888) as running:
        yield running


@pytest.fixture
def second(installation: Installation, second_process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    """Another provider's address, sound."""
    second_process.start()
    second_process.reset()
    second_process.settings(**Switches().as_dict(), pickup_delay_ms=0, print_delay_ms=0)
    yield second_process
    second_process.start()


@pytest.fixture(autouse=True)
def _lanes(installation: Installation) -> None:
    """What a worker makes in its first two seconds."""
    lanes_ensure()


def beside(installation: Installation, emulator: EmulatorProcess, **values: Any) -> Register:
    """A register at the other provider, of a region of its own unless told otherwise."""
    if "region_id" not in values:
        region = factories.region("spb", installation.register.organization)
        values |= {"region_id": region.pk, "place_id": region.place_id}
    return factories.register(
        installation.region,
        name="Вторая",
        shop_id=emulator.shop,
        secret=emulator.secret,
        queue=emulator.queue,
        service_url=emulator.base_url,
        **values,
    )


def sell(register: Register, count: int) -> list[int]:
    """So many paid invoices of the register's region; the ids of their receipts."""
    buyer = factories.customer(register.region)
    line = factories.LineContent(name="Свеча зажигания", price="385.50", quantity="1")
    ids = [factories.pay(factories.invoice(buyer, line)).answer.receipts[0].id for _ in range(count)]
    return list(Receipt.objects.filter(uuid__in=ids).values_list("pk", flat=True))


def done(ids: list[int]) -> bool:
    return ReceiptState.objects.filter(pk__in=ids, state=State.FISCALIZED).count() == len(ids)


def test_a_register_that_hangs_does_not_slow_its_neighbour(
    installation: Installation, second: EmulatorProcess, settings: Any
) -> None:
    """The one takes every request and never answers. Whatever is sold at the other is printed within a second or so,
    from the first moment on and before any breaker can have opened."""
    settings.CHEKHOV_READ_TIMEOUT_SECONDS = 8
    settings.CHEKHOV_LEASE_SECONDS = 20
    settings.CHEKHOV_WORKER_IN_FLIGHT = 16
    good = beside(installation, second)
    installation.emulator.faults({"fault": "latency", "ms": 20_000, "when": "before", "match": {"method": "POST"}})
    sick = sell(installation.register, 60)
    waits: list[float] = []
    breakers: list[str] = []

    def three_sold_and_printed() -> bool:
        if ReceiptState.objects.filter(pk__in=sick, state=State.SENDING).count() < 10:
            return False  # the sick one has not taken its places yet
        for _ in range(3):
            began = time.monotonic()
            ids = sell(good, 1)
            while not done(ids):
                assert time.monotonic() - began < 7.5, "the good register waits for the sick one"
                execute("UPDATE receipts_receiptstate SET due_ms = %s WHERE state = 'accepted'", [read_clock_ms()])
                time.sleep(0.02)
            waits.append(time.monotonic() - began)
        breakers.append(Lane.objects.get(queue=777).breaker)
        return True

    installation.deliver(three_sold_and_printed, seconds=25, patient=True)

    assert sorted(waits)[1] < 2, waits  # the machine may stumble once
    assert breakers == [Breaker.CLOSED], "it was the places, not the breaker"
    assert ReceiptState.objects.filter(pk__in=sick, state=State.FISCALIZED).count() == 0
    installation.emulator.kill()


def test_a_service_that_is_away_is_asked_by_single_probes_and_taken_back(installation: Installation) -> None:
    installation.emulator.kill()
    installation.sell(20)

    installation.deliver(lambda: Lane.objects.get().openings >= 2, seconds=20, patient=True)

    tried = Attempt.objects.count()
    assert tried <= 20 + 3, "after the first crowd one at a time"
    installation.emulator.start()
    installation.deliver(FISCALIZED, seconds=30)
    assert_books_agree(installation.emulator, facts=20)
    assert Lane.objects.get().breaker == Breaker.CLOSED


def test_pages_of_html_and_time_outs_open_the_breaker(installation: Installation) -> None:
    installation.emulator.faults({"fault": "status", "status": 502, "when": "before", "match": {"method": "POST"}})
    installation.sell(8)

    installation.deliver(lambda: Lane.objects.get().breaker != Breaker.CLOSED, patient=True)

    assert Lane.objects.get().breaker_text
    installation.emulator.clear_faults()
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=8)


def test_after_three_months_off_line_it_drains_in_order_at_its_rate_without_a_spike(
    installation: Installation, settings: Any
) -> None:
    """Three months are three seconds of silence here, the rate is a live register's ten times over."""
    settings.CHEKHOV_LATE_HOURS = 8760
    installation.sell(30)
    now_ms = read_clock_ms()
    rows = list(ReceiptState.objects.order_by("pk").values_list("pk", flat=True))
    for place, pk in enumerate(rows):  # sold over three months, the later ones first in the table
        execute(
            "UPDATE receipts_receiptstate SET due_ms = %s WHERE receipt_id = %s",
            [now_ms - (place + 1) * 3 * 86_400_000, pk],
        )
    by_time = list(reversed(rows))
    Lane.objects.update(in_flight_max=8)
    installation.emulator.kill()
    installation.deliver(lambda: Lane.objects.get().breaker != Breaker.CLOSED, patient=True)
    Pace.objects.update(rate_per_second=10)
    installation.emulator.start()
    before = Attempt.objects.count()
    began = time.monotonic()

    installation.deliver(lambda: not ReceiptState.objects.filter(state=State.QUEUED).exists(), seconds=40, patient=True)

    assert time.monotonic() - began > 2, "30 receipts at ten requests a second, and the questions beside them"
    assert before <= 25
    sent = list(
        Attempt.objects.filter(outcome="accepted").order_by("sent_at", "pk").values_list("receipt_id", "sent_at")
    )
    assert [receipt_id for receipt_id, _ in sent] == by_time, "the oldest first, those that had been tried before too"
    for start, (_, first) in enumerate(sent):
        within = [at for _, at in sent[start:] if (at - first).total_seconds() < 1]
        assert len(within) <= 20, "at most the allowance of a second and the one saved up"
    Pace.objects.update(rate_per_second=0)
    installation.deliver(FISCALIZED)
    assert_books_agree(installation.emulator, facts=30)


def test_a_stand_by_register_prints_what_the_first_never_had(
    installation: Installation, second: EmulatorProcess
) -> None:
    """The first dies with answers under way. What it may have waits for it; the rest is printed by the other."""
    place, region = installation.region.place_id, installation.region.pk
    other = beside(installation, second, region_id=region, place_id=place, active_online=False)
    Register.objects.filter(pk=installation.register.pk).update(standby=other, standby_after_minutes=1)
    installation.emulator.faults({"fault": "drop", "when": "after", "count": 3, "match": {"method": "POST"}})
    installation.emulator.faults({"fault": "status", "status": 503, "when": "before"})
    lost = [receipt.answer.receipts[0].id for receipt in installation.sell(3)]
    installation.deliver(all_in(State.UNKNOWN), patient=True)
    installation.emulator.kill()
    installation.sell(12)
    installation.deliver(
        lambda: (
            ReceiptEvent.objects.filter(reason="not_sent").count() >= 3
            or Lane.objects.get(queue=777).breaker != Breaker.CLOSED
        ),
        patient=True,
    )
    Lane.objects.filter(queue=777).update(
        breaker=Breaker.OPEN.value, open_until_ms=read_clock_ms() + 60_000, broken_since_ms=read_clock_ms() - 120_000
    )

    def twelve_printed() -> bool:
        execute(
            "UPDATE delivery_lane SET open_until_ms = %s WHERE queue = 777 AND breaker <> 'closed'",
            [read_clock_ms() + 60_000],
        )
        return len(printed(second)) == 12

    installation.deliver(twelve_printed, seconds=30, patient=True)

    assert set(Receipt.objects.filter(status__queue=777).values_list("uuid", flat=True)) == set(lost)
    keys_of_both = [{task["external_id"] for task in emulator} for emulator in ([], second.receipts())]
    installation.emulator.start()
    installation.emulator.clear_faults()
    execute("UPDATE delivery_lane SET open_until_ms = 0")
    installation.deliver(FISCALIZED, seconds=30)
    assert standby_serve() == 0
    first_keys = {task["external_id"] for task in printed(installation.emulator)}
    second_keys = {task["external_id"] for task in printed(second)}
    assert len(first_keys) == 3
    assert len(second_keys) == 12
    assert not first_keys & second_keys
    assert keys_of_both[1] == second_keys
    assert Obligation.objects.count() == 15
    for key, rows in itertools.groupby(
        Attempt.objects.exclude(body=b"").order_by("key").values_list("key", "body"), key=lambda row: row[0]
    ):
        assert len({bytes(body) for _, body in rows}) == 1, f"one key, one body: {key}"
