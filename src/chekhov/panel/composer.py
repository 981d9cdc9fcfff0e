"""«Пробить чек»: the receipt to come, drawn with the order's lines, and the few choices that a person has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from chekhov.config.clock import local_date, now
from chekhov.directory.selectors import tax_systems_on
from chekhov.errors import Refusal
from chekhov.fiscal.vocabulary import Channel, TaxSystem
from chekhov.panel.pages import actor, page, part, staff, told
from chekhov.panel.unreceipted import waiting_of
from chekhov.receipts.composing import Choices, Preview, receipt_form, receipt_preview, registers_for
from chekhov.receipts.models import Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register


@dataclass(frozen=True, slots=True)
class Desk:
    """What the composer asks for this obligation, and what was answered so far."""

    obligation: Obligation
    registers: list[Register]
    asks_goods: bool
    goods: str  # yes, no, or nothing yet
    register_id: int | None
    tax_system: TaxSystem | None
    print_paper: bool
    must_print: bool
    confirmed: bool

    @property
    def is_answered(self) -> bool:
        return self.register_id is not None and (not self.asks_goods or bool(self.goods))

    def choices(self) -> Choices:
        assert self.register_id is not None
        return Choices(
            register_id=self.register_id,
            goods_handed=self.goods == "yes",
            tax_system=self.tax_system,
            print_paper=self.print_paper or self.must_print,
            confirmed=self.confirmed,
        )


def _obligation(uuid: UUID) -> Obligation:
    rows = Obligation.objects.select_related(
        "fact__customer", "fact__invoice", "fact__source", "organization", "region", "customer", "invoice"
    )
    return get_object_or_404(rows, uuid=uuid)


def _desk(obligation: Obligation, given: QueryDict) -> Desk:
    fact, customer = obligation.fact, obligation.fact.customer
    registers = registers_for(obligation)
    chosen = given.get("register", "")
    register_id = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 else None
    if register_id is None and not chosen and registers:
        register_id = registers[0].pk
    system = given.get("tax_system", "")
    number = int(system) if system.isascii() and system.isdigit() and len(system) < 4 else 0
    has_contact = bool(customer.email or customer.phone)
    chosen_register = next((row for row in registers if row.pk == register_id), None)
    by_default = fact.channel == Channel.COUNTER or bool(chosen_register and chosen_register.print_online)
    if fact.channel != Channel.COUNTER:
        has_contact = has_contact or bool(obligation.organization.fallback_contact)
    return Desk(
        obligation=obligation,
        registers=registers,
        asks_goods=fact.channel == Channel.COUNTER and obligation.invoice_id is not None,
        goods=given.get("goods", "") if given.get("goods") in {"yes", "no"} else "",
        register_id=register_id,
        tax_system=TaxSystem(number) if number in set(TaxSystem) else None,
        print_paper="print" in given if "asked" in given else by_default,
        must_print=not has_contact,
        confirmed="confirmed" in given,
    )


def _preview(request: HttpRequest, desk: Desk) -> tuple[Preview | None, Refusal | None]:
    if desk.register_id is None:
        return None, None
    try:
        return receipt_preview(obligation=desk.obligation, choices=desk.choices(), actor=actor(request)), None
    except Refusal as refusal:
        return None, refusal


def _context(request: HttpRequest, desk: Desk, refusal: Refusal | None = None) -> dict[str, Any]:
    preview, trouble = _preview(request, desk)
    return {"desk": desk, "preview": preview, "refusal": refusal or trouble, "can_send": _can_send(desk, preview)}


def _can_send(desk: Desk, preview: Preview | None) -> bool:
    return desk.is_answered and preview is not None and not preview.refusals


def _live_receipt(obligation: Obligation) -> Receipt | None:
    return obligation.receipts.exclude(status__state=State.CANCELLED).first()


@staff
def show(request: HttpRequest, uuid: UUID) -> HttpResponse:
    obligation = _obligation(uuid)
    existing = _live_receipt(obligation)
    if existing is not None:
        return redirect("panel:receipt", uuid=existing.uuid)
    refusal: Refusal | None = None
    desk = _desk(obligation, request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and desk.is_answered:
        try:
            receipt = receipt_form(obligation_id=obligation.pk, choices=desk.choices(), actor=actor(request))
        except Refusal as caught:
            existing = _live_receipt(obligation) if caught.code == "receipt_exists" else None
            if existing is not None:
                return redirect("panel:receipt", uuid=existing.uuid)
            refusal = caught
        else:
            told(request, "Чек составлен и поставлен в очередь кассы. Исход появится здесь сам.")
            return redirect("panel:receipt", uuid=receipt.uuid)
    settled_on = local_date(obligation.fact.occurred_at, obligation.organization.time_zone)
    cancelled = obligation.receipts.select_related("status", "register").order_by("pk")
    return page(
        request,
        "composer",
        "Пробить чек",
        obligation=obligation,
        waiting=waiting_of(obligation, list(cancelled)),
        tax_systems=tax_systems_on(obligation.organization, settled_on),
        now=now(),
        **_context(request, desk, refusal),
        code=422 if request.method == "POST" else 200,
    )


@staff
def preview(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The receipt with the choices made so far: a part of the page, refreshed by htmx. Stores nothing."""
    return part(request, "parts/preview", **_context(request, _desk(_obligation(uuid), request.GET)))
