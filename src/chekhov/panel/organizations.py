"""«Организации»: a seller with its dated tax systems and VAT modes, saved together."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.config.clock import local_date, now
from chekhov.directory.models import PREPAYMENT_OBJECTS, TIME_ZONES, Organization
from chekhov.directory.selectors import tax_systems_on, vat_mode_on
from chekhov.directory.services import OrganizationContent, TaxPeriod, VatFrom, organization_save
from chekhov.errors import Refusal
from chekhov.fiscal.vocabulary import VAT_MODE_LABELS, TaxSystem, VatMode
from chekhov.panel.forms import DateText, PanelForm, Rows
from chekhov.panel.pages import actor, page, staff, told


class OrganizationForm(PanelForm):
    """A seller, without the dated settings."""

    name = forms.CharField(
        label="Название", max_length=200, help_text="Печатается в чеке: ООО «Автодеталь», ИП Иванов И. И."
    )
    inn = forms.CharField(label="ИНН", max_length=12, help_text="10 цифр у организации, 12 у предпринимателя.")
    code = forms.CharField(
        label="Код", max_length=40, help_text="Для API: латинские буквы, цифры, дефис. Например: parts."
    )
    site_host = forms.CharField(
        label="Сайт",
        max_length=256,
        help_text="Место расчётов в чеке за покупку на сайте. Можно вставить адрес целиком.",
    )
    email = forms.CharField(
        label="E-mail отправителя",
        required=False,
        max_length=200,
        help_text="Адрес магазина, который видит покупатель.",
    )
    fallback_contact = forms.CharField(
        label="Запасной контакт",
        required=False,
        max_length=200,
        help_text="Почта или телефон: куда уйдёт электронный чек, если покупатель ничего не оставил.",
    )
    time_zone = forms.TypedChoiceField(label="Часовой пояс", choices=TIME_ZONES, coerce=int, initial=2)
    prepayment_object = forms.ChoiceField(
        label="Предмет расчёта в авансах и предоплатах",
        choices=PREPAYMENT_OBJECTS,
        initial="payment",
        help_text="«Платёж» — безопасный выбор по умолчанию.",
    )
    b2b_sbp_receipts = forms.BooleanField(
        label="Чек за оплату через СБП между организациями",
        required=False,
        initial=True,
        help_text="ФНС считает, что чек нужен (письмо от 28.03.2025 № ЗГ-2-20/5068@).",
    )


class TaxForm(PanelForm):
    """One dated tax system."""

    tax_system = forms.TypedChoiceField(label="Система", choices=[("", "Выберите…"), *TaxSystem.choices()], coerce=int)
    valid_from = DateText(label="Действует с")
    valid_to = DateText(label="По (включительно)", required=False)


class VatForm(PanelForm):
    """One dated VAT mode."""

    vat_mode = forms.ChoiceField(
        label="Как платит НДС", choices=[("", "Выберите…"), *[(mode.value, VAT_MODE_LABELS[mode]) for mode in VatMode]]
    )
    valid_from = DateText(label="Действует с")


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = []
    for row in Organization.objects.prefetch_related("regions").order_by("name"):
        today = local_date(now(), row.time_zone)
        mode = vat_mode_on(row, today)
        rows.append((row, tax_systems_on(row, today), VAT_MODE_LABELS[mode] if mode else ""))
    return page(request, "organizations", "Организации", rows=rows)


def _content(form: OrganizationForm, taxes: Rows[TaxForm], vats: Rows[VatForm]) -> OrganizationContent:
    data = form.cleaned_data
    return OrganizationContent(
        **{name: data[name] for name in OrganizationForm.base_fields},
        tax_systems=[
            TaxPeriod(
                TaxSystem(row.cleaned_data["tax_system"]), row.cleaned_data["valid_from"], row.cleaned_data["valid_to"]
            )
            for row in taxes.filled()
        ],
        vat_modes=[
            VatFrom(VatMode(row.cleaned_data["vat_mode"]), row.cleaned_data["valid_from"]) for row in vats.filled()
        ],
    )


def _forms(
    request: HttpRequest, organization: Organization | None
) -> tuple[OrganizationForm, Rows[TaxForm], Rows[VatForm]]:
    if request.method == "POST":
        return (
            OrganizationForm(request.POST),
            Rows(TaxForm, "tax", data=request.POST),
            Rows(VatForm, "vat", data=request.POST),
        )
    if organization is None:
        start = date(now().year, 1, 1)
        blank = [{"valid_from": start}]
        return OrganizationForm(), Rows(TaxForm, "tax", initial=blank), Rows(VatForm, "vat", initial=blank)
    values = {name: getattr(organization, name) for name in OrganizationForm.base_fields}
    taxes = organization.tax_systems.order_by("valid_from", "tax_system").values("tax_system", "valid_from", "valid_to")
    vats = organization.vat_modes.order_by("valid_from").values("vat_mode", "valid_from")
    return (
        OrganizationForm(initial=values),
        Rows(TaxForm, "tax", initial=list(taxes)),
        Rows(VatForm, "vat", initial=list(vats)),
    )


def _save(request: HttpRequest, organization: Organization | None) -> HttpResponse:
    form, taxes, vats = _forms(request, organization)
    if request.method == "POST" and all([form.is_valid(), taxes.is_valid(), vats.is_valid()]):
        try:
            saved = organization_save(
                content=_content(form, taxes, vats), actor=actor(request), organization=organization
            )
        except Refusal as refusal:
            in_rows = [taxes.refuse(refusal, "tax_systems"), vats.refuse(refusal, "vat_modes")]
            if not any(in_rows) or any(fault.path in form.fields for fault in refusal.faults):
                form.refuse(refusal)
        else:
            told(request, f"Организация «{saved.name}» сохранена.")
            return redirect("panel:organizations")
    return page(
        request,
        "organization_form",
        organization.name if organization else "Новая организация",
        form=form,
        taxes=taxes,
        vats=vats,
        organization=organization,
        has_errors=bool(form.errors or taxes.problem or vats.problem)
        or any(row.errors for row in [*taxes.forms, *vats.forms] if row.is_bound and row.has_changed()),
        code=422 if form.is_bound else 200,
    )


@staff
def new(request: HttpRequest) -> HttpResponse:
    return _save(request, None)


@staff
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _save(request, get_object_or_404(Organization, uuid=uuid))
