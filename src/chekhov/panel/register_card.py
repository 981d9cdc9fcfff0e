"""The page of a register record: its settings in words, the notification link, the check of the connection."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from chekhov.delivery.callbacks import rejected_today
from chekhov.delivery.limits import lane_resume, lane_stop
from chekhov.drivers.access import AccessState
from chekhov.errors import Refusal
from chekhov.fiscal.vocabulary import RegisterVatRate
from chekhov.panel.lanes import lane_words
from chekhov.panel.pages import actor, noted, page, part, refused, staff, told
from chekhov.panel.printed import method_words
from chekhov.panel.trouble import provider_title
from chekhov.receipts.models import ReceiptState
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.registers.secrets import SecretUnreadable
from chekhov.registers.services import notification_link, register_archive, register_check
from chekhov.registers.standby import standing_of, unfit

_WAITING = (State.QUEUED.value, State.SENDING.value, State.ACCEPTED.value, State.UNKNOWN.value)


def _register(uuid: UUID) -> Register:
    rows = Register.objects.select_related(
        "region", "account", "organization", "place", "standby__account", "standby__place"
    )
    return get_object_or_404(rows, uuid=uuid)


def _check_step(register: Register) -> str:
    return AccessState(register.check_code).next_step if register.check_code in set(AccessState) else ""


@staff
def show(request: HttpRequest, uuid: UUID) -> HttpResponse:
    register = _register(uuid)
    values = {
        "region": register.region_id,
        "organization": register.organization_id,
        "vat_rate": register.vat_rate,
        "online_method": register.online_method,
    }
    in_flight = ReceiptState.objects.filter(
        account_id=register.account_id, queue=register.queue, state__in=_WAITING, receipt__register=register
    )
    return page(
        request,
        "register_card",
        register.name,
        register=register,
        provider=provider_title(register.account.provider),
        link=notification_link(register.account),
        rate=RegisterVatRate(register.vat_rate).label,
        printed=method_words(values),
        extra_regions=register.extra_regions.order_by("name"),
        check_step=_check_step(register),
        in_flight=in_flight.values("pk")[:1000].count(),
        lane=lane_words(register),
        standby_problem=_standby_problem(register),
        rejected=rejected_today(register.account_id),
    )


def _standby_problem(register: Register) -> str:
    """Why the stand-by register cannot stand by any more; empty when it can, or there is none."""
    if register.standby is None:
        return ""
    problem = unfit(standing_of(register), standing_of(register.standby))
    return problem[1] if problem is not None else ""


@staff
@require_POST
def stop(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Приостановить отправку»."""
    register = _register(uuid)
    try:
        lane_stop(
            register=register,
            actor=actor(request),
            reason=request.POST.get("reason", ""),
            with_polls=request.POST.get("with_polls") == "on",
        )
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, f"Отправка на кассу «{register.name}» приостановлена. Чеки ждут в очереди.")
    return redirect("panel:register", uuid=uuid)


@staff
@require_POST
def resume(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Возобновить отправку»."""
    register = _register(uuid)
    try:
        lane_resume(register=register, actor=actor(request), reason=request.POST.get("reason", ""))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        told(request, f"Отправка на кассу «{register.name}» возобновлена.")
    return redirect("panel:register", uuid=uuid)


@staff
@require_POST
def check(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Проверить связь»."""
    register, step = _register(uuid), ""
    try:
        step = register_check(register=register).next_step
    except SecretUnreadable:
        register.check_code, register.check_text = "secret", "Secret не расшифровать: ключ шифрования сменился."
        step = "Верните прежний ключ шифрования или впишите Secret заново."
    if getattr(request, "htmx", False):
        return part(request, "parts/register_check", register=register, check_step=step)
    (told if register.check_code == AccessState.OK else noted)(request, f"{register.check_text} {step}".strip())
    return redirect("panel:register", uuid=uuid)


@staff
@require_POST
def archive(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Отключить кассу»."""
    register = _register(uuid)
    try:
        register_archive(register=register, actor=actor(request))
    except Refusal as refusal:
        refused(request, refusal)
        return redirect("panel:register", uuid=uuid)
    told(request, f"Касса «{register.name}» отключена. Её чеки остались, принятые в очередь будут отправлены.")
    return redirect("panel:registers")
