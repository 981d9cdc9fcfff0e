"""The card of a receipt: what was sent, what became of it, what can be done."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from chekhov.delivery.models import Attempt, Callback
from chekhov.delivery.outcomes import OUTCOME_LABELS
from chekhov.delivery.requests import is_settleable, receipt_cancel, receipt_retry
from chekhov.delivery.selectors import LATE, PERSON_DECIDES
from chekhov.delivery.standby import standby_of
from chekhov.drivers.contract import Verdict
from chekhov.errors import Refusal
from chekhov.fiscal.codec import CodecError, load
from chekhov.fiscal.money import Money
from chekhov.panel.incidents import incidents_of
from chekhov.panel.pages import actor, page, part, refused, staff, told
from chekhov.panel.policy import policy_words
from chekhov.panel.trouble import TROUBLE, next_step_of
from chekhov.receipts.lateness import is_late
from chekhov.receipts.models import FiscalRecord, Receipt, ReceiptEvent
from chekhov.receipts.states import State

REASONS = {
    "formed": "Чек составлен",
    "claimed": "Взят в работу",
    "accepted": "Сервис кассы принял чек",
    "adopted": "Сервис уже знал этот чек: дубля нет",
    "done": "Касса пробила чек",
    "refused": "Сервис кассы отклонил чек",
    "not_sent": "Соединиться не удалось, чек не ушёл",
    "not_taken": "Сервис не взял чек, он вернулся в очередь",
    "unsure": "Ответ потерян, исход неизвестен",
    "found": "Чек нашёлся у сервиса",
    "device_error": "Касса сообщила об ошибке",
    "retry": "Повтор под новым ключом",
    "old_key_lives": "Прежняя отправка оказалась принятой",
    "lease_expired": "Отправка оборвалась, исход неизвестен",
    "cannot_encode": "Документ нельзя передать этому провайдеру",
    "cancelled_by_person": "Отменён человеком",
    "absence_confirmed": "Человек проверил кабинет: чека нет",
    "absent": "Доказано, что чека у сервиса нет",
    "held_late": "Опоздал, ждёт решения человека",
    "late_sent_anyway": "Решено пробить обычный чек с опозданием",
    "left_for_correction": "Решено оформить чек коррекции",
    "moved_to_standby": "Переведён на резервную кассу",
    "standby_stays": "На резервную кассу не переводится",
    "brought_back": "Возвращён на прежнюю кассу",
    "old_key_printed": "Пробит по прежней задаче",
    "former_printed": "Отменён: прежний чек этой оплаты пробит",
}
VERDICTS = {
    Verdict.VERIFIED.value: "подпись верна",
    Verdict.FORGED.value: "подпись не сошлась, не учтено",
    Verdict.MALFORMED.value: "нечитаемо, не учтено",
}
_WAITING = {State.QUEUED, State.SENDING, State.ACCEPTED, State.UNKNOWN}


def _receipt(uuid: UUID) -> Receipt:
    rows = Receipt.objects.select_related(
        "status", "register__standby", "customer", "invoice", "organization", "obligation__fact", "obligation__region"
    )
    return get_object_or_404(rows, uuid=uuid)


def who(name: str) -> str:
    """An actor for people: the worker, a shop's key, a user."""
    kind, _, rest = name.partition(":")
    if kind == "user" and rest:
        return rest
    if kind == "worker":
        return "работник доставки"
    return f"API-ключ {rest}…" if kind == "api" else name


def _events(receipt: Receipt) -> list[dict[str, Any]]:
    rows = ReceiptEvent.objects.filter(receipt=receipt).order_by("number")
    return [
        {"event": row, "who": who(row.actor), "reason": REASONS.get(row.reason, State(row.to_state).label)}
        for row in rows
    ]


def readable(text: str) -> str:
    """A provider's answer for people: JSON with its Russian letters, anything else as it came."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def _attempts(receipt: Receipt) -> list[dict[str, Any]]:
    rows = Attempt.objects.filter(receipt=receipt).order_by("number")
    return [
        {"row": row, "outcome": OUTCOME_LABELS.get(row.outcome, row.outcome), "answer": readable(row.answer)}
        for row in rows
    ]


def _callbacks(receipt: Receipt) -> list[dict[str, Any]]:
    rows = Callback.objects.filter(receipt=receipt).order_by("pk")[:50]
    return [{"row": row, "verdict": VERDICTS.get(row.verdict, row.verdict)} for row in rows]


def _context(receipt: Receipt) -> dict[str, Any]:
    state = State(receipt.status.state)
    try:
        document = load(receipt.document)
    except CodecError:
        document = None
    incidents = incidents_of(receipt)
    is_held = any(incident.closed_at is None for incident, _ in incidents)
    return {
        "receipt": receipt,
        "status": receipt.status,
        "document": document,
        "fiscal": FiscalRecord.objects.filter(receipt=receipt).first(),
        "next_step": next_step_of(receipt.status),
        "is_trouble": state.value in TROUBLE,
        "is_moving": state in _WAITING or bool(receipt.status.wanted),
        "can_retry": state is State.FAILED and not receipt.status.wanted and not is_held,
        "can_cancel": state in {State.FAILED, State.REFUSED, State.QUEUED} and not receipt.status.wanted,
        "incidents": incidents,
        "can_settle": state is State.UNKNOWN and is_settleable(receipt, receipt.status.key_number),
        "can_send_again": receipt.status.error_code == PERSON_DECIDES,
        "can_find": state in {State.UNKNOWN, State.ACCEPTED} and not receipt.status.provider_ref,
        "can_choose": state is State.QUEUED and receipt.status.error_code == LATE,
        "is_late": is_late(receipt.obligation.due_at),
        "standby": standby_of(receipt),
        "events": _events(receipt),
        "attempts": _attempts(receipt),
        "callbacks": _callbacks(receipt),
        "policy": policy_words(receipt.obligation.policy),
        "routing": receipt.obligation.routing.get("steps", ()),
    }


@staff
def show(request: HttpRequest, uuid: UUID) -> HttpResponse:
    receipt = _receipt(uuid)
    return page(request, "receipt_card", f"Чек на {Money(receipt.total_kopecks).human} ₽", **_context(receipt))


@staff
def live(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The card's body, asked for every two seconds until the state is final."""
    return part(request, "parts/receipt_body", **_context(_receipt(uuid)))


@staff
@require_POST
def retry(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Пробить ещё раз»."""
    try:
        receipt_retry(receipt=_receipt(uuid), actor=actor(request))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, "Повтор заказан. Сначала касса ещё раз проверит старое задание, поэтому второго чека не будет.")
    return redirect("panel:receipt", uuid=uuid)


@staff
@require_POST
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Отменить чек»."""
    receipt = _receipt(uuid)
    try:
        receipt_cancel(receipt=receipt, actor=actor(request), reason=request.POST.get("reason", ""))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, "Отмена записана. Если деньги получены, пробейте новый чек в «Оплачено без чека».")
    return redirect("panel:receipt", uuid=uuid)
