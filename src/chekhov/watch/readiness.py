"""«Проверка готовности»: is this installation set up so that every payment gets its receipt?

Each check reads and changes nothing; together they are what the panel shows and `chekhov check` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from chekhov.config import immutability
from chekhov.config.clock import local_date, now
from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import WorkerBeat
from chekhov.delivery.selectors import hold_words, lane_states
from chekhov.directory.models import Organization, Region
from chekhov.directory.selectors import tax_systems_on, vat_mode_on
from chekhov.drivers import registry
from chekhov.drivers.access import AccessState
from chekhov.drivers.errors import UnknownProvider
from chekhov.fiscal.vocabulary import VAT_MODE_LABELS, PaymentMethod, RegisterVatRate, TaxSystem
from chekhov.registers.models import Register
from chekhov.registers.secrets import SecretUnreadable, decrypt
from chekhov.watch.health import readiness
from chekhov.watch.models import Channel
from chekhov.watch.turns import SILENT_MS, watched_seconds_ago
from chekhov.watch.words import span

BEAT_SECONDS = 30
_SWAPPED = frozenset({PaymentMethod.CREDIT.value, PaymentMethod.CREDIT_PAYMENT.value})


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: a title, what is so, and what to do. `code` is stable."""

    code: str
    level: Level
    title: str
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class RegisterStateLine:
    """A register with its state in words, for a list."""

    register: Register
    level: Level
    text: str


def checks() -> list[Check]:
    """All checks, the worst first, otherwise in the order of setting up."""
    found = [check for source in _SOURCES for check in source()]
    order = {Level.BAD: 0, Level.WARN: 1, Level.OK: 2}
    return sorted(found, key=lambda check: order[check.level])


def checks_of_the_terminal() -> list[Check]:
    """The same for a terminal, where the database may be away or not migrated: then that is the one finding."""
    reasons = [reason for reason in readiness().reasons if reason in _NOT_READY]
    if reasons:
        return [Check(reason, Level.BAD, "База данных", *_NOT_READY[reason]) for reason in reasons]
    return checks()


_NOT_READY = {
    "database_unreachable": ("База данных не отвечает.", "Проверьте CHEKHOV_DATABASE_URL и сервер базы."),
    "migrations_unapplied": ("Таблицы базы старее программы.", "Выполните «chekhov migrate»."),
}


def worker_check() -> Check:
    """Whether a worker has said within half a minute that it lives, by the database's clock."""
    title = "Доставка чеков"
    seen = WorkerBeat.objects.order_by("-seen_ms").values_list("seen_ms", flat=True).first()
    step = "Запустите работника: «chekhov up» или «chekhov worker». Принятые оплаты не потеряются: чеки ждут в очереди."
    if seen is None:
        return Check("worker", Level.BAD, title, "Доставка не работает: работник ещё ни разу не запускался.", step)
    seconds = max(0, (read_clock_ms() - seen) // 1000)
    if seconds > BEAT_SECONDS:
        return Check("worker", Level.BAD, title, f"Доставка не работает: работник молчит {span(seconds)}.", step)
    return Check("worker", Level.OK, title, f"Работник на связи, отозвался {seconds} с назад.")


def register_states() -> list[RegisterStateLine]:
    """Connected registers with their last check and the pauses of their queues."""
    holds = {(lane.account_id, lane.queue): hold_words(lane) for lane in lane_states(depth=False)}
    lines: list[RegisterStateLine] = []
    rows = Register.objects.filter(archived_at__isnull=True).select_related("region", "account")
    for row in rows.order_by("name", "pk"):
        hold = holds.get((row.account_id, row.queue))
        if hold:
            lines.append(RegisterStateLine(row, Level.BAD, hold))
        elif not row.check_code:
            lines.append(RegisterStateLine(row, Level.WARN, "Связь ещё не проверяли."))
        elif row.check_code == AccessState.OK:
            lines.append(RegisterStateLine(row, Level.OK, row.check_text))
        else:
            level = Level.WARN if row.check_code == AccessState.PASSIVE_QUEUE else Level.BAD
            lines.append(RegisterStateLine(row, level, row.check_text))
    return lines


def _base_url() -> Iterator[Check]:
    title, url = "Публичный адрес", settings.CHEKHOV_BASE_URL
    parts = urlsplit(url)
    local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    step = "Задайте CHEKHOV_BASE_URL — адрес https://, по которому этот сервер виден из интернета."
    if local and _live_registers():
        text = (
            f"Адрес {url} виден только этому компьютеру: уведомления кассы не дойдут, Чехов узнаёт об исходе опросом."
        )
        yield Check("base_url", Level.WARN, title, text, step)
    elif local:
        text = f"Адрес {url} виден только этому компьютеру. Для «Тестовой кассы» этого достаточно."
        yield Check("base_url", Level.OK, title, text)
    elif parts.scheme != "https":
        yield Check(
            "base_url", Level.BAD, title, f"Адрес {url} без шифрования: пароли и уведомления идут открыто.", step
        )
    else:
        yield Check("base_url", Level.OK, title, f"Уведомления касс приходят на {url}.")


def _directories() -> Iterator[Check]:
    title = "Организации и НДС"
    organizations = list(Organization.objects.order_by("name"))
    if not organizations:
        yield Check(
            "organizations", Level.BAD, title, "Нет ни одной организации.", "Заведите её: «Справочники → Организации»."
        )
        return
    fine = True
    for row in organizations:
        today = local_date(now(), row.time_zone)
        if vat_mode_on(row, today) is None:
            fine = False
            text = f"У организации «{row.name}» на сегодня не задан режим НДС: чеки не составить."
            yield Check("vat_mode", Level.BAD, title, text, "Откройте организацию и добавьте строку «Как платит НДС».")
        if not tax_systems_on(row, today):
            fine = False
            text = f"У организации «{row.name}» на сегодня не задана система налогообложения."
            yield Check("tax_system", Level.BAD, title, text, "Откройте организацию и добавьте её.")
    if fine:
        yield Check("organizations", Level.OK, title, "У всех организаций заданы система налогообложения и режим НДС.")


def _regions() -> Iterator[Check]:
    title = "Регионы и кассы"
    regions = list(Region.objects.select_related("organization").order_by("name"))
    if not regions:
        yield Check("regions", Level.BAD, title, "Нет ни одного региона.", "Заведите регион: «Справочники → Регионы».")
        return
    registers = list(Register.objects.filter(archived_at__isnull=True).prefetch_related("extra_regions"))
    served: set[tuple[int, int]] = set()
    automatic: set[tuple[int, int]] = set()
    for row in registers:
        served.add((row.region_id, row.organization_id))
        if row.active_online:
            own = {row.region_id, *(region.pk for region in row.extra_regions.all())}
            automatic |= {(region_id, row.organization_id) for region_id in own}
    keys = {region.pk: (region.pk, region.organization_id) for region in regions}
    bare = [region.name for region in regions if keys[region.pk] not in served | automatic]
    by_hand = [region.name for region in regions if keys[region.pk] in served and keys[region.pk] not in automatic]
    if bare:
        text = f"Без кассы остались регионы: {', '.join(bare)}. Чеки по ним попадут в «Оплачено без чека»."
        step = "Подключите кассу или укажите регион дополнительным у другой кассы этой организации."
        yield Check("region_without_register", Level.WARN, title, text, step)
    if by_hand:
        text = f"Онлайн оплаты не пробиваются сами в регионах: {', '.join(by_hand)}. Чек пробивает менеджер."
        step = "Если так задумано, ничего не делайте. Иначе включите «Активен при онлайн оплатах» у кассы."
        yield Check("region_by_hand", Level.WARN, title, text, step)
    if not bare and not by_hand:
        yield Check("regions", Level.OK, title, "Онлайн оплаты каждого региона пробиваются сами.")


def _registers() -> Iterator[Check]:
    title = "Настройки касс"
    rows = list(
        Register.objects.filter(archived_at__isnull=True).select_related("organization", "account").order_by("name")
    )
    fine = True
    for row in rows:
        organization, problems = row.organization, []
        today = local_date(now(), organization.time_zone)
        mode, systems = vat_mode_on(organization, today), tax_systems_on(organization, today)
        rate, system = RegisterVatRate(row.vat_rate), TaxSystem(row.tax_system)
        if mode is not None and mode not in rate.vat_modes:
            problems.append(f"ставка «{rate.label}», а у организации сегодня «{VAT_MODE_LABELS[mode]}»")
        if systems and system not in systems:
            have = ", ".join(item.label for item in systems)
            problems.append(f"система «{system.label}», а у организации сегодня: {have}")
        if problems:
            fine = False
            text = f"Касса «{row.name}» разошлась с организацией: {'; '.join(problems)}."
            yield Check("register_taxes", Level.BAD, title, text, "Откройте кассу, исправьте поле и сохраните.")
        if not row.check_code:
            fine = False
            text = f"Связь с кассой «{row.name}» ещё не проверяли."
            yield Check("register_unchecked", Level.WARN, title, text, "Откройте кассу и нажмите «Проверить связь».")
        elif row.check_code != AccessState.OK:
            fine = False
            known = row.check_code in set(AccessState)
            step = AccessState(row.check_code).next_step if known else "Проверьте связь ещё раз."
            yield Check("register_check", Level.WARN, title, f"Касса «{row.name}»: {row.check_text}", step)
        if row.account.provider == "komtet" and {row.online_method, row.topup_method} & _SWAPPED:
            text = (
                f"У кассы «{row.name}» выбран кредитный способ расчёта. Программа связи Комтет для Linux печатает "
                "«Передача в кредит» и «Оплата кредита» наоборот."
            )
            step = "Пробейте один чек и посмотрите признак способа расчёта на бумаге, прежде чем работать дальше."
            yield Check("komtet_credit", Level.WARN, title, text, step)
    if rows and fine:
        yield Check("registers", Level.OK, title, "Кассы проверены и согласованы с организациями.")


def _worker() -> Iterator[Check]:
    yield worker_check()


def _alerts() -> Iterator[Check]:
    title = "Оповещения"
    channels = list(Channel.objects.filter(removed_at__isnull=True, is_on=True).order_by("pk"))
    seconds = watched_seconds_ago()
    if not channels:
        text = "О неполадках никто не узнает сам: ни одного канала оповещений нет."
        step = "Заведите канал: «Служебные → Оповещения»."
        yield Check("alerts", Level.WARN if _live_registers() else Level.OK, title, text, step)
        return
    if seconds is None or seconds * 1000 > SILENT_MS:
        silent = "ещё ни разу не запускалось" if seconds is None else f"молчит {span(seconds)}"
        text = f"Наблюдение {silent}: оповещения не уходят."
        yield Check("watch", Level.BAD, title, text, "Запустите его: «chekhov up» или «chekhov watch».")
    failing = [row for row in channels if row.failures]
    for row in failing:
        text = f"Канал «{row.name}» не работает. {row.error_text}"
        yield Check("alert_channel", Level.WARN, title, text, "Исправьте канал и нажмите «Отправить проверочное».")
    if not failing:
        yield Check("alerts", Level.OK, title, f"О неполадках сообщаем: {', '.join(row.name for row in channels)}.")


def _triggers() -> Iterator[Check]:
    title, missing = "Защита записей в базе", immutability.missing()
    if missing:
        text = f"В базе нет {len(missing)} защитных триггеров: записи о чеках можно изменить в обход Чехова."
        yield Check("triggers", Level.BAD, title, text, "Выполните «chekhov migrate»: триггеры встанут на место.")
    else:
        yield Check("triggers", Level.OK, title, "База не даёт изменить или удалить факты, чеки и журнал.")


def _secrets() -> Iterator[Check]:
    title, bad = "Секреты", 0
    registers = Register.objects.filter(archived_at__isnull=True).values_list("account__secret_encrypted", flat=True)
    channels = Channel.objects.exclude(secret_encrypted="").values_list("secret_encrypted", flat=True)
    for token in {*registers, *channels}:
        try:
            decrypt(token)
        except SecretUnreadable:
            bad += 1
    if bad:
        text = f"Не читаются секреты: {bad}. Чеки и оповещения через них не уйдут."
        step = "Верните прежний ключ в CHEKHOV_ENCRYPTION_KEYS (или файл encryption.key) либо введите секреты заново."
        yield Check("secrets", Level.BAD, title, text, step)
    else:
        yield Check("secrets", Level.OK, title, "Секреты зашифрованы и читаются.")


def _database() -> Iterator[Check]:
    title = "База данных"
    if connection.vendor == "postgresql":
        yield Check("database", Level.OK, title, "PostgreSQL.")
    elif _live_registers():
        text = "SQLite с настоящей кассой. Для одного магазина этого хватает, но копии и отказоустойчивость — на вас."
        step = "Делайте резервные копии папки данных или перейдите на PostgreSQL (CHEKHOV_DATABASE_URL)."
        yield Check("database", Level.WARN, title, text, step)
    else:
        yield Check("database", Level.OK, title, "SQLite: для пробы и одного магазина этого достаточно.")


def _live_registers() -> bool:
    """Whether any connected register issues receipts that the tax service sees."""
    codes = Register.objects.filter(archived_at__isnull=True).values_list("account__provider", flat=True).distinct()
    for code in codes:
        try:
            if not registry.get(code).is_emulator:
                return True
        except UnknownProvider:
            return True
    return False


_SOURCES: tuple[Callable[[], Iterator[Check]], ...] = (
    _directories,
    _regions,
    _registers,
    _worker,
    _alerts,
    _base_url,
    _secrets,
    _triggers,
    _database,
)
