"""«Новый счёт»: the invoice and its lines in one form and one service call."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.errors import Refusal
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import VAT_CLASS_LABELS, Unit
from chekhov.panel.forms import NumberText, PanelForm, Rows
from chekhov.panel.pages import actor, page, staff, told
from chekhov.sales.content import MARKING_GROUPS, OBJECTS, InvoiceContent, LineContent
from chekhov.sales.models import Customer, Invoice
from chekhov.sales.services import invoice_put

VAT_CHOICES = [("", "Как у кассы"), *[(item.value, label) for item, label in VAT_CLASS_LABELS.items()]]
OBJECT_CHOICES = [(code, thing.label) for code, thing in OBJECTS.items()]
UNIT_CHOICES = [(unit.label, unit.label) for unit in Unit]
MARKING_CHOICES = [("", "Не маркирован"), *MARKING_GROUPS.items()]


class InvoiceForm(PanelForm):
    """Everything of an invoice but its lines."""

    number = forms.CharField(label="Номер счёта", max_length=60, help_text="Каким его знает клиент: «А-1042».")
    discount = NumberText(
        label="Скидка на весь счёт, ₽", required=False, help_text="Распределится по позициям до копейки."
    )


class LineForm(PanelForm):
    """One line of an invoice."""

    name = forms.CharField(label="Название", max_length=500)
    price = NumberText(label="Цена, ₽")
    quantity = NumberText(label="Количество", initial="1")
    unit = forms.ChoiceField(label="Единица", choices=UNIT_CHOICES, initial="шт")
    object = forms.ChoiceField(label="Предмет", choices=OBJECT_CHOICES, initial="product")
    vat = forms.ChoiceField(label="НДС", choices=VAT_CHOICES, required=False)
    marking = forms.ChoiceField(label="Маркировка", choices=MARKING_CHOICES, required=False)
    line_id = forms.CharField(required=False, widget=forms.HiddenInput)

    def has_changed(self) -> bool:
        """A row counts once it has a name or a price: the choices alone say nothing."""
        return not self.is_bound or any(str(self[name].value() or "").strip() for name in ("name", "price"))

    def content(self) -> LineContent:
        """The line as the service takes it."""
        data = self.cleaned_data
        return LineContent(
            name=data["name"],
            price=data["price"],
            quantity=data["quantity"],
            id=data["line_id"],
            vat=data["vat"],
            object=data["object"],
            unit=data["unit"],
            marking=data["marking"],
        )


def _stored(invoice: Invoice) -> list[dict[str, Any]]:
    """Stored lines as the form's initial values."""
    return [
        {
            "name": row["name"],
            "price": str(Money(row["price"])),
            "quantity": str(Quantity(row["quantity"])),
            "unit": row.get("unit", "шт"),
            "object": row.get("object", "product"),
            "vat": row.get("vat", ""),
            "marking": row.get("marking", ""),
            "line_id": row["id"],
        }
        for row in invoice.lines
    ]


def _save(request: HttpRequest, customer: Customer, invoice: Invoice | None) -> HttpResponse:
    posted = request.method == "POST"
    if posted:
        form, rows = InvoiceForm(request.POST), Rows(LineForm, "lines", data=request.POST)
    elif invoice is not None:
        discount = str(Money(invoice.discount_kopecks)) if invoice.discount_kopecks else ""
        form = InvoiceForm(initial={"number": invoice.number, "discount": discount})
        rows = Rows(LineForm, "lines", initial=_stored(invoice))
    else:
        form, rows = InvoiceForm(), Rows(LineForm, "lines", initial=[{"quantity": "1"}])
    external_id = invoice.external_id if invoice else _new_id(request)
    if posted and all([form.is_valid(), rows.is_valid()]):
        content = InvoiceContent(
            customer=customer.external_id,
            number=form.cleaned_data["number"],
            discount=form.cleaned_data["discount"] or "0",
            lines=[row.content() for row in rows.filled()],
        )
        if invoice is not None:  # what the form does not ask stays as it is
            content = InvoiceContent(
                content.customer, content.lines, invoice.region.code, invoice.organization.code, content.number,
                content.discount,
            )  # fmt: skip
        try:
            saved, _created = invoice_put(
                source=customer.source, external_id=external_id, content=content, person=actor(request)
            )
        except Refusal as refusal:
            if not rows.refuse(refusal, "lines") or any(fault.path in form.fields for fault in refusal.faults):
                form.refuse(refusal)
        else:
            told(request, f"Счёт {saved.number} сохранён.")
            return redirect("panel:invoice", uuid=saved.uuid)
    return page(
        request,
        "invoice_form",
        f"Счёт {invoice.number}" if invoice else "Новый счёт",
        form=form,
        rows=rows,
        customer=customer,
        invoice=invoice,
        external_id=external_id,
        code=422 if posted else 200,
    )


def _new_id(request: HttpRequest) -> str:
    """The id made when the form was first shown: posting it twice makes one invoice."""
    given = request.POST.get("external_id", "")
    try:
        return f"panel-{UUID(given.removeprefix('panel-'))}"
    except ValueError:
        return f"panel-{uuid4()}"


@staff
def new(request: HttpRequest) -> HttpResponse:
    given = request.GET.get("customer", "") or request.POST.get("customer", "")
    try:
        customer = Customer.objects.select_related("source", "region").get(uuid=UUID(given))
    except (ValueError, Customer.DoesNotExist):
        return _choose_customer(request)
    return _save(request, customer, None)


def _choose_customer(request: HttpRequest) -> HttpResponse:
    """The first step: whom is the invoice for?"""
    from chekhov.panel.invoices import customers_found

    text = request.GET.get("q", "").strip()[:100]
    rows = Customer.objects.select_related("region").order_by("-pk")
    found = rows.filter(pk__in=customers_found(text)) if text else rows
    return page(request, "invoice_customer", "Новый счёт", rows=found[:20], query=text)


@staff
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    rows = Invoice.objects.select_related("customer__source", "customer__region", "region", "organization")
    invoice = get_object_or_404(rows, uuid=uuid)
    if invoice.facts.exists():
        return redirect("panel:invoice", uuid=uuid)
    return _save(request, invoice.customer, invoice)
