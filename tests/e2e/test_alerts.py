"""«Оповещения» in a browser: a channel is made and tried out, rules and quiet hours are set."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import TABLET, Installation, log_in, picture
from tests.watch.servers import http_inbox


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_a_channel_is_made_tried_out_and_mended(demo: Installation, contexts: Callable[..., BrowserContext]) -> None:
    with http_inbox() as inbox:
        page = log_in(contexts(), demo)
        page.get_by_role("link", name="Оповещения", exact=False).first.click()
        page.get_by_role("link", name="Вебхук").click()
        page.get_by_label("Название").fill("Дежурная программа")
        page.get_by_label("Адрес").fill(f"{inbox.url}/alerts")
        page.get_by_label("Секрет подписи").fill("секрет длиннее шестнадцати знаков")
        page.get_by_role("button", name="Сохранить").click()

        inbox.status = 404
        page.get_by_role("button", name="Отправить проверочное").click()
        expect(page.get_by_text("Адрес вебхука не найден (код 404). Проверьте адрес.").first).to_be_visible()
        inbox.status = 200
        page.get_by_role("button", name="Отправить проверочное").click()
        expect(page.get_by_text("Проверочное отправлено: канал «Дежурная программа» работает.")).to_be_visible()
        assert [body["events"][0]["kind"] for body in inbox.json if body["events"][0]["kind"] == "test"] == ["test"] * 2

        page.locator("[name=receipt_old-threshold]").fill("45")
        page.get_by_role("button", name="Сохранить правила").click()
        expect(page.get_by_text("Правила сохранены")).to_be_visible()
        expect(page.locator("[name=receipt_old-threshold]")).to_have_value("45")
        page.get_by_label("Тихие часы с").fill("23:00")
        page.get_by_role("button", name="Сохранить тихие часы").click()
        expect(page.get_by_text("Тихие часы и напоминания сохранены.")).to_be_visible()
        _fits(page)
        page.goto(f"{demo.url}/admin/alerts/")
        picture(page, "alerts")

        tablet = log_in(contexts(viewport=TABLET), demo)
        tablet.goto(f"{demo.url}/admin/alerts/")
        _fits(tablet)
        phone = log_in(contexts(viewport={"width": 390, "height": 844}), demo)
        phone.goto(f"{demo.url}/admin/alerts/")
        _fits(phone)
