"""Each rule: what it finds, what it leaves alone, and that the words lead somewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import Resolver404, resolve

from chekhov.config.clock import now
from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import Lane, WorkerBeat
from chekhov.drivers.access import AccessState
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.receipts.incidents import FIGURES, incident_open
from chekhov.receipts.models import Receipt, ReceiptState
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch.findings import Finding
from chekhov.watch.folding import fold
from chekhov.watch.models import AccountSeen, RuleSetting
from chekhov.watch.quiet import release_ms
from chekhov.watch.rules import RULES, findings, rules_as_set
from tests import factories
from tests.watch.conftest import HOUR_MS, MINUTE_MS, move, only, receipt_of

pytestmark = pytest.mark.django_db


def found_by(code: str, *, later_ms: int = 0, **threshold: int) -> list[Finding]:
    only(code, **threshold)
    rows, looked = findings(read_clock_ms() + later_ms, rules_as_set())
    assert looked == {code}
    for row, _is_urgent in rows:
        assert row.rule == code
        assert len(row.text) <= 500
        assert row.next_step
        try:
            resolve(row.link.partition("?")[0])
        except Resolver404:
            pytest.fail(f"{row.link} leads nowhere")
    return [row for row, _is_urgent in rows]


def lane(register: Register, **values: Any) -> Lane:
    return Lane.objects.create(account=register.account, queue=register.queue, in_flight_max=1, **values)


def test_a_receipt_that_is_old(receipt: Receipt) -> None:
    assert not found_by("receipt_old", later_ms=30 * MINUTE_MS - 5_000)
    (old,) = found_by("receipt_old", later_ms=47 * MINUTE_MS + 5_000)
    assert old.text == "Касса «Касса на Ленина»: самый старый чек не пробит уже 47 мин, всего в пути 1."
    move(receipt, State.SENDING, State.ACCEPTED)
    assert found_by("receipt_old", later_ms=47 * MINUTE_MS)
    move(receipt, State.FISCALIZED)
    assert not found_by("receipt_old", later_ms=47 * MINUTE_MS)


def test_a_register_that_fails(register: Register) -> None:
    first, second = receipt_of(register), receipt_of(register)
    assert not found_by("register_failing")
    move(first, State.SENDING, State.FAILED)
    move(second, State.SENDING, State.REFUSED)
    (found,) = found_by("register_failing", register_failing=2)
    assert "ошибок кассы 1, отклонённых чеков 1" in found.text
    assert found.link == f"/admin/receipts/?state=failed&register={register.pk}"
    assert not found_by("register_failing", register_failing=3)


def test_a_passive_queue(register: Register) -> None:
    assert not found_by("passive_queue")
    Register.objects.update(check_code=AccessState.PASSIVE_QUEUE.value)
    assert len(found_by("passive_queue")) == 1
    Register.objects.update(check_code=AccessState.OK.value)
    lane(register, passive_since_ms=read_clock_ms() - 1000)
    assert len(found_by("passive_queue")) == 1
    Register.objects.update(archived_at=datetime.now(UTC))
    assert not found_by("passive_queue")


def test_two_records_of_one_register_are_one_problem(register: Register) -> None:
    spb = factories.region("spb", register.organization, with_place=False)
    factories.register(spb, name="Касса на Ленина для Питера")
    Register.objects.update(check_code=AccessState.PASSIVE_QUEUE.value)
    assert len({row.subject for row in found_by("passive_queue")}) == 1


def test_no_callback_for_a_day(register: Register) -> None:
    now_ms = read_clock_ms()
    seen = AccountSeen.objects.create(account=register.account, uncalled_ms=now_ms - 25 * HOUR_MS)
    (found,) = found_by("no_callback")
    assert "не было ни одного" in found.text
    seen.callback_ms = now_ms - 49 * HOUR_MS
    seen.save()
    assert "последнее пришло 2 дн назад" in found_by("no_callback")[0].text
    assert not found_by("no_callback", no_callback=26)
    seen.uncalled_ms = None  # nothing was fiscalized since the last one: silence is right
    seen.save()
    assert not found_by("no_callback")


def test_no_callback_is_expected_where_none_can_come(register: Register, settings: Any) -> None:
    """A live service cannot call an installation that only its own machine sees."""
    from chekhov.registers.models import Account

    Account.objects.update(provider="komtet")
    AccountSeen.objects.create(account=register.account, uncalled_ms=read_clock_ms() - 25 * HOUR_MS)
    settings.CHEKHOV_BASE_URL = "http://127.0.0.1:8000"
    assert not found_by("no_callback")
    settings.CHEKHOV_BASE_URL = "https://kassa.shop.example"
    assert len(found_by("no_callback")) == 1


def test_a_breaker_that_is_open(register: Register) -> None:
    row = lane(register)
    assert not found_by("breaker_open")
    for state in ("open", "half_open"):
        Lane.objects.filter(pk=row.pk).update(breaker=state, breaker_text="Пять ответов подряд не пришли.")
        (found,) = found_by("breaker_open")
        assert "Пять ответов подряд не пришли." in found.text


def test_a_register_that_a_person_stopped_and_forgot(receipt: Receipt, register: Register) -> None:
    lane(register, stopped_ms=read_clock_ms() - 5 * HOUR_MS, stopped_by="user:petrova", stopped_why="ремонт")
    assert len(found_by("lane_stopped")) == 1
    assert not found_by("lane_stopped", lane_stopped=6)
    move(receipt, State.CANCELLED)
    assert not found_by("lane_stopped")


def test_a_receipt_that_waits_for_a_persons_choice(receipt: Receipt) -> None:
    assert not found_by("person_decides")
    ReceiptState.objects.update(error_code="late")
    assert "Чеков ждёт решения человека: 1 (просрочены" in found_by("person_decides")[0].text
    ReceiptState.objects.update(error_code="person_decides", state="unknown")
    assert "видно только в кабинете" in found_by("person_decides")[0].text


def test_an_unknown_outcome(receipt: Receipt) -> None:
    move(receipt, State.SENDING, State.UNKNOWN)
    assert not found_by("unknown_outcome", later_ms=9 * MINUTE_MS)
    (found,) = found_by("unknown_outcome", later_ms=11 * MINUTE_MS)
    assert "чеков с неизвестным исходом 1, у первого — уже" in found.text


def test_a_fact_without_a_receipt(register: Register) -> None:
    bill = factories.invoice(factories.customer(register.region))
    factories.pay(bill, channel=Channel.COUNTER, means=Means.CASH)
    fold(alone=True)
    assert not found_by("fact_without_receipt", later_ms=59 * MINUTE_MS)
    (found,) = found_by("fact_without_receipt", later_ms=61 * MINUTE_MS)
    assert "Оплат без чека: 1" in found.text


@pytest.mark.parametrize(
    ("code", "is_found"),
    [("AUT00", True), ("SRV00", True), ("401", True), ("secret_unreadable", True), ("429", False), ("internal", False)],
)
def test_credentials_that_are_refused_while_sending(register: Register, code: str, is_found: bool) -> None:
    lane(register, paused_until_ms=read_clock_ms() + 60_000, pause_code=code, pause_text="Проверьте Secret.")
    assert bool(found_by("credentials_refused")) is is_found


def test_a_pause_that_is_over_is_no_refusal(register: Register) -> None:
    lane(register, paused_until_ms=read_clock_ms() - 1, pause_code="AUT00", pause_text="Проверьте Secret.")
    assert not found_by("credentials_refused")


@pytest.mark.parametrize("state", [AccessState.WRONG_CREDENTIALS, AccessState.NO_SERVICE, AccessState.FOREIGN_QUEUE])
def test_credentials_that_are_refused_when_checked(register: Register, state: AccessState) -> None:
    Register.objects.update(check_code=state.value)
    (found,) = found_by("credentials_refused")
    assert state.sentence in found.text
    assert found.next_step == state.next_step


@pytest.mark.parametrize("state", [AccessState.OK, AccessState.UNREACHABLE, AccessState.PASSIVE_QUEUE])
def test_other_checks_are_no_refusal(register: Register, state: AccessState) -> None:
    Register.objects.update(check_code=state.value)
    assert not found_by("credentials_refused")


def test_each_open_incident_is_a_problem_of_its_own(register: Register) -> None:
    for _ in range(2):
        incident_open(receipt_id=receipt_of(register).pk, code=FIGURES, text="Сумма не та.")
    assert len({row.subject for row in found_by("incident_open")}) == 2


def test_a_silent_worker(receipt: Receipt) -> None:
    WorkerBeat.objects.create(name="old", started_at=now(), seen_ms=read_clock_ms() - HOUR_MS)
    (found,) = found_by("worker_silent")
    assert "молчит 60 мин" in found.text
    WorkerBeat.objects.create(name="new", started_at=now(), seen_ms=read_clock_ms())
    assert not found_by("worker_silent")


def test_a_worker_that_never_was_is_missed_only_when_receipts_wait(register: Register) -> None:
    assert not found_by("worker_silent", later_ms=HOUR_MS)
    receipt_of(register)
    assert not found_by("worker_silent")
    assert "ни разу не запускался" in found_by("worker_silent", later_ms=HOUR_MS)[0].text


def test_every_rule_that_was_promised_is_there() -> None:
    assert set(RULES) >= {
        "receipt_old", "register_failing", "passive_queue", "no_callback", "breaker_open", "unknown_outcome",
        "fact_without_receipt", "credentials_refused", "incident_open", "worker_silent",
    }  # fmt: skip


def test_a_rule_is_as_set_or_as_by_default() -> None:
    RuleSetting.objects.create(code="receipt_old", is_on=False, threshold=7, is_urgent=True)
    rows = {item.rule.code: item for item in rules_as_set()}
    assert (rows["receipt_old"].is_on, rows["receipt_old"].threshold, rows["receipt_old"].is_urgent) == (False, 7, True)
    assert (rows["no_callback"].is_on, rows["no_callback"].threshold, rows["no_callback"].is_urgent) == (
        True,
        24,
        False,
    )


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "hours", "zone", "released"),
    [
        ("2026-11-24T12:00+03:00", ("22:00", "08:00"), 2, "2026-11-24T12:00+03:00"),
        ("2026-11-24T22:00+03:00", ("22:00", "08:00"), 2, "2026-11-25T08:00+03:00"),
        ("2026-11-24T03:30+03:00", ("22:00", "08:00"), 2, "2026-11-24T08:00+03:00"),
        ("2026-11-24T08:00+03:00", ("22:00", "08:00"), 2, "2026-11-24T08:00+03:00"),
        ("2026-11-24T03:30+03:00", ("22:00", "08:00"), 11, "2026-11-24T03:30+03:00"),  # noon on Kamchatka
        ("2026-11-24T14:00+03:00", ("22:00", "08:00"), 11, "2026-11-24T23:00+03:00"),
        ("2026-11-24T13:00+03:00", ("12:00", "14:30"), 2, "2026-11-24T14:30+03:00"),
        ("2026-11-24T15:00+03:00", ("12:00", "14:30"), 2, "2026-11-24T15:00+03:00"),
        ("2026-11-24T03:00+03:00", ("08:00", "08:00"), 2, "2026-11-24T03:00+03:00"),
        ("2026-12-31T23:59+03:00", ("22:00", "08:00"), 2, "2027-01-01T08:00+03:00"),
    ],
)
def test_quiet_hours_end_in_the_shops_own_morning(at: str, hours: tuple[str, str], zone: int, released: str) -> None:
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in hours)
    found = release_ms(ms(at), quiet_from=begin, quiet_to=end, time_zone=zone)
    assert datetime.fromtimestamp(found / 1000, UTC) - datetime.fromisoformat(released) == timedelta()
