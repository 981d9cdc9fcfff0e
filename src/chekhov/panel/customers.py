"""«Клиенты»: the list, the card with invoices, receipts and top-ups, and the form."""

from __future__ import annotations

from uuid import UUID, uuid4

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.directory.models import Region
from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.invoices import customers_found, payment_status, payments_of
from chekhov.panel.listing import newest_first
from chekhov.panel.pages import actor, page, staff, told
from chekhov.people.services import panel_source
from chekhov.receipts.models import Receipt
from chekhov.sales.content import CustomerContent
from chekhov.sales.models import Customer, FactKind, Invoice
from chekhov.sales.services import customer_put


class CustomerForm(PanelForm):
    """A client as a person types him in."""

    name = forms.CharField(label="Имя или название", max_length=200)
    region = forms.ModelChoiceField(
        label="Регион",
        queryset=Region.objects.none(),
        to_field_name="code",
        empty_label="Выберите регион…",
        help_text="Чек пробьют на кассе этого региона.",
    )
    email = forms.CharField(label="E-mail", required=False, max_length=200, help_text="Сюда придёт электронный чек.")
    phone = forms.CharField(
        label="Телефон",
        required=False,
        max_length=40,
        help_text="Нужен, если нет почты. Можно в любом виде: 8 916 123-45-67.",
    )
    inn = forms.CharField(label="ИНН", required=False, max_length=12, help_text="Только для организаций и ИП.")
    external_id = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["region"].queryset = Region.objects.order_by("name")  # type: ignore[attr-defined]

    def content(self) -> CustomerContent:
        """The form as the service takes it."""
        data = self.cleaned_data
        return CustomerContent(
            name=data["name"], region=data["region"].code, email=data["email"], phone=data["phone"], inn=data["inn"]
        )


@staff
def listed(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:100]
    rows = Customer.objects.select_related("region", "source")
    if text:
        rows = rows.filter(pk__in=customers_found(text))
    return page(request, "customers", "Клиенты", slice=newest_first(request, rows), query=text)


@staff
def show(request: HttpRequest, uuid: UUID) -> HttpResponse:
    customer = get_object_or_404(Customer.objects.select_related("region", "source"), uuid=uuid)
    invoices = Invoice.objects.filter(customer=customer).select_related("region").order_by("-pk")[:20]
    receipts = Receipt.objects.filter(customer=customer).select_related("status", "invoice", "register", "customer")
    return page(
        request,
        "customer_card",
        customer.name,
        customer=customer,
        invoices=[(row, payment_status(row)) for row in invoices],
        receipts=receipts.order_by("-pk")[:20],
        topups=payments_of(customer=customer, kind=FactKind.TOPUP)[-20:][::-1],
    )


def _external_id(text: str) -> str:
    """The id made when the form was first shown: posting it twice makes one client."""
    try:
        return f"panel-{UUID(text.removeprefix('panel-'))}"
    except ValueError:
        return f"panel-{uuid4()}"


def _save(request: HttpRequest, customer: Customer | None) -> HttpResponse:
    if request.method == "POST":
        form = CustomerForm(request.POST)
        if form.is_valid():
            source = customer.source if customer else panel_source()
            external_id = customer.external_id if customer else _external_id(form.cleaned_data["external_id"])
            try:
                saved, _created = customer_put(
                    source=source, external_id=external_id, content=form.content(), person=actor(request)
                )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                told(request, f"Клиент «{saved.name}» сохранён.")
                return redirect("panel:customer", uuid=saved.uuid)
    elif customer is not None:
        values = {name: getattr(customer, name) for name in ("name", "email", "phone", "inn")}
        form = CustomerForm(initial={**values, "region": customer.region.code})
    else:
        form = CustomerForm(initial={"external_id": f"panel-{uuid4()}"})
    return page(
        request,
        "customer_form",
        customer.name if customer else "Новый клиент",
        form=form,
        customer=customer,
        no_regions=not Region.objects.exists(),
        code=422 if form.is_bound else 200,
    )


@staff
def new(request: HttpRequest) -> HttpResponse:
    return _save(request, None)


@staff
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _save(request, get_object_or_404(Customer.objects.select_related("region", "source"), uuid=uuid))
