"""What only a person can settle about a receipt: incidents, and an unknown outcome that the protocol cannot tell."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from chekhov.delivery.requests import incident_settle, receipt_absent
from chekhov.errors import Refusal
from chekhov.panel.pages import actor, refused, staff, told
from chekhov.receipts.incidents import NEXT_STEPS
from chekhov.receipts.models import Incident, Receipt


def open_incidents(limit: int = 10) -> list[tuple[Incident, str]]:
    """Incidents that nobody has closed, the newest first, each with its next step."""
    rows = Incident.objects.filter(closed_at__isnull=True).select_related("receipt__customer").order_by("-pk")
    return [(row, NEXT_STEPS.get(row.code, "")) for row in rows[:limit]]


def incidents_of(receipt: Receipt) -> list[tuple[Incident, str]]:
    """All incidents of a receipt, the oldest first, each with its next step."""
    return [(row, NEXT_STEPS.get(row.code, "")) for row in Incident.objects.filter(receipt=receipt).order_by("pk")]


@staff
@require_POST
def close(request: HttpRequest, uuid: UUID, pk: int) -> HttpResponse:
    """«Разобрано»."""
    incident = get_object_or_404(Incident.objects.select_related("receipt"), pk=pk, receipt__uuid=uuid)
    try:
        incident_settle(
            incident=incident,
            actor=actor(request),
            note=request.POST.get("note", ""),
            not_printed=request.POST.get("not_printed") == "on",
        )
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, "Происшествие закрыто, ваш вывод записан в журнал. Сервис переспросим, если есть о чём.")
    return redirect("panel:receipt", uuid=uuid)


@staff
@require_POST
def absent(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«В кабинете чека нет»."""
    receipt = get_object_or_404(Receipt, uuid=uuid)
    try:
        receipt_absent(
            receipt=receipt,
            actor=actor(request),
            reason=request.POST.get("reason", ""),
            send_again=request.POST.get("send_again") == "on",
        )
    except Refusal as refusal:
        refused(request, refusal)
    else:
        again = "Записано: чека нет. Он уходит в кассу снова."
        done = "Записано: чека нет. Теперь его можно отменить и пробить новый."
        told(request, again if request.POST.get("send_again") == "on" else done)
    return redirect("panel:receipt", uuid=uuid)
