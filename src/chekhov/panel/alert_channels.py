"""Channels of «Оповещения»: letters, a Telegram chat, a program's address; the test button."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, noted, page, staff, told
from chekhov.watch.models import CHANNEL_KINDS, Channel
from chekhov.watch.services import ChannelContent, channel_remove, channel_save, channel_test, smtp_problem

TITLES = {"email": "Письма", "telegram": "Telegram", "webhook": "Вебхук"}
_TARGETS = {
    "email": ("Адреса", "Один или несколько через запятую."),
    "telegram": (
        "Номер чата",
        "Напишите боту или добавьте его в группу, затем узнайте номер: у группы он с минусом. Можно @имя канала.",
    ),
    "webhook": ("Адрес", "https://имя/путь: сюда придёт POST с JSON, подписанный секретом."),
}
_SECRETS = {
    "telegram": ("Токен бота", "Его выдаёт @BotFather. Хранится зашифрованным и больше не показывается."),
    "webhook": (
        "Секрет подписи",
        "Не короче 16 знаков; тем же секретом ваша программа проверит подпись. Хранится зашифрованным.",
    ),
}


class ChannelForm(PanelForm):
    """A channel. A secret that is set is never shown again."""

    name = forms.CharField(label="Название", max_length=100, help_text="Кому: «Дежурный администратор».")
    target = forms.CharField(max_length=500)
    secret = forms.CharField(
        required=False,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    is_on = forms.BooleanField(label="Включён", required=False, initial=True)

    def __init__(self, *args: Any, kind: str, channel: Channel | None = None, **kwargs: Any) -> None:
        if channel is not None:
            kwargs["initial"] = {"name": channel.name, "target": channel.target, "is_on": channel.is_on}
        super().__init__(*args, **kwargs)
        self.fields["target"].label, self.fields["target"].help_text = _TARGETS[kind]
        if kind not in _SECRETS:
            del self.fields["secret"]
            return
        secret = self.fields["secret"]
        secret.label, secret.help_text = _SECRETS[kind]
        if channel is not None and channel.secret_encrypted:
            secret.widget.attrs["placeholder"] = "задан"
            secret.help_text = "Задан. Оставьте поле пустым, чтобы не менять; впишите новый, чтобы заменить."


def _channel(uuid: UUID) -> Channel:
    return get_object_or_404(Channel, uuid=uuid, removed_at__isnull=True)


def _save(request: HttpRequest, kind: str, channel: Channel | None) -> HttpResponse:
    form = ChannelForm(request.POST if request.method == "POST" else None, kind=kind, channel=channel)
    if form.is_bound and form.is_valid():
        try:
            saved = channel_save(
                content=ChannelContent(kind=kind, **form.cleaned_data), actor=actor(request), channel=channel
            )
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            told(request, f"Канал «{saved.name}» сохранён. Отправьте проверочное, чтобы убедиться.")
            return redirect("panel:alerts")
    problem = smtp_problem() if kind == "email" else ""
    return page(
        request,
        "alert_channel",
        channel.name if channel else f"Новый канал: {TITLES[kind]}",
        form=form,
        kind=kind,
        channel=channel,
        smtp_problem=problem,
        code=422 if form.is_bound else 200,
    )


@staff
def new(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in dict(CHANNEL_KINDS):
        raise Http404
    return _save(request, kind, None)


@staff
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    channel = _channel(uuid)
    return _save(request, channel.kind, channel)


@staff
@require_POST
def test(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Отправить проверочное»."""
    channel = _channel(uuid)
    ended = channel_test(channel=channel, actor=actor(request))
    if ended.state == "sent":
        told(request, f"Проверочное отправлено: канал «{channel.name}» работает. {ended.error_text}".strip())
    else:
        noted(request, f"Канал «{channel.name}» не работает. {ended.error_text}")
    return redirect("panel:alerts")


@staff
@require_POST
def remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Удалить канал»."""
    channel = _channel(uuid)
    channel_remove(channel=channel, actor=actor(request))
    told(request, f"Канал «{channel.name}» удалён вместе с секретом. Оповещения туда больше не уходят.")
    return redirect("panel:alerts")
