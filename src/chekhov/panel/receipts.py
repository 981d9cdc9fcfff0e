"""«Чеки»: the list with its filters and search. Every way of searching goes by an index."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chekhov.fiscal.contact import ContactError, normal_phone
from chekhov.panel.listing import Slice, email_spellings, newest_first, prefix
from chekhov.panel.pages import page, staff
from chekhov.receipts.models import FiscalRecord, Receipt
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
    ids: list[int] = []
    with suppress(ContactError):
        ids += _newest(contact=normal_phone(text))
    if text.isascii() and text.isdigit() and len(text) <= 10:
        ids += FiscalRecord.objects.filter(fd=int(text)).values_list("receipt_id", flat=True)[:FOUND]
    invoices = Invoice.objects.filter(prefix("search_number", search_key(text))).values_list("pk", flat=True)[:FOUND]
    ids += _newest(invoice__in=list(invoices))
    return Receipt.objects.filter(pk__in=ids)


def _newest(**where: Any) -> list[int]:
    """The newest receipts that an index finds, as many as a search may name."""
    return list(Receipt.objects.filter(**where).order_by("-pk").values_list("pk", flat=True)[:FOUND])


def _day(text: str) -> date | None:
    """A day as people write it, 31.12.2026, or as a link does, 2026-12-31."""
    for pattern in ("%d.%m.%Y", "%Y-%m-%d"):
        with suppress(ValueError):
            return datetime.strptime(text.strip(), pattern).date()  # noqa: DTZ007 a day of the panel's time zone
    return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _listed(request: HttpRequest, rows: QuerySet[Receipt], state: State | None, *, by_time: bool) -> Slice[Receipt]:
    """The page, led by the index that fits what is asked: a state, a period, or simply the newest."""
    rows = rows.select_related("status", "customer", "invoice", "register", "fiscal")
    if state is None:
        return newest_first(request, rows, time="created_at" if by_time else "")
    if by_time:
        return newest_first(request, rows.filter(status__state=state), time="created_at")
    return newest_first(request, rows.filter(status__state=state), key="status__receipt_id")


@staff
def listed(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:100]
    chosen = request.GET.get("state", "")
    state = State(chosen) if chosen in set(State) else None
    register = request.GET.get("register", "")
    since, until = _day(request.GET.get("from", "")), _day(request.GET.get("to", ""))
    filters = Q()
    if register.isascii() and register.isdigit() and len(register) < 19:
        filters &= Q(register_id=int(register))
    if since is not None:
        filters &= Q(created_at__gte=_midnight(since))
    if until is not None:
        filters &= Q(created_at__lt=_midnight(until + timedelta(days=1)))
    found = found_by(text) if text else Receipt.objects.all()
    by_time = since is not None or until is not None
    slice_ = _listed(request, found.filter(filters), state, by_time=by_time and not text)
    return page(
        request,
        "receipts",
        "Чеки",
        slice=slice_,
        query=text,
        state=state,
        states=list(State),
        register=register,
        registers=Register.objects.order_by("name"),
        since=f"{since:%d.%m.%Y}" if since else "",
        until=f"{until:%d.%m.%Y}" if until else "",
        is_filtered=any(request.GET.get(name) for name in ("q", "state", "register", "from", "to")),
    )
