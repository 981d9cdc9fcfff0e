"""«Счета»: the list with its search, and the card of an invoice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from chekhov.fiscal.money import Money
from chekhov.panel.listing import email_spellings, newest_first, prefix
from chekhov.panel.pages import page, staff
from chekhov.receipts.answers import FactAnswer, fact_answers
from chekhov.receipts.models import Obligation
from chekhov.sales.content import MARKING_GROUPS, OBJECTS, order_of, search_key
from chekhov.sales.models import Customer, Fact, Invoice

FOUND = 200


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line as the card shows it."""

    name: str
    price: int
    quantity: int
    unit: str
    object: str
    vat: str
    marking: str
    gross: Money
    net: Money


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment with what became of it."""

    fact: Fact
    answer: FactAnswer
    obligation: Obligation | None


def payment_status(invoice: Invoice) -> tuple[str, str, str]:
    """Whether an invoice is paid: word, icon, tone."""
    if invoice.paid_kopecks == 0:
        return "Не оплачен", "radio_button_unchecked", "off"
    if invoice.paid_kopecks < invoice.total_kopecks:
        return "Оплачен частично", "contrast", "warn"
    return "Оплачен", "check_circle", "good"


def customers_found(text: str) -> list[int]:
    """Customers by name, phone or e-mail, at most as many as a search may name."""
    key = search_key(text)
    where = prefix("search_name", key) | Q(email__in=email_spellings(text))
    digits = "".join(character for character in text if character.isdigit())
    if len(digits) in (10, 11) and not any(character.isalpha() for character in text):
        where |= Q(phone=f"+7{digits[-10:]}")
    return list(Customer.objects.filter(where).values_list("pk", flat=True)[:FOUND])


@staff
def listed(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:100]
    rows = Invoice.objects.select_related("customer", "region")
    if text:
        numbers = Invoice.objects.filter(prefix("search_number", search_key(text))).values_list("pk", flat=True)
        rows = rows.filter(Q(pk__in=list(numbers[:FOUND])) | Q(customer__in=customers_found(text)))
    found = newest_first(request, rows)
    return page(
        request,
        "invoices",
        "Счета",
        slice=found,
        rows=[(row, payment_status(row)) for row in found.rows],
        query=text,
    )


def lines_of(invoice: Invoice) -> list[InvoiceLine]:
    """The lines as they are stored, with what each costs after the discount."""
    order = order_of(invoice.lines, invoice.discount_kopecks)
    words = {code: thing.label for code, thing in OBJECTS.items()}
    vats = {"standard": "Основная ставка", "reduced": "10 %", "zero": "0 %", "exempt": "Без НДС"}
    return [
        InvoiceLine(
            name=row["name"],
            price=row["price"],
            quantity=row["quantity"],
            unit=row.get("unit", "шт"),
            object=words[row.get("object", "product")],
            vat=vats.get(row.get("vat", ""), "как у кассы"),
            marking=MARKING_GROUPS.get(row.get("marking", ""), ""),
            gross=line.gross,
            net=net,
        )
        for row, line, net in zip(invoice.lines, order.lines, order.net(), strict=True)
    ]


def payments_of(**where: Any) -> list[PaymentLine]:
    """Facts with their receipts, in the order of recording."""
    facts = list(Fact.objects.filter(**where).select_related("invoice", "customer").order_by("pk"))
    answers = fact_answers([fact.pk for fact in facts])
    owed = {row.fact_id: row for row in Obligation.objects.filter(fact__in=facts)}
    return [PaymentLine(fact, answers[fact.pk], owed.get(fact.pk)) for fact in facts]


@staff
def show(request: HttpRequest, uuid: UUID) -> HttpResponse:
    rows = Invoice.objects.select_related("customer", "region", "organization", "source")
    invoice = get_object_or_404(rows, uuid=uuid)
    payments = payments_of(invoice=invoice)
    return page(
        request,
        "invoice_card",
        f"Счёт {invoice.number}",
        invoice=invoice,
        status_mark=payment_status(invoice),
        lines=lines_of(invoice),
        payments=payments,
        left=Money(invoice.total_kopecks - invoice.paid_kopecks),
        is_frozen=bool(payments),
    )
