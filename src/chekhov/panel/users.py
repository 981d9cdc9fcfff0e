"""«Пользователи»: who works in the panel, and what of it stands in receipts."""

from __future__ import annotations

from django import forms
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, page, staff, told
from chekhov.people.models import User
from chekhov.people.services import UserContent, user_save


class UserForm(PanelForm):
    """A person."""

    last_name = forms.CharField(label="Фамилия", required=False, max_length=150)
    first_name = forms.CharField(label="Имя и отчество", required=False, max_length=150)
    position = forms.CharField(
        label="Должность",
        required=False,
        max_length=32,
        help_text="Печатается в чеке у прилавка: «Кассир Петрова А. А.»",
    )
    inn = forms.CharField(
        label="ИНН", required=False, max_length=12, help_text="ИНН кассира, 12 цифр; можно не указывать."
    )
    username = forms.CharField(
        label="Имя для входа", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    password = forms.CharField(
        label="Пароль",
        required=False,
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Не короче 10 знаков и не из частых.",
    )
    is_active = forms.BooleanField(
        label="Может входить",
        required=False,
        initial=True,
        help_text="Выключите, когда человек уволился. Удалить его нельзя: его имя стоит в журнале и чеках.",
    )


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = User.objects.order_by("-is_active", "last_name", "username")
    return page(request, "users", "Пользователи", rows=rows)


def _save(request: HttpRequest, user: User | None) -> HttpResponse:
    if request.method == "POST":
        form = UserForm(request.POST)
        if form.is_valid():
            try:
                saved = user_save(content=UserContent(**form.cleaned_data), actor=actor(request), user=user)
            except Refusal as refusal:
                form.refuse(refusal)
            else:
                if user == request.user and form.cleaned_data["password"]:
                    update_session_auth_hash(request, saved)
                told(request, f"Пользователь «{saved.username}» сохранён.")
                return redirect("panel:users")
    elif user is not None:
        names = ("last_name", "first_name", "position", "inn", "username", "is_active")
        form = UserForm(initial={name: getattr(user, name) for name in names})
    else:
        form = UserForm()
    if user is not None:
        form.fields["password"].label = "Новый пароль"
        form.fields["password"].help_text = "Оставьте пустым, чтобы не менять. Не короче 10 знаков и не из частых."
    return page(
        request,
        "directory_form",
        (user.get_full_name() or user.username) if user else "Новый пользователь",
        form=form,
        back="panel:users",
        back_title="Пользователи",
        missing=None,
        code=422 if form.is_bound else 200,
    )


@staff
def new(request: HttpRequest) -> HttpResponse:
    return _save(request, None)


@staff
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _save(request, get_object_or_404(User, pk=pk))
