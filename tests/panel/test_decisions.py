"""«Ждут решения», «Разбор чека», the stop of a register and its limits: what a person sees and what a press does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chekhov.config.clock import now
from chekhov.config.database import read_clock_ms
from chekhov.delivery.jobs import JobKind
from chekhov.delivery.models import Breaker, Callback, Lane
from chekhov.delivery.selectors import LATE, PERSON_DECIDES, waiting_for_person
from chekhov.drivers.contract import Dedup
from chekhov.people.models import Action
from chekhov.receipts.models import Receipt, ReceiptState
from chekhov.registers.models import Register
from tests import factories
from tests.faults.plain import PlainDriver, provided
from tests.integration.delivering import LOST, answer, claim, claim_one
from tests.panel.conftest import Shop, text_of
from tests.panel.test_registers import filled


@pytest.fixture
def late(shop: Shop) -> Receipt:
    factories.pay(factories.invoice(factories.customer(shop.msk)), paid_at=now() - timedelta(days=2))
    assert claim() == []
    return Receipt.objects.get()


@pytest.fixture
def stuck(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Receipt:
    """Its answer was lost, and its provider can neither be asked nor knows repeats."""
    code = provided(monkeypatch, PlainDriver(lookup=False, dedup=Dedup.NONE), "http://127.0.0.1:9")
    factories.register(shop.ekb, provider=code, service_url="http://127.0.0.1:9", queue=5)
    factories.pay(factories.invoice(factories.customer(shop.ekb)))
    assert answer(claim_one(), LOST) == "unknown"
    assert claim() == []
    return Receipt.objects.get()


def test_an_empty_list_says_so(panel: Client, shop: Shop) -> None:
    assert "Решать нечего" in text_of(panel.get(reverse("panel:decisions")))


def test_a_late_receipt_is_listed_counted_and_told_on_the_first_page(panel: Client, late: Receipt) -> None:
    text = text_of(panel.get(reverse("panel:decisions")))
    assert "Опоздали больше чем на 24 ч" in text
    assert "Касса Москва" in text
    assert "Ждут вашего решения: 1" in text_of(panel.get(reverse("panel:dashboard"))).replace("\xa0", " ")


def test_the_card_offers_both_ways_and_is_honest_about_corrections(panel: Client, late: Receipt) -> None:
    text = text_of(panel.get(reverse("panel:receipt", args=[late.uuid])))

    assert "Пробить чек всё равно" in text
    assert "Сам чек коррекции здесь пока не пробить" in text


def test_sending_it_late_wants_a_reason(panel: Client, late: Receipt) -> None:
    address = reverse("panel:receipt_send_late", args=[late.uuid])

    assert "Напишите причину" in text_of(panel.post(address, {"reason": ""}, follow=True))
    assert waiting_for_person(LATE).exists()

    panel.post(address, {"reason": "касса чинилась"})
    assert not waiting_for_person(LATE).exists()
    assert claim_one().kind is JobKind.SEND


def test_several_are_sent_at_once_with_one_reason(panel: Client, shop: Shop) -> None:
    for _ in range(3):
        factories.pay(factories.invoice(factories.customer(shop.msk)), paid_at=now() - timedelta(days=2))
    claim()
    chosen = list(Receipt.objects.order_by("pk").values_list("pk", flat=True))[:2]

    text = text_of(
        panel.post(reverse("panel:decisions_send_late"), {"receipt": chosen, "reason": "авария"}, follow=True)
    )

    assert "2 чека" in text.replace("\xa0", " ")
    assert waiting_for_person(LATE).count() == 1
    assert Action.objects.filter(kind="receipt_send_late").count() == 2


def test_leaving_it_for_a_correction_puts_the_payment_on_the_list(panel: Client, late: Receipt) -> None:
    panel.post(reverse("panel:receipt_correct", args=[late.uuid]), {"reason": "бухгалтер оформит"})

    text = text_of(panel.get(reverse("panel:unreceipted")))
    assert "нужен чек коррекции" in text
    assert "здесь чеков коррекции ещё нет" in text


def test_an_outcome_that_nobody_can_ask_about_is_listed_with_its_evidence(panel: Client, stuck: Receipt) -> None:
    assert "Исход не узнать у сервиса" in text_of(panel.get(reverse("panel:decisions")))

    text = text_of(panel.get(reverse("panel:receipt_evidence", args=[stuck.uuid])))
    assert "Отправка № 1" in text
    assert "Ответ на отправку № 1: неизвестно" in text
    assert str(stuck.uuid) in text
    assert "external_id" in text, "the bytes that were sent"
    assert "Ответ потерян, исход неизвестен" in text


def test_the_number_from_the_cabinet_is_asked_about(panel: Client, stuck: Receipt) -> None:
    assert "Номер задачи: до 64" in text_of(
        panel.post(reverse("panel:receipt_found", args=[stuck.uuid]), {"task": "№ пять"}, follow=True)
    )

    panel.post(reverse("panel:receipt_found", args=[stuck.uuid]), {"task": "812"})

    job = claim_one()
    assert (job.kind, job.provider_ref) == (JobKind.POLL, "812")


def test_absence_is_not_offered_while_the_call_may_be_under_way(panel: Client, stuck: Receipt) -> None:
    assert "Исход можно установить вручную" not in text_of(panel.get(reverse("panel:receipt", args=[stuck.uuid])))
    panel.post(reverse("panel:receipt_absent", args=[stuck.uuid]), {"reason": "нет в кабинете", "send_again": "on"})

    assert waiting_for_person(PERSON_DECIDES).exists()


def test_absence_lets_it_go_again(panel: Client, stuck: Receipt, settings: Any) -> None:
    settings.CHEKHOV_LEASE_SECONDS = settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS = (
        settings.CHEKHOV_READ_TIMEOUT_SECONDS
    ) = 0
    assert "Отправить этот же чек снова" in text_of(panel.get(reverse("panel:receipt", args=[stuck.uuid])))

    panel.post(reverse("panel:receipt_absent", args=[stuck.uuid]), {"reason": "нет в кабинете", "send_again": "on"})

    settings.CHEKHOV_LEASE_SECONDS = 120
    job = claim_one()
    assert (job.kind, job.key, job.attempt_number) == (JobKind.SEND, str(stuck.uuid), 2)


# --- the register's page ----------------------------------------------------------------------------------------------


def card(panel: Client, register: Register) -> str:
    return text_of(panel.get(reverse("panel:register", args=[register.uuid]))).replace("\xa0", " ")


def test_a_stop_shows_who_and_why_and_is_taken_back(panel: Client, shop: Shop) -> None:
    shop.receipt()
    claim()
    panel.post(reverse("panel:register_stop", args=[shop.register.uuid]), {"reason": "меняем ФН"})
    shop.receipt()

    text = card(panel, shop.register)
    assert "Отправку приостановил petrova: меняем ФН" in text
    assert "В очереди 1 чек" in " ".join(text.split())
    assert "приостановил petrova" in text_of(panel.get(reverse("panel:registers")))
    assert claim() == []

    panel.post(reverse("panel:register_resume", args=[shop.register.uuid]), {"reason": "готово"})
    assert "Отправляет" in card(panel, shop.register)
    assert len(claim()) == 1


def test_a_stop_without_a_reason_is_refused(panel: Client, shop: Shop) -> None:
    text = text_of(panel.post(reverse("panel:register_stop", args=[shop.register.uuid]), {"reason": ""}, follow=True))

    assert "Напишите причину" in text
    assert not Lane.objects.exclude(stopped_ms=0).exists()


def test_an_open_breaker_is_told_in_words(panel: Client, shop: Shop) -> None:
    claim()
    clock = read_clock_ms()
    Lane.objects.filter(queue=777).update(
        breaker=Breaker.OPEN.value,
        broken_since_ms=clock - 300_000,
        open_until_ms=clock + 60_000,
        breaker_text="Сервис не ответил вовремя.",
    )

    text = card(panel, shop.register)
    assert "Сервис кассы не отвечает, отправка ждёт: Сервис не ответил вовремя." in text
    assert "уже 5 минут" in text


def test_rejected_notifications_are_told(panel: Client, shop: Shop) -> None:
    claim()
    Callback.objects.create(
        provider="test", account=shop.register.account, headers={}, body=b"{}", digest="d", verdict="forged",
        effect="none", received_at=now(),
    )  # fmt: skip

    assert "Отклонённые уведомления 1 за сутки" in " ".join(card(panel, shop.register).split())


def test_limits_and_stand_by_are_set_in_the_form(panel: Client, shop: Shop) -> None:
    other = factories.register(shop.ekb, queue=901, shop_id="other", name="Запасная", place_id=None)
    values = {"in_flight_max": "4", "rate_per_second": "3", "standby": other.pk, "standby_after_minutes": "20"}

    response = panel.post(reverse("panel:register_new", args=["test"]), filled(shop, **values), follow=True)

    register = Register.objects.get(name="Касса Екатеринбург")
    assert (register.standby_id, register.standby_after_minutes) == (other.pk, 20)
    assert Lane.objects.get(queue=900).in_flight_max == 4
    assert "одновременно 4, запросов в секунду 3" in text_of(response)
    page = panel.get(reverse("panel:register_edit", args=[register.uuid])).content.decode()
    assert 'value="20"' in page


def test_a_stand_by_register_that_does_not_fit_is_refused_at_its_field(panel: Client, shop: Shop) -> None:
    response = panel.post(reverse("panel:register_new", args=["test"]), filled(shop, standby=shop.register.pk))

    assert response.status_code == 422
    assert "другие регионы" in text_of(response)
    assert not Register.objects.filter(name="Касса Екатеринбург").exists()


def test_a_moved_receipt_names_the_register_that_has_it(panel: Client, shop: Shop) -> None:
    other = factories.register(shop.msk, queue=901, shop_id="other", name="Запасная", active_online=False)
    Register.objects.filter(pk=shop.register.pk).update(standby=other)
    receipt = shop.receipt()
    ReceiptState.objects.filter(pk=receipt.pk).update(account=other.account, queue=901)

    assert "переведён на резервную: Запасная" in text_of(panel.get(reverse("panel:receipt", args=[receipt.uuid])))
