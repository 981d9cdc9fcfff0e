"""The rules of the alerts: their codes, words and defaults, and how the shop has set them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from django.db import OperationalError

from chekhov.watch.findings import (
    MOST_OF_A_RULE,
    Finding,
    Situation,
    breaker_open,
    credentials_refused,
    fact_without_receipt,
    incident_open,
    lane_stopped,
    no_callback,
    passive_queue,
    person_decides,
    receipt_old,
    register_failing,
    unknown_outcome,
    worker_silent,
)
from chekhov.watch.models import RuleSetting

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Threshold:
    """The figure that a shop may set: what it counts, its default and its bounds."""

    label: str
    default: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its stable code, what people read about it, how it is set where nobody has set it."""

    code: str
    title: str
    help: str
    find: Callable[[Situation, int], Iterator[Finding]]
    is_urgent: bool
    threshold: Threshold | None = None


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            "worker_silent",
            "Работник молчит",
            "Доставка чеков остановилась: служба не запущена или зависла.",
            worker_silent,
            True,
            Threshold("молчит дольше, минут", 2, 1, 1440),
        ),
        Rule(
            "credentials_refused",
            "Сервис не принимает учётные данные",
            "Неверный Secret, чужая очередь, не оплачен тариф, Secret не расшифровать.",
            credentials_refused,
            True,
        ),
        Rule(
            "breaker_open",
            "Сервис кассы не отвечает",
            "Отправка на эту кассу приостановлена, чтобы не ждать напрасно; Чехов сам пробует связь.",
            breaker_open,
            True,
        ),
        Rule(
            "register_failing",
            "Касса не пробивает чеки",
            "Чеки в состояниях «Ошибка кассы» и «Отклонён».",
            register_failing,
            True,
            Threshold("таких чеков не меньше", 1, 1, 10_000),
        ),
        Rule(
            "passive_queue",
            "Касса не на связи",
            "Очередь пассивна: касса выключена или её программа связи не работает. Чехов проверяет это сам.",
            passive_queue,
            False,
            Threshold("проверять раз в, минут", 15, 5, 1440),
        ),
        Rule(
            "receipt_old",
            "Чек долго не пробит",
            "Чек составлен, но фискального документа всё нет.",
            receipt_old,
            False,
            Threshold("старше, минут", 30, 1, 100_000),
        ),
        Rule(
            "unknown_outcome",
            "Исход неизвестен",
            "Ответ сервиса потерян, и узнать судьбу чека пока не удалось.",
            unknown_outcome,
            False,
            Threshold("дольше, минут", 10, 1, 100_000),
        ),
        Rule(
            "fact_without_receipt",
            "Оплата без чека",
            "Деньги получены, а чека нет: его некому или не из чего составить, или он ждёт человека.",
            fact_without_receipt,
            False,
            Threshold("ждёт дольше, минут", 60, 1, 100_000),
        ),
        Rule(
            "person_decides",
            "Чек ждёт решения человека",
            "Чек просрочен, или его судьбу можно узнать только в кабинете сервиса.",
            person_decides,
            False,
        ),
        Rule(
            "lane_stopped",
            "Касса остановлена человеком",
            "Кассу остановили и забыли пустить, а чеки ждут.",
            lane_stopped,
            False,
            Threshold("дольше, часов", 4, 1, 720),
        ),
        Rule(
            "incident_open",
            "Происшествие",
            "То, что противоречит журналу: разобраться может только человек.",
            incident_open,
            False,
        ),
        Rule(
            "no_callback",
            "Нет уведомлений от сервиса",
            "Чеки пробиваются, а уведомления о них не приходят.",
            no_callback,
            False,
            Threshold("за последние, часов", 24, 1, 720),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class RuleAsSet:
    """A rule with the shop's settings."""

    rule: Rule
    is_on: bool
    threshold: int
    is_urgent: bool


def rules_as_set() -> list[RuleAsSet]:
    """All rules in their order, as the shop has set them."""
    rows = {row.code: row for row in RuleSetting.objects.all()}
    found = []
    for rule in RULES.values():
        row, default = rows.get(rule.code), rule.threshold.default if rule.threshold else 0
        if row is None:
            found.append(RuleAsSet(rule, True, default, rule.is_urgent))
        else:
            found.append(RuleAsSet(rule, row.is_on, row.threshold or default, row.is_urgent))
    return found


def findings(now_ms: int, rules: list[RuleAsSet]) -> tuple[list[tuple[Finding, bool]], set[str]]:
    """What the rules that are on find, each with whether it is urgent, of one rule at most fifty; and the codes of the
    rules that could look. A rule that cannot look holds back no other, and its problems stay as they are.
    """
    now = Situation(now_ms)
    found: list[tuple[Finding, bool]] = []
    looked: set[str] = set()
    for item in rules:
        if not item.is_on:
            continue
        try:
            own = list(item.rule.find(now, item.threshold))
        except OperationalError:  # the database is away: nothing can look
            raise
        except Exception:
            log.exception("watch.rule_failed", rule=item.rule.code)
            continue
        looked.add(item.rule.code)
        found += [(finding, item.is_urgent) for finding in own[:MOST_OF_A_RULE]]
        if len(own) > MOST_OF_A_RULE:
            text = f"{item.rule.title}: таких неполадок больше {MOST_OF_A_RULE}, о каждой не сообщаем."
            found.append((Finding(item.rule.code, "more", text, "Откройте панель.", "/admin/"), item.is_urgent))
    return found, looked
