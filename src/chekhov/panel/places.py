"""«Места расчётов»."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.directory.models import TIME_ZONES, Organization, Place
from chekhov.directory.services import place_save
from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, page, staff, told


class PlaceForm(PanelForm):
    """A place of settlement."""

    organization = forms.ModelChoiceField(
        label="Организация", queryset=Organization.objects.none(), empty_label="Выберите организацию…"
    )
    name = forms.CharField(label="Название", max_length=256, help_text="Печатается в чеке: «Магазин на Ленина, 5».")
    address = forms.CharField(label="Адрес", max_length=256, help_text="Как в регистрации кассы: город, улица, дом.")
    time_zone = forms.TypedChoiceField(label="Часовой пояс", choices=TIME_ZONES, coerce=int, initial=2)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = Organization.objects.order_by("name")  # type: ignore[attr-defined]


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = Place.objects.select_related("organization").prefetch_related("regions", "registers").order_by("name")
    return page(request, "places", "Места расчётов", rows=rows)


def _save(request: HttpRequest, place: Place | None) -> HttpResponse:
    if request.method == "POST":
        form = PlaceForm(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            try:
                saved = place_save(
                    organization_id=data["organization"].pk,
                    name=data["name"],
                    address=data["address"],
                    time_zone=data["time_zone"],
                    actor=actor(request),
                    place=place,
                )
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                told(request, f"Место «{saved.name}» сохранено.")
                return redirect("panel:places")
    elif place is not None:
        values = {name: getattr(place, name) for name in ("name", "address", "time_zone")}
        form = PlaceForm(initial={**values, "organization": place.organization_id})
    else:
        form = PlaceForm()
    return page(
        request,
        "directory_form",
        place.name if place else "Новое место расчётов",
        form=form,
        back="panel:places",
        back_title="Места расчётов",
        missing=None if Organization.objects.exists() else ("panel:organization_new", "Сначала заведите организацию."),
        code=422 if form.is_bound else 200,
    )


@staff
def new(request: HttpRequest) -> HttpResponse:
    return _save(request, None)


@staff
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _save(request, get_object_or_404(Place, pk=pk))
