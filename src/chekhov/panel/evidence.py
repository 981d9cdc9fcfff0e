"""Everything that is known of a receipt's delivery, in the order of time: what left, what was answered, what came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from chekhov.delivery.models import Absence, Attempt, Callback
from chekhov.delivery.outcomes import OUTCOME_LABELS
from chekhov.panel.pages import page, staff
from chekhov.panel.receipt_card import REASONS, VERDICTS, readable, who
from chekhov.receipts.models import Receipt, ReceiptEvent
from chekhov.receipts.states import State

SHOWN = 300
KEPT_TEXT = 8_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `body` is what went over the wire, as text."""

    at: datetime
    icon: str
    title: str
    text: str = ""
    body: str = ""


def entries(receipt: Receipt) -> list[Entry]:
    """All of it, the oldest first."""
    found: list[Entry] = []
    first: dict[int, int] = {}
    for row in Attempt.objects.filter(receipt=receipt).order_by("number")[:SHOWN]:
        same = first.setdefault(row.key_number, row.number)
        body = _text(row.body) if bytes(row.body) else f"Те же байты, что и в отправке № {same}."
        lane = f"учётная запись {row.account_id}, очередь {row.queue}"
        found.append(
            Entry(row.sent_at, "upload", f"Отправка № {row.number}", f"Ключ {row.key}; {lane}; {who(row.owner)}", body)
        )
        if row.answered_at is not None:
            status = f"HTTP {row.status}. " if row.status else ""
            label = OUTCOME_LABELS.get(row.outcome, row.outcome)
            title = f"Ответ на отправку № {row.number}: {label}"
            found.append(
                Entry(row.answered_at, "download", title, f"{status}{row.error_text}", readable(row.answer)[:KEPT_TEXT])
            )
        else:
            found.append(Entry(row.sent_at, "help", f"На отправку № {row.number} ответа нет"))
    for absence in Absence.objects.filter(receipt=receipt).order_by("pk")[:SHOWN]:
        title = f"Доказано: отправки до № {absence.attempt_number} ничего не оставили"
        found.append(Entry(absence.found_at, "fact_check", title, f"{absence.text} ({who(absence.found_by)})"))
    for callback in Callback.objects.filter(receipt=receipt).order_by("pk")[:SHOWN]:
        title = f"Уведомление сервиса: {VERDICTS.get(callback.verdict, callback.verdict)}"
        found.append(Entry(callback.received_at, "notifications", title, body=readable(_text(callback.body))))
    for event in ReceiptEvent.objects.filter(receipt=receipt).order_by("number")[:SHOWN]:
        title = f"{REASONS.get(event.reason, event.reason)}: {State(event.to_state).label.lower()}"
        found.append(Entry(event.at, "history", title, f"{event.text} ({who(event.actor)})".strip()))
    return sorted(found, key=lambda entry: entry.at)


@staff
def show(request: HttpRequest, uuid: UUID) -> HttpResponse:
    receipt = get_object_or_404(Receipt.objects.select_related("status", "register", "customer"), uuid=uuid)
    return page(request, "receipt_evidence", "Разбор чека", receipt=receipt, entries=entries(receipt))


def _text(body: bytes | memoryview) -> str:
    return readable(bytes(body).decode("utf-8", "replace"))[:KEPT_TEXT]
