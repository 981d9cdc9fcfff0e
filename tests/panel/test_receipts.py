"""«Оплачено без чека», the composer, the list of receipts and the card of one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from chekhov.config.clock import now
from chekhov.delivery.models import Sighting
from chekhov.delivery.sightings import sighted
from chekhov.people.models import Action
from chekhov.receipts.incidents import SECOND_DOCUMENT, incident_open
from chekhov.receipts.models import Incident, Obligation, Receipt
from chekhov.receipts.states import State
from tests import factories
from tests.panel.conftest import Shop, fiscalize, move, text_of


def composer(obligation: Obligation) -> str:
    return reverse("panel:composer", args=[obligation.uuid])


def choices(shop: Shop, **values: Any) -> dict[str, Any]:
    return {"asked": "1", "register": shop.register.pk, "goods": "yes", "print": "on", "tax_system": "", **values}


def test_what_is_paid_without_a_receipt_is_listed_with_its_reason(panel: Client, shop: Shop) -> None:
    factories.pay(factories.invoice(factories.customer(shop.ekb, name="Без Кассы")))
    factories.pay(factories.invoice(factories.customer(shop.spb, name="Тихая Касса")))
    shop.obligation(name="У Прилавка")
    shop.receipt(name="С Чеком")

    text = text_of(panel.get(reverse("panel:unreceipted")))

    for words in (
        "Без Кассы", "Для региона не подключена ни одна касса.", "Тихая Касса", "не активна при онлайн оплатах",
        "У Прилавка", "Деньги приняты лично, чек ещё не пробит.", "нужен сейчас", "Пробить чек",
        "Как выбиралась касса",
    ):  # fmt: skip
        assert words in text
    assert "С Чеком" not in text


def test_an_old_payment_is_overdue_in_words(panel: Client, shop: Shop) -> None:
    factories.pay(factories.invoice(factories.customer(shop.ekb)), paid_at=now() - timedelta(days=3))

    text = text_of(panel.get(reverse("panel:unreceipted")))

    assert "просрочено на 3 дня" in text
    assert "Просрочено: 1." in text


def test_a_cancelled_receipt_brings_the_payment_back(panel: Client, shop: Shop) -> None:
    receipt = shop.receipt(name="Отменённый")
    move(receipt, State.CANCELLED)

    text = text_of(panel.get(reverse("panel:unreceipted")))

    assert "Отменённый" in text
    assert "Прежний чек отменён, новый ещё не пробит." in text


def test_the_composer_draws_the_receipt_with_the_orders_lines(panel: Client, shop: Shop) -> None:
    text = text_of(panel.get(composer(shop.obligation())))

    for words in (
        "Свеча зажигания",
        "4 × 385,50",
        "Доставка курьером",
        "ИТОГ 1 892,00",
        "Товар выдан?",
        "Касса Москва",
    ):
        assert words in text
    assert "Касса Питер" not in text


def test_without_an_answer_about_the_goods_nothing_is_sent(panel: Client, shop: Shop) -> None:
    obligation = shop.obligation()

    response = panel.post(composer(obligation), choices(shop, goods=""))

    assert response.status_code == 422
    assert "Ответьте, выдан ли товар" in text_of(response)
    assert not Receipt.objects.exists()


@pytest.mark.parametrize(
    ("goods", "method", "vat"), [("yes", "Полный расчёт", "22 %"), ("no", "Предоплата 100 %", "22/122")]
)
def test_the_preview_follows_the_choices(panel: Client, shop: Shop, goods: str, method: str, vat: str) -> None:
    address = reverse("panel:composer_preview", args=[shop.obligation().uuid])

    text = text_of(panel.get(address, choices(shop, goods=goods)))

    assert f"{method} · НДС {vat}" in text
    assert not Receipt.objects.exists()


def test_sending_makes_one_receipt_however_often_it_is_pressed(panel: Client, shop: Shop) -> None:
    obligation = shop.obligation()

    first = panel.post(composer(obligation), choices(shop))
    second = panel.post(composer(obligation), choices(shop))

    receipt = Receipt.objects.get()
    assert first["Location"] == second["Location"] == reverse("panel:receipt", args=[receipt.uuid])
    assert receipt.total_kopecks == 189_200
    assert Action.objects.filter(kind="receipt_form").count() == 1
    assert panel.get(composer(obligation)).status_code == 302


def test_a_register_of_another_region_is_refused_by_the_server(panel: Client, shop: Shop) -> None:
    response = panel.post(composer(shop.obligation()), choices(shop, register=shop.quiet.pk))

    assert response.status_code == 422
    assert "Касса «Касса Питер» из региона «SPB», а клиент — из «MSK»." in text_of(response)
    assert "Выберите кассу региона клиента." in text_of(response)
    assert not Receipt.objects.exists()


def test_a_region_without_a_register_is_told_what_to_do(panel: Client, shop: Shop) -> None:
    text = text_of(panel.get(composer(shop.obligation(shop.ekb))))

    assert "нет кассы этой организации" in text
    assert "Подключить кассу" in text


def test_a_buyer_without_a_contact_gets_paper(panel: Client, shop: Shop) -> None:
    obligation = shop.obligation(email="")
    page = panel.get(composer(obligation))
    assert "бумажный чек обязателен" in text_of(page)

    panel.post(composer(obligation), {"asked": "1", "register": shop.register.pk, "goods": "yes", "confirmed": "on"})

    assert '"print":true' in Receipt.objects.get().document


@pytest.mark.parametrize(
    "values",
    [{"register": "x"}, {"register": "9" * 30}, {"register": "999999"}, {"tax_system": "2"}, {"tax_system": "абв"}, {}],
)
def test_the_preview_survives_any_choices(panel: Client, shop: Shop, values: dict[str, str]) -> None:
    address = reverse("panel:composer_preview", args=[shop.obligation().uuid])

    assert panel.get(address, choices(shop, **values)).status_code == 200


def test_the_list_shows_each_state_as_icon_and_word(panel: Client, shop: Shop) -> None:
    fiscalize(shop.receipt())
    move(shop.receipt(), State.SENDING, State.UNKNOWN)

    response = panel.get(reverse("panel:receipts"))

    assert "Фискализирован" in text_of(response)
    assert "Исход неизвестен" in text_of(response)
    assert "check_circle" in response.content.decode()


@pytest.mark.parametrize("search", ["uuid", "email", "phone", "fd", "number"])
def test_receipts_are_found(panel: Client, shop: Shop, search: str) -> None:
    receipt = (
        shop.receipt(name="Нужный", email="", phone="+79161234567")
        if search == "phone"
        else shop.receipt(name="Нужный")
    )
    shop.receipt(name="Лишний", email="other@example.ru")
    fiscalize(receipt, fd=4711)
    assert receipt.invoice is not None
    text = {
        "uuid": str(receipt.uuid),
        "email": "buyer@example.ru",
        "phone": "8 916 123 45 67",
        "fd": "4711",
        "number": receipt.invoice.number,
    }[search]

    shown = text_of(panel.get(reverse("panel:receipts"), {"q": text}))

    assert "Нужный" in shown
    assert "Лишний" not in shown


@pytest.mark.parametrize("text", ["Maria.S@example.ru", "Maria.S@EXAMPLE.ru"])
def test_an_address_is_found_as_it_was_written(panel: Client, shop: Shop, text: str) -> None:
    shop.receipt(name="Мария", email="Maria.S@Example.ru")

    assert "Мария" in text_of(panel.get(reverse("panel:receipts"), {"q": text}))
    assert "Мария" in text_of(panel.get(reverse("panel:customers"), {"q": text}))


def test_receipts_are_filtered_by_state_register_and_period(panel: Client, shop: Shop) -> None:
    move(shop.receipt(name="Сломанный"), State.SENDING, State.ACCEPTED, State.FAILED)
    shop.receipt(name="Ждущий")

    def shown(**query: Any) -> str:
        return text_of(panel.get(reverse("panel:receipts"), query))

    assert "Сломанный" in shown(state="failed")
    assert "Ждущий" not in shown(state="failed")
    assert "Ничего не нашлось" in shown(register=shop.quiet.pk)
    assert "Ждущий" in shown(register=shop.register.pk)
    assert "Ничего не нашлось" in shown(to="01.01.2020")
    assert "Ждущий" in shown(**{"from": "2020-01-01"})
    assert "Ждущий" in shown(state="nonsense", register="x", to="99.99.9999", before="abc")


@pytest.mark.parametrize(
    "query", [{}, {"state": "queued"}, {"from": "2020-01-01"}, {"state": "queued", "to": "2100-01-01"}]
)
def test_every_receipt_stands_on_one_page_of_the_list(panel: Client, shop: Shop, query: dict[str, str]) -> None:
    buyer = factories.customer(shop.msk)
    for _ in range(53):
        factories.topup(buyer, "1.00")
    first = panel.get(reverse("panel:receipts"), query).context["slice"]
    second = panel.get(reverse("panel:receipts") + "?" + first.next_query).context["slice"]

    shown = [row.pk for row in [*first.rows, *second.rows]]
    assert shown == sorted(Receipt.objects.values_list("pk", flat=True), reverse=True)
    assert not second.next_query


def test_the_card_shows_the_fiscal_data_and_the_qr_code(panel: Client, shop: Shop) -> None:
    receipt = fiscalize(shop.receipt())

    response = panel.get(reverse("panel:receipt", args=[receipt.uuid]))
    text = text_of(response)

    for words in ("Фискализирован", "9999078900012345", "4711", "2397484188", "0000000400054952", "24.11.2026 10:15"):
        assert words in text
    assert "<svg" in response.content.decode()
    assert "hx-trigger" not in response.content.decode().split('id="receipt-body"')[1].split(">")[0]


def test_the_card_refreshes_itself_until_the_end(panel: Client, shop: Shop) -> None:
    receipt = shop.receipt()
    address = reverse("panel:receipt_live", args=[receipt.uuid])
    assert "every 2s" in panel.get(address).content.decode()

    fiscalize(receipt)

    assert "every 2s" not in panel.get(address).content.decode()


def test_a_failed_receipt_is_tried_again_at_a_persons_wish(panel: Client, shop: Shop) -> None:
    receipt = move(shop.receipt(), State.SENDING, State.ACCEPTED, State.FAILED, text="закончилась бумага")
    page = panel.get(reverse("panel:receipt", args=[receipt.uuid]))
    assert "закончилась бумага" in text_of(page)
    assert "Пробить ещё раз" in text_of(page)

    response = panel.post(reverse("panel:receipt_retry", args=[receipt.uuid]), follow=True)

    receipt.status.refresh_from_db()
    assert (receipt.status.wanted, receipt.status.wanted_by) == ("retry", "user:petrova")
    assert "Повтор заказан" in text_of(response)


def test_a_receipt_that_cannot_be_retried_says_so(panel: Client, shop: Shop) -> None:
    receipt = fiscalize(shop.receipt())

    response = panel.post(reverse("panel:receipt_retry", args=[receipt.uuid]), follow=True)

    assert "уже не в состоянии «Ошибка кассы»" in text_of(response)
    receipt.status.refresh_from_db()
    assert receipt.status.state == State.FISCALIZED


def test_cancelling_wants_a_reason_and_states_its_consequence(panel: Client, shop: Shop) -> None:
    receipt = shop.receipt()
    address = reverse("panel:receipt_cancel", args=[receipt.uuid])
    assert "оплата вернётся в «Оплачено без чека»" in text_of(panel.get(reverse("panel:receipt", args=[receipt.uuid])))

    refused = panel.post(address, {"reason": " "}, follow=True)
    assert "Напишите причину" in text_of(refused)
    receipt.status.refresh_from_db()
    assert receipt.status.state == State.QUEUED

    panel.post(address, {"reason": "Клиент отказался"})
    receipt.status.refresh_from_db()
    assert receipt.status.state == State.CANCELLED
    assert Action.objects.get(kind="receipt_cancel").summary == "Клиент отказался"


def test_a_receipt_that_may_exist_is_not_cancelled(panel: Client, shop: Shop) -> None:
    receipt = move(shop.receipt(), State.SENDING, State.UNKNOWN)

    response = panel.post(reverse("panel:receipt_cancel", args=[receipt.uuid]), {"reason": "Хочу"}, follow=True)

    assert "отменить нельзя" in text_of(response)
    receipt.status.refresh_from_db()
    assert receipt.status.state == State.UNKNOWN


def test_an_incident_stays_until_somebody_closes_it_with_a_word(panel: Client, shop: Shop) -> None:
    receipt = fiscalize(shop.receipt())
    incident_open(receipt_id=receipt.pk, code=SECOND_DOCUMENT, text="Возможно, пробиты два чека.")
    incident = Incident.objects.get()
    assert "Возможно, пробиты два чека." in text_of(panel.get("/admin/"))
    address = reverse("panel:incident_close", args=[receipt.uuid, incident.pk])

    assert "Напишите, что выяснили" in text_of(panel.post(address, {"note": ""}, follow=True))
    assert "Возможно, пробиты два чека." in text_of(panel.get("/admin/"))

    closed = text_of(panel.post(address, {"note": "Второго чека нет"}, follow=True))
    assert "Второго чека нет" in closed
    assert "Возможно, пробиты два чека." not in text_of(panel.get("/admin/"))
    assert Action.objects.get(kind="incident_close").summary == "Второго чека нет"


def test_a_failed_receipt_under_an_incident_is_settled_first(panel: Client, shop: Shop) -> None:
    receipt = move(shop.receipt(), State.SENDING, State.ACCEPTED, State.FAILED)
    with transaction.atomic():
        sighted(receipt_id=receipt.pk, key_number=1, provider_ref="501")
    incident_open(receipt_id=receipt.pk, code=SECOND_DOCUMENT, text="Сервис сообщил, что прежняя задача 501 пробита.")
    card = reverse("panel:receipt", args=[receipt.uuid])
    retry = reverse("panel:receipt_retry", args=[receipt.uuid])
    assert retry not in panel.get(card).content.decode(), "what would be refused is not offered"
    assert "сначала разберите происшествие" in text_of(panel.post(retry, follow=True))

    close = reverse("panel:incident_close", args=[receipt.uuid, Incident.objects.get().pk])
    panel.post(close, {"note": "В кабинете нет", "not_printed": "on"})

    assert Sighting.objects.get().answer == "person"
    assert "прежний чек не пробит" in Action.objects.get(kind="incident_close").summary
    assert retry in panel.get(card).content.decode()


def test_an_outcome_that_may_still_come_is_not_settled_by_hand(panel: Client, shop: Shop) -> None:
    receipt = move(shop.receipt(), State.SENDING, State.UNKNOWN)
    assert "В кабинете чека нет" not in text_of(panel.get(reverse("panel:receipt", args=[receipt.uuid])))

    response = panel.post(reverse("panel:receipt_absent", args=[receipt.uuid]), {"reason": "Проверил"}, follow=True)

    assert "может выясниться сам" in text_of(response)
    receipt.status.refresh_from_db()
    assert receipt.status.state == State.UNKNOWN


def test_the_dashboard_says_what_waits_and_what_is_in_trouble(panel: Client, shop: Shop) -> None:
    fiscalize(shop.receipt())
    move(shop.receipt(name="Бедовый"), State.SENDING, State.ACCEPTED, State.FAILED, text="закончилась бумага")
    shop.obligation(name="Ждёт Чека")

    text = text_of(panel.get(reverse("panel:dashboard_live"), headers={"HX-Request": "true"}))

    for words in ("Бедовый", "закончилась бумага", "Ждёт Чека", "Доставка не работает", "Касса Москва", "1 892,00 ₽"):
        assert words in text
