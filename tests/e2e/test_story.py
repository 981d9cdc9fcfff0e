"""From an empty installation to a fiscalized receipt, by hand in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from chekhov.emulator.testing import EmulatorProcess
from tests.e2e.conftest import Installation, log_in


def test_a_shop_is_set_up_and_a_receipt_is_fiscalized(
    empty: Installation, emulator: EmulatorProcess, contexts: Callable[..., BrowserContext]
) -> None:
    context = contexts()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=empty.url)
    page = log_in(context, empty)

    _make_directories(page)
    _connect_register(page, emulator)
    _mark_paid(page)
    _send_receipt(page)

    task = emulator.receipts()[-1]
    assert task["state"] == "done"


def _save(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Сохранить")).click()


def _menu(page: Page, name: str) -> None:
    page.locator("#nav-sidebar-apps").get_by_role("link", name=name).click()


def _make_directories(page: Page) -> None:
    page.get_by_role("link", name="Заведите организацию").click()
    page.get_by_label("Название").fill("ООО «Автодеталь»")
    page.get_by_label("ИНН").fill("7707083893")
    page.get_by_label("Код").fill("parts")
    page.get_by_label("Сайт").fill("https://parts.example.ru/cart")
    page.locator("[name=tax-0-tax_system]").select_option(label="ОСН")
    page.locator("[name=tax-0-valid_from]").fill("01.01.2025")
    page.get_by_role("button", name="Добавить систему").click()
    page.get_by_role("button", name="Убрать строку").nth(1).click()
    page.locator("[name=vat-0-vat_mode]").select_option(value="general")
    page.locator("[name=vat-0-valid_from]").fill("01.01.2025")
    _save(page)
    expect(page.get_by_text("Организация «ООО «Автодеталь»» сохранена.")).to_be_visible()

    _menu(page, "Регионы")
    page.get_by_role("link", name="Новый регион").first.click()
    page.get_by_label("Название").fill("Москва")
    page.get_by_label("Код").fill("msk")
    page.get_by_label("Организация").select_option(label="ООО «Автодеталь»")
    _save(page)
    expect(page.get_by_text("Регион «Москва» сохранён.")).to_be_visible()


def _connect_register(page: Page, emulator: EmulatorProcess) -> None:
    _menu(page, "Онлайн-кассы для фискализации")
    page.get_by_role("link", name="Подключить").first.click()
    page.get_by_role("link", name="Создать: Тестовая касса").click()
    page.get_by_label("Регион", exact=False).first.select_option(label="Москва")
    page.get_by_label("Название", exact=False).first.fill("Касса на складе")
    page.get_by_label("ShopID").fill(emulator.shop)
    page.get_by_label("Secret").fill(emulator.secret)
    page.get_by_label("ID очереди").fill(str(emulator.queue))
    page.get_by_label("Система налогообложения при онлайн оплатах").select_option(label="ОСН")
    page.get_by_label("Ставка налога").select_option(label="20 %")
    expect(page.locator("#printed")).to_contain_text("НДС «22/122»")
    page.get_by_label("Способ расчёта при онлайн оплатах").select_option(label="Передача в кредит")
    expect(page.get_by_text("Каким будет чек с кредитным способом расчёта")).to_be_visible()
    page.get_by_label("Способ расчёта при онлайн оплатах").select_option(label="Аванс")
    expect(page.get_by_text("Каким будет чек с кредитным способом расчёта")).to_be_hidden()
    _save(page)

    expect(page.get_by_text("Касса «Касса на складе» сохранена.")).to_be_visible()
    link = page.locator("#link").inner_text()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/hooks/test/[\w-]{20,}", link)
    page.get_by_role("button", name="Скопировать").click()
    expect(page.get_by_role("button", name="Скопировано")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link

    page.get_by_role("button", name="Проверить связь").click()
    expect(page.get_by_text("Связь есть, касса на очереди работает.")).to_be_visible()


def _mark_paid(page: Page) -> None:
    _menu(page, "Клиенты")
    page.get_by_role("link", name="Новый клиент").first.click()
    page.get_by_label("Имя или название").fill("Антон Павлович")
    page.get_by_label("Регион").select_option(label="Москва")
    page.get_by_label("E-mail").fill("anton@example.ru")
    _save(page)

    page.get_by_role("link", name="Новый счёт").click()
    page.get_by_label("Номер счёта").fill("А-1")
    page.locator("[name=lines-0-name]").fill("Фильтр масляный")
    page.locator("[name=lines-0-price]").fill("620,00")
    page.locator("[name=lines-0-quantity]").fill("2")
    page.get_by_role("button", name="Добавить позицию").click()
    page.locator("[name=lines-1-name]").fill("Масло моторное 5W-40")
    page.locator("[name=lines-1-price]").fill("3 150,50")
    expect(page.locator("[data-grand-total]")).to_have_text(re.compile(r"4.390,50"))
    _save(page)

    page.get_by_role("link", name="Отметить оплату").first.click()
    page.get_by_label("Картой").check()
    page.get_by_role("button", name="Деньги получены").click()
    expect(page).to_have_url(re.compile(r"/unreceipted/"))


def _send_receipt(page: Page) -> None:
    send = page.get_by_role("button", name=re.compile("^Пробить чек"))
    expect(send).to_be_disabled()
    page.get_by_label("Да, уже у клиента").check()
    expect(page.locator("#preview")).to_contain_text("Полный расчёт · НДС 22 %")
    read = page.get_by_label("Замечания прочитаны")
    if read.count():
        read.check()
    expect(send).to_be_enabled()
    send.dblclick()
    expect(page).to_have_url(re.compile(r"/receipts/"))
    expect(page.locator("#receipt-state")).to_contain_text("Фискализирован", timeout=30_000)
    expect(page.locator(".paper-qr svg")).to_be_visible()
    expect(page.locator(".paper")).to_contain_text("4 390,50")
    _menu(page, "Оплачено без чека")
    expect(page.get_by_text("На каждую оплату есть чек", exact=True)).to_be_visible()
