"""«Оповещения»: set up, tried out, and what became of each notice, in plain words."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chekhov.config.database import read_clock_ms
from chekhov.people.models import Action, User
from chekhov.receipts.states import State
from chekhov.registers.secrets import decrypt
from chekhov.watch.models import AlertPolicy, Channel, Dispatch, RuleSetting, Turn
from chekhov.watch.rules import RULES
from tests.panel.conftest import Shop, move, text_of
from tests.watch.conftest import SIGNING, TOKEN, evaluate, send_all, telegram_channel, webhook_channel
from tests.watch.servers import Inbox, Mail, http_inbox, mail_server

ALERTS = "/admin/alerts/"


@pytest.fixture(autouse=True)
def _watched(db: Any) -> None:
    Turn.objects.create(name="evaluate", owner="w", until_ms=0, done_ms=read_clock_ms())
    AlertPolicy.objects.create(quiet_on=False)


@pytest.fixture
def telegram(settings: Any) -> Any:
    with http_inbox() as server:
        settings.CHEKHOV_TELEGRAM_URL = server.url
        yield server


@pytest.fixture
def webhook() -> Any:
    with http_inbox() as server:
        yield server


@pytest.fixture
def mail(settings: Any) -> Any:
    with mail_server() as server:
        settings.CHEKHOV_SMTP_HOST, settings.CHEKHOV_SMTP_PORT = "127.0.0.1", server.port
        settings.CHEKHOV_SMTP_SECURITY, settings.CHEKHOV_MAIL_FROM = "none", "kassa@shop.example"
        yield server


def test_an_empty_page_teaches_the_next_step(panel: Client) -> None:
    text = text_of(panel.get(ALERTS))

    for words in ("Неполадок нет", "Каналов ещё нет", "Письма", "Telegram", "Вебхук", "Оповещений ещё не было"):
        assert words in text
    for rule in RULES.values():
        assert rule.title in text


def test_the_menu_leads_there(panel: Client) -> None:
    assert 'href="/admin/alerts/"' in panel.get("/admin/").content.decode()


def test_a_watch_that_is_silent_is_said(panel: Client) -> None:
    assert "Наблюдение не работает" not in text_of(panel.get(ALERTS))
    Turn.objects.update(done_ms=read_clock_ms() - 300_000)
    assert "Наблюдение не работает: оповещения не уходят." in text_of(panel.get(ALERTS))
    Turn.objects.all().delete()
    assert "Наблюдение не работает" in text_of(panel.get(ALERTS))


def test_a_channel_is_made_its_secret_never_shown_again(panel: Client, cashier: User) -> None:
    content = {"name": "Дежурный", "target": "-100200300", "secret": TOKEN, "is_on": "on"}

    response = panel.post(reverse("panel:alert_channel_new", args=["telegram"]), content, follow=True)

    assert response.redirect_chain == [(ALERTS, 302)]
    channel = Channel.objects.get()
    assert decrypt(channel.secret_encrypted) == TOKEN
    card = panel.get(reverse("panel:alert_channel", args=[channel.uuid]))
    for answer in (response, card):
        assert TOKEN not in answer.content.decode()
        assert channel.secret_encrypted not in answer.content.decode()
    assert "Токен бота: задан" in text_of(response)
    assert "задан" in text_of(card)
    assert Action.objects.get(kind="alert_channel_create").actor == cashier


def test_saving_without_a_new_secret_keeps_the_old(panel: Client) -> None:
    channel = telegram_channel()
    content = {"name": "Ночной", "target": "-5", "secret": "", "is_on": "on"}

    panel.post(reverse("panel:alert_channel", args=[channel.uuid]), content)

    channel.refresh_from_db()
    assert (channel.name, channel.target, decrypt(channel.secret_encrypted)) == ("Ночной", "-5", TOKEN)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("email", {"target": "admin"}, "Адрес «admin» написан неверно."),
        ("telegram", {"target": "чат", "secret": TOKEN}, "Номер чата — целое число"),
        ("telegram", {"target": "-5"}, "Заполните поле."),
        ("webhook", {"target": "http://shop.example/", "secret": SIGNING}, "Адрес должен начинаться с https://"),
        ("webhook", {"target": "https://shop.example/", "secret": "short"}, "Секрет подписи: от 16 до 255 символов."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(panel: Client, kind: str, values: dict[str, str], words: str) -> None:
    response = panel.post(reverse("panel:alert_channel_new", args=[kind]), {"name": "К", "is_on": "on", **values})

    assert response.status_code == 422
    assert words in text_of(response)
    assert not Channel.objects.exists()
    assert TOKEN not in response.content.decode()


def test_letters_without_a_mail_server_are_said(panel: Client, settings: Any) -> None:
    settings.CHEKHOV_SMTP_HOST = ""
    text = text_of(panel.get(reverse("panel:alert_channel_new", args=["email"])))
    assert "Письма пока не уйдут." in text
    assert "CHEKHOV_SMTP_HOST" in text


def test_the_test_button_sends_a_letter(panel: Client, mail: Mail) -> None:
    content = {"name": "Почта", "target": "admin@shop.example", "is_on": "on"}
    panel.post(reverse("panel:alert_channel_new", args=["email"]), content)
    channel = Channel.objects.get()

    response = panel.post(reverse("panel:alert_channel_test", args=[channel.uuid]), follow=True)

    text = text_of(response)
    assert "Проверочное отправлено: канал «Почта» работает." in text
    assert "Проверочное · Проверочное оповещение" in text
    assert mail.letters[0]["Subject"] == "Чехов: проверка. Проверочное оповещение"


def test_a_bad_token_is_said_in_plain_words(panel: Client, telegram: Inbox) -> None:
    channel = telegram_channel()
    telegram.status, telegram.answer = 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}

    response = panel.post(reverse("panel:alert_channel_test", args=[channel.uuid]), follow=True)

    text = text_of(response)
    assert "Канал «Дежурный» не работает. Telegram не принял токен бота. Возьмите его у @BotFather заново." in text
    assert "Не работает" in text
    assert "Не доставлено" in text
    assert TOKEN not in response.content.decode()


def test_a_failing_watch_is_shown_with_its_next_try(panel: Client, shop: Shop, webhook: Inbox) -> None:
    webhook_channel(webhook)
    webhook.status = 404
    move(shop.receipt(), State.SENDING, State.FAILED)
    evaluate()
    send_all()

    text = text_of(panel.get(ALERTS))

    assert "Касса «Касса Москва» не пробивает чеки: ошибок кассы 1." in text
    assert "Срочно" in text
    assert "Адрес вебхука не найден (код 404). Проверьте адрес." in text
    assert "Следующая попытка через" in text
    assert "Ждёт" in text


def test_what_was_sent_is_listed(panel: Client, shop: Shop, webhook: Inbox) -> None:
    webhook_channel(webhook)
    move(shop.receipt(), State.SENDING, State.FAILED)
    evaluate()
    send_all()

    text = text_of(panel.get(ALERTS))

    assert "Отправлено" in text
    assert "Неполадка · Касса не пробивает чеки" in text
    assert "Работает" in text


def rules_filled(**changes: str | None) -> dict[str, str]:
    values: dict[str, str | None] = {}
    for code, rule in RULES.items():
        values[f"{code}-on"] = "on"
        values[f"{code}-urgent"] = "on" if rule.is_urgent else None
        if rule.threshold:
            values[f"{code}-threshold"] = str(rule.threshold.default)
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def test_rules_are_saved(panel: Client) -> None:
    given = rules_filled(**{"receipt_old-threshold": "45", "no_callback-on": None, "incident_open-urgent": "on"})

    response = panel.post(reverse("panel:alert_rules"), given, follow=True)

    assert "Правила сохранены" in text_of(response)
    assert RuleSetting.objects.get(pk="receipt_old").threshold == 45
    assert RuleSetting.objects.get(pk="no_callback").is_on is False
    assert RuleSetting.objects.get(pk="incident_open").is_urgent is True
    assert RuleSetting.objects.get(pk="worker_silent").is_on is True


@pytest.mark.parametrize("value", ["0", "", "много", "100001"])
def test_a_threshold_out_of_bounds_is_said_at_its_field(panel: Client, value: str) -> None:
    response = panel.post(reverse("panel:alert_rules"), rules_filled(**{"receipt_old-threshold": value}))

    assert response.status_code == 422
    assert response.context["rules_form"].errors.keys() == {"receipt_old-threshold"}
    assert not RuleSetting.objects.exists()


POLICY = {
    "quiet_on": "on", "quiet_from": "23:30", "quiet_to": "7.15", "time_zone": "9", "reminder_hours": "12",
    "reminders_most": "2", "messages_an_hour": "5", "tell_recovery": "on",
}  # fmt: skip


def test_quiet_hours_are_saved_and_shown(panel: Client) -> None:
    response = panel.post(reverse("panel:alert_policy"), POLICY, follow=True)

    row = AlertPolicy.objects.get()
    assert (row.quiet_from, row.quiet_to, row.time_zone, row.messages_an_hour) == (1410, 435, 9, 5)
    html = response.content.decode()
    assert 'value="23:30"' in html
    assert 'value="07:15"' in html


@pytest.mark.parametrize(
    ("field", "value"),
    [("quiet_from", "24:00"), ("quiet_to", "утро"), ("messages_an_hour", "0"), ("reminder_hours", "-1")],
)
def test_quiet_hours_that_are_none_are_refused(panel: Client, field: str, value: str) -> None:
    response = panel.post(reverse("panel:alert_policy"), {**POLICY, field: value})

    assert response.status_code == 422
    assert set(response.context["policy_form"].errors) == {field}
    assert AlertPolicy.objects.get().quiet_on is False


def test_a_removed_channel_is_gone_and_its_notices_stay(panel: Client, shop: Shop, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    move(shop.receipt(), State.SENDING, State.FAILED)
    evaluate()
    send_all()

    response = panel.post(reverse("panel:alert_channel_remove", args=[channel.uuid]), follow=True)

    assert "Канал «Программа» удалён вместе с секретом." in text_of(response)
    assert panel.get(reverse("panel:alert_channel", args=[channel.uuid])).status_code == 404
    assert Dispatch.objects.filter(state="sent").count() == 1


def test_what_changes_something_takes_post_only(panel: Client, webhook: Inbox) -> None:
    channel = webhook_channel(webhook)
    for name, given in (
        ("alert_rules", []), ("alert_policy", []), ("alert_channel_test", [channel.uuid]),
        ("alert_channel_remove", [channel.uuid]),
    ):  # fmt: skip
        assert panel.get(reverse(f"panel:{name}", args=given)).status_code == 405
    assert not webhook.bodies


def test_an_unknown_kind_of_channel_is_not_found(panel: Client) -> None:
    assert panel.get(reverse("panel:alert_channel_new", args=["pigeon"])).status_code == 404
