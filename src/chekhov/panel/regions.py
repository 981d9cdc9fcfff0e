"""«Регионы»."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.directory.models import Organization, Place, Region
from chekhov.directory.services import region_save
from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, page, staff, told


class RegionForm(PanelForm):
    """A region."""

    name = forms.CharField(label="Название", max_length=100, help_text="Например: «Москва и область».")
    code = forms.CharField(
        label="Код", max_length=40, help_text="Для API: латинские буквы, цифры, дефис. Например: msk."
    )
    organization = forms.ModelChoiceField(
        label="Организация",
        queryset=Organization.objects.none(),
        empty_label="Выберите организацию…",
        help_text="Кто продаёт в этом регионе, если в счёте не указано иное.",
    )
    place = forms.ModelChoiceField(
        label="Место расчётов",
        queryset=Place.objects.none(),
        required=False,
        empty_label="Не указано",
        help_text="Где в этом регионе принимают деньги лично.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = Organization.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["place"].queryset = Place.objects.order_by("name")  # type: ignore[attr-defined]


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = Region.objects.select_related("organization", "place").prefetch_related("registers", "extra_registers")
    return page(request, "regions", "Регионы", rows=rows.order_by("name"))


def _save(request: HttpRequest, region: Region | None) -> HttpResponse:
    if request.method == "POST":
        form = RegionForm(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            try:
                saved = region_save(
                    code=data["code"],
                    name=data["name"],
                    organization_id=data["organization"].pk,
                    place_id=data["place"].pk if data["place"] else None,
                    actor=actor(request),
                    region=region,
                )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                told(request, f"Регион «{saved.name}» сохранён.")
                return redirect("panel:regions")
    elif region is not None:
        values = {"name": region.name, "code": region.code}
        form = RegionForm(initial={**values, "organization": region.organization_id, "place": region.place_id})
    else:
        form = RegionForm()
    return page(
        request,
        "directory_form",
        region.name if region else "Новый регион",
        form=form,
        back="panel:regions",
        back_title="Регионы",
        missing=None if Organization.objects.exists() else ("panel:organization_new", "Сначала заведите организацию."),
        code=422 if form.is_bound else 200,
    )


@staff
def new(request: HttpRequest) -> HttpResponse:
    return _save(request, None)


@staff
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _save(request, get_object_or_404(Region, pk=pk))
