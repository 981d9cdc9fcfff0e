"""The stand-by register: what may stand by, what moves and when, and that no key ever means two bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from chekhov.config.database import execute, read_clock_ms
from chekhov.delivery.absence import absence_write
from chekhov.delivery.channels import Channels
from chekhov.delivery.claims import Claimer
from chekhov.delivery.jobs import Channel, JobKind, Result, key_of
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.leases import leases_expire
from chekhov.delivery.limits import lane_stop
from chekhov.delivery.models import Absence, Attempt, Breaker, Lane
from chekhov.delivery.requests import incident_settle
from chekhov.delivery.results import results_commit
from chekhov.delivery.standby import STAYS, standby_serve
from chekhov.delivery.watching import access_note, lanes_to_ask
from chekhov.directory.models import Place
from chekhov.drivers.access import AccessReport, AccessState
from chekhov.drivers.contract import ErrorKind
from chekhov.errors import Invalid
from chekhov.fiscal.codec import load as read
from chekhov.fiscal.vocabulary import RegisterVatRate, TaxSystem
from chekhov.receipts import writer
from chekhov.receipts.models import Incident, Receipt, ReceiptEvent, ReceiptState
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.registers.services import RegisterContent, register_archive, register_save
from tests import factories
from tests.integration.delivering import (
    LOST,
    NOT_SENT,
    OWNER,
    accepted,
    answer,
    claim,
    claim_one,
    done,
    failed,
    refused,
    through_to_failed,
)
from tests.integration.test_callbacks import notify

pytestmark = pytest.mark.django_db
MINUTES = 60_000


@pytest.fixture
def standby() -> Register:
    region = factories.region("msk", factories.organization())
    return factories.register(region, queue=778, name="Запасная", shop_id="other-shop")


@pytest.fixture
def first(standby: Register) -> Register:
    found = factories.register(standby.region, name="Основная", standby_id=standby.pk, active_online=True)
    standby.active_online = False
    standby.save(update_fields=["active_online"])
    lanes_ensure()
    return found


def sell(register: Register, count: int = 1) -> list[Receipt]:
    buyer = factories.customer(register.region)
    for _ in range(count):
        factories.pay(factories.invoice(buyer))
    return list(Receipt.objects.order_by("pk"))


def down(register: Register, minutes: int = 16, **values: Any) -> None:
    """The register's breaker has been open for so long."""
    now_ms = read_clock_ms()
    fields = {"breaker": Breaker.OPEN.value, "open_until_ms": now_ms + 300_000, **values}
    since = {"broken_since_ms": now_ms - minutes * MINUTES} if "broken_since_ms" not in fields else {}
    Lane.objects.filter(account=register.account, queue=register.queue).update(**fields, **since)


def asked_about(queue: int) -> Channel:
    return next(channel for channel in lanes_to_ask(Claimer(OWNER)) if channel.queue == queue)


def queues() -> list[int]:
    return list(ReceiptState.objects.order_by("pk").values_list("queue", flat=True))


def content(register: Register, **values: Any) -> RegisterContent:
    fields: dict[str, Any] = {
        "provider": "test",
        "region_id": register.region_id,
        "name": register.name,
        "shop_id": register.account.shop_id,
        "queue": register.queue,
        "tax_system": TaxSystem.OSN,
        "vat_rate": RegisterVatRate.R22,
        "place_id": register.place_id,
        **values,
    }
    return RegisterContent(**fields)


# --- what may stand by ------------------------------------------------------------------------------------------------


def test_a_register_of_another_organization_is_refused(first: Register) -> None:
    other = factories.organization("tyres", inn=factories.OTHER_INN)
    foreign = factories.register(factories.region("spb", other), queue=9, shop_id="third")

    assert refusal_of(first, foreign) == "standby_other_organization"


def test_a_register_of_other_regions_is_refused(first: Register) -> None:
    spb = factories.region("spb", first.organization)
    other = factories.register(first.region, queue=9, shop_id="third", extra_region_ids=frozenset({spb.pk}))

    assert refusal_of(first, other) == "standby_other_regions"
    assert refusal_of(first, other, extra_region_ids=frozenset({spb.pk})) == ""


def test_a_register_at_another_address_is_refused(first: Register) -> None:
    place = Place.objects.create(organization=first.organization, name="Склад", address="г. msk, Заводская, 1")
    other = factories.register(first.region, queue=9, shop_id="third", place_id=place.pk)

    assert refusal_of(first, other) == "standby_other_place"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"internet_only": True}, "standby_internet_only"),
        ({"max_lines": 50}, "standby_narrower"),
        ({"ffd": 2}, "standby_other_ffd"),
    ],
)
def test_a_register_that_can_do_less_is_refused(first: Register, values: dict[str, Any], code: str) -> None:
    from chekhov.fiscal.vocabulary import Ffd

    if "ffd" in values:
        values = {"ffd": next(item for item in Ffd if item.value != first.ffd)}
    other = factories.register(first.region, queue=9, shop_id="third", **values)

    assert refusal_of(first, other) == code


def test_a_register_is_no_stand_by_of_itself_nor_of_its_own_device(first: Register) -> None:
    assert refusal_of(first, first) == "standby_itself"
    twin = factories.register(first.region, queue=first.queue, name="Та же")
    assert refusal_of(first, twin) == "standby_same_device"


def refusal_of(first: Register, standby: Register, **values: Any) -> str:
    """The code with which saving is refused, and then nothing has changed; empty when it is not."""
    before = Register.objects.get(pk=first.pk).standby_id
    try:
        register_save(content=content(first, standby_id=standby.pk, **values), actor=None, register=first)
    except Invalid as refusal:
        assert Register.objects.get(pk=first.pk).standby_id == before
        return refusal.code
    return ""


def test_a_stand_by_register_that_no_longer_fits_is_told_and_not_used(first: Register, standby: Register) -> None:
    spb = factories.region("spb", first.organization)
    saved = register_save(
        content=content(standby, extra_region_ids=frozenset({spb.pk}), active_online=False),
        actor=None,
        register=standby,
    )
    assert any("больше не подходит" in notice for notice in saved.notices)
    sell(first)
    down(first)

    assert standby_serve() == 0
    assert queues() == [777]


# --- what moves -------------------------------------------------------------------------------------------------------


def test_what_was_never_sent_moves_and_is_printed_there(first: Register, standby: Register) -> None:
    (receipt,) = sell(first)
    down(first)

    assert standby_serve() == 1

    job = claim_one()
    assert (job.channel.account_id, job.channel.queue) == (standby.account_id, standby.queue)
    assert job.key == str(receipt.uuid), "it was never sent: its first key is unused"
    assert answer(job, accepted(job)) == "accepted"
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"
    event = ReceiptEvent.objects.get(reason="moved_to_standby")
    assert "«Основная» → «Запасная»" in event.text
    assert (event.from_state, event.to_state) == ("queued", "queued")
    assert writer.chain_is_whole(receipt.pk)
    assert Receipt.objects.get().register_id == first.pk, "the document is not touched"


def test_what_was_sent_and_proven_absent_goes_under_the_next_key(first: Register, standby: Register) -> None:
    (receipt,) = sell(first)
    job = claim_one()
    assert answer(job, NOT_SENT) == "queued"
    job = claim_one()
    assert answer(job, refused(ErrorKind.CONFIG, "AUT00")) == "queued"
    down(first)

    assert standby_serve() == 1

    job = claim_one()
    assert job.key == key_of(receipt.uuid, 2)
    bodies = {(row.key, bytes(row.body)) for row in Attempt.objects.exclude(body=b"")}
    assert len({key for key, _ in bodies}) == len(bodies) == 2, "no key has two bodies"


@pytest.mark.parametrize("minutes", [0, 14])
def test_nothing_moves_before_the_time_of_the_record(first: Register, minutes: int) -> None:
    sell(first)
    down(first, minutes)

    assert standby_serve() == 0


@pytest.mark.parametrize("where", ["unknown", "sending", "accepted"])
def test_what_the_first_may_have_does_not_move(first: Register, where: str) -> None:
    sell(first)
    job = claim_one()
    if where == "unknown":
        answer(job, LOST)
    if where == "accepted":
        answer(job, accepted(job))
    down(first)

    assert standby_serve() == 0
    assert queues() == [777]


def test_what_the_first_once_had_stays_and_says_so(first: Register) -> None:
    """Its old task failed, a person asked for another try, and then the register was gone."""
    sell(first)
    through_to_failed()
    execute("UPDATE receipts_receiptstate SET wanted = 'retry', wanted_by = 'user:petrova', due_ms = 0")
    asked = claim_one()
    assert answer(asked, failed(asked)) == "queued"
    down(first)

    assert standby_serve() == 0

    state = ReceiptState.objects.get()
    assert (state.queue, state.error_code) == (777, STAYS)
    assert "ждёт" in state.error_text
    assert standby_serve() == 0
    assert ReceiptEvent.objects.filter(reason=STAYS).count() == 1, "it is said once"
    assert writer.chain_is_whole(state.pk)


def test_a_lost_answer_that_was_proven_absent_later_may_move(first: Register) -> None:
    (receipt,) = sell(first)
    job = claim_one()
    answer(job, LOST)
    Absence.objects.create(
        receipt=receipt, key_number=1, attempt_number=1, found_by="user:x", text="нет", found_at=receipt.created_at
    )
    head = writer.heads([receipt.pk])[receipt.pk]
    writer.apply([writer.Change(head, writer.State.QUEUED, "absent", due_in_ms=0)], actor="user:x")
    down(first)

    assert standby_serve() == 1
    assert claim_one().key == key_of(receipt.uuid, 2)


def test_it_moves_once_and_not_on(first: Register, standby: Register) -> None:
    third = factories.register(standby.region, queue=900, name="Третья", shop_id="third")
    Register.objects.filter(pk=standby.pk).update(standby=third)
    lanes_ensure()
    sell(first)
    down(first)
    standby_serve()
    down(standby)

    assert standby_serve() == 0
    assert queues() == [778]


def test_nothing_moves_to_a_register_that_is_down_itself(first: Register, standby: Register) -> None:
    sell(first)
    down(first)
    down(standby, 0)

    assert standby_serve() == 0
    assert queues() == [777]


def test_nothing_moves_to_a_register_that_was_disconnected(first: Register, standby: Register) -> None:
    sell(first)
    register_archive(register=standby, actor=factories.user())
    down(first)

    assert standby_serve() == 0


def test_a_person_s_stop_and_wrong_credentials_count_as_down(first: Register) -> None:
    sell(first)
    lane_stop(register=first, actor=factories.user(), reason="меняем ФН")
    assert standby_serve() == 0
    Lane.objects.filter(queue=777).update(stopped_ms=read_clock_ms() - 16 * MINUTES)
    assert standby_serve() == 1

    sell(first)
    Lane.objects.filter(queue=777).update(
        stopped_ms=0,
        stopped_by="",
        pause_since_ms=read_clock_ms() - 16 * MINUTES,
        paused_until_ms=read_clock_ms() + MINUTES,
    )
    assert standby_serve() == 1


def test_a_pause_that_is_long_over_is_no_reason_to_move(first: Register) -> None:
    sell(first)
    clock = read_clock_ms()
    Lane.objects.filter(queue=777).update(pause_since_ms=clock - 16 * MINUTES, paused_until_ms=clock - 15 * MINUTES)

    assert standby_serve() == 0
    assert claim_one().channel.queue == 777


def test_a_diverted_register_is_found_to_be_back_without_a_receipt_being_risked(first: Register) -> None:
    down(first, open_until_ms=read_clock_ms())
    standby_serve()
    sell(first)
    assert claim() == [], "the receipt is on its way to the other"
    channel = asked_about(777)

    access_note(channel, AccessReport(AccessState.NO_ANSWER))
    assert Lane.objects.get(queue=777).breaker == Breaker.OPEN

    access_note(channel, AccessReport(AccessState.OK))
    assert Lane.objects.get(queue=777).breaker == Breaker.CLOSED
    assert standby_serve() == 0
    assert claim_one().channel.queue == 777


def test_an_open_breaker_is_not_asked_before_its_time(first: Register) -> None:
    down(first)

    assert 777 not in [channel.queue for channel in lanes_to_ask(Claimer(OWNER))]


def test_where_the_queue_cannot_be_asked_a_receipt_is_the_probe(
    first: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chekhov.drivers.komtet.driver import CAPABILITIES, KomtetDriver

    monkeypatch.setattr(KomtetDriver, "capabilities", replace(CAPABILITIES, queue_state=False))
    down(first, open_until_ms=read_clock_ms())
    standby_serve()
    sell(first)

    job = claim_one()

    assert (job.kind, job.channel.queue) == (JobKind.SEND, 777)
    assert Lane.objects.get(queue=777).breaker == Breaker.HALF_OPEN


def test_a_document_that_the_other_provider_cannot_take_stays(first: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    from chekhov.drivers.contract import Problem
    from chekhov.drivers.komtet.driver import KomtetDriver

    sell(first)
    down(first)
    problem = Problem("lines", "too_many", "Слишком много позиций.")
    monkeypatch.setattr(KomtetDriver, "validate", lambda self, document: (problem,))

    assert standby_serve() == 0
    assert "Слишком много позиций" in ReceiptState.objects.get().error_text


def test_the_order_of_time_is_kept(first: Register) -> None:
    receipts = sell(first, 4)
    execute("UPDATE receipts_receiptstate SET due_ms = due_ms - 100000 - 1000 * receipt_id")
    down(first)

    assert standby_serve() == 4

    order = list(ReceiptState.objects.order_by("due_ms").values_list("pk", flat=True))
    assert order == [receipt.pk for receipt in reversed(receipts)]


def test_when_the_first_works_again_new_receipts_go_there(first: Register) -> None:
    sell(first)
    down(first)
    standby_serve()
    Lane.objects.filter(queue=777).update(breaker="closed", broken_since_ms=0, open_until_ms=0)

    standby_serve()
    sell(first)

    assert queues() == [778, 777]
    assert not Lane.objects.filter(diverted=True).exists()
    assert sorted(job.channel.queue for job in claim()) == [777, 778]


# --- the first register had it after all ------------------------------------------------------------------------------


def moved_on_a_false_word(first: Register) -> tuple[Receipt, Any, Any]:
    """A person says that the first register has nothing of it, it moves and is being sent there: both sendings."""
    (receipt,) = sell(first)
    job = claim_one()
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    leases_expire()
    absence_write(receipt_id=receipt.pk, key_number=1, attempt_number=1, found_by="user:x", text="В кабинете нет")
    head = writer.heads([receipt.pk])[receipt.pk]
    writer.apply([writer.Change(head, State.QUEUED, "absent", due_in_ms=0)], actor="user:x")
    down(first)
    assert standby_serve() == 1
    other = claim_one()
    assert other.channel.queue == 778
    return receipt, job, other


def first_works_again() -> None:
    Lane.objects.filter(queue=777).update(breaker=Breaker.CLOSED, broken_since_ms=0)


@pytest.mark.parametrize("closes", [True, False])
def test_what_the_first_has_taken_is_asked_there_when_the_other_did_not_get_it(first: Register, closes: bool) -> None:
    _, job, other = moved_on_a_false_word(first)
    results_commit([Result(job, accepted(job, "501"), 200, "{}")], OWNER)
    if closes:
        incident_settle(incident=Incident.objects.get(), actor=factories.user(), note="Чек есть у первой кассы")
    assert answer(other, NOT_SENT) == "queued"
    first_works_again()

    jobs = claim() or claim()

    assert [(item.kind, item.channel.queue, item.provider_ref) for item in jobs] == [(JobKind.POLL, 777, "501")]


def test_what_failed_at_the_other_and_printed_at_the_first_is_asked_at_the_first(first: Register) -> None:
    receipt, _, other = moved_on_a_false_word(first)
    assert answer(other, accepted(other, "777")) == "accepted"
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    first_works_again()

    notify(first.account, external_id=str(receipt.uuid), state="done", id=501)

    asked = claim_one()
    assert (asked.channel.queue, asked.provider_ref) == (777, "501")
    assert answer(asked, done(asked)) == "fiscalized"


# --- a passive register -----------------------------------------------------------------------------------------------


def test_a_stand_by_register_that_is_passive_takes_nothing(first: Register, standby: Register) -> None:
    access_note(asked_about(standby.queue), AccessReport(AccessState.PASSIVE_QUEUE))
    sell(first)
    down(first)

    assert standby_serve() == 0

    assert queues() == [777], "moved once is moved for good: not to a register that is switched off"


def test_what_was_passive_is_asked_again_even_when_nobody_stands_by_for_it_any_more(
    first: Register, standby: Register
) -> None:
    access_note(asked_about(first.queue), AccessReport(AccessState.PASSIVE_QUEUE))
    Register.objects.filter(pk=first.pk).update(standby=None)
    Lane.objects.update(checked_ms=0)

    access_note(asked_about(first.queue), AccessReport(AccessState.OK))

    assert Lane.objects.get(queue=first.queue).passive_since_ms == 0


def test_a_queue_without_a_register_is_noticed_and_diverted(first: Register, standby: Register) -> None:
    alone = factories.register(first.region, queue=9, name="Третья", shop_id="third")
    lanes_ensure()
    claimer = Claimer(OWNER)
    asked = {channel.queue: channel for channel in lanes_to_ask(claimer)}
    assert set(asked) == {first.queue, standby.queue}, "only those who stand by each other"
    assert alone.queue not in asked
    channel = asked[777]
    assert lanes_to_ask(claimer) == [], "once a minute, and by one worker"
    access_note(channel, AccessReport(AccessState.PASSIVE_QUEUE))
    since = Lane.objects.get(queue=777).passive_since_ms
    access_note(channel, AccessReport(AccessState.NO_ANSWER))
    assert Lane.objects.get(queue=777).passive_since_ms == since, "an answer that tells neither changes nothing"
    Lane.objects.filter(queue=777).update(passive_since_ms=since - 16 * MINUTES)
    sell(first)
    standby_serve()
    sell(first)

    assert [job.channel.queue for job in claim()] == [778], "what has not moved yet is not sent to the first any more"
    standby_serve()
    assert queues() == [778, 778]

    access_note(channel, AccessReport(AccessState.OK))
    standby_serve()
    sell(first)
    assert queues() == [778, 778, 777]


def test_other_records_of_a_diverted_queue_are_sent_there_as_ever(first: Register, standby: Register) -> None:
    spb = factories.region("spb", first.organization)
    twin = factories.register(spb, queue=777, name="Та же касса, Питер", place_id=None)
    Lane.objects.filter(queue=777).update(passive_since_ms=read_clock_ms() - 16 * MINUTES)
    standby_serve()
    sell(twin)

    assert [job.channel.queue for job in claim()] == [777]


# --- against its own word ---------------------------------------------------------------------------------------------


def test_a_late_word_of_the_first_brings_the_receipt_back(first: Register, standby: Register) -> None:
    """A person was wrong: the first had it. While the other has not been asked, the receipt belongs to the first."""
    (receipt,) = sell(first)
    job = claim_one()
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1")
    from chekhov.delivery.leases import leases_expire

    leases_expire()
    head = writer.heads([receipt.pk])[receipt.pk]
    Absence.objects.create(
        receipt=receipt, key_number=1, attempt_number=1, found_by="user:x", text="нет", found_at=receipt.created_at
    )
    writer.apply([writer.Change(head, writer.State.QUEUED, "absent", due_in_ms=0)], actor="user:x")
    down(first)
    assert standby_serve() == 1

    results_commit([Result(job, accepted(job, "501"), 200, "{}")], OWNER)

    state = ReceiptState.objects.get()
    assert (state.state, state.queue, state.key_number, state.provider_ref) == ("accepted", 777, 1, "501")
    Lane.objects.filter(queue=777).update(breaker="closed", broken_since_ms=0)
    asked = claim_one()
    assert (asked.kind, asked.channel.queue) == (JobKind.POLL, 777)
    assert answer(asked, done(asked)) == "fiscalized"
    assert writer.chain_is_whole(receipt.pk)
    assert replace(asked, key="").receipt_id == receipt.pk
    assert claim() == []


def test_a_document_that_cannot_be_read_stays_and_holds_back_no_other(
    first: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, _ = sell(first, 2)

    def load(text: str) -> Any:
        if text == poisoned.document and not seen:
            seen.append(text)
            raise ValueError("a mistake of ours")
        return read(text)

    seen: list[str] = []
    monkeypatch.setattr("chekhov.delivery.standby.load", load)
    down(first)

    assert standby_serve() == 1

    assert queues() == [777, 778]
    assert ReceiptState.objects.get(pk=poisoned.pk).error_code == STAYS


@pytest.mark.django_db(transaction=True)
def test_a_diverted_lane_hides_no_fault_of_another(
    first: Register, standby: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stays with a diverted register is due and is not taken: a claim that gives nothing, first in the turn."""
    healthy, faulty = (
        factories.register(factories.region(code, first.organization), queue=queue, shop_id=code)
        for code, queue in (("spb", 901), ("kzn", 902))
    )
    lanes_ensure()
    sell(first)
    monkeypatch.setattr("chekhov.delivery.standby._refusal", lambda *_: "не тот ФФД.")
    Lane.objects.filter(queue=first.queue).update(passive_since_ms=read_clock_ms() - 16 * MINUTES)
    assert standby_serve() == 0
    sell(healthy)
    sell(faulty)
    made = Channels.made

    def made_or_not(self: Channels, account_id: int, queue: int, account: Sequence[object]) -> Channel | None:
        if queue == faulty.queue:
            raise ZeroDivisionError
        return made(self, account_id, queue, account)

    monkeypatch.setattr(Channels, "made", made_or_not)

    worker = Claimer(OWNER)
    taken = [job for _ in range(6) for job in worker.claim(100)]

    assert [job.channel.queue for job in taken] == [healthy.queue]
    assert Lane.objects.get(queue=faulty.queue).pause_code == "internal"
