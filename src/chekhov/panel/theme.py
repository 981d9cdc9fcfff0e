"""How the theme is dressed: names, colours, the menu. Imported by the settings: it loads no models by itself."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy

AXES_LOCKOUT_TEMPLATE = "panel/locked_out.html"


def _styles(_request: HttpRequest) -> str:
    return static("panel/panel.css")


def _script(_request: HttpRequest) -> str:
    return static("panel/panel.js")


def _item(request: HttpRequest, title: str, icon: str, name: str, *, badge: str = "") -> dict[str, Any]:
    link = reverse(f"panel:{name}")
    is_home = name == "dashboard"
    active = request.path == link if is_home else request.path.startswith(link)
    item: dict[str, Any] = {"title": title, "icon": icon, "link": reverse_lazy(f"panel:{name}"), "active": active}
    if badge:
        item |= {"badge": badge, "badge_variant": "danger"}
    return item


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu. The red figure beside «Оплачено без чека» is there only when something waits."""
    from chekhov.panel.decisions import decisions_badge
    from chekhov.panel.unreceipted import waiting_badge

    return [
        {"items": [_item(request, "Сводка", "space_dashboard", "dashboard")]},
        {
            "title": "Кассовый модуль",
            "separator": True,
            "items": [
                _item(request, "Чеки", "receipt_long", "receipts"),
                _item(request, "Оплачено без чека", "assignment_late", "unreceipted", badge=waiting_badge()),
                _item(request, "Ждут решения", "gavel", "decisions", badge=decisions_badge()),
            ],
        },
        {
            "title": "Продажи",
            "separator": True,
            "items": [
                _item(request, "Счета", "request_quote", "invoices"),
                _item(request, "Клиенты", "group", "customers"),
                _item(request, "Пополнения", "account_balance_wallet", "topups"),
            ],
        },
        {
            "title": "Служебные → Справочники",
            "separator": True,
            "items": [
                _item(request, "Онлайн-кассы для фискализации", "point_of_sale", "registers"),
                _item(request, "Регионы", "map", "regions"),
                _item(request, "Организации", "domain", "organizations"),
                _item(request, "Места расчётов", "storefront", "places"),
            ],
        },
        {
            "title": "Служебные",
            "separator": True,
            "items": [
                _item(request, "Пользователи", "badge", "users"),
                _item(request, "API-ключи", "key", "apikeys"),
                _item(request, "Журнал действий", "history", "journal"),
                _item(request, "Проверка готовности", "fact_check", "readiness"),
                _item(request, "Оповещения", "notifications", "alerts"),
            ],
        },
    ]


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Чехов",
    "SITE_HEADER": "Чехов",
    "SITE_SUBHEADER": "кассовый модуль",
    "SITE_SYMBOL": "receipt_long",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("panel/favicon.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "STYLES": [_styles],
    "SCRIPTS": [_script],
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.801)",
            "200": "oklch(91% .096 180.426)",
            "300": "oklch(85.5% .138 181.071)",
            "400": "oklch(77.7% .152 181.912)",
            "500": "oklch(65% .13 183)",
            "600": "oklch(49.5% .092 187)",
            "700": "oklch(43.7% .078 188.216)",
            "800": "oklch(38.6% .063 188.416)",
            "900": "oklch(33% .053 190)",
            "950": "oklch(27.7% .046 192.524)",
        },
    },
    "SIDEBAR": {"navigation": navigation},
}
