"""What people set up about alerts: channels, rules, quiet hours; and the test button."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone
from email_validator import EmailNotValidError, validate_email

from chekhov.config.database import read_clock_ms, writing
from chekhov.directory.models import TIME_ZONES
from chekhov.errors import Fault, Invalid
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.registers.secrets import SecretUnreadable, decrypt, encrypt
from chekhov.watch.channels import SendFailed, send
from chekhov.watch.dispatch import target_of
from chekhov.watch.messages import compose
from chekhov.watch.models import AlertPolicy, Channel, Dispatch, Notice, RuleSetting
from chekhov.watch.problems import policy_read
from chekhov.watch.rules import RULES

MOST_CHANNELS = 20
MOST_ADDRESSES = 10
_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{10,100}")
_CHAT = re.compile(r"-?\d{1,20}|@[A-Za-z0-9_]{4,32}")


@dataclass(frozen=True, slots=True)
class ChannelContent:
    """A channel as filled in. `target`: addresses with commas, a chat's id, or a URL. An empty secret keeps the old."""

    kind: str
    name: str
    target: str
    secret: str = field(default="", repr=False)
    is_on: bool = True


def channel_save(*, content: ChannelContent, actor: User | None, channel: Channel | None = None) -> Channel:
    """Create or change a channel. Switched off, it gives up what waits for it; changed, it rests no longer.

    Raises Invalid with every fault found: `kind`, `name`, `target`, `secret`, `too_many`.
    """
    faults: list[Fault] = []
    name = " ".join(content.name.split())
    if content.kind not in _TARGETS:
        faults.append(Fault("kind", "kind", "Такого вида канала нет."))
        raise _refusal(faults)
    if not 1 <= len(name) <= 100:
        faults.append(Fault("name", "name", "Название: от 1 до 100 символов."))
    target, problem = _TARGETS[content.kind](content.target.strip())
    if problem:
        faults.append(Fault("target", "target", problem))
    problem = _secret_problem(content, channel)
    if problem:
        faults.append(Fault("secret", "secret", problem))
    with writing():
        if channel is None and Channel.objects.filter(removed_at__isnull=True).count() >= MOST_CHANNELS:
            faults.append(Fault("name", "too_many", f"Каналов не больше {MOST_CHANNELS}: удалите лишний."))
        if faults:
            raise _refusal(faults)
        row = channel or Channel(kind=content.kind)
        row.name, row.target, row.is_on = name, target, content.is_on
        fields = {"name": name, "target": target, "is_on": content.is_on, "failures": 0, "next_try_ms": 0}
        fields |= {"error_code": "", "error_text": "", "error_ms": None}
        if content.secret:
            fields["secret_encrypted"] = encrypt(content.secret.strip())
        if channel is None:
            row = Channel.objects.create(kind=content.kind, **fields)
        else:
            Channel.objects.filter(pk=channel.pk).update(**fields)  # never the lease: a sending may be under way
            row = Channel.objects.get(pk=channel.pk)
        if not row.is_on:
            _give_up(row)
        action_log(
            actor=actor,
            kind="alert_channel_create" if channel is None else "alert_channel_change",
            subject=str(row.uuid),
            summary=f"«{row.name}»" + ("" if row.is_on else ", выключен"),
        )
        return row


def channel_remove(*, channel: Channel, actor: User | None) -> None:
    """Take a channel out of use, with its secret. What waited for it is given up; what was sent stays in the list."""
    with writing():
        touched = Channel.objects.filter(pk=channel.pk, removed_at__isnull=True).update(
            removed_at=timezone.now(), secret_encrypted="", is_on=False
        )
        if touched:
            _give_up(channel)
            action_log(actor=actor, kind="alert_channel_remove", subject=str(channel.uuid), summary=f"«{channel.name}»")


def channel_test(*, channel: Channel, actor: User | None) -> Dispatch:
    """«Отправить проверочное»: send at once, also through a channel that is off or rests. Calls the network.

    The dispatch as it ended: `sent`, or `given_up` with the reason in words.
    """
    now_ms = read_clock_ms()
    with writing():
        notice = Notice.objects.create(
            kind="test",
            text="Оповещения Чехова приходят сюда. Делать ничего не нужно.",
            link="/admin/alerts/",
            at_ms=now_ms,
        )
        row = Dispatch.objects.create(notice=notice, channel=channel, due_ms=now_ms + 86_400_000, tries=1)
        action_log(actor=actor, kind="alert_test", subject=str(channel.uuid), summary=f"«{channel.name}»")
    failure: SendFailed | None = None
    remark = ""
    try:
        message = compose(notice.uuid, [notice], time_zone=policy_read().time_zone, now_ms=now_ms)
        remark = send(target_of(channel), message)
    except SendFailed as error:
        failure = error
    except SecretUnreadable:
        failure = SendFailed("secret_unreadable", "Секрет канала не расшифровать: впишите его заново.")
    ended_ms = read_clock_ms()
    code, text = ("", remark[:300]) if failure is None else (failure.code[:40], failure.text[:300])
    own = Channel.objects.filter(pk=channel.pk)
    with writing():
        Dispatch.objects.filter(pk=row.pk).update(
            state="sent" if failure is None else "given_up", settled_ms=ended_ms, error_code=code, error_text=text
        )
        own.update(error_code=code, error_text=text)
        if failure is None:
            own.update(failures=0, next_try_ms=0, last_ok_ms=ended_ms)
        else:
            own.update(error_ms=ended_ms)
    row.refresh_from_db()
    return row


def rules_save(*, rules: Mapping[str, RuleContent], actor: User | None) -> None:
    """Set the rules that are named. Raises Invalid with the faults at `<code>.threshold`."""
    faults = []
    for code, content in rules.items():
        limits = RULES[code].threshold
        if limits is not None and not limits.least <= content.threshold <= limits.most:
            message = f"От {limits.least} до {limits.most}."
            faults.append(Fault(f"{code}.threshold", "threshold", message))
    if faults:
        raise _refusal(faults)
    with writing():
        before = {row.code: row for row in RuleSetting.objects.all()}
        changed = []
        for code, content in rules.items():
            values = {
                "is_on": content.is_on,
                "threshold": content.threshold if RULES[code].threshold else 0,
                "is_urgent": content.is_urgent,
            }
            row = before.get(code)
            if row is None or any(getattr(row, name) != value for name, value in values.items()):
                RuleSetting.objects.update_or_create(code=code, defaults=values)
                changed.append(RULES[code].title)
        if changed:
            action_log(actor=actor, kind="alert_rules_change", summary=", ".join(changed))


@dataclass(frozen=True, slots=True)
class RuleContent:
    """A rule as filled in."""

    is_on: bool
    threshold: int
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class PolicyContent:
    """Quiet hours, reminders and the cap as filled in; `quiet_from` and `quiet_to` are minutes of the day."""

    quiet_on: bool
    quiet_from: int
    quiet_to: int
    time_zone: int
    reminder_hours: int
    reminders_most: int
    messages_an_hour: int
    tell_recovery: bool


def policy_save(*, content: PolicyContent, actor: User | None) -> AlertPolicy:
    """Raises Invalid: `quiet_from`, `quiet_to`, `time_zone`, `reminder_hours`, `reminders_most`, `messages_an_hour`."""
    faults = []
    for name, value, least, most in (
        ("quiet_from", content.quiet_from, 0, 1439),
        ("quiet_to", content.quiet_to, 0, 1439),
        ("reminder_hours", content.reminder_hours, 0, 168),
        ("reminders_most", content.reminders_most, 0, 50),
        ("messages_an_hour", content.messages_an_hour, 1, 120),
    ):
        if not least <= value <= most:
            faults.append(Fault(name, name, f"От {least} до {most}."))
    if content.time_zone not in {number for number, _label in TIME_ZONES}:
        faults.append(Fault("time_zone", "time_zone", "Выберите часовой пояс."))
    if faults:
        raise _refusal(faults)
    with writing():
        values = {name: getattr(content, name) for name in PolicyContent.__dataclass_fields__}
        row, _made = AlertPolicy.objects.update_or_create(pk=1, defaults=values)
        action_log(actor=actor, kind="alert_policy_change", summary="Тихие часы, напоминания")
        return row


def channel_secrets_reencrypt() -> int:
    """Encrypt every channel's secret anew with the first key, so that older keys can go. Raises SecretUnreadable."""
    with writing():
        rows = list(Channel.objects.select_for_update().exclude(secret_encrypted="").order_by("pk"))
        for row in rows:
            Channel.objects.filter(pk=row.pk).update(secret_encrypted=encrypt(decrypt(row.secret_encrypted)))
        return len(rows)


def _give_up(channel: Channel) -> None:
    Dispatch.objects.filter(channel=channel, state="waiting").update(
        state="given_up", settled_ms=read_clock_ms(), error_code="off", error_text="Канал выключен."
    )


def _refusal(faults: list[Fault]) -> Invalid:
    first = faults[0]
    return Invalid(first.code, first.message, next_step="Исправьте отмеченные поля и сохраните ещё раз.", faults=faults)


# --- targets: the normal form and, where there is none, why -----------------------------------------------------------


def _addresses(text: str) -> tuple[str, str]:
    found = [item.strip() for item in re.split(r"[,;\s]+", text) if item.strip()]
    if not 1 <= len(found) <= MOST_ADDRESSES:
        return "", f"Впишите от одного до {MOST_ADDRESSES} адресов через запятую."
    normal = []
    for item in found:
        try:
            normal.append(validate_email(item, check_deliverability=False, test_environment=True).ascii_email)
        except EmailNotValidError:
            return "", f"Адрес «{item[:60]}» написан неверно."
    joined = ", ".join(item for item in normal if item)
    return (joined, "") if len(joined) <= 500 and all(normal) else ("", "Адреса вместе длиннее 500 символов.")


def _chat(text: str) -> tuple[str, str]:
    if _CHAT.fullmatch(text):
        return text, ""
    return "", "Номер чата — целое число (у группы с минусом) или @имя канала."


def _url(text: str) -> tuple[str, str]:
    parts = urlsplit(text)
    try:
        host, is_whole = parts.hostname or "", parts.port is None or parts.port > 0
    except ValueError:
        host, is_whole = "", False
    if parts.scheme not in {"http", "https"} or not host or not is_whole or parts.username or parts.fragment:
        return "", "Адрес вида https://имя/путь."
    if not text.isascii() or any(char.isspace() for char in text) or len(text) > 500:
        return "", "Адрес — латинскими буквами, без пробелов, не длиннее 500 символов."
    if parts.scheme == "http" and not _is_near(host):
        return "", "Адрес должен начинаться с https://: http:// можно только внутри своей сети."
    return text, ""


def _is_near(host: str) -> bool:
    """Whether the host is this machine, or an address of a private network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_private


_TARGETS = {"email": _addresses, "telegram": _chat, "webhook": _url}


def _secret_problem(content: ChannelContent, channel: Channel | None) -> str:
    secret = content.secret.strip()
    if content.kind == "email":
        return ""
    if not secret:
        return "" if channel is not None and channel.secret_encrypted else "Заполните поле."
    if content.kind == "telegram" and not _TOKEN.fullmatch(secret):
        return "Токен бота выглядит так: 123456789:ABCdef… Его выдаёт @BotFather."
    if content.kind == "webhook" and not 16 <= len(secret) <= 255:
        return "Секрет подписи: от 16 до 255 символов."
    return ""


def smtp_problem() -> str:
    """Why no letter can be sent at all; empty where the mail server is set."""
    if settings.CHEKHOV_SMTP_HOST:
        return ""
    return "Почтовый сервер не задан: администратор указывает его в настройках сервера, CHEKHOV_SMTP_HOST."
