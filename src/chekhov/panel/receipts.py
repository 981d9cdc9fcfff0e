"""«Чеки»: the list with its filters and search. Every way of searching goes by an index."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chekhov.fiscal.contact import ContactError, normal_phone
from chekhov.panel.listing import email_spellings, newest_first, prefix
from chekhov.panel.pages import page, staff
from chekhov.receipts.models import FiscalRecord, Receipt, ReceiptState
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.sales.content import search_key
from chekhov.sales.models import Invoice

FOUND = 200


def found_by(text: str) -> QuerySet[Receipt]:
    """Receipts by uuid, contact, number of the fiscal document, or the beginning of the invoice's number."""
    try:
        return Receipt.objects.filter(uuid=UUID(text))
    except ValueError:
        pass
    if "@" in text:
        return Receipt.objects.filter(contact__in=email_spellings(text))
    where = Q()
    with suppress(ContactError):
        where |= Q(contact=normal_phone(text))
    ids: list[int] = []
    if text.isascii() and text.isdigit() and len(text) <= 10:
        ids += FiscalRecord.objects.filter(fd=int(text)).values_list("receipt_id", flat=True)[:FOUND]
    invoices = Invoice.objects.filter(prefix("search_number", search_key(text))).values_list("pk", flat=True)[:FOUND]
    return Receipt.objects.filter(where | Q(pk__in=ids) | Q(invoice__in=list(invoices)))


def _day(text: str) -> date | None:
    """A day as people write it, 31.12.2026, or as a link does, 2026-12-31."""
    for pattern in ("%d.%m.%Y", "%Y-%m-%d"):
        with suppress(ValueError):
            return datetime.strptime(text.strip(), pattern).date()  # noqa: DTZ007 a day of the panel's time zone
    return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


@staff
def listed(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:100]
    chosen = request.GET.get("state", "")
    state = State(chosen) if chosen in set(State) else None
    register = request.GET.get("register", "")
    since, until = _day(request.GET.get("from", "")), _day(request.GET.get("to", ""))
    rows = ReceiptState.objects.select_related(
        "receipt__customer", "receipt__invoice", "receipt__register", "receipt__fiscal"
    )
    if state is not None:
        rows = rows.filter(state=state)
    if register.isascii() and register.isdigit() and len(register) < 19:
        rows = rows.filter(receipt__register_id=int(register))
    if since is not None:
        rows = rows.filter(receipt__created_at__gte=_midnight(since))
    if until is not None:
        rows = rows.filter(receipt__created_at__lt=_midnight(until + timedelta(days=1)))
    if text:
        rows = rows.filter(receipt__in=found_by(text).values("pk"))
    return page(
        request,
        "receipts",
        "Чеки",
        slice=newest_first(request, rows, key="receipt_id"),
        query=text,
        state=state,
        states=list(State),
        register=register,
        registers=Register.objects.order_by("name"),
        since=f"{since:%d.%m.%Y}" if since else "",
        until=f"{until:%d.%m.%Y}" if until else "",
        is_filtered=any(request.GET.get(name) for name in ("q", "state", "register", "from", "to")),
    )
