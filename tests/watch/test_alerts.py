"""From a finding to a message that arrived: opening, reminder, recovery, quiet hours, caps, failures of the way."""

from __future__ import annotations

from typing import Any

import pytest

from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import Lane
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch import problems
from chekhov.watch.dispatch import GIVE_UP_MS, LEASE_MS, channels_due, claim, deliver, settle
from chekhov.watch.models import AlertPolicy, Channel, Dispatch, Notice, Problem, RuleSetting
from chekhov.watch.problems import CLEAR_MS
from chekhov.watch.services import ChannelContent, channel_remove, channel_save, channel_test
from tests.watch.conftest import (
    HOUR_MS,
    MINUTE_MS,
    SIGNING,
    evaluate,
    mail_channel,
    move,
    only,
    receipt_of,
    send_all,
    telegram_channel,
    webhook_channel,
)
from tests.watch.servers import Inbox, Mail, mail_server

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _loud_all_day(db: Any) -> None:
    """No quiet hours unless a test asks for them: the tests run at any hour."""
    AlertPolicy.objects.create(quiet_on=False)
    only("register_failing")


def fail(receipt: Receipt) -> None:
    move(receipt, State.SENDING, State.FAILED)


def mend(receipt: Receipt) -> None:
    move(receipt, State.FISCALIZED)


def kinds(inbox: Inbox) -> list[list[str]]:
    return [[event["kind"] for event in body["events"]] for body in inbox.json]


def test_a_problem_is_told_on_every_channel(receipt: Receipt, mail: Mail, telegram: Inbox, webhook: Inbox) -> None:
    mail_channel()
    telegram_channel()
    webhook_channel(webhook)
    fail(receipt)

    assert evaluate().opened == 1
    assert send_all() == 3

    (letter,) = mail.letters
    assert letter["Subject"] == "Чехов: неполадка. Касса не пробивает чеки"
    for text in (letter.get_content(), telegram.json[0]["text"]):
        assert "Касса «Касса на Ленина» не пробивает чеки: ошибок кассы 1." in text
        assert "Что делать: Откройте чек" in text
        assert "/admin/receipts/?state=failed&register=" in text
    (event,) = webhook.json[0]["events"]
    assert event["rule"] == "register_failing"
    assert event["kind"] == "opened"
    assert event["urgent"] is True
    assert Dispatch.objects.filter(state="sent").count() == 3
    assert not Dispatch.objects.exclude(state="sent").exists()


def test_a_problem_is_told_once(receipt: Receipt, webhook: Inbox) -> None:
    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms()
    for minutes in range(0, 60, 3):
        evaluate(now_ms + minutes * MINUTE_MS)
        send_all(now_ms + minutes * MINUTE_MS + 1)

    assert kinds(webhook) == [["opened"]]


def test_a_recovery_is_told_after_it_has_lasted(receipt: Receipt, webhook: Inbox) -> None:
    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms()
    evaluate(now_ms)
    send_all(now_ms + 1)
    mend(receipt)

    evaluate(now_ms + MINUTE_MS)
    assert evaluate(now_ms + MINUTE_MS + CLEAR_MS - 1).closed == 0
    assert evaluate(now_ms + MINUTE_MS + CLEAR_MS).closed == 1
    send_all(now_ms + MINUTE_MS + CLEAR_MS + 1)

    assert kinds(webhook) == [["opened"], ["recovered"]]
    ended = webhook.json[1]["events"][0]
    assert ended["problem"] == webhook.json[0]["events"][0]["problem"]
    assert "Длилось 60 с." in ended["text"]
    assert evaluate(now_ms + HOUR_MS) == problems.Changes()


def test_what_comes_and_goes_is_one_problem(register: Register, webhook: Inbox) -> None:
    webhook_channel(webhook)
    first = receipt_of(register)
    fail(first)
    now_ms = read_clock_ms()
    evaluate(now_ms)
    mend(first)
    evaluate(now_ms + MINUTE_MS)
    second = receipt_of(register)
    fail(second)
    evaluate(now_ms + 2 * MINUTE_MS)
    evaluate(now_ms + 2 * MINUTE_MS + CLEAR_MS)
    send_all(now_ms + HOUR_MS)

    assert kinds(webhook) == [["opened"]]
    assert Problem.objects.get().absent_ms is None


def test_a_second_opening_is_told_again(receipt: Receipt, register: Register, webhook: Inbox) -> None:
    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms()
    evaluate(now_ms)
    mend(receipt)
    evaluate(now_ms + MINUTE_MS)
    evaluate(now_ms + MINUTE_MS + CLEAR_MS)
    fail(receipt_of(register))
    evaluate(now_ms + HOUR_MS)
    send_all(now_ms + HOUR_MS + 1)

    assert [event["kind"] for event in webhook.json[0]["events"]] == ["opened", "recovered", "opened"]
    assert Problem.objects.count() == 2


def test_reminders_are_bounded(receipt: Receipt, webhook: Inbox) -> None:
    AlertPolicy.objects.update(reminder_hours=2, reminders_most=3)
    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms()
    for half_hours in range(60):
        at_ms = now_ms + half_hours * HOUR_MS // 2
        evaluate(at_ms)
        send_all(at_ms + 1)

    assert kinds(webhook) == [["opened"], ["reminder"], ["reminder"], ["reminder"]]


def test_no_reminders_where_none_are_wanted(receipt: Receipt, webhook: Inbox) -> None:
    AlertPolicy.objects.update(reminder_hours=0, tell_recovery=False)
    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms()
    for hours in range(50):
        evaluate(now_ms + hours * HOUR_MS)
    mend(receipt)
    evaluate(now_ms + 50 * HOUR_MS)
    assert evaluate(now_ms + 51 * HOUR_MS).closed == 1

    assert Notice.objects.count() == 1


# --- quiet hours ------------------------------------------------------------------------------------------------------

NIGHT_MS = 1_795_471_200_000  # 2026-11-23 22:00 UTC, 01:00 in Moscow
MORNING_MS = NIGHT_MS + 7 * HOUR_MS


def test_the_urgent_passes_and_the_rest_waits_until_the_morning(register: Register, webhook: Inbox) -> None:
    AlertPolicy.objects.update(quiet_on=True)
    only("register_failing", "incident_open")
    webhook_channel(webhook)
    failed = receipt_of(register)
    fail(failed)
    from chekhov.receipts.incidents import FIGURES, incident_open

    incident_open(receipt_id=failed.pk, code=FIGURES, text="Сумма не та.")

    evaluate(NIGHT_MS)
    send_all(NIGHT_MS + 1)
    assert [event["rule"] for body in webhook.json for event in body["events"]] == ["register_failing"]

    assert send_all(MORNING_MS - 1) == 0
    assert send_all(MORNING_MS) == 1
    assert [event["rule"] for event in webhook.json[1]["events"]] == ["incident_open"]


def test_what_began_and_ended_at_night_is_one_message_in_the_morning(receipt: Receipt, webhook: Inbox) -> None:
    AlertPolicy.objects.update(quiet_on=True)
    RuleSetting.objects.update(is_urgent=False)
    webhook_channel(webhook)
    fail(receipt)
    evaluate(NIGHT_MS)
    mend(receipt)
    evaluate(NIGHT_MS + HOUR_MS)
    evaluate(NIGHT_MS + 2 * HOUR_MS)

    assert send_all(MORNING_MS - 1) == 0
    assert send_all(MORNING_MS) == 1
    assert kinds(webhook) == [["opened", "recovered"]]


# --- no storm ---------------------------------------------------------------------------------------------------------


def test_many_problems_at_once_are_one_message(register: Register, webhook: Inbox) -> None:
    from chekhov.receipts.incidents import FIGURES, incident_open

    only("incident_open")
    webhook_channel(webhook)
    for _ in range(60):
        incident_open(receipt_id=receipt_of(register).pk, code=FIGURES, text="Сумма не та.")

    evaluate()
    send_all()

    assert len(webhook.bodies) == 1
    assert len(webhook.json[0]["events"]) == 51  # fifty of a rule, and the word that there are more


def test_a_cap_an_hour_holds_and_what_waits_goes_as_one(register: Register, webhook: Inbox) -> None:
    AlertPolicy.objects.update(messages_an_hour=3)
    from chekhov.receipts.incidents import FIGURES, incident_open

    only("incident_open")
    webhook_channel(webhook)
    now_ms = read_clock_ms()
    for minute in range(10):
        incident_open(receipt_id=receipt_of(register).pk, code=FIGURES, text="Сумма не та.")
        evaluate(now_ms + minute * MINUTE_MS)
        send_all(now_ms + minute * MINUTE_MS + 1)
    assert len(webhook.bodies) == 3

    send_all(now_ms + HOUR_MS + 10 * MINUTE_MS)

    assert [len(events) for events in kinds(webhook)] == [1, 1, 1, 7]


# --- the way fails ----------------------------------------------------------------------------------------------------


def test_a_mail_server_that_was_down_gets_everything_in_one_letter(receipt: Receipt, settings: Any) -> None:
    settings.CHEKHOV_SMTP_HOST, settings.CHEKHOV_SMTP_SECURITY = "127.0.0.1", "none"
    settings.CHEKHOV_MAIL_FROM = "kassa@shop.example"
    with mail_server() as gone:
        settings.CHEKHOV_SMTP_PORT = gone.port
    channel = mail_channel()
    fail(receipt)
    now_ms = read_clock_ms()
    evaluate(now_ms)
    assert send_all(now_ms + 1) == 0
    channel.refresh_from_db()
    assert channel.error_code == "smtp_unreachable"
    assert "недоступен" in channel.error_text
    row = Dispatch.objects.get()
    assert (row.state, row.tries) == ("waiting", 1)
    assert send_all(now_ms + 5_000) == 0  # it rests
    assert Dispatch.objects.get().tries == 1

    mend(receipt)
    evaluate(now_ms + MINUTE_MS)
    evaluate(now_ms + MINUTE_MS + CLEAR_MS)
    with mail_server(gone.port) as back:
        assert send_all(now_ms + MINUTE_MS + CLEAR_MS + 1) == 1

    (letter,) = back.letters
    assert "НЕПОЛАДКА" in letter.get_content()
    assert "ИСПРАВЛЕНО" in letter.get_content()
    channel.refresh_from_db()
    assert (channel.failures, channel.error_code, channel.next_try_ms) == (0, "", 0)


def test_rests_grow_and_are_bounded(receipt: Receipt, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    webhook.status = 500
    fail(receipt)
    evaluate()
    rests = []
    for _ in range(8):
        channel.refresh_from_db()
        before = max(channel.next_try_ms, read_clock_ms()) + 1
        assert not deliver(channel.pk, owner="test", now_ms=before)
        channel.refresh_from_db()
        rests.append(round((channel.next_try_ms - read_clock_ms()) / 1000, -1))

    assert rests == sorted(rests)
    assert rests[0] <= 20
    assert rests[-1] == 3600
    assert len(webhook.bodies) == 8


def test_telegrams_wish_to_wait_is_obeyed(receipt: Receipt, telegram: Inbox) -> None:
    channel = telegram_channel()
    telegram.status, telegram.answer = 429, {"ok": False, "parameters": {"retry_after": 500}}
    fail(receipt)
    evaluate()
    send_all()

    channel.refresh_from_db()
    assert 490 <= (channel.next_try_ms - read_clock_ms()) / 1000 <= 500


def test_a_notice_that_cannot_be_delivered_is_given_up(receipt: Receipt, webhook: Inbox) -> None:
    webhook_channel(webhook)
    webhook.status = 500
    fail(receipt)
    now_ms = read_clock_ms()
    evaluate(now_ms)
    send_all(now_ms + 1)
    webhook.status = 200

    assert send_all(now_ms + GIVE_UP_MS + MINUTE_MS) == 0

    row = Dispatch.objects.get()
    assert (row.state, row.error_code) == ("given_up", "failing")
    assert len(webhook.bodies) == 1


def test_one_broken_channel_holds_back_no_other(receipt: Receipt, telegram: Inbox, webhook: Inbox) -> None:
    telegram_channel()
    webhook_channel(webhook)
    telegram.status, telegram.answer = 401, {"ok": False}
    fail(receipt)
    evaluate()

    assert send_all() == 1
    assert kinds(webhook) == [["opened"]]


# --- exactly one sends ------------------------------------------------------------------------------------------------


def test_a_channel_is_leased_to_one(receipt: Receipt, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    fail(receipt)
    evaluate()
    now_ms = read_clock_ms() + 1
    first = claim(channel.pk, owner="one", now_ms=now_ms)

    assert first is not None
    assert claim(channel.pk, owner="two", now_ms=now_ms) is None
    assert channels_due(now_ms=now_ms) == []


def test_a_sender_that_died_is_replaced_when_its_lease_ends(receipt: Receipt, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    fail(receipt)
    evaluate()
    now_ms = read_clock_ms() + 1
    dead = claim(channel.pk, owner="dead", now_ms=now_ms)
    assert dead is not None

    assert send_all(now_ms + LEASE_MS - 1, owner="two") == 0
    assert send_all(now_ms + LEASE_MS + 1, owner="two") == 1
    settle(dead, owner="dead", failure=None)  # it was only slow: it marks nothing that is the other's

    channel.refresh_from_db()
    assert len(channel.sent_ms) == 1
    assert len(webhook.bodies) == 1


def test_two_that_find_the_same_open_one_problem(
    receipt: Receipt, webhook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has read before the first has written: what it would open is open already."""
    webhook_channel(webhook)
    fail(receipt)
    real = problems._open
    done: list[problems.Changes] = []

    def first_another(*given: Any) -> Problem | None:
        if not done:
            done.append(problems.Changes())
            done[0] = evaluate()
        return real(*given)

    monkeypatch.setattr(problems, "_open", first_another)
    changes = evaluate()

    assert (done[0].opened, changes.opened) == (1, 0)
    assert (Problem.objects.count(), Notice.objects.count(), Dispatch.objects.count()) == (1, 1, 1)


# --- rules and channels change ----------------------------------------------------------------------------------------


def test_a_rule_that_is_off_finds_nothing_and_ends_in_silence(receipt: Receipt, webhook: Inbox) -> None:
    webhook_channel(webhook)
    fail(receipt)
    evaluate()
    RuleSetting.objects.update(is_on=False)

    assert evaluate() == problems.Changes()

    assert Problem.objects.get().closed_ms is not None
    assert Notice.objects.count() == 1


def test_a_rule_that_breaks_holds_back_no_other_and_ends_nothing(
    receipt: Receipt, webhook: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chekhov.watch import rules

    only("register_failing", "worker_silent")
    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms()
    evaluate(now_ms)
    broken = rules.Rule("register_failing", "", "", lambda *_: 1 / 0, True)  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(rules.RULES, "register_failing", broken)

    evaluate(now_ms + HOUR_MS)
    evaluate(now_ms + 2 * HOUR_MS)

    assert Problem.objects.get().closed_ms is None


def test_without_channels_problems_are_kept_and_nobody_is_told(receipt: Receipt) -> None:
    fail(receipt)
    evaluate()

    assert Problem.objects.filter(closed_ms__isnull=True).count() == 1
    assert not Notice.objects.exists()


def test_a_channel_that_is_switched_off_or_removed_gets_nothing(receipt: Receipt, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    fail(receipt)
    evaluate()
    content = ChannelContent("webhook", channel.name, channel.target, is_on=False)
    channel_save(content=content, actor=None, channel=channel)

    assert send_all() == 0
    row = Dispatch.objects.get()
    assert (row.state, row.error_text) == ("given_up", "Канал выключен.")

    channel_remove(channel=channel, actor=None)
    channel.refresh_from_db()
    assert channel.secret_encrypted == ""
    assert not webhook.bodies


def test_a_channel_that_was_mended_does_not_rest_any_longer(receipt: Receipt, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    webhook.status = 404
    fail(receipt)
    evaluate()
    send_all()
    webhook.status = 200
    content = ChannelContent("webhook", channel.name, channel.target + "&y=2", SIGNING + "!")

    channel_save(content=content, actor=None, channel=channel)

    assert send_all() == 1
    assert webhook.paths[-1].endswith("&y=2")


def test_the_test_button_says_how_it_ended(webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    webhook.status = 500
    failed = channel_test(channel=channel, actor=None)
    assert (failed.state, failed.error_code) == ("given_up", "failing")
    webhook.status = 200
    sent = channel_test(channel=channel, actor=None)
    assert (sent.state, sent.error_text) == ("sent", "")
    assert kinds(webhook)[-1] == ["test"]
    assert send_all() == 0  # the watch does not send it once more
    channel = Channel.objects.get()
    assert channel.error_code == ""
    assert channel.last_ok_ms is not None


def test_an_alert_never_touches_a_lane(receipt: Receipt, webhook: Inbox) -> None:
    """What the watch writes is its own: the rows of delivery are as before."""
    Lane.objects.create(account=receipt.account, queue=receipt.queue, in_flight_max=1)
    webhook_channel(webhook)
    fail(receipt)
    before = list(Lane.objects.values()), list(Receipt.objects.values())

    evaluate()
    send_all()

    assert (list(Lane.objects.values()), list(Receipt.objects.values())) == before


def test_what_is_old_is_forgotten_and_what_is_open_stays(receipt: Receipt, register: Register, webhook: Inbox) -> None:
    from chekhov.watch.loop import KEPT_MS, Watch

    webhook_channel(webhook)
    fail(receipt)
    now_ms = read_clock_ms() - KEPT_MS - HOUR_MS
    evaluate(now_ms)
    mend(receipt)
    evaluate(now_ms + MINUTE_MS)
    evaluate(now_ms + MINUTE_MS + CLEAR_MS)
    send_all()
    fail(receipt_of(register))
    evaluate()

    Watch(name="test")._clean()

    assert Problem.objects.get().closed_ms is None
    assert Notice.objects.get().kind == "opened"
    assert Dispatch.objects.count() == 1
