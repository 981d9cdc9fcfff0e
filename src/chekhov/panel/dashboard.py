"""«Сводка»: what happened today, what waits, what is in trouble, whether the registers and the worker are alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chekhov.config.clock import now
from chekhov.directory.models import Organization, Region
from chekhov.panel.decisions import decisions_count
from chekhov.panel.incidents import open_incidents
from chekhov.panel.pages import page, part, staff
from chekhov.panel.trouble import TROUBLE, next_step_of
from chekhov.panel.unreceipted import CAP, waiting, waiting_count
from chekhov.receipts.models import Receipt, ReceiptState
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch.readiness import register_states, worker_check


@dataclass(frozen=True, slots=True)
class Today:
    """Receipts of today in one state."""

    state: State
    count: int
    kopecks: int


def today_start() -> datetime:
    """The beginning of the business day in the panel's time zone."""
    local = timezone.localtime(now())
    return datetime.combine(local.date(), time(), tzinfo=local.tzinfo)


def today() -> list[Today]:
    """Today's receipts by state, in the order of the states."""
    rows = (
        Receipt.objects.filter(created_at__gte=today_start())
        .values_list("status__state")
        .annotate(count=Count("pk"), kopecks=Sum("total_kopecks"))
        .order_by()
    )
    by_state = {State(state): Today(State(state), count, kopecks) for state, count, kopecks in rows}
    return [by_state[state] for state in State if state in by_state]


def trouble(limit: int = 6) -> tuple[list[tuple[ReceiptState, str]], int]:
    """Receipts that need a person, newest first, each with the next step; and how many there are (to the cap)."""
    rows = ReceiptState.objects.filter(state__in=TROUBLE)
    shown = rows.select_related("receipt__customer", "receipt__invoice", "receipt__register")
    found = [(row, next_step_of(row)) for row in shown.order_by("-receipt_id")[:limit]]
    return found, rows.values("pk")[:CAP].count()


def steps() -> list[dict[str, Any]]:
    """What a fresh installation still needs, in order; empty when it is set up."""
    have = [
        Organization.objects.exists(),
        Region.objects.exists(),
        Register.objects.filter(archived_at__isnull=True).exists(),
    ]
    if all(have):
        return []
    told = [
        (
            "organization_new",
            "Заведите организацию",
            "ИНН, сайт, система налогообложения и НДС: всё, что печатается в чеке.",
        ),
        ("region_new", "Заведите регион", "Клиент и касса, которая его обслуживает, должны быть из одного региона."),
        ("register_connect", "Подключите кассу", "Комтет Касса или встроенная тестовая: на ней можно попробовать всё."),
    ]
    return [
        {"name": name, "title": title, "text": text, "done": done}
        for (name, title, text), done in zip(told, have, strict=True)
    ]


def _context() -> dict[str, Any]:
    rows = today()
    troubled, troubled_count = trouble()
    waits = waiting(5)
    fiscalized = next((row for row in rows if row.state is State.FISCALIZED), None)
    return {
        "today": rows,
        "today_count": sum(row.count for row in rows),
        "fiscalized": fiscalized,
        "waits": waits,
        "waits_count": waiting_count() if len(waits) == 5 else len(waits),
        "trouble": troubled,
        "trouble_count": troubled_count,
        "incidents": open_incidents(),
        "decisions": decisions_count(),
        "worker": worker_check(),
        "registers": register_states(),
        "last": Receipt.objects.select_related("status", "customer", "invoice", "register").order_by("-pk")[:8],
        "now": now(),
    }


@staff
def show(request: HttpRequest) -> HttpResponse:
    return page(request, "dashboard", "Сводка", steps=steps(), **_context())


@staff
def live(request: HttpRequest) -> HttpResponse:
    """The part of the page that refreshes itself."""
    return part(request, "parts/dashboard_live", **_context())
