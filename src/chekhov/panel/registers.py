"""«Онлайн-кассы для фискализации»: the list, and the choice of a provider."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from chekhov.drivers import registry
from chekhov.panel.pages import page, staff
from chekhov.panel.trouble import provider_title
from chekhov.registers.models import Register
from chekhov.registers.services import notification_link
from chekhov.watch.readiness import Level, register_states


@dataclass(frozen=True, slots=True)
class Row:
    """A register in the list."""

    register: Register
    provider: str
    link: str
    level: Level
    state: str


PROVIDER_WORDS = {
    "komtet": "Облачный сервис «КОМТЕТ Касса»: чеки печатает настоящая касса. Понадобятся ShopID, Secret и ID очереди "
    "из кабинета.",
    "test": "Встроенный эмулятор: ведёт себя как касса, но в налоговую ничего не отправляет. Годится для пробы.",
}


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = [
        Row(
            line.register,
            provider_title(line.register.account.provider),
            notification_link(line.register.account),
            line.level,
            line.text,
        )
        for line in register_states()
    ]
    archived = Register.objects.filter(archived_at__isnull=False).select_related("region", "account").order_by("name")
    return page(request, "registers", "Онлайн-кассы для фискализации", rows=rows, archived=archived)


@staff
def connect(request: HttpRequest) -> HttpResponse:
    """«Подключить»: which provider?"""
    providers = [(provider, PROVIDER_WORDS.get(provider.code, "")) for provider in registry.available()]
    chosen = request.GET.get("provider", providers[0][0].code)
    return page(request, "register_connect", "Подключение кассы", providers=providers, chosen=chosen)
