"""«Журнал действий»: what people did. It can be read only."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chekhov.panel.listing import newest_first
from chekhov.panel.pages import page, staff
from chekhov.people.models import Action, User

KINDS = {
    "register_create": "Подключил кассу",
    "register_change": "Изменил кассу",
    "register_archive": "Отключил кассу",
    "payment_record": "Отметил оплату",
    "topup_record": "Пополнил баланс клиента",
    "customer_create": "Завёл клиента",
    "customer_change": "Изменил клиента",
    "invoice_create": "Завёл счёт",
    "invoice_change": "Изменил счёт",
    "receipt_form": "Пробил чек",
    "receipt_retry": "Заказал повтор чека",
    "receipt_cancel": "Отменил чек",
    "receipt_absent": "Подтвердил, что чека нет",
    "receipt_found": "Вписал номер задачи чека",
    "receipt_send_late": "Пробил опоздавший чек",
    "receipt_correct": "Оставил чек для коррекции",
    "register_limits": "Изменил пределы кассы",
    "lane_stop": "Приостановил кассу",
    "lane_resume": "Возобновил кассу",
    "incident_close": "Разобрал происшествие",
    "organization_create": "Завёл организацию",
    "organization_change": "Изменил организацию",
    "place_create": "Завёл место расчётов",
    "place_change": "Изменил место расчётов",
    "region_create": "Завёл регион",
    "region_change": "Изменил регион",
    "user_create": "Завёл пользователя",
    "user_change": "Изменил пользователя",
    "apikey_create": "Создал API-ключ",
    "apikey_revoke": "Отозвал API-ключ",
    "alert_channel_create": "Завёл канал оповещений",
    "alert_channel_change": "Изменил канал оповещений",
    "alert_channel_remove": "Удалил канал оповещений",
    "alert_rules_change": "Изменил правила оповещений",
    "alert_policy_change": "Изменил тихие часы",
    "alert_test": "Отправил проверочное оповещение",
}
_PAGES = {
    "receipt": "panel:receipt",
    "incident": "panel:receipt",
    "register": "panel:register",
    "organization": "panel:organization",
    "customer": "panel:customer",
    "invoice": "panel:invoice",
}


@staff
def listed(request: HttpRequest) -> HttpResponse:
    rows = Action.objects.select_related("actor")
    kind, person = request.GET.get("kind", ""), request.GET.get("actor", "")
    if kind in KINDS:
        rows = rows.filter(kind=kind)
    if person.isascii() and person.isdigit() and len(person) < 19:
        rows = rows.filter(actor_id=int(person))
    found = newest_first(request, rows)
    return page(
        request,
        "journal",
        "Журнал действий",
        slice=found,
        rows=[(row, KINDS.get(row.kind, row.kind), _PAGES.get(row.kind.partition("_")[0], "")) for row in found.rows],
        kinds=sorted(KINDS.items(), key=lambda item: item[1]),
        kind=kind,
        people=User.objects.order_by("last_name", "username"),
        person=person,
    )
