"""«Ждут решения»: receipts that are too late to go by themselves, and outcomes that no question can find out."""

from __future__ import annotations

import time
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from chekhov.delivery.requests import receipt_found, receipt_leave_for_correction, receipts_send_late
from chekhov.delivery.selectors import LATE, PERSON_DECIDES, waiting_for_person
from chekhov.errors import Refusal
from chekhov.panel.pages import actor, page, refused, staff, told
from chekhov.panel.words import counted
from chekhov.receipts.models import Receipt, ReceiptState

SHOWN = 200
CAP = 1000
BADGE_SECONDS = 3


def decisions_count() -> int:
    """How many receipts wait for a person's choice, to the cap."""
    return min(CAP, sum(waiting_for_person(code).values("pk")[:CAP].count() for code in (LATE, PERSON_DECIDES)))


def decisions_badge() -> str:
    """The figure for the menu, empty when nothing waits. Every page shows it, so it is counted every third second."""
    return _badge(int(time.monotonic() // BADGE_SECONDS))


@lru_cache(maxsize=1)
def _badge(_moment: int) -> str:
    count = decisions_count()
    return "" if not count else "999+" if count >= CAP else str(count)


def _rows(code: str) -> QuerySet[ReceiptState]:
    return waiting_for_person(code).select_related(
        "receipt__customer", "receipt__invoice", "receipt__register", "receipt__obligation__fact"
    )


@staff
def listed(request: HttpRequest) -> HttpResponse:
    late = list(_rows(LATE)[: SHOWN + 1])
    unknown = list(_rows(PERSON_DECIDES)[: SHOWN + 1])
    return page(
        request,
        "decisions",
        "Ждут решения",
        late=late[:SHOWN],
        unknown=unknown[:SHOWN],
        is_cut=len(late) > SHOWN or len(unknown) > SHOWN,
        hours=settings.CHEKHOV_LATE_HOURS,
    )


@staff
@require_POST
def send_all_late(request: HttpRequest) -> HttpResponse:
    """«Пробить отмеченные»: the late receipts that the person ticked."""
    chosen = [int(item) for item in request.POST.getlist("receipt") if item.isascii() and item.isdigit()][:SHOWN]
    try:
        sent = receipts_send_late(receipt_ids=chosen, actor=actor(request), reason=request.POST.get("reason", ""))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, f"Уходит в кассу: {counted(sent, 'чек', 'чека', 'чеков')}. Причина записана в журнал.")
    return redirect("panel:decisions")


@staff
@require_POST
def send_late(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Пробить с опозданием»."""
    receipt = get_object_or_404(Receipt, uuid=uuid)
    try:
        receipts_send_late(receipt_ids=[receipt.pk], actor=actor(request), reason=request.POST.get("reason", ""))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, "Чек уходит в кассу. Причина записана в его историю и в журнал.")
    return redirect("panel:receipt", uuid=uuid)


@staff
@require_POST
def correct(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Оставить для коррекции»."""
    receipt = get_object_or_404(Receipt, uuid=uuid)
    try:
        receipt_leave_for_correction(receipt=receipt, actor=actor(request), reason=request.POST.get("reason", ""))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, "Чек отменён. Оплата стоит в «Оплачено без чека»: ей нужен чек коррекции из кабинета сервиса.")
    return redirect("panel:receipt", uuid=uuid)


@staff
@require_POST
def found(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Спросить об этой задаче»."""
    receipt = get_object_or_404(Receipt, uuid=uuid)
    try:
        receipt_found(receipt=receipt, actor=actor(request), task=request.POST.get("task", ""))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, "Номер записан: Чехов спрашивает сервис об этой задаче.")
    return redirect("panel:receipt", uuid=uuid)
