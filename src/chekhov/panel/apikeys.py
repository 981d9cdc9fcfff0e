"""«API-ключи»: made once, shown once, revoked."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, page, staff, told
from chekhov.people.models import ApiKey
from chekhov.people.services import apikey_issue, apikey_withdraw


class KeyForm(PanelForm):
    """A new key."""

    name = forms.CharField(label="Название ключа", max_length=100, help_text="Для чего он: «Сайт, боевой».")
    source = forms.CharField(
        label="Код источника",
        max_length=40,
        help_text="Сайт или CMS, которые пришлют заказы: латинские буквы, цифры, дефис. У двух источников могут быть "
        "заказы с одинаковыми номерами.",
    )
    source_name = forms.CharField(label="Название источника", max_length=100, required=False)


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = ApiKey.objects.select_related("source").order_by("revoked_at", "-pk")
    return page(request, "apikeys", "API-ключи", rows=rows)


@staff
def new(request: HttpRequest) -> HttpResponse:
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            row, key = apikey_issue(
                source_code=data["source"], source_name=data["source_name"], name=data["name"], actor=actor(request)
            )
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            return page(request, "apikey_made", "Ключ создан", row=row, key=key)
    return page(
        request,
        "directory_form",
        "Новый API-ключ",
        form=form,
        back="panel:apikeys",
        back_title="API-ключи",
        missing=None,
        submit="Создать ключ",
        code=422 if form.is_bound else 200,
    )


@staff
@require_POST
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Отозвать»."""
    key = get_object_or_404(ApiKey, uuid=uuid)
    apikey_withdraw(key=key, actor=actor(request))
    told(request, f"Ключ «{key.name}» отозван: запросы с ним больше не принимаются.")
    return redirect("panel:apikeys")
