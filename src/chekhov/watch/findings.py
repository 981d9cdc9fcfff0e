"""What the rules of the alerts find. A rule reads and changes nothing.

What it finds is named by rule and subject (which register, account or incident): the same pair found again is the same
problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from django.conf import settings

from chekhov.delivery.models import Breaker, WorkerBeat
from chekhov.delivery.selectors import LATE, PERSON_DECIDES, LaneState, lane_states, waiting_for_person
from chekhov.drivers import registry
from chekhov.drivers.access import AccessState
from chekhov.drivers.errors import UnknownProvider
from chekhov.receipts.incidents import NEXT_STEPS
from chekhov.receipts.models import Incident
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch.folding import bare_obligations
from chekhov.watch.models import AccountSeen
from chekhov.watch.queues import LaneKey, LaneName, Waiting, lane_name, lane_names, waiting
from chekhov.watch.words import span

MOST_OF_A_RULE = 50
REFUSING = frozenset(
    {AccessState.WRONG_CREDENTIALS, AccessState.FOREIGN_QUEUE, AccessState.REFUSED, AccessState.NO_SERVICE}
)
SECRET_UNREADABLE = "secret"  # noqa: S105 -- what a check says where our own key does not open the Secret
THROTTLED = frozenset({"429", "internal"})  # pauses that say nothing about the credentials
_UNDERWAY = (State.QUEUED, State.SENDING, State.ACCEPTED, State.UNKNOWN)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has found. `link` is a path below the base URL."""

    rule: str
    subject: str
    text: str
    next_step: str
    link: str


@dataclass
class Situation:
    """What the rules look at, read once for all of them."""

    now_ms: int

    @cached_property
    def waiting(self) -> list[Waiting]:
        return waiting()

    @cached_property
    def names(self) -> dict[LaneKey, LaneName]:
        return lane_names()

    @cached_property
    def lanes(self) -> list[LaneState]:
        return lane_states(depth=False)

    @cached_property
    def registers(self) -> list[Register]:
        rows = Register.objects.filter(archived_at__isnull=True).select_related("account")
        return list(rows.order_by("pk"))

    def name(self, key: LaneKey) -> LaneName:
        return lane_name(self.names, key)

    def past(self, milliseconds: int) -> str:
        return span((self.now_ms - milliseconds) / 1000)


def _subject(key: LaneKey) -> str:
    return f"lane {key[0]}/{key[1]}"


def _receipts(lane: LaneName, state: State | None) -> str:
    asked = [f"state={state.value}"] if state else []
    asked += [f"register={lane.register_id}"] if lane.register_id else []
    return "/admin/receipts/" + ("?" + "&".join(asked) if asked else "")


def _card(lane: LaneName) -> str:
    return f"/admin/registers/{lane.label}/" if lane.register_id else "/admin/registers/"


def receipt_old(now: Situation, minutes: int) -> Iterator[Finding]:
    border = now.now_ms - minutes * 60_000
    oldest: dict[LaneKey, int] = {}
    count: dict[LaneKey, int] = defaultdict(int)
    for row in now.waiting:
        if row.state in _UNDERWAY:
            oldest[row.lane] = min(oldest.get(row.lane, row.oldest_ms), row.oldest_ms)
            count[row.lane] += row.count
    for key, at_ms in oldest.items():
        if at_ms <= border:
            lane = now.name(key)
            text = f"Касса «{lane.name}»: самый старый чек не пробит уже {now.past(at_ms)}, всего в пути {count[key]}."
            step = "Проверьте кассу и связь с сервисом. Чеки не потеряны; чего ждёт каждый, написано в его карточке."
            yield Finding("receipt_old", _subject(key), text, step, _receipts(lane, None))


def register_failing(now: Situation, least: int) -> Iterator[Finding]:
    count: dict[LaneKey, dict[State, int]] = defaultdict(dict)
    for row in now.waiting:
        if row.state in (State.FAILED, State.REFUSED):
            count[row.lane][row.state] = row.count
    for key, found in count.items():
        failed, refused = found.get(State.FAILED, 0), found.get(State.REFUSED, 0)
        if failed + refused < least:
            continue
        lane = now.name(key)
        parts = [f"ошибок кассы {failed}"] * bool(failed) + [f"отклонённых чеков {refused}"] * bool(refused)
        step = "Откройте чек: в нём причина и что делать. Второй чек за ту же оплату не пробивайте."
        state = State.FAILED if failed else State.REFUSED
        text = f"Касса «{lane.name}» не пробивает чеки: {', '.join(parts)}."
        yield Finding("register_failing", _subject(key), text, step, _receipts(lane, state))


def passive_queue(now: Situation, _minutes: int) -> Iterator[Finding]:
    passive = {(lane.account_id, lane.queue) for lane in now.lanes if lane.passive_seconds is not None}
    for row in now.registers:
        key = (row.account_id, row.queue)
        if row.check_code == AccessState.PASSIVE_QUEUE or key in passive:
            text = f"Касса «{row.name}» не на связи: сервис принимает чеки, но пробить их некому."
            step = AccessState.PASSIVE_QUEUE.next_step
            yield Finding("passive_queue", _subject(key), text, step, f"/admin/registers/{row.uuid}/")


def no_callback(now: Situation, hours: int) -> Iterator[Finding]:
    is_local = urlsplit(settings.CHEKHOV_BASE_URL).hostname in _LOOPBACK
    seen = {row.account_id: row for row in AccountSeen.objects.filter(uncalled_ms__isnull=False)}
    told: set[int] = set()
    for row in now.registers:
        account = seen.get(row.account_id)
        if account is None or account.uncalled_ms is None or row.account_id in told:
            continue
        if now.now_ms - account.uncalled_ms < hours * 3_600_000 or not _notifies(row.account.provider, is_local):
            continue
        told.add(row.account_id)
        last = f"последнее пришло {now.past(account.callback_ms)} назад" if account.callback_ms else "не было ни одного"
        text = f"Магазин {row.account.shop_id}: чеки пробиваются, а уведомлений от сервиса нет ({last})."
        step = "Вставьте ссылку из карточки кассы в кабинет сервиса. Чеки не страдают: исход узнаётся опросом."
        yield Finding("no_callback", f"account {row.account_id}", text, step, f"/admin/registers/{row.uuid}/")


def _notifies(provider: str, is_local: bool) -> bool:
    """Whether notifications of this provider could reach us at all."""
    try:
        known = registry.get(provider)
    except UnknownProvider:
        return False
    return known.driver.capabilities.callback and (known.is_emulator or not is_local)


def breaker_open(now: Situation, _threshold: int) -> Iterator[Finding]:
    for lane in now.lanes:
        if lane.breaker is not Breaker.CLOSED:
            name = now.name((lane.account_id, lane.queue))
            text = f"Касса «{name.name}»: сервис не отвечает, отправка приостановлена. {lane.breaker_text}".strip()
            step = "Чехов сам пробует связь и продолжит, когда сервис ответит. Проверьте сеть и кабинет сервиса."
            yield Finding("breaker_open", _subject((lane.account_id, lane.queue)), text, step, _card(name))


def lane_stopped(now: Situation, hours: int) -> Iterator[Finding]:
    queued = {row.lane: row.count for row in now.waiting if row.state is State.QUEUED}
    for lane in now.lanes:
        key = (lane.account_id, lane.queue)
        if lane.stopped_seconds is not None and lane.stopped_seconds >= hours * 3600 and queued.get(key):
            name = now.name(key)
            text = (
                f"Касса «{name.name}» остановлена человеком уже {span(lane.stopped_seconds)}: чеков ждёт {queued[key]}."
            )
            step = "Если причина устранена, пустите кассу снова в её карточке."
            yield Finding("lane_stopped", _subject(key), text, step, _card(name))


def person_decides(_now: Situation, _threshold: int) -> Iterator[Finding]:
    late, lost = "просрочены: обычный чек или коррекцию выбирает человек", "судьбу видно только в кабинете сервиса"
    for code, words in ((LATE, late), (PERSON_DECIDES, lost)):
        count = waiting_for_person(code).values("pk")[:1000].count()
        if count:
            text = f"Чеков ждёт решения человека: {count} ({words})."
            yield Finding("person_decides", code, text, "Откройте «Ждут решения».", "/admin/decisions/")


def unknown_outcome(now: Situation, minutes: int) -> Iterator[Finding]:
    for row in now.waiting:
        if row.state is State.UNKNOWN and now.now_ms - row.changed_ms >= minutes * 60_000:
            lane = now.name(row.lane)
            past = now.past(row.changed_ms)
            text = f"Касса «{lane.name}»: чеков с неизвестным исходом {row.count}, у первого — уже {past}."
            step = "Чехов спрашивает сервис сам. Второй чек не пробивайте; посмотрите чек в кабинете сервиса."
            yield Finding("unknown_outcome", _subject(row.lane), text, step, _receipts(lane, State.UNKNOWN))


def fact_without_receipt(now: Situation, minutes: int) -> Iterator[Finding]:
    count, oldest_ms = bare_obligations()
    if count and now.now_ms - oldest_ms >= minutes * 60_000:
        text = f"Оплат без чека: {count}, самая ранняя ждёт {now.past(oldest_ms)}."
        step = "Откройте «Оплачено без чека»: у каждой строки есть причина и следующий шаг."
        yield Finding("fact_without_receipt", "", text, step, "/admin/unreceipted/")


def credentials_refused(now: Situation, _threshold: int) -> Iterator[Finding]:
    refused = {
        (lane.account_id, lane.queue): lane.pause_text
        for lane in now.lanes
        if lane.pause_code and lane.pause_code not in THROTTLED
    }
    told: set[LaneKey] = set()
    for row in now.registers:
        key = (row.account_id, row.queue)
        is_unreadable = row.check_code == SECRET_UNREADABLE
        is_checked = row.check_code in REFUSING
        if key in told or not (is_checked or is_unreadable or key in refused):
            continue
        told.add(key)
        state = AccessState(row.check_code) if is_checked else AccessState.REFUSED
        words = row.check_text if is_unreadable else state.sentence
        text = f"Касса «{row.name}»: чеки не уходят. {refused.get(key) or words}"
        link = f"/admin/registers/{row.uuid}/"
        yield Finding("credentials_refused", _subject(key), text, state.next_step, link)


def incident_open(_now: Situation, _threshold: int) -> Iterator[Finding]:
    rows = Incident.objects.filter(closed_at__isnull=True).select_related("receipt").order_by("-pk")
    for row in rows[: MOST_OF_A_RULE + 1]:
        step = NEXT_STEPS.get(row.code, "Откройте чек и разберитесь.")
        yield Finding(
            "incident_open",
            f"incident {row.pk}",
            f"Происшествие: {row.text}",
            step,
            f"/admin/receipts/{row.receipt.uuid}/",
        )


def worker_silent(now: Situation, minutes: int) -> Iterator[Finding]:
    seen_ms = WorkerBeat.objects.order_by("-seen_ms").values_list("seen_ms", flat=True).first()
    border = now.now_ms - minutes * 60_000
    if seen_ms is None:
        is_needed = any(row.state is State.QUEUED and row.oldest_ms <= border for row in now.waiting)
        text = "Доставка чеков не работает: работник ещё ни разу не запускался, а чеки ждут."
    else:
        is_needed, text = seen_ms <= border, f"Доставка чеков не работает: работник молчит {now.past(seen_ms)}."
    if is_needed:
        step = (
            "Проверьте службу на сервере: «chekhov up» или «chekhov worker». Оплаты принимаются, чеки ждут в очереди."
        )
        yield Finding("worker_silent", "", text, step, "/admin/readiness/")
