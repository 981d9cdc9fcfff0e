"""«Оплачено без чека»: obligations without a live receipt, the most overdue first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse

from chekhov.fiscal.money import Money
from chekhov.panel.pages import page, staff
from chekhov.panel.words import due_words
from chekhov.receipts.answers import Missing, ReceiptBrief, missing_of
from chekhov.receipts.models import Obligation, Receipt, ReceiptState
from chekhov.receipts.states import State

SHOWN = 100  # to write a row costs more than to find it
HERE = frozenset({"awaits_person", "register_inactive", "cancelled"})
CAP = 1000
BADGE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """One obligation with what the list says about it."""

    obligation: Obligation
    missing: Missing
    due: str
    is_late: bool
    routing: tuple[str, ...]


def _candidates() -> tuple[QuerySet[Obligation], QuerySet[Obligation]]:
    """Obligations for which no receipt could be made, and those whose receipt was cancelled.

    Every other obligation got its receipt in its own transaction, so the large table is never walked.
    """
    live = ReceiptState.objects.exclude(state=State.CANCELLED)
    bare = Obligation.objects.filter(~Exists(live.filter(obligation=OuterRef("pk"))))
    # judged within the narrow table: most of what was cancelled has a newer receipt
    cancelled = ReceiptState.objects.filter(state=State.CANCELLED).exclude(
        Exists(live.filter(obligation=OuterRef("obligation")))
    )
    rest = Obligation.objects.filter(missing_code="", pk__in=cancelled.values("obligation_id"))
    return bare.filter(missing_code__gt=""), rest


def waiting_count() -> int:
    """How many wait; never more than the cap is counted."""
    found = 0
    for rows in _candidates():
        found += rows.values("pk")[: CAP - found].count() if found < CAP else 0
    return found


def waiting_badge() -> str:
    """The figure for the menu, empty when nothing waits. Every page shows it, so it is counted every third second."""
    return _badge(int(time.monotonic() // BADGE_SECONDS))


@lru_cache(maxsize=1)
def _badge(_moment: int) -> str:
    count = waiting_count()
    return "" if not count else "999+" if count >= CAP else str(count)


def waiting(limit: int = SHOWN) -> list[Waiting]:
    """What waits, the earliest due first."""
    rows: list[Obligation] = []
    for found in _candidates():
        rows += found.select_related("customer", "invoice", "region", "fact").order_by("due_at", "pk")[:limit]
    rows = sorted(rows, key=lambda row: (row.due_at, row.pk))[:limit]
    earlier: dict[int, list[Receipt]] = {}
    cancelled = Receipt.objects.filter(obligation__in=[row.pk for row in rows]).select_related("status", "register")
    for receipt in cancelled.order_by("pk"):
        earlier.setdefault(receipt.obligation_id, []).append(receipt)
    return [waiting_of(row, earlier.get(row.pk, [])) for row in rows]


def waiting_of(obligation: Obligation, receipts: Sequence[Receipt]) -> Waiting:
    """The reason, the next step and the due date of an obligation whose receipts, if any, are all cancelled."""
    briefs = [
        ReceiptBrief(
            row.uuid,
            row.kind,
            State(row.status.state),
            Money(row.total_kopecks),
            row.register.uuid,
            row.status.error_code,
        )
        for row in receipts
    ]
    missing = missing_of(obligation, briefs) or Missing("receipt_exists", "Чек уже есть.", "Откройте его в «Чеках».")
    if missing.code in HERE:  # the next step is the button beside it
        missing = replace(missing, next_step="")
    due, is_late = due_words(obligation.due_at)
    return Waiting(obligation, missing, due, is_late, tuple(obligation.routing.get("steps", ())))


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = waiting(SHOWN + 1)
    return page(
        request,
        "unreceipted",
        "Оплачено без чека",
        rows=rows[:SHOWN],
        is_cut=len(rows) > SHOWN,
        late=sum(row.is_late for row in rows[:SHOWN]),
    )
