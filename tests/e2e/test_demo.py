"""The demo shop on a desktop and on a tablet: what a visitor sees first. Writes the pictures of the documentation."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.conftest import DESKTOP, TABLET, Installation, log_in, picture

PAGES = [
    "", "receipts/", "unreceipted/", "invoices/", "invoices/new/", "customers/", "topups/", "registers/",
    "registers/connect/", "registers/connect/komtet/", "regions/", "organizations/", "organizations/new/", "places/",
    "users/", "api-keys/", "journal/", "readiness/", "alerts/", "alerts/channels/telegram/new/",
]  # fmt: skip


@pytest.mark.parametrize("viewport", [TABLET, {"width": 390, "height": 800}], ids=["tablet", "phone"])
def test_no_page_is_wider_than_the_screen(
    demo: Installation, contexts: Callable[..., BrowserContext], viewport: dict[str, int]
) -> None:
    page = log_in(contexts(viewport=viewport, has_touch=True), demo)

    wide = []
    for path in PAGES:
        page.goto(f"{demo.url}/admin/{path}")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
            wide.append(path)

    assert not wide


def test_the_dashboard_refreshes_itself(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    page = log_in(contexts(), demo)

    with page.expect_response(re.compile("/admin/live/"), timeout=15_000) as answer:
        pass

    assert answer.value.status == 200
    expect(page.get_by_text("Последние чеки").last).to_be_visible()
    picture(page, "dashboard")


def test_the_link_is_copied_without_any_permission(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    context = contexts()
    context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page = log_in(context, demo)
    page.goto(f"{demo.url}/admin/registers/")
    expect(page.get_by_role("button", name="Скопировать").first).to_be_visible()
    picture(page, "registers")

    page.get_by_role("button", name="Скопировать").first.click()

    expect(page.get_by_role("button", name="Скопировано").first).to_be_visible()


def test_a_session_that_ended_leads_to_the_login(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    context = contexts()
    page = log_in(context, demo)

    context.clear_cookies()

    page.wait_for_url(re.compile("/admin/login/"), timeout=20_000)


def test_what_waits_is_sent_from_the_composer(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    page = log_in(contexts(), demo)
    page.goto(f"{demo.url}/admin/unreceipted/")
    picture(page, "missing")
    row = page.get_by_role("row", name=re.compile("не активна при онлайн оплатах")).first
    row.get_by_role("link", name="Пробить чек").click()

    page.get_by_role("button", name=re.compile("^Пробить чек")).click()

    expect(page.locator("#receipt-state")).to_contain_text("Фискализирован", timeout=30_000)


def test_goods_are_sold_at_the_counter(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    page = log_in(contexts(viewport=TABLET, has_touch=True), demo)
    page.goto(f"{demo.url}/admin/customers/?q=Соколов")
    page.get_by_role("link", name="Соколов Игорь").tap()
    page.get_by_role("link", name="Новый счёт").tap()
    page.get_by_label("Номер счёта").fill("АД-2001")
    page.locator("[name=lines-0-name]").fill("Колодки тормозные передние TRW GDB1550")
    page.locator("[name=lines-0-price]").fill("3150")
    page.get_by_role("button", name="Добавить позицию").tap()
    page.locator("[name=lines-1-name]").fill("Жидкость тормозная DOT 4")
    page.locator("[name=lines-1-price]").fill("489,90")
    page.locator("[name=lines-1-quantity]").fill("2")
    page.get_by_role("button", name="Сохранить счёт").tap()
    page.get_by_role("link", name="Отметить оплату").first.tap()
    page.get_by_role("button", name="Деньги получены").tap()
    send = page.get_by_role("button", name=re.compile("^Пробить чек"))
    expect(send).to_be_disabled()
    page.get_by_label("Да, уже у клиента").check()
    expect(page.locator("#preview")).to_contain_text("Полный расчёт · НДС 22 %")
    expect(send).to_be_enabled()
    page.set_viewport_size(DESKTOP)
    picture(page, "composer", full_page=True)

    send.tap()

    expect(page.locator("#receipt-state")).to_contain_text("Фискализирован", timeout=30_000)
    expect(page.locator(".paper-qr svg")).to_be_visible()
    expect(page.locator(".paper")).to_contain_text("Наличными")
    picture(page, "receipt", full_page=True)


def test_the_form_of_a_register_stands_on_a_page(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    page = log_in(contexts(), demo)
    page.goto(f"{demo.url}/admin/registers/")
    page.get_by_role("link", name=re.compile("Касса Москва")).first.click()
    page.get_by_role("link", name="Изменить").click()

    expect(page.locator("#printed")).to_contain_text("Сегодня")
    assert page.get_by_label("Secret").input_value() == ""
    picture(page, "register-form", full_page=True)


def test_the_emulator_shows_its_tape(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    page = contexts().new_page()

    page.goto(demo.environment["CHEKHOV_EMULATOR_URL"] + "/_emulator/")

    expect(page.locator("body")).to_contain_text("ИТОГ")
    picture(page, "tape")
