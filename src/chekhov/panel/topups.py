"""«Пополнения»: money that clients put on their balance, each with its receipt."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chekhov.panel.invoices import PaymentLine
from chekhov.panel.listing import newest_first
from chekhov.panel.pages import page, staff
from chekhov.receipts.answers import fact_answers
from chekhov.receipts.models import Obligation
from chekhov.sales.models import Fact, FactKind


@staff
def listed(request: HttpRequest) -> HttpResponse:
    found = newest_first(request, Fact.objects.filter(kind=FactKind.TOPUP).select_related("customer", "region"))
    answers = fact_answers([fact.pk for fact in found.rows])
    owed = {row.fact_id: row for row in Obligation.objects.filter(fact__in=found.rows)}
    rows = [PaymentLine(fact, answers[fact.pk], owed.get(fact.pk)) for fact in found.rows]
    return page(request, "topups", "Пополнения", slice=found, rows=rows)
