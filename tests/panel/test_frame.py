"""Who may enter, how the panel speaks, and that every page opens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chekhov.people.models import User
from chekhov.people.services import apikey_create, source_get
from tests import factories
from tests.panel.conftest import PASSWORD, Shop, fiscalize, text_of

LISTS = [
    "dashboard", "receipts", "unreceipted", "invoices", "customers", "topups", "registers", "register_connect",
    "regions", "organizations", "places", "users", "apikeys", "journal", "readiness", "alerts",
]  # fmt: skip
FORMS = [
    "customer_new", "invoice_new", "region_new", "organization_new", "place_new", "user_new", "apikey_new",
]  # fmt: skip
KNOWN_LATIN = {
    "e-mail", "shopid", "secret", "id", "api", "api-", "crm", "cms", "https", "http", "uuid", "qr", "qr-", "url", "msk",
    "spb", "ekb", "parts", "site", "demo-shop", "demo", "panel", "petrova", "example", "ru", "json", "chk", "buyer",
    "esc", "utc",
    "watch", "telegram", "botfather", "post",
    "chekhov", "up", "worker", "sqlite", "postgresql", "database", "base", "test", "gmail", "com", "c", "a", "p", "t",
}  # fmt: skip


def every_page(shop: Shop) -> list[str]:
    """The address of each page, with something on it."""
    receipt = fiscalize(shop.receipt())
    obligation = shop.obligation()
    bill, buyer = receipt.invoice, receipt.customer
    factories.topup(buyer)
    fresh = factories.invoice(buyer)
    key, _text = apikey_create(source=source_get("site"), name="Сайт")
    assert bill is not None
    assert key.pk
    return [
        *(reverse(f"panel:{name}") for name in [*LISTS, *FORMS]),
        reverse("panel:receipt", args=[receipt.uuid]),
        reverse("panel:composer", args=[obligation.uuid]),
        reverse("panel:invoice", args=[bill.uuid]),
        reverse("panel:invoice", args=[fresh.uuid]),
        reverse("panel:invoice_edit", args=[fresh.uuid]),
        reverse("panel:invoice_pay", args=[fresh.uuid]),
        reverse("panel:invoice_new") + f"?customer={buyer.uuid}",
        reverse("panel:customer", args=[buyer.uuid]),
        reverse("panel:customer_edit", args=[buyer.uuid]),
        reverse("panel:customer_topup", args=[buyer.uuid]),
        reverse("panel:register", args=[shop.register.uuid]),
        reverse("panel:register_edit", args=[shop.register.uuid]),
        reverse("panel:register_new", args=["komtet"]),
        reverse("panel:register_new", args=["test"]),
        reverse("panel:region", args=[shop.msk.pk]),
        reverse("panel:organization", args=[shop.organization.uuid]),
        reverse("panel:place", args=[shop.msk.place_id]),
        reverse("panel:user", args=[User.objects.get(username="petrova").pk]),
        *(reverse("panel:alert_channel_new", args=[kind]) for kind in ("email", "telegram", "webhook")),
        reverse("admin:password_change"),
        reverse("admin:password_change_done"),
    ]


def test_the_root_leads_to_the_panel(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 302
    assert response["Location"] == "/admin/"


@pytest.mark.django_db
@pytest.mark.parametrize("name", [*LISTS, *FORMS])
def test_a_stranger_is_asked_to_log_in(client: Client, name: str) -> None:
    response = client.get(reverse(f"panel:{name}"))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/?next=")


@pytest.mark.django_db
def test_a_user_who_is_not_of_the_panel_is_asked_to_log_in(client: Client) -> None:
    client.force_login(factories.user("buyer"), backend="django.contrib.auth.backends.ModelBackend")

    assert client.get(reverse("panel:receipts")).status_code == 302


@pytest.mark.django_db
def test_a_part_of_a_page_without_a_session_makes_the_browser_load_the_whole(client: Client) -> None:
    response = client.get(reverse("panel:dashboard_live"), headers={"HX-Request": "true"})

    assert response.status_code == 204
    assert response["HX-Refresh"] == "true"


def test_login_is_in_russian_and_works(cashier: User, client: Client) -> None:
    page = client.get("/admin/login/", headers={"Accept-Language": "en-US"})
    assert "Чехов" in text_of(page)
    assert "Пароль" in text_of(page)

    wrong = client.post("/admin/login/", {"username": "petrova", "password": "nonsense"})
    assert "Оба поля могут быть чувствительны к регистру" in text_of(wrong)

    right = client.post("/admin/login/?next=/admin/", {"username": "petrova", "password": PASSWORD})
    assert right.status_code == 302
    assert right["Location"] == "/admin/"


def test_many_wrong_passwords_lock_the_door_in_russian(cashier: User, client: Client) -> None:
    for _ in range(8):
        response = client.post("/admin/login/", {"username": "petrova", "password": "nonsense"})

    assert response.status_code == 429
    assert "Вход временно закрыт" in text_of(response)

    still = client.post("/admin/login/", {"username": "petrova", "password": PASSWORD})
    assert still.status_code == 429


def test_the_menu_names_every_place(panel: Client, shop: Shop) -> None:
    text = text_of(panel.get("/admin/"))

    for words in (
        "Сводка", "Чеки", "Оплачено без чека", "Ждут решения", "Счета", "Клиенты", "Пополнения",
        "Онлайн-кассы для фискализации", "Регионы", "Организации", "Места расчётов", "Пользователи",
        "API-ключи", "Журнал действий", "Проверка готовности", "Оповещения",
    ):  # fmt: skip
        assert words in text


def test_every_page_opens_and_speaks_russian(panel: Client, shop: Shop) -> None:
    foreign: dict[str, set[str]] = {}
    for address in [*every_page(shop), "/admin/login/"]:
        response = panel.get(address, headers={"Accept-Language": "en-US,en"}, follow=True)
        assert response.status_code == 200, address
        visible = re.sub(r"https?://\S+|\S+@\S+|[\w.-]+\.example\.ru|[0-9a-f]{8}-[0-9a-f-]{27}", " ", text_of(response))
        visible = re.sub(r"\b[CAPT]-\d+|\bdemo-\S+|chk_\S+|CHEKHOV_\w+", " ", visible)
        words = {word for word in re.findall(r"[A-Za-z][A-Za-z-]+", visible) if word.lower() not in KNOWN_LATIN}
        if words:
            foreign[address] = words
    assert not foreign


def test_no_page_has_scripts_or_handlers_in_its_text(panel: Client, shop: Shop) -> None:
    for address in every_page(shop):
        html = panel.get(address, follow=True).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", html), address
        assert not re.search(r"\son(click|change|submit|load)=", html), address
        assert "javascript:" not in html, address


def test_pages_are_never_cached(panel: Client, shop: Shop) -> None:
    assert "no-store" in panel.get("/admin/receipts/")["Cache-Control"]


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_installation_teaches_the_next_step(panel: Client, name: str) -> None:
    response = panel.get(reverse(f"panel:{name}"))

    assert response.status_code == 200


def test_the_dashboard_of_an_empty_installation_says_where_to_begin(panel: Client) -> None:
    text = text_of(panel.get("/admin/"))

    assert "С чего начать" in text
    assert "Заведите организацию" in text


def test_unknown_things_are_not_found(panel: Client, shop: Shop) -> None:
    nothing = "00000000-0000-0000-0000-000000000000"
    for name in ("receipt", "composer", "invoice", "customer", "register", "organization"):
        response = panel.get(reverse(f"panel:{name}", args=[nothing]))
        assert response.status_code == 404
        assert "Такой страницы нет" in text_of(response)


@pytest.mark.parametrize("method", ["get"])
def test_what_changes_something_takes_post_only(panel: Client, shop: Shop, method: str) -> None:
    receipt = shop.receipt()
    addresses = [
        reverse("panel:receipt_retry", args=[receipt.uuid]),
        reverse("panel:receipt_cancel", args=[receipt.uuid]),
        reverse("panel:register_check", args=[shop.register.uuid]),
        reverse("panel:register_archive", args=[shop.register.uuid]),
    ]

    assert [getattr(panel, method)(address).status_code for address in addresses] == [405] * 4


def test_a_page_from_elsewhere_cannot_post(cashier: User, shop: Shop) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cashier, backend="django.contrib.auth.backends.ModelBackend")

    response: Any = client.post(reverse("panel:register_archive", args=[shop.register.uuid]))

    assert response.status_code == 403
    assert "Страница устарела" in text_of(response)
    shop.register.refresh_from_db()
    assert shop.register.archived_at is None
